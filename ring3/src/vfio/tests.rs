//! What is read of a host, on a copy of the files in which its kernel says it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::binding::{Before, Binding};
use super::{Address, Host};

const CLASS: u32 = 0x01_08_02;
const FUNCTION: &str = "sys/devices/pci0000:00/0000:00:04.0";

/// A host in a folder of its own: a controller with a disk that has a partition.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Copy {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "ringfence-host-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Relaxed)
        );
        let copy = Copy(std::env::temp_dir().join(name));
        for (path, text) in [
            ("vendor", "0x1b36\n"),
            ("device", "0x0010\n"),
            ("class", "0x010802\n"),
            ("driver_override", "(null)\n"),
            ("nvme/nvme0/model", "A model          \n"),
            ("nvme/nvme0/nvme0n1/size", "131072\n"),
            ("nvme/nvme0/nvme0n1/dev", "259:0\n"),
            ("nvme/nvme0/nvme0n1/nvme0n1p1/size", "2048\n"),
            ("nvme/nvme0/nvme0n1/nvme0n1p1/dev", "259:1\n"),
            ("nvme/nvme0/nvme0n1/nvme0n1p1/partition", "1\n"),
        ] {
            copy.write(&format!("{FUNCTION}/{path}"), text);
        }
        copy.write("sys/devices/virtual/block/loop0/dev", "7:0\n");
        copy.write(
            "proc/self/mountinfo",
            "22 1 254:0 / / rw - ext4 /dev/vda rw\n",
        );
        copy.write("proc/swaps", "Filename\tType\tSize\n");
        copy.write("sys/bus/pci/drivers_probe", "");
        for driver in ["nvme", "vfio-pci"] {
            for file in ["bind", "unbind"] {
                copy.write(&format!("sys/bus/pci/drivers/{driver}/{file}"), "");
            }
        }
        copy.link(
            "../../../devices/pci0000:00/0000:00:04.0",
            "sys/bus/pci/devices/0000:00:04.0",
        );
        copy.link(
            "../../../bus/pci/drivers/nvme",
            &format!("{FUNCTION}/driver"),
        );
        copy.link(
            "../../../kernel/iommu_groups/7",
            &format!("{FUNCTION}/iommu_group"),
        );
        let disk = "../../devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1";
        copy.link(disk, "sys/class/block/nvme0n1");
        copy.link(&format!("{disk}/nvme0n1p1"), "sys/class/block/nvme0n1p1");
        copy.link("../../devices/virtual/block/loop0", "sys/class/block/loop0");
        copy
    }

    fn host(&self) -> Host {
        Host::below(&self.0)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn link(&self, target: &str, path: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let _ = fs::remove_file(&path);
        symlink(target, path).expect("linked");
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.0.join(path)).expect("it was there");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).expect("it is there")
    }

    /// All files below `sys`, and what they hold.
    fn all(&self) -> Vec<(PathBuf, String)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let kind = entry.file_type().expect("known");
                if kind.is_dir() {
                    walk(&entry.path(), found);
                } else if kind.is_file() {
                    let text = fs::read_to_string(entry.path()).expect("text");
                    found.push((entry.path(), text));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0.join("sys"), &mut found);
        found.sort();
        found
    }

    /// The controller must be refused with these words, and nothing changed.
    #[track_caller]
    fn refuses(&self, words: &str) {
        let before = self.all();
        let refused = Binding::new(&self.host(), address(), CLASS).err();
        let text = refused
            .map(|error| format!("{error:#}"))
            .unwrap_or_default();
        assert!(text.contains(words), "{text:?}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(self.all(), before);
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn address() -> Address {
    "0000:00:04.0".parse().expect("an address")
}

#[test]
fn a_controller_is_listed_with_its_driver_model_and_disks() {
    let copy = Copy::new();
    let all = copy.host().functions(CLASS);
    assert_eq!(all.len(), 1);
    let entry = &all[0];
    assert_eq!((entry.vendor, entry.device), (0x1b36, 0x10));
    assert_eq!(entry.driver.as_deref(), Some("nvme"));
    assert_eq!(entry.iommu_group, Some(7));
    assert_eq!(entry.model.as_deref(), Some("A model"));
    assert_eq!(entry.disks, [("nvme0n1".to_string(), 64 << 20)]);
    assert!(copy.host().functions(0x02_00_00).is_empty());
}

#[test]
fn a_disk_of_several_paths_is_its_controllers() {
    let copy = Copy::new();
    copy.remove("sys/class/block/nvme0n1");
    copy.write(&format!("{FUNCTION}/nvme/nvme0/nvme0c0n1/hidden"), "1\n");
    let head = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1";
    copy.write(&format!("{head}/dev"), "259:0\n");
    copy.write(&format!("{head}/size"), "8\n");
    let path = "../../../../../pci0000:00/0000:00:04.0/nvme/nvme0/nvme0c0n1";
    copy.link(path, &format!("{head}/multipath/nvme0c0n1"));
    copy.link(&format!("../../../{head}"), "sys/class/block/nvme0n1");
    let entry = copy.host().entry(address()).expect("it is there");
    assert_eq!(entry.disks, [("nvme0n1".to_string(), 4096)]);
}

#[test]
fn what_somebody_uses_is_refused() {
    let copy = Copy::new();
    copy.write(
        "proc/self/mountinfo",
        "30 22 259:1 / /mnt rw - ext4 /dev/x rw\n",
    );
    copy.refuses("nvme0n1p1 is mounted at /mnt");
    let copy = Copy::new();
    copy.write(
        "proc/swaps",
        "Filename\tType\n/dev/nvme0n1p1   partition 1 0 -2\n",
    );
    copy.refuses("nvme0n1p1 is swap");
    let copy = Copy::new();
    copy.write(&format!("{FUNCTION}/nvme/nvme0/nvme0n1/holders/dm-3/x"), "");
    copy.refuses("nvme0n1 is held by dm-3");
}

#[test]
fn what_cannot_be_taken_is_refused() {
    let copy = Copy::new();
    copy.write(&format!("{FUNCTION}/class"), "0x020000\n");
    copy.refuses("is of class 020000");
    let copy = Copy::new();
    copy.remove(&format!("{FUNCTION}/iommu_group"));
    copy.refuses("intel_iommu=on");
    let copy = Copy::new();
    copy.remove("sys/bus/pci/devices/0000:00:04.0");
    copy.refuses("there is no such PCI function");
}

#[test]
fn a_kernel_that_does_not_bind_gets_it_all_undone() {
    let copy = Copy::new();
    // Nothing happens in a copy when files are written: the driver stays.
    let error = Binding::new(&copy.host(), address(), CLASS).err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(text.contains("did not bind it to vfio-pci"), "{text}");
    assert_eq!(copy.read("sys/bus/pci/drivers/nvme/unbind"), "0000:00:04.0");
    assert_eq!(copy.read("sys/bus/pci/drivers_probe"), "0000:00:04.0");
    let over = copy.read(&format!("{FUNCTION}/driver_override"));
    assert!(over.starts_with('\n'), "{over:?}");
}

#[test]
fn what_vfio_has_already_stays_with_it() {
    let copy = Copy::new();
    copy.link(
        "../../../bus/pci/drivers/vfio-pci",
        &format!("{FUNCTION}/driver"),
    );
    let before = copy.all();
    drop(Binding::new(&copy.host(), address(), CLASS).expect("it is there"));
    assert_eq!(copy.all(), before);
}

#[test]
fn it_goes_back_to_the_driver_and_override_that_it_had() {
    for (driver, driver_override) in [
        (Some("nvme"), None),
        (Some("nvme"), Some("nvme")),
        (None, None),
    ] {
        let copy = Copy::new();
        copy.write(&format!("{FUNCTION}/driver_override"), "vfio-pci\n");
        copy.link(
            "../../../bus/pci/drivers/vfio-pci",
            &format!("{FUNCTION}/driver"),
        );
        drop(Binding {
            host: copy.host(),
            address: address(),
            before: Some(Before {
                driver: driver.map(String::from),
                driver_override: driver_override.map(String::from),
            }),
        });
        let over = copy.read(&format!("{FUNCTION}/driver_override"));
        assert!(
            over.starts_with(driver_override.unwrap_or("\n")),
            "{over:?}"
        );
        assert_eq!(
            copy.read("sys/bus/pci/drivers/vfio-pci/unbind"),
            "0000:00:04.0"
        );
        let bound = if driver.is_some() { "0000:00:04.0" } else { "" };
        assert_eq!(copy.read("sys/bus/pci/drivers/nvme/bind"), bound);
    }
}

#[test]
fn one_that_was_pulled_is_not_given_back() {
    let copy = Copy::new();
    copy.remove("sys/bus/pci/devices/0000:00:04.0");
    let before = copy.all();
    drop(Binding {
        host: copy.host(),
        address: address(),
        before: Some(Before {
            driver: Some("nvme".into()),
            driver_override: None,
        }),
    });
    assert_eq!(copy.all(), before);
}
