//! Block devices that a kernel driver made of a function, and who uses them.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;

use super::sysfs::{text, Host};
use super::Address;

impl Host {
    /// Names of the block devices that are made of a function, without
    /// partitions, in order.
    pub(super) fn disks(&self, address: Address) -> Vec<String> {
        let mut found: Vec<String> = self
            .nodes(address)
            .into_iter()
            .filter(|name| {
                let folder = self.sys(&format!("class/block/{name}"));
                // A path of several to a disk has no device number.
                folder.join("dev").exists() && !folder.join("partition").exists()
            })
            .collect();
        found.sort();
        found
    }

    /// Block devices whose place in the tree of devices is below a function,
    /// and those that are paths to it (`nvme0c1n1` is one of `nvme0n1`).
    fn nodes(&self, address: Address) -> Vec<String> {
        let Ok(function) = fs::canonicalize(self.function(address)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(self.sys("class/block"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(place) = fs::canonicalize(entry.path()) else {
                continue;
            };
            let paths = fs::read_dir(place.join("multipath"))
                .into_iter()
                .flatten()
                .flatten();
            let mut leads = paths.filter_map(|path| fs::canonicalize(path.path()).ok());
            if place.starts_with(&function) || leads.any(|path| path.starts_with(&function)) {
                found.extend(entry.file_name().into_string());
            }
        }
        found
    }

    /// Who uses a block device of a function, in words; `None` if nobody does.
    pub(super) fn user_of_disks(&self, address: Address) -> Option<String> {
        let mut names = self.nodes(address);
        names.sort();
        names.iter().find_map(|name| self.user_of(name))
    }

    fn user_of(&self, name: &str) -> Option<String> {
        let folder = self.sys(&format!("class/block/{name}"));
        let holders = fs::read_dir(folder.join("holders"))
            .into_iter()
            .flatten()
            .flatten();
        if let Some(holder) = holders
            .filter_map(|entry| entry.file_name().into_string().ok())
            .next()
        {
            return Some(format!("{name} is held by {holder}"));
        }
        let number = text(&folder.join("dev"))?;
        let mounts = fs::read_to_string(self.proc("self/mountinfo")).unwrap_or_default();
        for mount in mounts.lines() {
            // id, parent, major:minor, root, mount point (proc_pid_mountinfo).
            let fields: Vec<&str> = mount.split(' ').collect();
            if fields.get(2) == Some(&number.as_str()) {
                let place = fields.get(4).unwrap_or(&"somewhere");
                return Some(format!("{name} is mounted at {place}"));
            }
        }
        let swaps = fs::read_to_string(self.proc("swaps")).unwrap_or_default();
        let device = format!("/dev/{name}");
        if swaps
            .lines()
            .any(|line| line.split_whitespace().next() == Some(&device))
        {
            return Some(format!("{name} is swap"));
        }
        // Whatever else holds it, in other name spaces too.
        let exclusive = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::EXCL.bits() as i32)
            .open(self.dev.join(name));
        match exclusive {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                Some(format!("{name} is in use"))
            }
            _ => None,
        }
    }
}
