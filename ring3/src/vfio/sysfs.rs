//! What the kernel says of PCI functions in sysfs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Address;

/// Where a host's kernel shows itself: this one's, or a copy of its files.
#[derive(Clone, Debug)]
pub struct Host {
    sys: PathBuf,
    proc: PathBuf,
    pub(super) dev: PathBuf,
}

impl Default for Host {
    fn default() -> Host {
        Host::below(Path::new("/"))
    }
}

/// What is known of a function without touching it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub address: Address,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Class, subclass and programming interface, 24 bits.
    pub class: u32,
    /// The driver that has it.
    pub driver: Option<String>,
    /// Its group in the IOMMU; `None` without an IOMMU.
    pub iommu_group: Option<u32>,
    /// Its model, from a kernel driver that has it.
    pub model: Option<String>,
    /// Block devices of its driver, and bytes of each.
    pub disks: Vec<(String, u64)>,
}

impl Host {
    /// A host whose `sys`, `proc` and `dev` are below this folder.
    pub fn below(root: &Path) -> Host {
        Host {
            sys: root.join("sys"),
            proc: root.join("proc"),
            dev: root.join("dev"),
        }
    }

    /// The folder of a function.
    pub(super) fn function(&self, address: Address) -> PathBuf {
        self.sys.join(format!("bus/pci/devices/{address}"))
    }

    /// The folder of a PCI driver.
    pub(super) fn driver(&self, name: &str) -> PathBuf {
        self.sys.join("bus/pci/drivers").join(name)
    }

    /// The file that has the kernel look for a function's driver.
    pub(super) fn probe(&self) -> PathBuf {
        self.sys.join("bus/pci/drivers_probe")
    }

    pub(super) fn sys(&self, path: &str) -> PathBuf {
        self.sys.join(path)
    }

    pub(super) fn proc(&self, path: &str) -> PathBuf {
        self.proc.join(path)
    }

    /// All functions of a class, by address; none where there is no PCI.
    pub fn functions(&self, class: u32) -> Vec<Entry> {
        let all = fs::read_dir(self.sys.join("bus/pci/devices"));
        let mut found: Vec<Entry> = all
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|address| self.class(*address) == Some(class))
            // One that goes meanwhile is none.
            .filter_map(|address| self.entry(address).ok())
            .collect();
        found.sort_by_key(|entry| entry.address);
        found
    }

    fn class(&self, address: Address) -> Option<u32> {
        number(&self.function(address).join("class"))
    }

    /// What is known of a function.
    ///
    /// # Errors
    ///
    /// If there is none at that address.
    pub fn entry(&self, address: Address) -> Result<Entry> {
        let folder = self.function(address);
        let field = |name: &str| {
            number(&folder.join(name))
                .with_context(|| format!("{address}: there is no such PCI function"))
        };
        let disks = self.disks(address);
        let size = |name: &String| {
            let sectors = text(&self.sys(&format!("class/block/{name}/size")));
            sectors
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
                * 512
        };
        Ok(Entry {
            address,
            vendor: field("vendor")? as u16,
            device: field("device")? as u16,
            class: field("class")?,
            driver: link(&folder.join("driver")),
            iommu_group: link(&folder.join("iommu_group")).and_then(|name| name.parse().ok()),
            model: first_below(&folder.join("nvme")).and_then(|nvme| text(&nvme.join("model"))),
            disks: disks
                .into_iter()
                .map(|name| {
                    let bytes = size(&name);
                    (name, bytes)
                })
                .collect(),
        })
    }
}

/// Writes an attribute, in one write.
pub(super) fn set(path: &Path, value: &str) -> Result<()> {
    let write = || {
        fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(value.as_bytes())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// An attribute's text, without what surrounds it.
pub(super) fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_string()).filter(|text| !text.is_empty())
}

/// The last part of where a link leads.
pub(super) fn link(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    Some(target.file_name()?.to_str()?.to_string())
}

/// A hexadecimal attribute.
fn number(path: &Path) -> Option<u32> {
    let text = text(path)?;
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn first_below(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.flatten().next()?.path())
}
