//! QEMU's PCI device `edu` (1234:11e8), which operations on a device use: each
//! module gets one of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the kernel shows its PCI functions.
const FUNCTIONS: &str = "/sys/bus/pci/devices";

/// Devices that are promised to drivers.
pub struct Edus(Vec<PathBuf>);

impl Edus {
    /// Promises a device without a driver to each of `drivers`, as far as there
    /// are some, so that no other driver may bind it. A driver that comes binds
    /// its own.
    pub fn promise(drivers: &[&str]) -> Result<Edus> {
        let mut edus = Edus(Vec::new());
        for (function, driver) in free(Path::new(FUNCTIONS)).into_iter().zip(drivers) {
            set(&function, driver)?;
            edus.0.push(function);
        }
        Ok(edus)
    }

    /// Takes the promises back.
    pub fn give_back(self) -> Result<()> {
        self.0.iter().try_for_each(|function| set(function, ""))
    }
}

fn set(function: &Path, driver: &str) -> Result<()> {
    fs::write(function.join("driver_override"), format!("{driver}\n"))
        .with_context(|| format!("ring 0: {}: its driver cannot be set", function.display()))
}

/// The devices that no driver has, in the order of their addresses.
fn free(functions: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(functions).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|function| {
            let is = |name: &str, id: &str| {
                fs::read_to_string(function.join(name)).is_ok_and(|text| text.trim() == id)
            };
            is("vendor", "0x1234") && is("device", "0x11e8") && !function.join("driver").exists()
        })
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_of_that_kind_without_a_driver_are_free() {
        let folder = std::env::temp_dir().join(format!("ringfence-edu-{}", std::process::id()));
        for (address, device, bound) in [
            ("0000:00:05.0", "0x11e8", false),
            ("0000:00:04.0", "0x11e8", false),
            ("0000:00:03.0", "0x11e8", true),
            ("0000:00:02.0", "0x1111", false),
        ] {
            let function = folder.join(address);
            fs::create_dir_all(&function).unwrap();
            fs::write(function.join("vendor"), "0x1234\n").unwrap();
            fs::write(function.join("device"), format!("{device}\n")).unwrap();
            if bound {
                fs::create_dir(function.join("driver")).unwrap();
            }
        }
        let free = free(&folder);
        let names: Vec<_> = free.iter().filter_map(|one| one.file_name()).collect();
        assert_eq!(names, ["0000:00:04.0", "0000:00:05.0"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
