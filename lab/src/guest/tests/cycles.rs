//! Load, use, unload, a hundred times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};

use super::super::device::Disk;
use super::super::fio;
use super::{set_all, Loaded};

const CYCLES: u64 = 100;

/// After this many cycles everything is warm: caches, per-CPU lists, the
/// slabs that block devices need.
const WARM: u64 = 10;

/// From then on memory is looked at every so many cycles.
const STRETCH: u64 = 15;

pub fn memory(modules: &Path) -> Result<()> {
    let mut taken = Vec::new();
    for cycle in 1..=CYCLES {
        one(modules).with_context(|| format!("cycle {cycle}"))?;
        if cycle >= WARM && (cycle - WARM).is_multiple_of(STRETCH) {
            taken.push(Memory::settled()?);
        }
    }
    match lost(&taken, STRETCH) {
        None => Ok(()),
        Some(what) => bail!("{what} in {} cycles", CYCLES - WARM),
    }
}

fn one(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let soft = loaded.device("rftest-soft")?;
    let none = loaded.device("rftest-none")?;
    set_all(
        &soft,
        &[("size", "16"), ("irqmode", "1"), ("submit_queues", "2")],
    )?;
    set_all(
        &none,
        &[("size", "16"), ("irqmode", "0"), ("submit_queues", "1")],
    )?;
    let disks = [soft.power_on()?, none.power_on()?];
    load(&disks)?;
    soft.power_off().context("power off")?;
    none.power_off().context("power off")?;
    soft.remove()?;
    none.remove()?;
    loaded.unload()
}

/// One fio with a job for each disk, since most of its time is its start.
fn load(disks: &[Disk; 2]) -> Result<()> {
    let mut arguments: Vec<String> = [
        "--ioengine=io_uring",
        "--direct=1",
        "--thread=1",
        "--rw=randrw",
        "--bs=4096",
        "--iodepth=16",
        "--size=1M",
        "--group_reporting=1",
        "--allow_file_create=0",
        "--output-format=json",
    ]
    .map(str::to_string)
    .to_vec();
    for disk in disks {
        arguments.push("--name=test".into());
        arguments.push(format!("--filename={}", disk.node().display()));
    }
    let job = fio::parse(&fio::run(&arguments, Some(Duration::from_secs(60)))?)?;
    let total = job.read.total_ios + job.write.total_ios;
    ensure!(total == 512.0, "{total} of 512 operations completed");
    Ok(())
}

/// What the kernel has in use, by name.
#[derive(Clone, Default)]
struct Memory {
    kilobytes: BTreeMap<String, i64>,
    /// Objects by slab cache.
    objects: BTreeMap<String, i64>,
}

impl Memory {
    /// As it is once all that only caches is dropped.
    fn settled() -> Result<Memory> {
        for _ in 0..3 {
            fs::write("/proc/sys/vm/drop_caches", "3").context("drop_caches")?;
            // Gives per-CPU slabs back, so that objects are counted exactly.
            for cache in fs::read_dir("/sys/kernel/slab").context("slab")?.flatten() {
                let _ = fs::write(cache.path().join("shrink"), "1");
            }
            // Freed by RCU, work queues and lazy unmapping.
            sleep(Duration::from_secs(1));
        }
        let read = |path: &str| fs::read_to_string(path).context(path.to_string());
        let meminfo = meminfo(&read("/proc/meminfo")?);
        let value = |name: &str| meminfo.get(name).copied().unwrap_or(0);
        // Free pages on per-CPU lists, tens of megabytes that come and go,
        // are not in MemFree.
        let free = value("MemFree") + 4 * per_cpu_pages(&read("/proc/zoneinfo")?);
        let kilobytes = [
            ("memory in use", value("MemTotal") - free),
            ("slab", value("Slab")),
            ("per-CPU memory", value("Percpu")),
            ("vmalloc", value("VmallocUsed")),
            ("kernel stacks", value("KernelStack")),
        ]
        .map(|(name, value)| (name.to_string(), value));
        Ok(Memory {
            kilobytes: BTreeMap::from(kilobytes),
            objects: slabinfo(&read("/proc/slabinfo")?),
        })
    }
}

/// What was lost, if anything was, by states `cycles` cycles apart.
///
/// What a cycle loses it loses every time, so the measure is one page or one
/// object a cycle, in every one of the stretches between: the kernel's own
/// noise (100 kB, and free objects that it keeps per CPU, in some caches a
/// hundred) comes once or goes again.
fn lost(taken: &[Memory], cycles: u64) -> Option<String> {
    let cycles = cycles as i64;
    let grows = |of: fn(&Memory) -> &BTreeMap<String, i64>, least: i64| {
        let (first, last) = (of(taken.first()?), of(taken.last()?));
        last.iter().find_map(|(name, value)| {
            let at = |memory| of(memory).get(name).copied().unwrap_or(0);
            let steady = taken
                .windows(2)
                .all(|pair| at(&pair[1]) - at(&pair[0]) >= least);
            steady.then(|| (name.clone(), value - first.get(name).unwrap_or(&0)))
        })
    };
    if let Some((name, by)) = grows(|memory| &memory.kilobytes, 4 * cycles) {
        return Some(format!("{name} grew by {by} kB"));
    }
    let (name, by) = grows(|memory| &memory.objects, cycles)?;
    Some(format!("slab cache {name} grew by {by} objects"))
}

pub(super) fn meminfo(text: &str) -> BTreeMap<String, i64> {
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let value = rest.split_whitespace().next()?.parse().ok()?;
            Some((name.to_string(), value))
        })
        .collect()
}

/// Pages on the free lists of all CPUs: `count` of each `pagesets`.
pub(super) fn per_cpu_pages(zoneinfo: &str) -> i64 {
    zoneinfo
        .lines()
        .filter_map(|line| line.trim().strip_prefix("count:"))
        .filter_map(|count| count.trim().parse::<i64>().ok())
        .sum()
}

/// Where a kernel with object debugging keeps its books of other objects.
const BOOKS: &str = "debug_objects_cache";

/// Active objects, the second column.
fn slabinfo(text: &str) -> BTreeMap<String, i64> {
    text.lines()
        .skip(2)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().filter(|name| *name != BOOKS)?;
            Some((name.to_string(), words.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(kilobytes: i64, objects: i64) -> Memory {
        Memory {
            kilobytes: meminfo(&format!("slab:  {kilobytes} kB\n")),
            objects: slabinfo(&format!("v\n# name\nkmalloc-64 {objects} 5000 64 1\n")),
        }
    }

    #[test]
    fn a_page_or_an_object_a_cycle_is_a_leak() {
        let pages = [memory(100, 7), memory(280, 7), memory(460, 7)];
        assert_eq!(lost(&pages, 45).as_deref(), Some("slab grew by 360 kB"));
        let objects = [memory(100, 10), memory(100, 55), memory(100, 100)];
        assert_eq!(
            lost(&objects, 45).as_deref(),
            Some("slab cache kmalloc-64 grew by 90 objects")
        );
    }

    #[test]
    fn what_grows_once_is_no_leak() {
        let once = [memory(100, 10), memory(900, 90), memory(910, 91)];
        assert_eq!(lost(&once, 45), None);
    }

    #[test]
    fn pages_on_per_cpu_lists_are_free() {
        let text = "  pagesets\n    cpu: 0\n              count:    2795\n    cpu: 1\n              count:    5\n  high 7\n";
        assert_eq!(per_cpu_pages(text), 2800);
    }
}
