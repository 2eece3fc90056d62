//! QEMU's PCI device `edu` (1234:11e8), which operations on a device use: each
//! module gets one of its own.

use anyhow::Result;

use super::pci::Function;

/// Devices that are promised to drivers.
pub struct Edus(Vec<Function>);

impl Edus {
    /// Promises a device without a driver to each of `drivers`, as far as there
    /// are some, so that no other driver may bind it. A driver that comes binds
    /// its own.
    pub fn promise(drivers: &[&str]) -> Result<Edus> {
        let mut edus = Edus(Vec::new());
        let free = Function::all().into_iter().filter(is_free);
        for (function, driver) in free.zip(drivers) {
            function.promise(driver)?;
            edus.0.push(function);
        }
        Ok(edus)
    }

    /// Takes the promises back.
    pub fn give_back(self) -> Result<()> {
        self.0.iter().try_for_each(|function| function.promise(""))
    }
}

/// Whether it is such a device, and no driver has it.
fn is_free(function: &Function) -> bool {
    let is = |name: &str, id: &str| function.attribute(name).as_deref() == Some(id);
    is("vendor", "0x1234") && is("device", "0x11e8") && function.driver().is_none()
}
