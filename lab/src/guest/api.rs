//! The ring-0 workbench of the kernel's API: a module a subject, which runs
//! the loops of operations.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;
use ringfence_bench::control::{Control, Label};
use ringfence_bench::operation::{self, Looped, Timer};
use ringfence_plugin::{api::Device, mark};
use rustix::io::Errno;

use super::count::{Counted, Counter, Window};
use super::edu::Edus;
use super::environment;
use super::module;
use crate::operations::{self, Operation};

/// A subject, and the module that has its loops.
#[derive(Debug)]
pub struct Subject {
    /// As a plan has it.
    pub name: &'static str,
    /// Also the name of its device and of its PCI driver.
    pub module: &'static str,
    /// Which of the build's facts names its compiler.
    compiler: &'static str,
    /// Whether integer overflow is checked for as the kernel's configuration
    /// says for Rust.
    rust: bool,
}

/// All subjects.
pub const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "rust",
        module: "rf_api_rust",
        compiler: "rustc",
        rust: true,
    },
    Subject {
        name: "c",
        module: "rf_api_c",
        compiler: "cc",
        rust: false,
    },
    Subject {
        name: "wrapper",
        module: "rf_api_wrapper",
        compiler: "rustc",
        rust: true,
    },
];

/// Iterations that a loop needs for two processors to meet in it.
const MEETING: u64 = 1 << 14;

/// How often such a loop is run again because they did not: a VM's processor may
/// have to wait for the host's.
const ATTEMPTS: usize = 200;

/// How many times both windows of a counted sample are taken.
const WINDOWS: usize = 7;

/// Instructions that the shorter window is to have, so few that most of the
/// longer ones meet no interrupt.
const WINDOW: f64 = (1 << 16) as f64;

/// Iterations of the window by which that is judged, and the fewest of any.
const FEW: u64 = 16;

/// What the last window's counts, read from the host, leave to do is done by
/// then.
const SETTLED: Duration = Duration::from_millis(5);

/// A device's node may be made by a daemon.
const NODE: Duration = Duration::from_secs(5);

/// Runs operations in modules.
pub struct ApiBench {
    modules: PathBuf,
    /// By subject.
    devices: BTreeMap<&'static str, Device>,
    /// Modules that were loaded.
    ours: Vec<&'static str>,
    /// PCI devices, if some operation needs them.
    edus: Option<Edus>,
    /// What each subject said of each operation: why it lacks it, if it does.
    tried: BTreeMap<(&'static str, u32), Option<String>>,
    timer: Timer,
    /// Iterations of the shorter window by case.
    iterations: BTreeMap<String, u64>,
    /// Once something was counted.
    counter: Option<Counter>,
}

impl ApiBench {
    /// A workbench with modules from that folder; with `devices` each gets a
    /// PCI device, if there are some.
    pub fn new(modules: PathBuf, devices: bool) -> Result<ApiBench> {
        if !rustix::process::geteuid().is_root() {
            bail!("ring 0: loading modules needs root; run it again under sudo");
        }
        Ok(ApiBench {
            modules,
            devices: BTreeMap::new(),
            ours: Vec::new(),
            edus: devices
                .then(|| Edus::promise(&SUBJECTS.map(|subject| subject.module)))
                .transpose()?,
            tried: BTreeMap::new(),
            timer: Timer::default(),
            iterations: BTreeMap::new(),
            counter: None,
        })
    }

    /// One loop of a label; the inner error says why the subject lacks the
    /// operation.
    pub fn run(
        &mut self,
        label: &str,
        operation: &Operation,
        iterations: u64,
    ) -> Result<Result<Looped, String>> {
        let subject = find(label)?;
        let Some(device) = self.devices.get_mut(subject.name) else {
            bail!("ring 0: {label} is run before it is loaded");
        };
        let mut result = device.run(operation.index, iterations);
        for _ in 0..ATTEMPTS {
            let apart = matches!(&result, Ok(looped) if looped.effect == 0);
            if !(operation.contended && apart) {
                break;
            }
            result = device.run(operation.index, iterations);
        }
        let error = match result {
            Ok(looped) => {
                return Ok(Ok(Looped {
                    nanoseconds: looped.nanoseconds,
                    effect: looped.effect,
                }))
            }
            Err(error) => error,
        };
        Ok(Err(match Errno::from_io_error(&error) {
            Some(Errno::NOSYS) => "absent from this kernel".into(),
            Some(Errno::NODEV) => {
                "absent: its module has no PCI device 1234:11e8 (QEMU's edu)".into()
            }
            _ => {
                return Err(error).with_context(|| {
                    format!(
                        "ring 0: {} does not run {}; the kernel log (dmesg) may say why",
                        subject.module, operation.name
                    )
                })
            }
        }))
    }

    /// One loop of an operation that the subject is known to have.
    fn looped(&mut self, label: &str, operation: &Operation, iterations: u64) -> Result<Looped> {
        self.run(label, operation, iterations)?
            .map_err(|why| anyhow::anyhow!("ring 0: {label}: {} is {why}", operation.name))
    }

    fn time(&mut self, labels: &[&str], case: &Case) -> Result<Vec<Measured>> {
        let operation = operation_of(case)?;
        let mut timer = std::mem::take(&mut self.timer);
        let fewest = fewest(&operation);
        let measured = timer.time(labels, case, fewest, |label, iterations| {
            self.looped(label, &operation, iterations)
        });
        self.timer = timer;
        measured
    }

    /// What is executed in one loop.
    fn window(&mut self, label: &str, case: &Case, iterations: u64) -> Result<Window> {
        let operation = operation_of(case)?;
        let (looped, window) = Window::around(|| {
            sleep(SETTLED);
            mark::begin();
            let looped = self.looped(label, &operation, iterations);
            mark::end();
            looped
        })?;
        operation::check(label, case, iterations, looped.effect)?;
        Ok(window)
    }

    fn count(&mut self, labels: &[&str], case: &Case, most: u64) -> Result<Vec<Measured>> {
        let Some(first) = operation::first_of(labels) else {
            return Ok(Vec::new());
        };
        let iterations = match self.iterations.get(&case.name) {
            Some(iterations) => *iterations,
            None => {
                let few = FEW.min(most);
                let cost = self.count_over(first, case, few, 3)?.value.max(1.0);
                // A power of two, so that it is the same in all boots.
                let iterations = 1 << (WINDOW / cost).log2().max(0.0) as u32;
                let iterations = iterations.clamp(few, most);
                self.iterations.insert(case.name.clone(), iterations);
                iterations
            }
        };
        let each = labels.iter();
        each.map(|label| self.count_over(label, case, iterations, WINDOWS))
            .collect()
    }

    /// Counts windows of so many iterations and of three times as many.
    fn count_over(
        &mut self,
        label: &str,
        case: &Case,
        iterations: u64,
        times: usize,
    ) -> Result<Measured> {
        // Everything is in memory and was used from here on.
        self.window(label, case, iterations)?;
        let counter = match self.counter.take() {
            Some(counter) => counter,
            None => Counter::new()?,
        };
        let counted = Counted {
            user: "the agent",
            modules: &[find(label)?.module],
            operations: 2 * iterations,
            times,
        };
        let measured = counter.measure(&counted, || {
            let short = self.window(label, case, iterations)?;
            Ok([short, self.window(label, case, 3 * iterations)?])
        });
        self.counter = Some(counter);
        measured
    }
}

impl Workbench for ApiBench {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        Ok(environment::read(&self.modules))
    }

    fn load(&mut self, label: &str) -> Result<()> {
        let subject = find(label)?;
        if self.ours.contains(&subject.module) {
            return Ok(());
        }
        if module::is_loaded(subject.module) {
            bail!(
                "ring 0: some {0} is loaded already; `rmmod {0}` first, so that it is known what \
                 is measured",
                subject.module
            );
        }
        let file = self.modules.join(format!("{}.ko", subject.module));
        if !file.is_file() {
            bail!(
                "ring 0: {} is not there; build it by `make -C ring0 api` and name its folder by \
                 --modules",
                file.display()
            );
        }
        module::insert(&file, "")?;
        self.ours.push(subject.module);
        self.devices.insert(subject.name, open(subject.module)?);
        Ok(())
    }

    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        if let Some(name) = overrides.keys().next() {
            bail!("ring 0: operations have no setting {name}; leave --set out");
        }
        let subject = find(label)?;
        let operation = operation_of(case)?;
        if operation.call(subject.name).is_none() {
            return Ok(Prepared::LeftOut("absent".into()));
        }
        let tried = match self.tried.get(&(subject.name, operation.index)) {
            Some(tried) => tried.clone(),
            None => {
                let iterations = fewest(&operation);
                let tried = self.run(label, &operation, iterations)?;
                if let Ok(looped) = &tried {
                    operation::check(label, case, iterations, looped.effect)?;
                }
                let tried = tried.err();
                self.tried
                    .insert((subject.name, operation.index), tried.clone());
                tried
            }
        };
        if let Some(why) = tried {
            return Ok(Prepared::LeftOut(why));
        }
        let facts = environment::build_facts(&self.modules);
        let known = |fact: &str| facts.get(fact).map_or("unknown", String::as_str);
        let checks = match subject.rust {
            true => known("overflow_checks"),
            false => "-",
        };
        let values = [
            ("compiler", known(subject.compiler)),
            ("optimisation", known("optimisation")),
            ("overflow_checks", checks),
        ];
        Ok(Prepared::Ready(
            values
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .into(),
        ))
    }

    fn measure(
        &mut self,
        labels: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        let measured = match case.operations {
            None => self.time(labels, case)?,
            Some(most) => self.count(labels, case, most)?,
        };
        measured.into_iter().try_for_each(taken)
    }

    fn finish(&mut self) -> Result<()> {
        self.devices.clear();
        let mut first = Ok(());
        for module in std::mem::take(&mut self.ours) {
            let removed = module::remove(module)
                .with_context(|| format!("ring 0: {module} does not unload; see lsmod"));
            first = first.and(removed);
        }
        first.and(self.edus.take().map_or(Ok(()), Edus::give_back))
    }
}

impl Drop for ApiBench {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// The fewest iterations of a loop that can show its effect.
pub fn fewest(operation: &Operation) -> u64 {
    match operation.contended {
        true => MEETING,
        false => 1,
    }
}

/// Opens a module's device, once its node is there.
fn open(module: &str) -> Result<Device> {
    let mut waited = Duration::ZERO;
    loop {
        match Device::open(module) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && waited < NODE => {
                let pause = Duration::from_millis(20);
                sleep(pause);
                waited += pause;
            }
            other => {
                return other.with_context(|| {
                    format!("ring 0: {module} is loaded, but /dev/{module} cannot be opened")
                })
            }
        }
    }
}

fn operation_of(case: &Case) -> Result<Operation> {
    let name = &case.operation()?.operation;
    operations::find(name).with_context(|| {
        format!("ring 0: there is no operation {name}; ring0/api/operations.txt has them all")
    })
}

/// The subject of a label. None can delay.
fn find(label: &str) -> Result<&'static Subject> {
    let parts =
        Label::parse(label).filter(|parts| matches!(parts.control, None | Some(Control::Again)));
    let subject = parts.and_then(|parts| SUBJECTS.iter().find(|one| one.name == parts.subject));
    subject.with_context(|| {
        let known = SUBJECTS.map(|subject| subject.name).join(", ");
        format!("ring 0: api has no subject {label}; there are {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_shares_its_subjects_module_and_none_can_delay() {
        for label in ["rust", "rust:again"] {
            assert_eq!(find(label).unwrap().module, "rf_api_rust");
        }
        for label in ["rust:slow1", "upstream", "rust:odd"] {
            let error = find(label).unwrap_err().to_string();
            assert!(
                error.contains(label) && error.contains("wrapper"),
                "{error}"
            );
        }
    }
}
