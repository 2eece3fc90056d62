//! Controllers of odd shapes.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};

use super::super::super::attributes;
use super::super::super::device::Disk;
use super::super::super::nvme;
use super::super::super::nvme_log::Place;
use super::{verified, with_two_namespaces, Driver, Slots};

/// A shape: its name, what differs from QEMU's defaults, and what must then
/// read back.
type Shape = (&'static str, fn() -> Value, (&'static str, &'static str));

const SHAPES: [Shape; 8] = [
    ("plain", || json!({}), ("shadow_doorbells", "1")),
    (
        "transfers of two pages",
        || json!({"mdts": 1}),
        ("max_hw_sectors_kb", "8"),
    ),
    (
        "one queue pair",
        || json!({"max_ioqpairs": 1}),
        ("queue_pairs", "1"),
    ),
    (
        "one interrupt",
        || json!({"msix_qsize": 1}),
        ("interrupts", "1"),
    ),
    (
        "blocks of 4096 bytes",
        || json!({"logical_block_size": 4096, "physical_block_size": 4096}),
        ("logical_block_size", "4096"),
    ),
    (
        "doorbells that are registers only",
        || json!({"dbcs": false}),
        ("shadow_doorbells", "0"),
    ),
    (
        "queues of eight entries",
        || json!({"mqes": 7}),
        ("queue_entries", "8"),
    ),
    (
        "doorbells heard by a thread",
        || json!({"ioeventfd": true}),
        ("shadow_doorbells", "1"),
    ),
];

pub fn odd(modules: &Path) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    for (name, shape, expected) in SHAPES {
        one(&mut slots, &driver, shape(), expected).with_context(|| name)?;
    }
    driver.unload()
}

fn one(slots: &mut Slots, driver: &Driver, shape: Value, expected: (&str, &str)) -> Result<()> {
    let controller = slots.plug(shape)?;
    let log = Place::now();
    let disk = driver.disk(&controller.function)?;
    let mut values = attributes::of_disk(&disk);
    values.extend(log.since()?);
    values.extend(nvme::interrupts(&controller.function));
    let (name, value) = expected;
    let read = values.get(name).map_or("-", String::as_str);
    ensure!(read == value, "{name} is {read}, not {value}");
    verified(&disk, &[])?;
    controller.function.unbind()?;
    ensure!(controller.function.disks().is_empty(), "its disk stays");
    slots.unplug(controller)
}

/// Two namespaces, numbers 1 and 3, the first with blocks of 512 bytes and the other of 4096.
pub fn two_namespaces(modules: &Path) -> Result<()> {
    let _slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    let function = with_two_namespaces()?;
    driver.bind(&function)?;
    let names = super::within(Duration::from_secs(20), "two disks do not appear", || {
        let disks = function.disks();
        let whole = disks.iter().all(|name| Disk::named(name).is_whole());
        (disks.len() == 2 && whole).then_some(disks)
    })?;
    for (name, block) in names.iter().zip(["512", "4096"]) {
        let disk = Disk::named(name);
        ensure!(
            disk.queue("logical_block_size").as_deref() == Some(block),
            "{name} has blocks of {:?}, not {block}",
            disk.queue("logical_block_size")
        );
        verified(&disk, &[]).with_context(|| name.clone())?;
    }
    function.unbind()?;
    ensure!(function.disks().is_empty(), "a disk stays");
    driver.unload()
}

/// A controller with nothing behind it is bound, makes no disk, and goes.
pub fn without_a_namespace(modules: &Path) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    let controller = slots.plug(json!({"drive": null}))?;
    let log = Place::now();
    driver.bind(&controller.function)?;
    super::within(Duration::from_secs(20), "no queue is made", || {
        let told = log.since().ok()?;
        told.get("queue_pairs")
            .filter(|pairs| *pairs != "0")
            .cloned()
    })?;
    // Disks come after queues.
    sleep(Duration::from_secs(1));
    ensure!(
        controller.function.disks().is_empty(),
        "a disk came of nothing"
    );
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}
