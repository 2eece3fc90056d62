//! A function that was claimed: its device, its IOMMU and its binding.

use std::path::Path;
use std::sync::Arc;

use anyhow::{ensure, Context, Result};
use vfio_ioctls::{VfioContainer, VfioDevice};

use super::binding::Binding;
use super::{Address, Host};

/// VFIO's number of the configuration space (`VFIO_PCI_CONFIG_REGION_INDEX`).
const CONFIG: u32 = 7;
/// VFIO's number of MSI-X (`VFIO_PCI_MSIX_IRQ_INDEX`).
const MSIX: u32 = 2;
/// The command register in configuration space (PCI 3.0 §6.2.2).
const COMMAND: u64 = 4;
/// Memory space and bus master enable in it.
const MEMORY: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;

/// A function that this process has. It is given back when the last `Arc` of it
/// is gone, which registers and memory of it hold too.
pub struct Function {
    // Closed in this order: the device's descriptor, its IOMMU's, and only then
    // the binding, since the kernel waits for the former before it takes the
    // function from vfio-pci.
    pub(super) device: VfioDevice,
    pub(super) container: Arc<VfioContainer>,
    _binding: Binding,
    address: Address,
}

impl Function {
    /// Takes the function at an address from its driver and opens it; it has to
    /// be of that class (24 bits), and its disks unused.
    ///
    /// # Errors
    ///
    /// If it cannot be had; then its driver has it as before.
    pub fn claim(address: Address, class: u32) -> Result<Arc<Function>> {
        Function::claim_on(&Host::default(), address, class)
    }

    /// The same, by what `host` shows.
    pub(super) fn claim_on(host: &Host, address: Address, class: u32) -> Result<Arc<Function>> {
        ensure!(
            cfg!(target_arch = "x86_64"),
            "{address}: user space drives devices on x86-64 only, whose order of writes it needs"
        );
        let binding = Binding::new(host, address, class)?;
        let path = host.function(address);
        let (container, device) = open(&path).with_context(|| {
            format!(
                "{address} cannot be opened by VFIO; somebody else may have it, or a neighbour in \
                 its IOMMU group ({}/iommu_group/devices) has a driver",
                path.display()
            )
        })?;
        let function = Function {
            device,
            container,
            _binding: binding,
            address,
        };
        function.command(MEMORY, 0);
        Ok(Arc::new(function))
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// MSI-X vectors that it has.
    pub fn vectors(&self) -> u16 {
        let count = self.device.get_irq_info(MSIX).map_or(0, |irq| irq.count);
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// Lets it read and write memory, or not. Whether the register says so
    /// afterwards; one that is gone reads as all ones and says nothing.
    pub(crate) fn set_bus_master(&self, on: bool) -> bool {
        let command = match on {
            true => self.command(BUS_MASTER, 0),
            false => self.command(0, BUS_MASTER),
        };
        command != u16::MAX && (command & BUS_MASTER != 0) == on
    }

    /// Sets and clears bits of the command register, and answers its value.
    fn command(&self, set: u16, clear: u16) -> u16 {
        let read = || {
            // What cannot be read stays as it is: all ones.
            let mut bytes = [0xff; 2];
            self.device.region_read(CONFIG, &mut bytes, COMMAND);
            u16::from_le_bytes(bytes)
        };
        let old = read();
        if old == u16::MAX {
            return old;
        }
        let new = (old | set) & !clear;
        self.device
            .region_write(CONFIG, &new.to_le_bytes(), COMMAND);
        read()
    }
}

fn open(path: &Path) -> Result<(Arc<VfioContainer>, VfioDevice)> {
    let container = Arc::new(VfioContainer::new(None)?);
    let device = VfioDevice::new(path, container.clone(), false)?;
    Ok((container, device))
}
