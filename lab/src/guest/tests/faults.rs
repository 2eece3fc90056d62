//! Requests that are late, lost or come again, and blocks that are bad.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use super::super::device::Disk;
use super::super::fio;
use super::{arguments, load, powered, set_all, Loaded, LIMIT};

/// `O_DIRECT`.
const DIRECT: i32 = 0o40000;

/// A buffer that direct I/O takes.
#[repr(align(4096))]
struct Aligned([u8; 8192]);

fn open(disk: &Disk) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(DIRECT)
        .open(disk.node())
        .context("open")
}

/// One direct read, and how long it took.
fn read(file: &File, offset: u64, bytes: usize) -> (io::Result<usize>, Duration) {
    let mut buffer = Box::new(Aligned([0; 8192]));
    let start = Instant::now();
    let outcome = file.read_at(&mut buffer.0[..bytes], offset);
    (outcome, start.elapsed())
}

fn timed_out(outcome: &io::Result<usize>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::TimedOut)
}

/// A timer of 10 s against a time limit of 1 s.
pub fn late(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let device = loaded.device("rftest-late")?;
    set_all(
        &device,
        &[
            ("size", "16"),
            ("irqmode", "2"),
            ("completion_nsec", "10000000000"),
        ],
    )?;
    // The kernel looks for partitions before the disk is up, and meets the
    // limit at each read; so that it is through sooner, the limit is lowered
    // as soon as that can be done.
    let disk = thread::scope(|scope| {
        scope.spawn(|| {
            let limit = Path::new("/sys/block/rftest-late/queue/io_timeout");
            for _ in 0..1000 {
                if fs::write(limit, "100").is_ok() {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        device.power_on()
    })?;
    disk.set_queue("io_timeout", "1000").context("io_timeout")?;
    let start = Instant::now();
    let options = ["--rw=randread", "--bs=4k", "--iodepth=1", "--number_ios=1"];
    let ended = fio::attempt(&arguments(&disk, &options), Some(LIMIT))?;
    let took = start.elapsed();
    let said = format!("{}{}", ended.errors, ended.output);
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("io_u error on file"))
        .collect();
    ensure!(
        errors.len() == 1 && errors[0].contains("timed out"),
        "fio met {errors:?}, not one time limit"
    );
    ensure!(!ended.status.success(), "fio ended well with an error");
    ensure!(took < Duration::from_secs(8), "the error took {took:?}");
    // The timers of those that ended by their limit must not end others.
    let file = open(&disk)?;
    for _ in 0..3 {
        let (outcome, took) = read(&file, 0, 4096);
        ensure!(timed_out(&outcome), "the next one gives {outcome:?}");
        ensure!(took > Duration::from_millis(700), "it ended after {took:?}");
    }
    drop(file);
    device.remove()?;
    loaded.unload()
}

pub fn injected(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for polled in ["0", "1"] {
        let settings = [
            ("size", "16"),
            // Past what the kernel reads when the disk comes up.
            ("timeout", "1,100,400,1"),
            ("irqmode", "1"),
            ("poll_queues", polled),
        ];
        let (device, disk) = powered(&loaded, "rftest-lost", &settings)?;
        disk.set_queue("io_timeout", "500").context("io_timeout")?;
        let file = open(&disk)?;
        let mut lost = 0;
        for _ in 0..500 {
            match read(&file, 4096, 512).0 {
                Ok(512) => {}
                outcome if timed_out(&outcome) => lost += 1,
                outcome => bail!("a read gives {outcome:?}"),
            }
        }
        ensure!(lost == 1, "{lost} requests were lost, not 1");
        drop(file);
        device.remove()?;
    }
    let settings = [("size", "16"), ("requeue", "3,100,0,-1"), ("irqmode", "0")];
    let (device, disk) = powered(&loaded, "rftest-requeue", &settings)?;
    let job = load(
        &disk,
        &["--rw=randrw", "--bs=4k", "--iodepth=16", "--size=4M"],
    )?;
    let total = job.read.total_ios + job.write.total_ios;
    ensure!(total == 1024.0, "{total} of 1024 operations completed");
    device.remove()?;
    loaded.unload()
}

pub fn bad_blocks(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let settings = [
        ("size", "16"),
        ("memory_backed", "1"),
        ("blocksize", "512"),
        ("badblocks", "+8-15"),
    ];
    let (device, disk) = powered(&loaded, "rftest-bad", &settings)?;
    let file = open(&disk)?;
    let failing = || -> Vec<u64> {
        (0..24)
            .filter(|sector| read(&file, sector * 512, 512).0.is_err())
            .collect()
    };
    ensure!(
        failing() == (8..16).collect::<Vec<u64>>(),
        "{:?} fail",
        failing()
    );
    device
        .set("badblocks", "-10-11")
        .context("badblocks under a powered disk")?;
    ensure!(failing() == [8, 9, 12, 13, 14, 15], "{:?} fail", failing());
    ensure!(
        device.get("badblocks").as_deref() == Some("8 2\n12 4"),
        "badblocks reads {:?}",
        device.get("badblocks")
    );
    drop(file);
    device.remove()?;
    // A disk that keeps nothing has them too, and then sleeps.
    let settings = [("size", "16"), ("badblocks", "+8-15")];
    let (device, disk) = powered(&loaded, "rftest-bad", &settings)?;
    let file = open(&disk)?;
    ensure!(
        read(&file, 4096, 512).0.is_err() && read(&file, 8192, 512).0.is_ok(),
        "bad blocks from before the disk was there have no effect"
    );
    ensure!(
        device.get("blocking").as_deref() == Some("1"),
        "blocking is not set"
    );
    drop(file);
    device.remove()?;
    // Without any, the disk does not sleep, and can have none under way.
    let (device, disk) = powered(&loaded, "rftest-bad", &[("size", "16")])?;
    ensure!(
        matches!(device.set("badblocks", "+1-1"), Err(error) if error.kind() == io::ErrorKind::ResourceBusy),
        "badblocks of a disk that does not sleep can be changed"
    );
    ensure!(
        read(&open(&disk)?, 512, 512).0.is_ok(),
        "and it has an effect"
    );
    device.remove()?;
    loaded.unload()
}
