//! Commands beside reads and writes, and polled queues.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use serde_json::json;

use super::super::super::device::Disk;
use super::super::super::nvme_log::Place;
use super::super::load;
use super::{interrupts_of_queues, verified, Driver, Slots};

/// Operation codes (NVM Command Set Specification 1.0, figure 9).
const FLUSH: &str = "0x0";
const WRITE: &str = "0x1";
const WRITE_ZEROES: &str = "0x8";
const DATASET_MANAGEMENT: &str = "0x9";

/// Bytes that are written, discarded and zeroed.
const BYTES: usize = 8 << 20;

/// The commands for I/O that the controller got since then, with that code.
fn commands(log: &Place, code: &str) -> Result<usize> {
    let text = log.text()?.context("the controller keeps no log")?;
    let word = format!(" opc {code} ");
    let of = |line: &&str| line.contains("pci_nvme_io_cmd") && line.contains(&word);
    Ok(text.lines().filter(of).count())
}

pub fn caches_and_zeroes(modules: &Path) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    let controller = slots.plug(json!({}))?;
    let event = |on: bool| json!({"name": "pci_nvme_io_cmd", "enable": on});
    slots
        .monitor
        .execute("trace-event-set-state", event(true))?;
    let disk = driver.disk(&controller.function)?;
    flushes(&disk)?;
    written_through(&disk)?;
    let allocated = || fs::metadata(&controller.medium).map(|file| file.blocks() * 512);
    let full = allocated()?;
    ensure!(full >= BYTES as u64, "{full} bytes were written");
    let log = Place::now();
    blkdiscard(&disk, &[])?;
    ensure!(
        commands(&log, DATASET_MANAGEMENT)? > 0,
        "nothing is discarded"
    );
    let left = allocated()?;
    ensure!(left < full / 2, "{left} of {full} bytes stay allocated");
    zeroes(&disk)?;
    slots
        .monitor
        .execute("trace-event-set-state", event(false))?;
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}

/// fsync(2) flushes the controller's cache.
fn flushes(disk: &Disk) -> Result<()> {
    let cache = disk.queue("write_cache");
    ensure!(
        cache.as_deref() == Some("write back"),
        "write_cache is {cache:?}"
    );
    let log = Place::now();
    let mut file = OpenOptions::new()
        .write(true)
        .open(disk.node())
        .context("open")?;
    file.write_all(&vec![0x5a; BYTES]).context("write")?;
    ensure!(commands(&log, FLUSH)? == 0, "a write flushes");
    file.sync_all().context("flush")?;
    let flushed = commands(&log, FLUSH)?;
    ensure!(flushed == 1, "fsync flushes {flushed} times");
    Ok(())
}

/// Writes that have to be on the medium when they end: the disk can do that
/// (FUA), so no flush follows.
fn written_through(disk: &Disk) -> Result<()> {
    const WRITES: usize = 64;
    let fua = disk.queue("fua");
    ensure!(fua.as_deref() == Some("1"), "fua is {fua:?}");
    let log = Place::now();
    let size = format!("--size={}", WRITES * 4096);
    let job = load(
        disk,
        &[
            "--rw=randwrite",
            "--bs=4096",
            &size,
            "--sync=dsync",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--do_verify=1",
        ],
    )?;
    ensure!(job.read.total_ios == WRITES as f64, "not all was read back");
    let (writes, flushes) = (commands(&log, WRITE)?, commands(&log, FLUSH)?);
    ensure!(
        (writes, flushes) == (WRITES, 0),
        "{WRITES} synchronous writes are {writes} writes and {flushes} flushes"
    );
    Ok(())
}

/// Zeroes are written by commands without data.
fn zeroes(disk: &Disk) -> Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(disk.node())
        .context("open")?;
    file.write_all(&vec![0xa5; BYTES]).context("write")?;
    file.sync_all().context("flush")?;
    let log = Place::now();
    blkdiscard(disk, &["--zeroout", "--length", "4M", "--offset", "1M"])?;
    let (zeroed, written) = (commands(&log, WRITE_ZEROES)?, commands(&log, WRITE)?);
    ensure!(
        zeroed > 0 && written == 0,
        "zeroes are {zeroed} commands for zeroes and {written} writes"
    );
    let mut back = vec![1; BYTES];
    file.seek(SeekFrom::Start(0)).context("seek")?;
    file.read_exact(&mut back).context("read")?;
    let wrong = back.iter().enumerate().find(|(at, byte)| {
        let zero = (1 << 20..5 << 20).contains(at);
        **byte != if zero { 0 } else { 0xa5 }
    });
    ensure!(wrong.is_none(), "byte {wrong:?} is wrong");
    Ok(())
}

fn blkdiscard(disk: &Disk, options: &[&str]) -> Result<()> {
    let status = Command::new("blkdiscard")
        .args(options)
        .arg(disk.node())
        .status()
        .context("blkdiscard cannot be started")?;
    ensure!(status.success(), "blkdiscard ended with {status}");
    Ok(())
}

/// What is polled is complete, and nobody is interrupted for it.
pub fn polled(modules: &Path) -> Result<()> {
    const OPERATIONS: u64 = 4000;
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "poll_queues=2")?;
    let controller = slots.plug(json!({}))?;
    let log = Place::now();
    let disk = driver.disk(&controller.function)?;
    let told = log.since()?;
    let polled = told.get("poll_queues").map_or("-", String::as_str);
    ensure!(polled == "2", "{polled} queues never interrupt, not 2");
    verified(&disk, &["--hipri=1"])?;
    let size = format!("--size={}", OPERATIONS / 2 * 4096);
    let options = [
        "--rw=randread",
        "--bs=4096",
        "--iodepth=32",
        "--numjobs=2",
        &size,
    ];
    let interrupted = |hipri: &str| -> Result<u64> {
        let before = interrupts_of_queues(&controller.function)?;
        load(&disk, &[&options[..], &[hipri]].concat())?;
        Ok(interrupts_of_queues(&controller.function)? - before)
    };
    let (polled, plain) = (interrupted("--hipri=1")?, interrupted("--hipri=0")?);
    ensure!(
        polled < OPERATIONS / 100,
        "{OPERATIONS} polled operations interrupt {polled} times"
    );
    ensure!(
        plain >= OPERATIONS / 100,
        "{OPERATIONS} operations that are not polled interrupt {plain} times only"
    );
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}
