//! A PCI function and which driver has it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// Where the kernel shows its functions and drivers.
const BUS: &str = "/sys/bus/pci";

/// A function of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    address: String,
    folder: PathBuf,
}

impl Function {
    /// The function at an address as `lspci -D` shows it, such as
    /// `0000:01:00.0`.
    pub fn at(address: &str) -> Result<Function> {
        let folder = Path::new(BUS).join("devices").join(address);
        if !address.contains(':') || address.contains('/') || !folder.is_dir() {
            bail!("ring 0: there is no PCI function {address}; `lspci -D` lists them");
        }
        Ok(Function {
            address: address.to_string(),
            folder,
        })
    }

    /// All functions of the machine, in the order of their addresses.
    pub fn all() -> Vec<Function> {
        Function::below(&Path::new(BUS).join("devices"))
    }

    fn below(folder: &Path) -> Vec<Function> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut all: Vec<Function> = entries
            .map(|entry| Function {
                address: entry.file_name().to_string_lossy().into_owned(),
                folder: entry.path(),
            })
            .collect();
        all.sort_by(|a, b| a.address.cmp(&b.address));
        all
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Reads an attribute, such as `vendor`.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        Some(text.trim().to_string())
    }

    /// The driver that has it.
    pub fn driver(&self) -> Option<String> {
        let link = fs::read_link(self.folder.join("driver")).ok()?;
        Some(link.file_name()?.to_string_lossy().into_owned())
    }

    /// Promises it to a driver, so that no other one may bind it; to all that
    /// know it where there is no name.
    pub fn promise(&self, driver: &str) -> Result<()> {
        fs::write(self.folder.join("driver_override"), format!("{driver}\n"))
            .with_context(|| format!("ring 0: {}: its driver cannot be set", self.address))
    }

    /// Takes it from the driver that has it, if one has.
    pub fn unbind(&self) -> Result<()> {
        let Some(driver) = self.driver() else {
            return Ok(());
        };
        self.tell(&driver, "unbind")
            .with_context(|| format!("ring 0: {driver} does not let go of {}", self.address))
    }

    /// Gives it to a driver that is loaded. It must have none, and be promised
    /// to that one or be of a kind that it knows.
    pub fn bind(&self, driver: &str) -> Result<()> {
        self.tell(driver, "bind").with_context(|| {
            format!(
                "ring 0: {driver} does not take {}; the kernel log (dmesg) says why",
                self.address
            )
        })
    }

    fn tell(&self, driver: &str, file: &str) -> io::Result<()> {
        let path = Path::new(BUS).join("drivers").join(driver).join(file);
        fs::write(path, &self.address)
    }

    /// Interrupts that it has, in the order of its vectors.
    pub fn interrupts(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.folder.join("msi_irqs"));
        let entries = entries.into_iter().flatten().flatten();
        let mut all: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        all.sort_unstable();
        all
    }

    /// The disks that its driver made, by name. Those that the kernel hides
    /// behind one for several paths are none.
    pub fn disks(&self) -> Vec<String> {
        let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
        let mut all: Vec<String> = entries
            .filter(|entry| {
                let Ok(path) = fs::canonicalize(entry.path()) else {
                    return false;
                };
                let own = path.iter().any(|part| part == self.address.as_str());
                let hidden = fs::read_to_string(path.join("hidden"));
                own && !hidden.is_ok_and(|text| text.trim() == "1")
            })
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }
}

/// While this is there, the kernel gives no function to a driver of its own
/// accord: neither when a driver comes nor when a function does.
pub struct ByName {
    before: String,
}

impl ByName {
    const FILE: &str = "/sys/bus/pci/drivers_autoprobe";

    /// From now on drivers get functions by name only ([`Function::bind`]).
    pub fn only() -> Result<ByName> {
        let before = fs::read_to_string(ByName::FILE)
            .and_then(|before| fs::write(ByName::FILE, "0").map(|()| before))
            .with_context(|| format!("ring 0: {} cannot be changed", ByName::FILE))?;
        Ok(ByName { before })
    }
}

impl Drop for ByName {
    fn drop(&mut self) {
        let _ = fs::write(ByName::FILE, self.before.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_come_in_order_with_what_they_say_of_themselves() {
        let folder = std::env::temp_dir().join(format!("ringfence-pci-{}", std::process::id()));
        for address in ["0000:00:05.0", "0000:00:04.0"] {
            let function = folder.join(address);
            fs::create_dir_all(function.join("msi_irqs")).unwrap();
            fs::write(function.join("vendor"), "0x1234\n").unwrap();
        }
        for number in ["31", "9", "30"] {
            fs::write(folder.join("0000:00:05.0/msi_irqs").join(number), "msix").unwrap();
        }
        std::os::unix::fs::symlink("../drivers/nvme", folder.join("0000:00:05.0/driver")).unwrap();
        let all = Function::below(&folder);
        assert_eq!(all[0].address(), "0000:00:04.0");
        assert_eq!(all[0].attribute("vendor").as_deref(), Some("0x1234"));
        assert_eq!((all[0].driver(), all[0].attribute("class")), (None, None));
        assert_eq!(all[1].driver().as_deref(), Some("nvme"));
        assert_eq!(all[1].interrupts(), [9, 30, 31]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_function_is_refused() {
        for address in ["0000:ff:1f.7", "../devices", ""] {
            let error = Function::at(address).unwrap_err().to_string();
            assert!(error.contains(&format!("function {address};")), "{error}");
        }
    }
}
