//! The tests that run inside the guest: each a claim about our module on the
//! stock kernel.

mod cycles;
mod io;
mod kernel_log;
mod removal;
mod settings;
mod whole_bench;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{ensure, Context, Result};

use super::device::{mount_configfs, Device};
use super::module;

/// Our module, and its configfs group.
const MODULE: &str = "rf_nullblk";

/// A claim, and what shows it.
type Test = (&'static str, fn(&Path) -> Result<()>);

/// In the order in which they run: the log is judged after all of them.
const TESTS: [Test; 9] = [
    (
        "bad_values_are_invalid_and_change_nothing",
        settings::bad_values,
    ),
    ("a_powered_device_refuses_every_change", settings::busy),
    (
        "good_values_read_back_and_the_queue_follows",
        settings::good_values,
    ),
    (
        "io_completes_without_error_in_every_setting",
        io::every_setting,
    ),
    ("only_soft_completion_uses_the_block_softirq", io::softirq),
    ("an_open_disk_keeps_its_module", removal::open_disk),
    ("a_hundred_cycles_leave_memory_as_it_was", cycles::memory),
    ("a_whole_bench_runs_on_this_kernel", whole_bench::here),
    ("the_kernel_log_is_clean", kernel_log::clean),
];

/// Runs them all; the number of failures.
pub fn run(modules: PathBuf) -> Result<usize> {
    mount_configfs()?;
    let mut failures = 0;
    for (name, test) in TESTS {
        let start = Instant::now();
        let outcome = test(&modules);
        let seconds = start.elapsed().as_secs_f64();
        let line = match outcome {
            Ok(()) => format!("ok {name} ({seconds:.1} s)"),
            Err(error) => {
                failures += 1;
                format!("FAILED {name}: {error:#}")
            }
        };
        let mut output = std::io::stdout();
        writeln!(output, "{line}")
            .and_then(|()| output.flush())
            .context("guest tests: nobody reads the results")?;
    }
    Ok(failures)
}

/// Our module, loaded until this is dropped.
struct Loaded;

impl Loaded {
    fn new(modules: &Path) -> Result<Loaded> {
        ensure!(
            !module::is_loaded(MODULE),
            "{MODULE} is loaded already, a test before left it"
        );
        module::insert(&modules.join("rf_nullblk.ko"), "")?;
        Ok(Loaded)
    }

    fn device(&self, name: &str) -> Result<Device> {
        Device::create(MODULE, name)
    }

    /// Unloads, and says if that fails.
    fn unload(self) -> Result<()> {
        std::mem::forget(self);
        module::remove(MODULE).with_context(|| format!("{MODULE} does not unload"))
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = module::remove(MODULE);
    }
}

/// Sets several attributes.
fn set_all(device: &Device, settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        device
            .set(name, value)
            .with_context(|| format!("{name} cannot be set to {value}"))?;
    }
    Ok(())
}
