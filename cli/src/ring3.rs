//! The ring-3 agent: subjects behind one function table, in this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ring3::load::{Load, Outcome, Target};
use ring3::subject::{Subject, Unable};
use ring3::{nullblk as null_block, nvme};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;
use ringfence_bench::control::{Control, Label};

use crate::callgrind::Counter;

/// The ring-3 agent; `counts` is where callgrind writes, if it runs this.
pub fn workbench(counts: Option<PathBuf>) -> Result<Box<dyn Workbench>> {
    Ok(Box::new(Ring3 {
        prepared: BTreeMap::new(),
        times: BTreeMap::new(),
        counter: counts.map(Counter::new),
    }))
}

/// Queues that a device may have in ring 3.
const MAX_QUEUES: u32 = 1024;

struct Ring3 {
    /// By label.
    prepared: BTreeMap<String, Box<dyn Target>>,
    /// Nanoseconds that an operation of a label takes in a case without a
    /// delay: a delay is a share of them.
    times: BTreeMap<(String, String), f64>,
    counter: Option<Counter>,
}

impl Ring3 {
    /// A delay of so many percent of an operation's time, in nanoseconds.
    fn delay(&mut self, label: &str, case: &Case, device: &dyn Target, percent: u8) -> Result<f64> {
        let key = (label.to_owned(), case.name.clone());
        let time = match self.times.get(&key) {
            Some(time) => *time,
            None => {
                let outcomes = load_of(case)?.run(&[device])?;
                let iops = outcomes.first().map_or(0.0, |outcome| outcome.iops);
                if iops <= 0.0 {
                    bail!("ring 3: {label} completed no operation in {}", case.name);
                }
                let time = 1e9 * f64::from(case.jobs()) / iops;
                self.times.insert(key, time);
                time
            }
        };
        Ok(time * f64::from(percent) / 100.0)
    }
}

impl Workbench for Ring3 {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        Ok(environment())
    }

    fn load(&mut self, label: &str) -> Result<()> {
        parts_of(label).map(drop)
    }

    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        let (subject, control) = parts_of(label)?;
        let settings = case.settings.iter().chain(overrides);
        let made = match case.driver.as_str() {
            "nvme" => controller(subject, settings)?,
            _ => null_block_device(subject, settings)?,
        };
        let device = match made {
            Ok(device) => device,
            Err(unable) => return Ok(Prepared::LeftOut(unable.0.to_owned())),
        };
        let mut values: BTreeMap<String, String> = device
            .read_back()
            .into_iter()
            .map(|(name, value)| {
                let name = match name {
                    "blocksize" => "logical_block_size",
                    "submit_queues" => "hw_queues",
                    other => other,
                };
                (name.to_owned(), value.to_string())
            })
            .collect();
        values.extend(built(match subject {
            Subject::Rust | Subject::RustNochecks => Some(ring3::OVERFLOW_CHECKS),
            Subject::C | Subject::Empty | Subject::CClang => None,
        }));
        if subject == Subject::CClang {
            let clang = ring3::CLANG.unwrap_or("unknown");
            values.insert("compiler".into(), clang.into());
        }
        let device = match control {
            None | Some(Control::Again) => device,
            Some(Control::Slow(percent)) => {
                values.insert("injected_delay".into(), format!("{percent}%"));
                let device = device.delayed(0.0);
                let delay = self.delay(label, case, &*device, percent)?;
                device.delayed(delay)
            }
        };
        self.prepared.insert(label.to_owned(), device);
        Ok(Prepared::Ready(values))
    }

    fn measure(
        &mut self,
        subjects: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        let load = load_of(case)?;
        let devices = subjects
            .iter()
            .map(|subject| {
                self.prepared
                    .get(*subject)
                    .map(|device| &**device)
                    .with_context(|| format!("ring 3: {subject} was not set up"))
            })
            .collect::<Result<Vec<&dyn Target>>>()?;
        if let Some(operations) = case.operations {
            let counter = self.counter.as_mut();
            let counter = counter.context("ring 3: counting needs valgrind around the agent")?;
            for device in devices {
                taken(counter.measure(&case.driver, &load, device, operations)?)?;
            }
            return Ok(());
        }
        let outcomes = load.run(&devices).with_context(|| case.name.clone())?;
        for (subject, outcome) in subjects.iter().zip(outcomes) {
            if outcome.failed > 0 {
                bail!(
                    "ring 3: {} of {} operations of {subject} failed in {}",
                    outcome.failed,
                    outcome.operations,
                    case.name
                );
            }
            taken(Measured {
                metric: "iops",
                value: outcome.iops,
                extra: extra(&outcome),
                functions: Vec::new(),
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.prepared.clear();
        Ok(())
    }
}

/// What a load found besides its rate: context switches are those of its own
/// threads.
fn extra(outcome: &Outcome) -> BTreeMap<String, f64> {
    let mut extra = BTreeMap::from([("mean_iops".to_owned(), outcome.mean_iops)]);
    if let Some(switches) = outcome.switches.filter(|_| outcome.operations > 0) {
        let all = switches.voluntary + switches.involuntary;
        for (name, number) in [
            ("context_switches", all),
            ("involuntary_switches", switches.involuntary),
        ] {
            extra.insert(name.to_owned(), number as f64 / outcome.operations as f64);
        }
    }
    extra
}

type Made = std::result::Result<Box<dyn Target>, Unable>;

/// A null block device.
fn null_block_device<'a>(
    subject: Subject,
    asked: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Made> {
    let mut settings = nullblk::Settings::default();
    for (name, value) in asked {
        let attribute = nullblk::Attribute::by_name(name).with_context(|| {
            format!("ring 3: nullblk has no setting {name}; docs/nullblk.md lists them")
        })?;
        settings = settings.with(attribute, value, MAX_QUEUES).map_err(|_| {
            anyhow::anyhow!(
                "ring 3: {name}={value} is out of range; docs/nullblk.md has the ranges"
            )
        })?;
    }
    let device = null_block::Device::new(subject, settings);
    Ok(device.map(|device| Box::new(device) as _))
}

/// Queue pairs of an NVMe controller model.
fn controller<'a>(
    subject: Subject,
    asked: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Made> {
    let mut settings = nvme::bench::Settings::default();
    for (name, value) in asked {
        settings = settings.with(name, value).with_context(|| {
            format!(
                "ring 3: nvme has no setting {name}={value}; docs/nvme.md has settings and ranges"
            )
        })?;
    }
    let device = nvme::bench::Device::new(subject, settings)?;
    Ok(device.map(|device| Box::new(device) as _))
}

/// What is known of the compilers, and what they compiled.
pub fn environment() -> BTreeMap<String, String> {
    let built = [
        ("compiler.c", Some(ring3::C_COMPILER)),
        ("compiler.c-clang", ring3::CLANG),
        ("compiler.rust", Some(ring3::RUST_COMPILER)),
        ("sources", Some(ring3::SOURCES)),
    ];
    built
        .into_iter()
        .filter_map(|(name, what)| Some((name.to_owned(), what?.to_owned())))
        .collect()
}

/// How Rust code is built, whose overflow checks are on or off, or else C's.
pub fn built(checks: Option<bool>) -> BTreeMap<String, String> {
    let (compiler, checks) = match checks {
        Some(on) => (ring3::RUST_COMPILER, if on { "on" } else { "off" }),
        None => (ring3::C_COMPILER, "none in C"),
    };
    [("compiler", compiler), ("overflow_checks", checks)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The load of a case.
fn load_of(case: &Case) -> Result<Load> {
    let load = case.block()?;
    Ok(Load {
        write: load.pattern.writes(),
        random: load.pattern.random(),
        block_size: u32::try_from(load.block_size)
            .with_context(|| format!("ring 3: the block size of {} is too large", case.name))?,
        depth: load.depth,
        jobs: load.jobs,
        runtime: Duration::from_millis(case.runtime_ms),
        ramp: Duration::from_millis(case.ramp_ms),
    })
}

/// The subject of a label, and its control.
fn parts_of(label: &str) -> Result<(Subject, Option<Control>)> {
    let parts = Label::parse(label).and_then(|label| {
        let subject = Subject::by_name(label.subject)?;
        Some((subject, label.control))
    });
    parts.with_context(|| {
        let known = Subject::ALL.map(Subject::name);
        format!("ring 3: no subject {label}; there are {}", known.join(", "))
    })
}
