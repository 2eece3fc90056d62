//! The lab: a Debian root, its stock kernel, our modules, a VM that boots
//! them, and the agent that works inside.
//!
//! `host` makes the lab and boots it; `guest` is what runs on the kernel
//! under test, in the VM or (`--here`) on the machine itself.
#![forbid(unsafe_code)]

pub mod api_map;
mod guest;
mod host;
pub mod operations;

use std::path::PathBuf;

use anyhow::{Context, Result};
use ringfence_bench::agent::{Launcher, Workbench};
use ringfence_bench::case::{Case, API, NVME};
use ringfence_bench::plan::BootPlan;
use serde::{Deserialize, Serialize};

pub use host::devices::Devices;
pub use host::lab::Lab;
pub use host::machine::Count;
pub use host::modules::MODULES;
pub use host::step::StepStatus;

/// Where the VM's plugin puts the counts of a window and the agent finds them:
/// a folder that host and guest share.
pub(crate) const COUNTS: &str = "/lab/out/.counts";

/// Where the VM's controllers tell how a driver set them up, in the same
/// folder.
pub(crate) const NVME_LOG: &str = "/lab/out/.nvme";

/// The socket of QEMU's monitor, in a VM for tests.
pub(crate) const MONITOR: &str = "/lab/out/.monitor";

/// What a lab is made from and where it lives.
pub struct Options {
    /// The cache folder; `None` is `$RINGFENCE_CACHE`, else the XDG cache.
    pub cache: Option<PathBuf>,
    /// The checkout that holds `kit/`, `drivers/` and `ring0/`.
    pub source: PathBuf,
    /// The `ringfence` binary that serves as the agent in the guest.
    pub agent: PathBuf,
}

/// Told of each step.
pub trait Progress {
    /// A step starts.
    fn start(&self, step: &str);
    /// The last line of the running step's log.
    fn line(&self, text: &str);
    /// The step ended, after this many seconds; `fresh` if nothing had to be done.
    fn end(&self, step: &str, seconds: f64, fresh: bool);
}

impl Lab {
    /// Boots of this lab, for `bench::run`, with such PCI devices; with `count`
    /// their instructions are counted. The lab must be up.
    pub fn launcher(&self, count: Option<Count>, devices: Devices) -> Result<Box<dyn Launcher>> {
        Ok(Box::new(self.vm_launcher(count, devices)?))
    }
}

/// The ring-0 agent for a plan, on the running kernel; `modules` holds the
/// `.ko` files, and `pci` is the address of the function that drivers of
/// devices get, such as `0000:01:00.0`; of NVMe controllers a second one after a
/// comma, for doorbells in memory.
pub fn workbench(
    modules: PathBuf,
    pci: Option<&str>,
    plan: &BootPlan,
) -> Result<Box<dyn Workbench>> {
    Ok(match plan.driver()? {
        NVME => Box::new(guest::nvme::NvmeBench::new(modules, pci)?),
        API => {
            let device = |case: &Case| case.operation().is_ok_and(|one| one.device);
            let devices = plan.cases.iter().any(device);
            Box::new(guest::api::ApiBench::new(modules, devices)?)
        }
        _ => Box::new(guest::nullblk::NullblkBench::new(modules)?),
    })
}

pub use ringfence_plugin::mark;

/// Which guest tests to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Choice {
    /// Those with this in their name; all if there is none.
    pub name: Option<String>,
    /// Whether to run at full length what is otherwise cut short.
    pub long: bool,
}

/// The tests that run inside the guest; prints a line each, gives the number
/// of failures. Reads the choice from the first line of standard input.
pub fn guest_tests(modules: PathBuf) -> Result<usize> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("guest tests: nobody says which")?;
    let choice = serde_json::from_str(&line).context("guest tests: the choice does not parse")?;
    guest::tests::run(&modules, &choice)
}
