//! PCI devices of a VM, beside what it needs to boot.

use std::fs::File;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::machine::Accelerator;
use crate::guest::api::SUBJECTS;
use crate::{MONITOR, NVME_LOG};

/// Which devices a VM has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// None.
    None,
    /// An `edu` for each subject of `api`.
    Operations,
    /// The NVMe controllers that are measured, one that hears doorbells in
    /// registers only, as most of hardware does, and one that hears them in
    /// memory as well. A case is on one of them, which every subject gets in
    /// turn: nothing of the device then differs between subjects.
    Nvme,
    /// What the guest tests need: an `edu` for each subject of `api`, an NVMe
    /// controller with two namespaces, which is a shape that cannot be made
    /// later, empty slots, and QEMU's monitor, by which the guest puts
    /// controllers of other shapes into them and takes them out again.
    Tests,
}

/// The slots of the controllers that are measured, and whether they hear
/// doorbells in memory (DBCS).
const MEASURED: [(&str, &str); 2] = [("10", "off"), ("11", "on")];

/// Bytes of their namespaces.
const SIZE: u64 = 8 << 30;

/// An IOMMU, by which user space gets a controller, and parameters with which
/// the kernel itself does without.
const IOMMU: &str = "intel-iommu,intremap=on,caching-mode=on";
const IOMMU_PARAMETERS: &str = " intel_iommu=on iommu=pt";

/// Slots of a VM for tests. The last one has the controller with namespaces.
const PORTS: u32 = 3;

/// Files of those namespaces, in the root, and the bytes of each.
const NAMESPACES: [&str; 2] = ["/lab/out/.namespace1", "/lab/out/.namespace2"];
const NAMESPACE_SIZE: u64 = 64 << 20;

/// What a controller tells in its log while a driver sets it up: queues, and
/// the page of its doorbells in memory. Nothing of it is told for a request.
const EVENTS: [&str; 3] = [
    "pci_nvme_create_sq",
    "pci_nvme_create_cq",
    "pci_nvme_dbbuf_config",
];

impl Devices {
    /// Whether user space gets some of them, by an IOMMU.
    fn iommu(self) -> bool {
        matches!(self, Devices::Nvme | Devices::Tests)
    }

    /// The board that they are on.
    pub fn board(self, accelerator: Accelerator) -> &'static str {
        match (self.iommu(), accelerator) {
            (false, _) => "q35",
            // An IOMMU that remaps interrupts wants them in QEMU's hands.
            (true, Accelerator::Tcg) => "q35,kernel-irqchip=off",
            (true, Accelerator::Kvm) => "q35,kernel-irqchip=split",
        }
    }

    /// Makes the files that they need, anew.
    pub fn make(self, cache: &Cache) -> Result<()> {
        if self != Devices::Tests {
            return Ok(());
        }
        for name in NAMESPACES {
            let path = cache.root().join(name.trim_start_matches('/'));
            File::create(&path)
                .and_then(|file| file.set_len(NAMESPACE_SIZE))
                .with_context(|| format!("vm: {} cannot be made", path.display()))?;
        }
        Ok(())
    }

    /// QEMU's arguments for them.
    pub fn arguments(self) -> Vec<String> {
        let mut all = Vec::new();
        let mut add = |option: &str, value: String| all.extend([option.to_string(), value]);
        // Before what is behind it.
        if self.iommu() {
            add("-device", IOMMU.into());
        }
        if matches!(self, Devices::Operations | Devices::Tests) {
            for _ in 0..SUBJECTS.len() {
                add("-device", "edu".into());
            }
        }
        if matches!(self, Devices::Nvme | Devices::Tests) {
            for event in EVENTS {
                add("-trace", event.into());
            }
            add("-D", NVME_LOG.into());
        }
        match self {
            Devices::None | Devices::Operations => {}
            Devices::Nvme => {
                // A medium without contents: what is read is zeroes, so that
                // buffers are written as with any other, and no request waits
                // for the host.
                for (slot, dbcs) in MEASURED {
                    let node = format!("bench{slot}");
                    add(
                        "-blockdev",
                        format!("driver=null-co,node-name={node},size={SIZE},read-zeroes=on"),
                    );
                    add(
                        "-device",
                        format!("nvme,serial={node},drive={node},addr={slot},dbcs={dbcs}"),
                    );
                }
            }
            Devices::Tests => {
                for port in 0..PORTS {
                    add(
                        "-device",
                        format!("pcie-root-port,id=port{port},chassis={}", port + 1),
                    );
                }
                let last = PORTS - 1;
                add("-device", format!("nvme,id=two,serial=two,bus=port{last}"));
                for (number, name) in NAMESPACES.iter().enumerate() {
                    let file = format!("driver=file,node-name=two{number},filename={name}");
                    add("-blockdev", format!("{file},discard=unmap"));
                    // Each with blocks of another size.
                    let blocks = 512 << (3 * number);
                    add(
                        "-device",
                        format!(
                            "nvme-ns,bus=two,drive=two{number},nsid={},\
                             logical_block_size={blocks},physical_block_size={blocks}",
                            2 * number + 1
                        ),
                    );
                }
                // The monitor's line ends at a serial port of the guest.
                let socket = format!("socket,path={MONITOR}");
                add(
                    "-chardev",
                    format!("{socket},id=monitor,server=on,wait=off"),
                );
                add("-mon", "chardev=monitor,mode=control".into());
                add("-chardev", format!("{socket},id=guest"));
                add("-serial", "chardev:guest".into());
            }
        }
        all
    }

    /// Kernel parameters that tell the guest of them.
    pub fn parameters(self) -> String {
        match self {
            Devices::Nvme => {
                let address = |(slot, _)| format!("0000:00:{slot}.0");
                let addresses = MEASURED.map(address).join(",");
                format!("{IOMMU_PARAMETERS} ringfence.pci={addresses}")
            }
            Devices::Tests => IOMMU_PARAMETERS.into(),
            Devices::None | Devices::Operations => String::new(),
        }
    }
}
