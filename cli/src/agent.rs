//! The hidden commands: this program as the agent of a boot.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::{self, Measured, Prepared, Workbench};
use ringfence_bench::case::{Case, API};
use ringfence_bench::plan::BootPlan;

use crate::args::Mark;
use crate::failure::Usage;
use crate::{api, ring3};

/// Serves one boot.
pub fn agent(
    ring: u8,
    modules: Option<PathBuf>,
    pci: Option<&str>,
    counts: Option<PathBuf>,
) -> Result<ExitCode> {
    let modules = match (ring, modules) {
        (3, _) => PathBuf::new(),
        (0, Some(modules)) => modules,
        (0, None) => return Err(Usage::error("agent: ring 0 needs --modules")),
        _ => return Err(Usage::error(format!("agent: there is no ring {ring}"))),
    };
    let workbench = |plan: &BootPlan| -> Result<Box<dyn Workbench>> {
        let api = plan.cases.iter().any(|case| case.driver == API);
        Ok(match (ring, api) {
            (0, _) => Box::new(Stoppable {
                inner: ringfence_lab::workbench(modules, pci, plan)?,
                stop: stop_flag()?,
            }),
            (_, true) => api::workbench(counts),
            _ => ring3::workbench(counts)?,
        })
    };
    agent::serve(workbench, io::stdin().lock(), io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// Gives a mark to the VM's plugin.
pub fn mark(end: Mark) -> ExitCode {
    match end {
        Mark::Begin => ringfence_lab::mark::begin(),
        Mark::End => ringfence_lab::mark::end(),
    }
    ExitCode::SUCCESS
}

/// Runs the tests that belong inside the guest.
pub fn guest_tests(modules: PathBuf) -> Result<ExitCode> {
    match ringfence_lab::guest_tests(modules)? {
        0 => Ok(ExitCode::SUCCESS),
        1 => bail!("1 guest test failed"),
        failures => bail!("{failures} guest tests failed"),
    }
}

/// A workbench of ring 0 leaves devices and modules behind when it is killed.
/// So a signal only sets a flag, the next call fails because of it, and the
/// agent gives everything back on its way out.
struct Stoppable {
    inner: Box<dyn Workbench>,
    stop: &'static AtomicBool,
}

fn stop_flag() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| STOP.store(true, Ordering::SeqCst)).context("agent: signals")?;
    Ok(&STOP)
}

impl Stoppable {
    fn check(&self) -> Result<()> {
        check(self.stop)
    }
}

fn check(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::SeqCst) {
        bail!("agent: told to stop");
    }
    Ok(())
}

impl Workbench for Stoppable {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        self.inner.environment()
    }

    fn load(&mut self, subject: &str) -> Result<()> {
        self.check()?;
        self.inner.load(subject)
    }

    fn prepare(
        &mut self,
        subject: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        self.check()?;
        self.inner.prepare(subject, case, overrides)
    }

    fn measure(
        &mut self,
        subjects: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        self.check()?;
        let stop = self.stop;
        self.inner.measure(subjects, case, &mut |measured| {
            taken(measured)?;
            check(stop)
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}
