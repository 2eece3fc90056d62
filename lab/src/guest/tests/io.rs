//! Reads and writes in every setting.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use super::super::device::Disk;
use super::super::fio;
use super::{set_all, Loaded};

/// fio and its start take seconds, not minutes, even under TCG.
const LIMIT: Duration = Duration::from_secs(60);

/// Processors of this guest.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn every_setting(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    for irqmode in ["0", "1"] {
        for queues in ["1", "2"] {
            for blocksize in ["512", "1024", "2048", "4096"] {
                let device = loaded.device("rftest-io")?;
                set_all(
                    &device,
                    &[
                        ("size", "4"),
                        ("irqmode", irqmode),
                        ("submit_queues", queues),
                        ("blocksize", blocksize),
                        ("hw_queue_depth", "32"),
                    ],
                )?;
                let disk = device.power_on()?;
                whole_disk(&disk)
                    .and_then(|()| count(&disk, blocksize))
                    .with_context(|| {
                        format!("irqmode {irqmode}, {queues} queues, blocks of {blocksize}")
                    })?;
                device.remove()?;
            }
        }
    }
    loaded.unload()
}

/// Buffered: every block once each way, up to the last one and not beyond.
fn whole_disk(disk: &Disk) -> Result<()> {
    const BYTES: u64 = 4 << 20;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(disk.node())
        .context("open")?;
    let end = file.seek(SeekFrom::End(0)).context("seek")?;
    ensure!(end == BYTES, "the disk ends at {end}");
    let chunk = vec![0x5a; 1 << 20];
    file.rewind().context("seek")?;
    for _ in 0..BYTES >> 20 {
        file.write_all(&chunk).context("write")?;
    }
    ensure!(
        file.write(&chunk).is_err(),
        "a write beyond the end is taken"
    );
    file.sync_all().context("flush")?;
    drop(file);
    fs::write("/proc/sys/vm/drop_caches", "1").context("drop_caches")?;
    let read = std::io::copy(
        &mut File::open(disk.node())?.take(BYTES * 2),
        &mut std::io::sink(),
    )
    .context("read")?;
    ensure!(read == BYTES, "{read} bytes can be read");
    Ok(())
}

/// Direct, 32 in flight on each of two jobs: as many operations complete as
/// were asked for.
fn count(disk: &Disk, blocksize: &str) -> Result<()> {
    let block: u64 = blocksize.parse()?;
    let job = run(
        disk,
        &[
            "--rw=randrw",
            &format!("--bs={blocksize}"),
            "--iodepth=32",
            "--numjobs=2",
            &format!("--size={}", block * 1000),
        ],
    )?;
    let total = job.read.total_ios + job.write.total_ios;
    ensure!(total == 2000.0, "{total} of 2000 operations completed");
    ensure!(
        job.read.total_ios > 0.0 && job.write.total_ios > 0.0,
        "one direction is missing"
    );
    Ok(())
}

fn run(disk: &Disk, more: &[&str]) -> Result<fio::Job> {
    let mut arguments: Vec<String> = [
        "--name=test",
        "--ioengine=io_uring",
        "--direct=1",
        "--thread=1",
        "--group_reporting=1",
        "--allow_file_create=0",
        "--output-format=json",
    ]
    .map(str::to_string)
    .to_vec();
    arguments.push(format!("--filename={}", disk.node().display()));
    arguments.extend(more.iter().map(|argument| argument.to_string()));
    fio::parse(&fio::run(&arguments, Some(LIMIT))?)
}

pub fn softirq(modules: &Path) -> Result<()> {
    const OPERATIONS: u64 = 10_000;
    let loaded = Loaded::new(modules)?;
    let mut raised = Vec::new();
    for irqmode in ["0", "1"] {
        let device = loaded.device("rftest-softirq")?;
        // With one hardware queue, blk_mq_complete_request_remote raises the
        // softirq for requests that end on the processor they came from.
        set_all(
            &device,
            &[
                ("size", "256"),
                ("irqmode", irqmode),
                ("submit_queues", "1"),
                ("blocksize", "4096"),
            ],
        )?;
        let disk = device.power_on()?;
        disk.set_queue("scheduler", "none").context("scheduler")?;
        let before = block_softirqs()?;
        run(
            &disk,
            &[
                "--rw=randread",
                "--bs=4096",
                &format!("--size={}", OPERATIONS * 4096),
            ],
        )?;
        raised.push(block_softirqs()? - before);
        device.remove()?;
    }
    // At depth 1 each operation raises its own. In mode 0 nothing but other
    // disks may raise any, and the guest has no others.
    ensure!(
        raised[0] < OPERATIONS / 100,
        "irqmode 0 raised {} for {OPERATIONS} operations",
        raised[0]
    );
    ensure!(
        raised[1] >= OPERATIONS * 9 / 10,
        "irqmode 1 raised {} for {OPERATIONS} operations",
        raised[1]
    );
    loaded.unload()
}

/// Sum over processors of the BLOCK line of /proc/softirqs.
fn block_softirqs() -> Result<u64> {
    let text = fs::read_to_string("/proc/softirqs").context("/proc/softirqs")?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("BLOCK:"))
        .context("/proc/softirqs has no BLOCK line")?;
    Ok(line
        .split_whitespace()
        .filter_map(|count| count.parse::<u64>().ok())
        .sum())
}
