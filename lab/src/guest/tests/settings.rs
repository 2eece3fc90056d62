//! What the configfs attributes take, and when.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{ensure, Context, Result};

use super::super::device::Device;
use super::super::module;
use super::{set_all, Loaded, MODULE};

const WRITE_ONLY: [&str; 2] = ["zone_offline", "zone_readonly"];

/// The files of a device, as the module lists them.
fn features() -> Result<Vec<String>> {
    let path = format!("/sys/kernel/config/{MODULE}/features");
    let text = fs::read_to_string(&path).context(path)?;
    Ok(text.trim().split(',').map(str::to_string).collect())
}

/// What C null_blk has and ours has not: docs/nullblk.md says why.
const ONLY_IN_C: [&str; 1] = ["index"];

pub fn names(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let ours = features()?;
    module::probe("null_blk", &["nr_devices=0"])?;
    let text = fs::read_to_string("/sys/kernel/config/nullb/features").context("features of C");
    module::remove("null_blk").context("null_blk does not unload")?;
    let text = text?;
    let theirs: Vec<&str> = text.trim().split(',').collect();
    ensure!(theirs.len() > 30, "C lists {} features only", theirs.len());
    for name in &theirs {
        ensure!(
            ours.iter().any(|ours| ours == name) != ONLY_IN_C.contains(name),
            "C's {name} is missing, or not documented as missing"
        );
    }
    let device = loaded.device("rftest-names")?;
    read_all(&device)?;
    device.remove()?;
    loaded.unload()
}

/// Invalid for every attribute; the last two are 2^32 + 1 and 2^64 + 1, which
/// a careless cut would make valid.
const NONSENSE: [&str; 12] = [
    "",
    " ",
    "-1",
    "+1",
    "1x",
    "x1",
    "1 1",
    "1.0",
    "text",
    "0x1",
    "18446744073709551617",
    "340282366920938463463374607431768211457",
];

pub fn bad_values(modules: &Path) -> Result<()> {
    let cpus = super::io::cpus();
    let too_many = (cpus + 1).to_string();
    let out_of_range: [(&str, &[&str]); 14] = [
        ("size", &["0", "8796093022208", "18446744073709551615"]),
        (
            "blocksize",
            &["0", "3", "256", "513", "1536", "8192", "4294967808"],
        ),
        ("irqmode", &["3", "256", "4294967296"]),
        ("poll_queues", &[&too_many, "4294967297"]),
        ("memory_backed", &["2"]),
        ("zoned", &["2", "yes"]),
        ("zone_size", &["0", "3", "2097152"]),
        ("max_sectors", &["7", "4294967296"]),
        ("queue_mode", &["1", "3"]),
        ("home_node", &["0", "1"]),
        ("timeout", &["1,2,3", "1,101,0,1", "1,1,1,1,1"]),
        ("requeue", &["a,1,1,1", "1,1,1,-2"]),
        ("submit_queues", &["0", &too_many, "4294967297"]),
        ("hw_queue_depth", &["0", "10241", "4294967297"]),
    ];
    let loaded = Loaded::new(modules)?;
    let device = loaded.device("rftest-bad")?;
    let before = read_all(&device)?;
    for (name, values) in out_of_range {
        for value in values.iter().chain(&NONSENSE) {
            if (name, *value) == ("home_node", "-1") {
                continue;
            }
            refused(&device, name, value, ErrorKind::InvalidInput)?;
            ensure!(
                read_all(&device)? == before,
                "{name}={value:?} changed something"
            );
        }
    }
    for value in NONSENSE.iter().chain(&["2"]) {
        refused(&device, "power", value, ErrorKind::InvalidInput)?;
        ensure!(
            device.get("power").as_deref() == Some("0"),
            "power={value:?} changed power"
        );
    }
    device.remove()?;
    loaded.unload()
}

pub fn busy(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let device = loaded.device("rftest-busy")?;
    device.power_on()?;
    let before = read_all(&device)?;
    let others = [
        ("size", "8"),
        ("blocksize", "1024"),
        ("irqmode", "0"),
        ("poll_queues", "1"),
        ("hw_queue_depth", "32"),
    ];
    for (name, other) in others {
        let current = device.get(name).unwrap_or_default();
        // Even what it already is, and even what could not be set at all.
        for value in [other, current.as_str(), "text"] {
            refused(&device, name, value, ErrorKind::ResourceBusy)?;
            ensure!(
                read_all(&device)? == before,
                "{name}={value:?} changed something"
            );
        }
    }
    device.power_off().context("power off")?;
    for (name, other) in others {
        device
            .set(name, other)
            .with_context(|| format!("{name}={other} after power off"))?;
    }
    device.remove()?;
    loaded.unload()
}

pub fn good_values(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let rows: [[(&str, &str); 5]; 5] = [
        row("1", "512", "2", "1", "1"),
        row("4096", "1024", "1", "2", "64"),
        row("256000", "2048", "0", "2", "256"),
        row("3", "4096", "1", "1", "1024"),
        row("8796093022207", "4096", "0", "1", "10240"),
    ];
    for settings in rows {
        let shown = format!("{settings:?}");
        check_row(&loaded, &settings).with_context(|| shown)?;
    }
    loaded.unload()
}

fn row<'a>(
    size: &'a str,
    blocksize: &'a str,
    irqmode: &'a str,
    queues: &'a str,
    depth: &'a str,
) -> [(&'static str, &'a str); 5] {
    [
        ("size", size),
        ("blocksize", blocksize),
        ("irqmode", irqmode),
        ("submit_queues", queues),
        ("hw_queue_depth", depth),
    ]
}

fn check_row(loaded: &Loaded, settings: &[(&str, &str); 5]) -> Result<()> {
    let device = loaded.device("rftest-good")?;
    set_all(&device, settings)?;
    let disk = device.power_on()?;
    for (name, value) in settings {
        let read = device.get(name);
        ensure!(
            read.as_deref() == Some(*value),
            "{name} reads back as {read:?}"
        );
    }
    ensure!(
        device.get("power").as_deref() == Some("1"),
        "power reads back as off"
    );
    let value = |name: &str| settings.iter().find(|s| s.0 == name).map_or("", |s| s.1);
    let mib: u64 = value("size").parse()?;
    let expected = [
        ("size", (mib * 2048).to_string()),
        ("queue/logical_block_size", value("blocksize").to_string()),
        ("mq/0/nr_tags", value("hw_queue_depth").to_string()),
    ];
    for (path, expected) in expected {
        let read = disk.attribute(path);
        ensure!(
            read.as_deref() == Some(&expected),
            "the disk's {path} is {read:?}, not {expected}"
        );
    }
    let queues = disk.hardware_queues();
    ensure!(
        queues.to_string() == value("submit_queues"),
        "the disk has {queues} hardware queues"
    );
    disk.set_queue("scheduler", "none").context("scheduler")?;
    let requests = disk.queue("nr_requests");
    ensure!(
        requests.as_deref() == Some(value("hw_queue_depth")),
        "the disk's nr_requests is {requests:?}"
    );
    device.remove()
}

fn refused(device: &Device, name: &str, value: &str, kind: ErrorKind) -> Result<()> {
    match device.set(name, value) {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => anyhow::bail!("{name}={value:?} gives `{error}`, not {kind}"),
        Ok(()) => anyhow::bail!("{name}={value:?} is taken"),
    }
}

fn read_all(device: &Device) -> Result<Vec<String>> {
    features()?
        .iter()
        .filter(|name| !WRITE_ONLY.contains(&name.as_str()))
        .map(|name| {
            device
                .get(name)
                .with_context(|| format!("{name} cannot be read"))
        })
        .collect()
}
