//! Zoned devices under fio's zone mode.

use std::path::Path;

use anyhow::{ensure, Context, Result};

use super::{load, powered, Loaded};

pub fn verify(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for (name, more) in [
        ("plain zones", &[][..]),
        ("a smaller capacity", &[("zone_capacity", "3")][..]),
        (
            "limits and a cache",
            &[
                ("zone_max_open", "4"),
                ("zone_max_active", "6"),
                ("cache_size", "1"),
            ][..],
        ),
        ("emulated append", &[("zone_append_max_sectors", "0")][..]),
    ] {
        let mut settings = vec![
            ("size", "64"),
            ("memory_backed", "1"),
            ("zoned", "1"),
            ("zone_size", "4"),
            ("zone_nr_conv", "2"),
            ("irqmode", "1"),
        ];
        settings.extend(more);
        let (device, disk) = powered(&loaded, "rftest-zoned", &settings)?;
        ensure!(
            disk.queue("zoned").as_deref() == Some("host-managed"),
            "queue/zoned is {:?}",
            disk.queue("zoned")
        );
        ensure!(
            disk.queue("nr_zones").as_deref() == Some("16"),
            "queue/nr_zones is {:?}",
            disk.queue("nr_zones")
        );
        // Sequential zones begin at 8 MiB.
        let job = load(
            &disk,
            &[
                "--zonemode=zbd",
                "--rw=randwrite",
                "--bs=64k",
                "--iodepth=4",
                "--offset=8M",
                "--size=24M",
                "--max_open_zones=3",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--do_verify=1",
            ],
        )
        .context(name)?;
        ensure!(
            job.write.total_ios > 100.0,
            "{name}: too little was written"
        );
        ensure!(
            job.read.total_ios > 100.0,
            "{name}: too little was verified"
        );
        // Conventional zones take any order.
        load(
            &disk,
            &[
                "--zonemode=zbd",
                "--rw=randwrite",
                "--bs=4k",
                "--iodepth=4",
                "--size=2M",
                "--verify=crc32c",
                "--verify_fatal=1",
            ],
        )
        .with_context(|| format!("{name}, conventional"))?;
        device.remove()?;
    }
    // Without data, and by reads that stay below the write pointers.
    let settings = [("size", "64"), ("zoned", "1"), ("zone_size", "4")];
    let (device, disk) = powered(&loaded, "rftest-zoned", &settings)?;
    for rw in ["--rw=write", "--rw=randread"] {
        load(
            &disk,
            &[
                "--zonemode=zbd",
                rw,
                "--bs=128k",
                "--iodepth=8",
                "--size=32M",
            ],
        )
        .context(rw)?;
    }
    device.remove()?;
    loaded.unload()
}
