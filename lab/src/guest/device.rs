//! One null block device: a configfs directory, and the disk behind it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::module;

/// Where configfs is mounted.
const CONFIGFS: &str = "/sys/kernel/config";

/// Loads configfs and mounts it where it is not.
pub fn mount_configfs() -> Result<()> {
    if !Path::new(CONFIGFS).exists() {
        module::probe("configfs", &[])?;
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if mounts.contains(" configfs ") {
        return Ok(());
    }
    rustix::mount::mount(
        "configfs",
        CONFIGFS,
        "configfs",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .with_context(|| format!("ring 0: configfs cannot be mounted at {CONFIGFS}"))
}

/// A device that goes away when it is dropped.
pub struct Device {
    directory: PathBuf,
    name: String,
}

impl Device {
    /// Makes a device, not powered, under a driver's configfs group. One of
    /// that name that a killed agent left behind goes first.
    pub fn create(group: &str, name: &str) -> Result<Device> {
        let directory = Path::new(CONFIGFS).join(group).join(name);
        let shown = directory.display().to_string();
        if directory.exists() {
            let _ = write(&directory.join("power"), "0");
            fs::remove_dir(&directory)
                .with_context(|| format!("ring 0: the old {shown} cannot be removed"))?;
        }
        fs::create_dir(&directory)
            .with_context(|| format!("ring 0: {shown} cannot be made; is the module loaded?"))?;
        Ok(Device {
            directory,
            name: name.to_string(),
        })
    }

    /// Writes a setting.
    pub fn set(&self, attribute: &str, value: &str) -> io::Result<()> {
        write(&self.directory.join(attribute), value)
    }

    /// Reads a setting; `None` if the driver has none of that name.
    pub fn get(&self, attribute: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(attribute))
            .ok()
            .map(|text| text.trim().to_string())
    }

    /// Brings the disk up.
    pub fn power_on(&self) -> Result<Disk> {
        self.set("power", "1").with_context(|| {
            format!(
                "ring 0: {} cannot be powered; the kernel log (dmesg) says why",
                self.directory.display()
            )
        })?;
        // Kernels before 5.19 name null_blk's disks by index.
        let names = [
            Some(self.name.clone()),
            self.get("index").map(|index| format!("nullb{index}")),
        ];
        for name in names.into_iter().flatten() {
            let disk = Disk::named(&name);
            if disk.sysfs.exists() {
                return Ok(disk);
            }
        }
        bail!(
            "ring 0: {} is powered, but no disk {} appeared in /sys/block",
            self.directory.display(),
            self.name
        )
    }

    /// Takes the disk down.
    pub fn power_off(&self) -> io::Result<()> {
        self.set("power", "0")
    }

    /// Takes the disk down and the directory away.
    pub fn remove(self) -> Result<()> {
        let directory = self.directory.clone();
        std::mem::forget(self);
        write(&directory.join("power"), "0")
            .and_then(|()| fs::remove_dir(&directory))
            .with_context(|| format!("ring 0: {} cannot be removed", directory.display()))
    }

    /// Takes the directory away with the disk still powered.
    pub fn remove_powered(self) -> io::Result<()> {
        let directory = self.directory.clone();
        std::mem::forget(self);
        fs::remove_dir(directory)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.set("power", "0");
        let _ = fs::remove_dir(&self.directory);
    }
}

/// A disk that is up.
#[derive(Clone, Debug)]
pub struct Disk {
    name: String,
    sysfs: PathBuf,
}

impl Disk {
    /// The disk of that name in `/sys/block`.
    pub fn named(name: &str) -> Disk {
        Disk {
            name: name.to_string(),
            sysfs: Path::new("/sys/block").join(name),
        }
    }

    /// Its device node.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Whether the kernel has registered all of it: it shows a disk before its
    /// queue takes settings, and this link after that (`add_disk`).
    pub fn is_whole(&self) -> bool {
        self.sysfs.join("bdi").exists() && self.node().exists()
    }

    /// Reads a queue attribute; `None` if this kernel has none of that name.
    pub fn queue(&self, attribute: &str) -> Option<String> {
        self.attribute(&format!("queue/{attribute}"))
    }

    /// Writes a queue attribute.
    pub fn set_queue(&self, attribute: &str, value: &str) -> io::Result<()> {
        write(&self.sysfs.join("queue").join(attribute), value)
    }

    /// Reads any attribute below the disk.
    pub fn attribute(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.sysfs.join(path))
            .ok()
            .map(|text| text.trim().to_string())
    }

    /// Number of hardware queues.
    pub fn hardware_queues(&self) -> usize {
        fs::read_dir(self.sysfs.join("mq")).map_or(0, |entries| entries.count())
    }
}

/// One write(2), as `echo` does it, so that the kernel sees the value whole.
fn write(path: &Path, value: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let line = format!("{value}\n");
    let written = file.write(line.as_bytes())?;
    if written != line.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}
