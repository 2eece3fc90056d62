//! The tests that run inside the guest: each a claim about our module on the
//! stock kernel.

mod backed;
mod cycles;
mod faults;
mod io;
mod kernel_log;
mod limits;
mod removal;
mod settings;
mod under_load;
mod whole_bench;
mod zoned;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};

use super::device::{mount_configfs, Device, Disk};
use super::fio;
use super::module;

/// Our module, and its configfs group.
const MODULE: &str = "rf_nullblk";

/// A claim, and what shows it.
type Test = (&'static str, fn(&Path) -> Result<()>);

/// In the order in which they run: the log is judged after all of them.
const TESTS: [Test; 21] = [
    ("every_setting_of_c_is_there", settings::names),
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
    ("data_survives_fio_in_every_mode", backed::verify),
    ("data_survives_power_off_and_a_flush", backed::power_cycle),
    ("discards_free_memory", backed::discard),
    ("a_full_memory_limit_is_enospc", backed::full),
    ("zones_pass_fio", zoned::verify),
    ("a_late_request_ends_once", faults::late),
    ("injected_faults_end_as_they_should", faults::injected),
    ("bad_blocks_fail_and_no_others", faults::bad_blocks),
    ("bandwidth_is_limited", limits::bandwidth),
    ("disks_share_tags", limits::shared_tags),
    ("an_open_disk_keeps_its_module", removal::open_disk),
    ("a_disk_under_load_can_go", |modules| {
        under_load::reload(modules, 12)
    }),
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

/// A device that is on, with these settings.
fn powered(loaded: &Loaded, name: &str, settings: &[(&str, &str)]) -> Result<(Device, Disk)> {
    let device = loaded.device(name)?;
    set_all(&device, settings)?;
    let disk = device.power_on()?;
    Ok((device, disk))
}

/// Runs fio on a disk, with these options beside the usual ones.
fn load(disk: &Disk, options: &[&str]) -> Result<fio::Job> {
    fio::parse(&fio::run(&arguments(disk, options), LIMIT)?)
}

/// fio's arguments for that.
fn arguments(disk: &Disk, options: &[&str]) -> Vec<String> {
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
    arguments.extend(options.iter().map(|option| option.to_string()));
    arguments
}

/// fio and its start take seconds, not minutes, even under TCG.
const LIMIT: Duration = Duration::from_secs(120);
