//! Limits of a device, and what several share.

use std::path::Path;

use anyhow::{ensure, Context, Result};

use super::{load, powered, Loaded};

pub fn bandwidth(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for irqmode in ["0", "1"] {
        let settings = [("size", "1024"), ("mbps", "40"), ("irqmode", irqmode)];
        let (device, disk) = powered(&loaded, "rftest-mbps", &settings)?;
        let job = load(
            &disk,
            &[
                "--rw=write",
                "--bs=64k",
                "--iodepth=8",
                "--time_based=1",
                "--runtime=2",
                "--size=1G",
            ],
        )?;
        let rate = job.write.iops / 16.0;
        // A limit: a machine that is busy itself may stay well below it.
        ensure!(
            (5.0..=45.0).contains(&rate),
            "{rate:.1} MiB/s instead of 40"
        );
        device.remove()?;
    }
    loaded.unload()
}

pub fn shared_tags(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let settings = [
        ("size", "64"),
        ("shared_tags", "1"),
        ("hw_queue_depth", "8"),
        ("submit_queues", "2"),
        ("no_sched", "1"),
    ];
    let (first, disk) = powered(&loaded, "rftest-shared1", &settings)?;
    let (second, other) = powered(&loaded, "rftest-shared2", &settings)?;
    ensure!(
        disk.queue("scheduler")
            .is_some_and(|scheduler| scheduler.contains("[none]")),
        "no_sched leaves {:?}",
        disk.queue("scheduler")
    );
    let options = [
        "--ioengine=io_uring",
        "--direct=1",
        "--thread=1",
        "--group_reporting=1",
        "--rw=randrw",
        "--bs=4k",
        "--iodepth=32",
        "--numjobs=2",
        "--size=8M",
    ];
    let node = format!("--filename={}", other.node().display());
    let job = load(
        &disk,
        &[&options[..], &["--name=other", &node], &options[..]].concat(),
    )?;
    let total = job.read.total_ios + job.write.total_ios;
    ensure!(total == 8192.0, "{total} of 8192 operations completed");
    let third = loaded.device("rftest-shared3")?;
    super::set_all(&third, &[("shared_tags", "1"), ("hw_queue_depth", "9")])?;
    ensure!(
        third.power_on().is_err(),
        "tags of another depth can be shared"
    );
    third.remove().context("a device that is off")?;
    first.remove()?;
    second.remove()?;
    loaded.unload()
}
