//! Media that fail.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{ensure, Context, Result};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde_json::{json, Value};

use super::super::super::device::Disk;
use super::super::super::fio;
use super::super::{arguments, LIMIT};
use super::{Driver, Slots};

/// Bytes of an operation, and how many of them are tried.
const BLOCK: u64 = 4096;
const BLOCKS: u64 = 256;

/// The blocks that cannot be read, and those that cannot be written.
const UNREADABLE: [u64; 3] = [0, 17, 255];
const UNWRITABLE: [u64; 2] = [18, 100];

/// Memory that direct I/O takes.
#[repr(align(4096))]
struct Block([u8; BLOCK as usize]);

pub fn exactly(modules: &Path) -> Result<()> {
    let mut slots = Slots::new()?;
    let driver = Driver::load(modules, "")?;
    let error = |iotype: &str, block: u64| {
        let sector = block * (BLOCK / 512) + 3;
        json!({"event": "none", "iotype": iotype, "sector": sector, "errno": 5})
    };
    let reads = UNREADABLE.map(|block| error("read", block));
    let writes = UNWRITABLE.map(|block| error("write", block));
    let injected: Vec<Value> = reads.into_iter().chain(writes).collect();
    let controller = slots.plug_over(
        json!({}),
        |file| json!({"driver": "blkdebug", "image": file, "inject-error": injected}),
    )?;
    let disk = driver.disk(&controller.function)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::DIRECT.bits() as i32)
        .open(disk.node())
        .context("open")?;
    // The kernel's own look at partitions met the first of them already.
    let block = Box::new(Block([0x5a; BLOCK as usize]));
    let failed = failing(|at| file.write_all_at(&block.0, at))?;
    ensure!(failed == UNWRITABLE, "blocks {failed:?} cannot be written");
    let mut block = Box::new(Block([0; BLOCK as usize]));
    let failed = failing(|at| {
        file.read_exact_at(&mut block.0, at)?;
        let written = !UNWRITABLE.contains(&(at / BLOCK));
        if written == (block.0[..] == [0x5a; BLOCK as usize]) {
            return Ok(());
        }
        Err(io::Error::other("it reads as something else"))
    })?;
    ensure!(failed == UNREADABLE, "blocks {failed:?} cannot be read");
    drop(file);
    for (pattern, count) in [("read", UNREADABLE.len()), ("write", UNWRITABLE.len())] {
        let met = errors_of_fio(&disk, pattern)?;
        ensure!(
            met == count as u64,
            "fio met {met} errors with {pattern}, not {count}"
        );
    }
    controller.function.unbind()?;
    slots.unplug(controller)?;
    driver.unload()
}

/// The blocks for which an operation ends with the error of a medium.
fn failing(mut operation: impl FnMut(u64) -> io::Result<()>) -> Result<Vec<u64>> {
    let mut failed = Vec::new();
    for block in 0..BLOCKS {
        match operation(block * BLOCK).map_err(|error| (error.raw_os_error(), error)) {
            Ok(()) => {}
            // Of the medium or of the transport: C tells the first from the
            // controller's status.
            Err((Some(number), _)) if is_medium(number) => failed.push(block),
            Err((_, error)) => return Err(error).with_context(|| format!("block {block}")),
        }
    }
    Ok(failed)
}

fn is_medium(number: i32) -> bool {
    [Errno::IO, Errno::NODATA]
        .iter()
        .any(|errno| errno.raw_os_error() == number)
}

/// How many errors fio goes on after, with many operations in flight.
fn errors_of_fio(disk: &Disk, pattern: &str) -> Result<u64> {
    let options = [
        &format!("--rw={pattern}"),
        &format!("--bs={BLOCK}"),
        &format!("--size={}", BLOCK * BLOCKS),
        "--iodepth=32",
        "--continue_on_error=io",
        "--ignore_error=5:61,5:61",
    ];
    let ended = fio::attempt(&arguments(disk, &options), Some(LIMIT))?;
    let start = ended.output.find('{').context("fio answers nothing")?;
    let answer: Value = serde_json::from_str(&ended.output[start..]).context("fio's answer")?;
    answer["jobs"][0]["total_err"]
        .as_u64()
        .context("fio counts no errors")
}
