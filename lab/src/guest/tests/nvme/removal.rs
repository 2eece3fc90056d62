//! Controllers that go while fio runs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use serde_json::json;

use super::super::super::device::Disk;
use super::super::super::fio::{self, Ended};
use super::super::super::module;
use super::super::{arguments, LIMIT};
use super::{verified, Driver, Slots};

/// Runs `act` while fio is busy, until fio ends by itself: no request may stay
/// behind.
fn under_load<T>(
    disk: &Disk,
    seconds: u32,
    moment: u64,
    act: impl FnOnce() -> Result<T>,
) -> Result<(T, Ended)> {
    let runtime = format!("--runtime={seconds}");
    let options = [
        "--rw=randrw",
        "--bsrange=4k-128k",
        "--iodepth=32",
        "--numjobs=2",
        "--time_based=1",
        &runtime,
    ];
    let arguments = arguments(disk, &options);
    let (done, ended) = thread::scope(|scope| {
        let fio = scope.spawn(|| fio::attempt(&arguments, Some(LIMIT)));
        // Long enough for fio to start, at another moment each time.
        thread::sleep(Duration::from_millis(1200 + moment * 37));
        (act(), fio.join())
    });
    let ended = ended.map_err(|_| anyhow!("the load panicked"))??;
    Ok((done?, ended))
}

fn cycles(long: bool) -> u64 {
    if long {
        50
    } else {
        4
    }
}

/// The driver lets go of its controller, and gets it again.
pub fn unbind(modules: &Path, long: bool) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    let controller = slots.plug(json!({}))?;
    for cycle in 0..cycles(long) {
        let disk = driver.disk(&controller.function)?;
        let (_, ended) = under_load(&disk, 60, cycle, || controller.function.unbind())
            .with_context(|| format!("cycle {cycle}"))?;
        ensure!(
            !ended.status.success(),
            "fio did not notice that its disk went"
        );
        ensure!(controller.function.disks().is_empty(), "the disk stays");
    }
    let disk = driver.disk(&controller.function)?;
    verified(&disk, &[])?;
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}

/// The controller is taken out of the machine, and another one put in.
pub fn unplug(modules: &Path, long: bool) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    for cycle in 0..cycles(long) {
        let controller = slots.plug(json!({}))?;
        let disk = driver.disk(&controller.function)?;
        let (_, ended) = under_load(&disk, 60, cycle, || slots.unplug(controller))
            .with_context(|| format!("cycle {cycle}"))?;
        ensure!(
            !ended.status.success(),
            "fio did not notice that its disk went"
        );
    }
    let controller = slots.plug(json!({}))?;
    verified(&driver.disk(&controller.function)?, &[])?;
    slots.unplug(controller)?;
    driver.unload()
}

/// A module whose disk is open stays, or it goes and takes the disk along; the
/// load ends either way, and the controller can be had again.
pub fn unload(modules: &Path, long: bool) -> Result<()> {
    let mut slots = Slots::new()?;
    let controller = slots.plug(json!({}))?;
    for cycle in 0..cycles(long) {
        let driver = Driver::load(modules, "")?;
        let name = driver.subject.module;
        let disk = driver.disk(&controller.function)?;
        let (removed, ended) = under_load(&disk, 3, cycle, || Ok(module::remove(name).is_ok()))
            .with_context(|| format!("cycle {cycle}"))?;
        ensure!(
            ended.status.success() != removed,
            "the module was unloaded: {removed}, and fio ended with {}",
            ended.status
        );
        ensure!(
            module::is_loaded(name) != removed,
            "the module is half gone"
        );
        driver.unload()?;
        ensure!(
            controller.function.driver().is_none(),
            "a driver that is gone has it"
        );
    }
    let driver = Driver::load(modules, "")?;
    verified(&driver.disk(&controller.function)?, &[])?;
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}
