//! A function bound to vfio-pci in place of its driver, for a while.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use super::sysfs::{link, set, text, Host};
use super::Address;

/// The driver that gives functions to user space.
const VFIO: &str = "vfio-pci";
/// How long a device node may take to appear.
const NODE: Duration = Duration::from_secs(5);

/// A function that vfio-pci has. When this is dropped, it goes back to the
/// driver that it had.
pub(super) struct Binding {
    pub(super) host: Host,
    pub(super) address: Address,
    /// What there is to undo.
    pub(super) before: Option<Before>,
}

/// How a function was bound.
pub(super) struct Before {
    pub(super) driver: Option<String>,
    pub(super) driver_override: Option<String>,
}

impl Binding {
    /// Takes a function from its driver.
    ///
    /// # Errors
    ///
    /// If it is not of that class, its disks are in use, there is no IOMMU, or
    /// the kernel refuses. Then it is bound as before.
    pub(super) fn new(host: &Host, address: Address, class: u32) -> Result<Binding> {
        let entry = host.entry(address)?;
        ensure!(
            entry.class == class,
            "{address} is of class {:06x}, where {class:06x} is wanted; `ringfence nvme list` \
             names what can be used",
            entry.class
        );
        ensure!(
            entry.iommu_group.is_some(),
            "{address} is behind no IOMMU, which has to keep it from other memory: switch VT-d or \
             AMD-Vi on in the firmware, and boot with intel_iommu=on"
        );
        if let Some(user) = host.user_of_disks(address) {
            bail!("{address}: {user}; unmount or close it first");
        }
        let mut binding = Binding {
            host: host.clone(),
            address,
            before: None,
        };
        if entry.driver.as_deref() == Some(VFIO) {
            return Ok(binding);
        }
        load(host)?;
        let folder = host.function(address);
        let old = text(&folder.join("driver_override")).filter(|text| text != "(null)");
        set(&folder.join("driver_override"), VFIO).context(
            "a function is taken from its driver by root only; run this with sudo, or bind it to \
             vfio-pci before",
        )?;
        // From here on an error undoes what was done.
        binding.before = Some(Before {
            driver: entry.driver.clone(),
            driver_override: old,
        });
        if let Some(driver) = &entry.driver {
            set(&host.driver(driver).join("unbind"), &address.to_string())?;
        }
        set(&host.probe(), &address.to_string())?;
        let driver = link(&folder.join("driver"));
        ensure!(
            driver.as_deref() == Some(VFIO),
            "{address}: the kernel did not bind it to {VFIO}; its log says why"
        );
        binding.wait_for_node(entry.iommu_group)?;
        Ok(binding)
    }

    /// Waits for the group's node, which somebody else makes.
    fn wait_for_node(&self, group: Option<u32>) -> Result<()> {
        let node = self.host.dev.join(format!("vfio/{}", group.unwrap_or(0)));
        let since = Instant::now();
        while !node.exists() {
            ensure!(since.elapsed() < NODE, "{} does not appear", node.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Undoes all that was done.
    fn give_back(&mut self) -> Result<()> {
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        let folder = self.host.function(self.address);
        if !folder.exists() {
            // It was pulled; there is nothing to give.
            return Ok(());
        }
        let address = self.address.to_string();
        // A line's end alone clears it.
        let old = before.driver_override.as_deref().unwrap_or("\n");
        set(&folder.join("driver_override"), old)?;
        let now = link(&folder.join("driver"));
        if now.as_deref() == Some(VFIO) {
            set(&self.host.driver(VFIO).join("unbind"), &address)?;
        }
        match before.driver {
            Some(driver) if now.as_deref() != Some(&driver) => {
                set(&self.host.driver(&driver).join("bind"), &address)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        let driver = self
            .before
            .as_ref()
            .and_then(|before| before.driver.clone());
        if let Err(error) = self.give_back() {
            let driver = driver.unwrap_or_default();
            eprintln!(
                "{} could not be given back to {driver}: {error:#}; as root: echo {} > {}",
                self.address,
                self.address,
                self.host.driver(&driver).join("bind").display(),
            );
        }
    }
}

/// Has the kernel load vfio-pci, unless it is there.
fn load(host: &Host) -> Result<()> {
    if host.driver(VFIO).exists() {
        return Ok(());
    }
    let done = Command::new("modprobe").arg(VFIO).output();
    let output = done.with_context(|| format!("modprobe {VFIO} does not start"))?;
    ensure!(
        output.status.success() && host.driver(VFIO).exists(),
        "modprobe {VFIO} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
