//! The tests that run inside the guest: each a claim about our module on the
//! stock kernel.

mod api;
mod backed;
mod cycles;
mod faults;
mod io;
mod kernel_log;
mod limits;
mod nvme;
mod queues;
mod removal;
mod settings;
mod under_load;
mod user_space;
mod whole_bench;
mod zoned;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use ringfence_bench::fio::Job;

use crate::Choice;

use super::device::{mount_configfs, Device, Disk};
use super::fio;
use super::module;

/// Our module, and its configfs group.
const MODULE: &str = "rf_nullblk";

/// A claim, and what shows it; told whether at full length.
type Test = (&'static str, fn(&Path, bool) -> Result<()>);

/// In the order in which they run: the log is judged after all of them.
const TESTS: [Test; 40] = [
    ("every_setting_of_c_is_there", |modules, _| {
        settings::names(modules)
    }),
    ("bad_values_are_invalid_and_change_nothing", |modules, _| {
        settings::bad_values(modules)
    }),
    ("a_powered_device_refuses_changes", |modules, _| {
        settings::busy(modules)
    }),
    (
        "good_values_read_back_and_the_queue_follows",
        |modules, _| settings::good_values(modules),
    ),
    (
        "io_completes_without_error_in_every_setting",
        |modules, _| io::every_setting(modules),
    ),
    (
        "only_soft_completion_uses_the_block_softirq",
        |modules, _| io::softirq(modules),
    ),
    ("data_survives_fio_in_every_mode", |modules, _| {
        backed::verify(modules)
    }),
    ("data_survives_power_off_and_a_flush", |modules, _| {
        backed::power_cycle(modules)
    }),
    ("discards_free_memory", |modules, _| {
        backed::discard(modules)
    }),
    ("a_full_memory_limit_is_enospc", |modules, _| {
        backed::full(modules)
    }),
    ("zones_pass_fio", |modules, _| zoned::verify(modules)),
    ("a_late_request_ends_once", |modules, _| {
        faults::late(modules)
    }),
    ("injected_faults_end_as_they_should", |modules, _| {
        faults::injected(modules)
    }),
    ("bad_blocks_fail_and_no_others", |modules, _| {
        faults::bad_blocks(modules)
    }),
    ("bandwidth_is_limited", |modules, _| {
        limits::bandwidth(modules)
    }),
    ("disks_share_tags", |modules, _| {
        limits::shared_tags(modules)
    }),
    ("queues_change_under_load", |modules, _| {
        queues::change(modules)
    }),
    ("an_open_disk_keeps_its_module", |modules, _| {
        removal::open_disk(modules)
    }),
    ("a_disk_under_load_can_go", |modules, long| {
        under_load::reload(modules, if long { 100 } else { 12 })
    }),
    ("a_hundred_cycles_leave_memory_as_it_was", |modules, _| {
        cycles::memory(modules)
    }),
    ("user_space_takes_a_controller_and_gives_it_back", |_, _| {
        user_space::identify()
    }),
    (
        "user_space_and_the_kernel_read_what_the_other_wrote",
        |_, _| user_space::data(),
    ),
    ("a_disk_in_use_is_not_taken", |_, _| user_space::in_use()),
    ("an_interrupt_gives_the_controller_back", |_, _| {
        user_space::interrupted()
    }),
    ("every_operation_has_its_effect", |modules, _| {
        api::effects(modules)
    }),
    ("an_empty_loop_is_refused", |modules, _| api::empty(modules)),
    ("what_is_no_operation_is_invalid", |modules, _| {
        api::invalid(modules)
    }),
    ("operations_are_measured_on_this_kernel", |modules, _| {
        whole_bench::operations(modules)
    }),
    ("a_whole_bench_runs_on_this_kernel", |modules, _| {
        whole_bench::here(modules)
    }),
    ("nvme_passes_fio_on_odd_controllers", |modules, _| {
        nvme::shapes::odd(modules)
    }),
    ("nvme_has_a_disk_for_each_namespace", |modules, _| {
        nvme::shapes::two_namespaces(modules)
    }),
    (
        "nvme_holds_a_controller_without_a_namespace",
        |modules, _| nvme::shapes::without_a_namespace(modules),
    ),
    (
        "nvme_passes_errors_of_a_medium_on_to_their_requests",
        |modules, _| nvme::errors::exactly(modules),
    ),
    (
        "nvme_flushes_caches_and_writes_zeroes_without_data",
        |modules, _| nvme::commands::caches_and_zeroes(modules),
    ),
    (
        "nvme_is_not_interrupted_for_what_is_polled",
        |modules, _| nvme::commands::polled(modules),
    ),
    (
        "nvme_lets_go_of_a_controller_under_load",
        nvme::removal::unbind,
    ),
    ("nvme_loses_a_controller_under_load", nvme::removal::unplug),
    (
        "nvme_is_unloaded_or_stays_under_load",
        nvme::removal::unload,
    ),
    (
        "nvme_drivers_are_measured_on_a_controller_that_is_named",
        |modules, _| whole_bench::controller(modules),
    ),
    ("the_kernel_log_is_clean", |modules, _| {
        kernel_log::clean(modules)
    }),
];

/// Runs them all; the number of failures.
pub fn run(modules: &Path, choice: &Choice) -> Result<usize> {
    mount_configfs()?;
    let mut failures = 0;
    let chosen = |name: &str| {
        let wanted = choice.name.as_deref();
        wanted.is_none_or(|wanted| name.contains(wanted))
    };
    ensure!(
        TESTS.iter().any(|(name, _)| chosen(name)),
        "guest tests: none is named like that"
    );
    for (name, test) in TESTS.into_iter().filter(|(name, _)| chosen(name)) {
        let start = Instant::now();
        let outcome = test(modules, choice.long);
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
fn load(disk: &Disk, options: &[&str]) -> Result<Job> {
    fio::parse(&fio::run(&arguments(disk, options), Some(LIMIT))?)
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
