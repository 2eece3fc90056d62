//! Everything is taken away while fio runs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use super::super::module;
use super::{load, set_all, Loaded, MODULE};

/// What the disk is set to, in turns.
const SETTINGS: [&[(&str, &str)]; 6] = [
    &[("irqmode", "0")],
    &[("irqmode", "1"), ("submit_queues", "2")],
    &[("irqmode", "2"), ("completion_nsec", "300000")],
    &[("poll_queues", "1"), ("submit_queues", "2")],
    &[
        ("memory_backed", "1"),
        ("cache_size", "1"),
        ("irqmode", "2"),
    ],
    &[("mbps", "20"), ("requeue", "7,100,0,-1")],
];

pub fn reload(modules: &Path, cycles: usize) -> Result<()> {
    for (cycle, settings) in SETTINGS.iter().cycle().take(cycles).enumerate() {
        one(modules, settings, cycle).with_context(|| format!("cycle {cycle}, {settings:?}"))?;
    }
    Ok(())
}

fn one(modules: &Path, settings: &[(&str, &str)], cycle: usize) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let device = loaded.device("rftest-load")?;
    set_all(&device, &[("size", "64")])?;
    set_all(&device, settings)?;
    let disk = device.power_on()?;
    let polls = settings.iter().any(|(name, _)| *name == "poll_queues");
    let outcome = thread::scope(|scope| {
        let fio = scope.spawn(|| {
            load(
                &disk,
                &[
                    "--rw=randrw",
                    "--bs=4k-64k",
                    "--iodepth=32",
                    "--numjobs=2",
                    "--time_based=1",
                    "--runtime=60",
                    if polls { "--hipri=1" } else { "--hipri=0" },
                ],
            )
        });
        // Long enough for fio to start, at another moment each time.
        thread::sleep(Duration::from_millis(1200 + (cycle as u64 * 37) % 300));
        let unload = module::remove(MODULE);
        let gone = match cycle % 2 {
            0 => device
                .power_off()
                .context("power off")
                .map(|()| Some(device)),
            _ => device.remove_powered().context("rmdir").map(|()| None),
        };
        (unload, gone, fio.join())
    });
    let (unload, gone, fio) = outcome;
    ensure!(unload.is_err(), "the module unloads under load");
    let fio = fio.map_err(|_| anyhow::anyhow!("the load panicked"))?;
    ensure!(fio.is_err(), "fio did not notice that its disk went");
    if let Some(device) = gone? {
        device.remove()?;
    }
    for _ in 0..50 {
        if module::remove(MODULE).is_ok() {
            std::mem::forget(loaded);
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    loaded.unload()
}
