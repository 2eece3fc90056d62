//! Devices that keep data.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

use super::super::device::Disk;
use super::cycles::{meminfo, per_cpu_pages};
use super::{load, powered, Loaded};

/// A way to complete, and what it needs.
type Mode = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const MODES: [Mode; 6] = [
    ("irqmode 0", &[("irqmode", "0")], &[]),
    (
        "irqmode 1",
        &[("irqmode", "1"), ("submit_queues", "2")],
        &[],
    ),
    (
        "irqmode 2",
        &[("irqmode", "2"), ("completion_nsec", "20000")],
        &[],
    ),
    ("poll", &[("poll_queues", "2")], &["--hipri=1"]),
    (
        "cache",
        &[("cache_size", "1"), ("irqmode", "1")],
        &["--fsync=32"],
    ),
    (
        "cache and FUA",
        &[("cache_size", "1"), ("irqmode", "0")],
        &["--sync=dsync"],
    ),
];

pub fn verify(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for (name, settings, options) in MODES {
        for blocksize in ["512", "4096"] {
            let mut all = vec![
                ("size", "64"),
                ("memory_backed", "1"),
                ("discard", "1"),
                ("blocksize", blocksize),
            ];
            all.extend(settings);
            let (device, disk) = powered(&loaded, "rftest-data", &all)?;
            written(&disk, blocksize, options)
                .with_context(|| format!("{name}, blocks of {blocksize}"))?;
            device.remove()?;
        }
    }
    loaded.unload()
}

/// Two jobs, each on its half, write, discard in between, and verify.
fn written(disk: &Disk, blocksize: &str, options: &[&str]) -> Result<()> {
    ensure!(
        disk.queue("discard_max_bytes")
            .is_some_and(|max| max != "0"),
        "no discards"
    );
    let job = load(
        disk,
        &[
            &[
                "--rw=randwrite",
                &format!("--bsrange={blocksize}-64k"),
                &format!("--blockalign={blocksize}"),
                "--iodepth=16",
                "--numjobs=2",
                "--size=6M",
                "--offset_increment=8M",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--do_verify=1",
            ],
            options,
        ]
        .concat(),
    )?;
    ensure!(
        job.write.total_ios > 100.0 && job.read.total_ios > 100.0,
        "too little was done"
    );
    let trim = load(
        disk,
        &[
            "--rw=randtrimwrite",
            &format!("--bs={blocksize}"),
            "--size=1M",
            "--ioengine=psync",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--trim_percentage=20",
            "--trim_verify_zero=1",
        ],
    )?;
    ensure!(
        trim.write.total_ios > 0.0,
        "nothing was written between discards"
    );
    Ok(())
}

fn open(disk: &Disk) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(disk.node())
        .context("open")
}

pub fn power_cycle(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for cache in ["0", "8"] {
        let settings = [
            ("size", "16"),
            ("memory_backed", "1"),
            ("cache_size", cache),
        ];
        let (device, disk) = powered(&loaded, "rftest-cycle", &settings)?;
        ensure!(
            disk.queue("write_cache").as_deref()
                == Some(if cache == "0" {
                    "write through"
                } else {
                    "write back"
                }),
            "cache_size {cache} gives write_cache {:?}",
            disk.queue("write_cache")
        );
        let data: Vec<u8> = (0..1 << 20).map(|byte| (byte % 251) as u8).collect();
        let mut file = open(&disk)?;
        file.write_all(&data).context("write")?;
        file.sync_all().context("flush")?;
        drop(file);
        device.power_off().context("power off")?;
        let disk = device.power_on()?;
        let mut file = open(&disk)?;
        let mut back = vec![0; data.len()];
        file.read_exact(&mut back).context("read")?;
        ensure!(
            back == data,
            "cache_size {cache}: data changed while the disk was off"
        );
        drop(file);
        device.remove()?;
    }
    loaded.unload()
}

pub fn discard(modules: &Path) -> Result<()> {
    const BYTES: u64 = 96 << 20;
    let loaded = Loaded::new(modules)?;
    let settings = [("size", "128"), ("memory_backed", "1"), ("discard", "1")];
    let (device, disk) = powered(&loaded, "rftest-discard", &settings)?;
    let free = || -> Result<i64> {
        fs::write("/proc/sys/vm/drop_caches", "3").context("drop_caches")?;
        let read = |path: &str| fs::read_to_string(path).context(path.to_string());
        let free = meminfo(&read("/proc/meminfo")?).get("MemFree").copied();
        // Freed pages stay on per-CPU lists for a while.
        let listed = 4 * per_cpu_pages(&read("/proc/zoneinfo")?);
        Ok(free.context("no MemFree")? + listed)
    };
    let before = free()?;
    let mut file = open(&disk)?;
    let chunk = vec![0x5a; 1 << 20];
    for _ in 0..BYTES >> 20 {
        file.write_all(&chunk).context("write")?;
    }
    file.sync_all().context("flush")?;
    let full = free()?;
    let status = Command::new("blkdiscard")
        .arg(disk.node())
        .status()
        .context("blkdiscard cannot be started")?;
    ensure!(status.success(), "blkdiscard ended with {status}");
    let after = free()?;
    let kilobytes = (BYTES >> 10) as i64;
    ensure!(
        before - full > kilobytes / 2,
        "writing took {} kB",
        before - full
    );
    ensure!(
        after - full > kilobytes / 2,
        "discarding gave back {} kB",
        after - full
    );
    let mut back = vec![1; 4096];
    file.seek(SeekFrom::Start(1 << 20)).context("seek")?;
    file.read_exact(&mut back).context("read")?;
    ensure!(
        back.iter().all(|byte| *byte == 0),
        "what was discarded is still there"
    );
    drop(file);
    device.remove()?;
    loaded.unload()
}

pub fn full(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for irqmode in ["0", "1", "2"] {
        let settings = [
            ("size", "64"),
            ("memory_backed", "1"),
            ("memory_limit", "2"),
            ("irqmode", irqmode),
        ];
        let (device, disk) = powered(&loaded, "rftest-full", &settings)?;
        let write = |size| load(&disk, &["--rw=write", "--bs=64k", "--iodepth=8", size]);
        write("--size=1M").context("below the limit")?;
        // An error, and not a hang: fio comes to an end.
        match write("--size=16M") {
            Ok(_) => bail!("fio met no error beyond the limit"),
            Err(error) => ensure!(
                format!("{error:#}").contains("No space"),
                "fio met another error: {error:#}"
            ),
        }
        // What is there can be written again.
        write("--size=1M").context("at the limit")?;
        device.remove()?;
    }
    loaded.unload()
}
