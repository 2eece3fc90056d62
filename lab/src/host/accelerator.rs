//! Whether KVM boots the lab's kernel on this host: found out by trying.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use ringfence_bench::folder::write_whole;

use super::cache::Cache;
use super::devices::Devices;
use super::machine::{Accelerator, Machine, Mode, Run};
use super::step::{Stamp, Step};

/// A boot under KVM takes a few seconds; one that takes longer is not worth
/// having.
const LIMIT: Duration = Duration::from_secs(60);

/// The first console line comes within a second, if it comes at all.
const FIRST_SIGN: Duration = Duration::from_secs(20);

/// The step that probes: valid for one boot of the host, since that is what
/// decides.
pub fn step(cache: &Cache, before: &Step) -> Step {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Step {
        name: "accelerator",
        stamp: Stamp::of(&[
            "accelerator 1",
            before.stamp.as_str(),
            &read("/proc/sys/kernel/osrelease"),
            &read("/proc/sys/kernel/random/boot_id"),
        ]),
        product: file(cache),
    }
}

/// Boots once under KVM if there is a `/dev/kvm`; gives a line that says what
/// came of it.
pub fn probe(cache: &Cache) -> Result<String> {
    let (accelerator, why) = if !Path::new("/dev/kvm").exists() {
        (Accelerator::Tcg, "there is no /dev/kvm".to_string())
    } else {
        match boots(cache, Accelerator::Kvm)? {
            Ok(seconds) => (
                Accelerator::Kvm,
                format!("a probe boot took {seconds:.1} seconds"),
            ),
            Err(why) => (
                Accelerator::Tcg,
                format!("a probe boot under KVM failed: {why}"),
            ),
        }
    };
    let text = format!("{}: {why}", accelerator.name());
    write_whole(&file(cache), text.as_bytes())?;
    Ok(text)
}

/// What the probe found; TCG if it has not been made.
pub fn known(cache: &Cache) -> Accelerator {
    match fs::read_to_string(file(cache)) {
        Ok(text) if text.starts_with("kvm") => Accelerator::Kvm,
        _ => Accelerator::Tcg,
    }
}

/// Boots and powers off; the seconds it took, or why not.
fn boots(cache: &Cache, accelerator: Accelerator) -> Result<Result<f64, String>> {
    let machine = Machine {
        cache,
        accelerator,
        count: None,
        devices: Devices::None,
    };
    let run = Run::new(cache, "probe")?;
    let mut child = machine.start(Mode::Probe, &run)?;
    // The line is not read: the probe writes nothing to it.
    let start = Instant::now();
    let outcome = loop {
        if let Ok(Some(_)) = child.try_wait() {
            break match run.status() {
                Some(_) => Ok(start.elapsed().as_secs_f64()),
                None => Err(format!("QEMU ended early{}", run.complaint())),
            };
        }
        let silent = fs::metadata(run.console()).map_or(0, |file| file.len()) == 0;
        if silent && start.elapsed() > FIRST_SIGN {
            break Err(format!(
                "no sign of life in {} seconds",
                FIRST_SIGN.as_secs()
            ));
        }
        if start.elapsed() > LIMIT {
            break Err(format!("not up in {} seconds", LIMIT.as_secs()));
        }
        sleep(Duration::from_millis(100));
    };
    let _ = child.kill();
    let _ = child.wait();
    Ok(outcome)
}

fn file(cache: &Cache) -> PathBuf {
    cache.path().join("accelerator")
}
