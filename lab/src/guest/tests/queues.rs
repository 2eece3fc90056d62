//! Queues that come and go under a powered disk.

use std::io::ErrorKind;
use std::path::Path;
use std::thread;

use anyhow::{ensure, Context, Result};

use super::super::device::{Device, Disk};
use super::{io::cpus, load, powered, Loaded};

pub fn change(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for (name, value, poll) in [
        ("irqmode", "2", 0),
        ("poll_queues", "1", 1),
        ("memory_backed", "1", 0),
        ("mbps", "40", 0),
    ] {
        let settings = [("size", "64"), (name, value)];
        let (device, disk) = powered(&loaded, "rftest-queues", &settings)?;
        under_load(&device, &disk, poll).with_context(|| format!("{name}={value}"))?;
        device.remove()?;
    }
    // C refuses that as well.
    let settings = [("size", "64"), ("shared_tags", "1")];
    let (device, disk) = powered(&loaded, "rftest-queues", &settings)?;
    refused(&device, &disk, "2", 1)?;
    device.remove()?;
    loaded.unload()
}

fn under_load(device: &Device, disk: &Disk, poll: usize) -> Result<()> {
    let options = [
        "--rw=randrw",
        "--bs=4k",
        "--iodepth=32",
        "--numjobs=2",
        "--time_based=1",
        "--runtime=3",
        if poll > 0 { "--hipri=1" } else { "--hipri=0" },
    ];
    thread::scope(|scope| {
        let fio = scope.spawn(|| load(disk, &options));
        let mut turns = 0;
        while !fio.is_finished() {
            for submit in [cpus(), 1] {
                device
                    .set("submit_queues", &submit.to_string())
                    .with_context(|| format!("submit_queues={submit}"))?;
                is(device, disk, submit, poll)?;
            }
            turns += 1;
        }
        let job = fio
            .join()
            .map_err(|_| anyhow::anyhow!("the load panicked"))??;
        ensure!(job.read.total_ios > 0.0, "nothing was read");
        ensure!(turns > 1, "the queues changed {turns} times only");
        Ok(())
    })?;
    let too_many = (cpus() + 1).to_string();
    for value in ["0", &too_many, "x"] {
        refused(device, disk, value, 1 + poll)?;
    }
    Ok(())
}

fn refused(device: &Device, disk: &Disk, value: &str, queues: usize) -> Result<()> {
    let outcome = device.set("submit_queues", value);
    ensure!(
        matches!(&outcome, Err(error) if error.kind() == ErrorKind::InvalidInput),
        "submit_queues={value} gives {outcome:?}"
    );
    is(device, disk, 1, queues - 1)
}

fn is(device: &Device, disk: &Disk, submit: usize, poll: usize) -> Result<()> {
    let read = device.get("submit_queues");
    ensure!(
        read.as_deref() == Some(&submit.to_string()),
        "submit_queues reads back as {read:?}, not {submit}"
    );
    let queues = disk.hardware_queues();
    ensure!(
        queues == submit + poll,
        "the disk has {queues} hardware queues, not {submit} and {poll} for polling"
    );
    Ok(())
}
