//! The ring-3 agent: subjects behind one function table, in this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ring3::load::Load;
use ring3::nullblk::{Device, Subject};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;

use crate::callgrind::Counter;

/// The ring-3 agent; `counts` is where callgrind writes, if it runs this.
pub fn workbench(counts: Option<PathBuf>) -> Result<Box<dyn Workbench>> {
    Ok(Box::new(Ring3 {
        prepared: BTreeMap::new(),
        counter: counts.map(Counter::new),
    }))
}

/// Queues that a device may have in ring 3.
const MAX_QUEUES: u32 = 1024;

struct Ring3 {
    prepared: BTreeMap<String, Device>,
    counter: Option<Counter>,
}

impl Workbench for Ring3 {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        let compilers = [
            ("compiler.c", Some(ring3::C_COMPILER)),
            ("compiler.c-clang", ring3::CLANG),
            ("compiler.rust", Some(ring3::RUST_COMPILER)),
        ];
        Ok(compilers
            .into_iter()
            .filter_map(|(name, compiler)| Some((name.to_owned(), compiler?.to_owned())))
            .collect())
    }

    fn load(&mut self, subject: &str) -> Result<()> {
        subject_of(subject).map(drop)
    }

    fn prepare(
        &mut self,
        subject: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        let name = subject;
        let subject = subject_of(name)?;
        let mut settings = nullblk::Settings::default();
        for (name, value) in case.settings.iter().chain(overrides) {
            let attribute = nullblk::Attribute::by_name(name).with_context(|| {
                format!("ring 3: nullblk has no setting {name}; docs/nullblk.md lists them")
            })?;
            settings = settings.with(attribute, value, MAX_QUEUES).map_err(|_| {
                anyhow::anyhow!(
                    "ring 3: {name}={value} is out of range; docs/nullblk.md has the ranges"
                )
            })?;
        }
        let device = match Device::new(subject, settings) {
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
        let (compiler, checks) = match subject {
            Subject::Rust | Subject::RustNochecks => {
                (ring3::RUST_COMPILER, on_off(ring3::OVERFLOW_CHECKS))
            }
            Subject::C | Subject::Empty => (ring3::C_COMPILER, "none in C"),
            Subject::CClang => (ring3::CLANG.unwrap_or("unknown"), "none in C"),
        };
        values.insert("compiler".into(), compiler.into());
        values.insert("overflow_checks".into(), checks.into());
        self.prepared.insert(name.to_owned(), device);
        Ok(Prepared::Ready(values))
    }

    fn measure(
        &mut self,
        subjects: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        let load = Load {
            write: case.workload.pattern.writes(),
            random: case.workload.pattern.random(),
            block_size: u32::try_from(case.workload.block_size)
                .with_context(|| format!("ring 3: the block size of {} is too large", case.name))?,
            depth: case.workload.depth,
            jobs: case.workload.jobs,
            runtime: Duration::from_millis(case.runtime_ms),
            ramp: Duration::from_millis(case.ramp_ms),
        };
        let devices = subjects
            .iter()
            .map(|subject| {
                self.prepared
                    .get(*subject)
                    .with_context(|| format!("ring 3: {subject} was not set up"))
            })
            .collect::<Result<Vec<&Device>>>()?;
        if let Some(operations) = case.operations {
            let counter = self.counter.as_mut();
            let counter = counter.context("ring 3: counting needs valgrind around the agent")?;
            for device in devices {
                taken(counter.measure(&load, device, operations)?)?;
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
                extra: [("mean_iops".to_owned(), outcome.mean_iops)].into(),
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

fn subject_of(name: &str) -> Result<Subject> {
    Subject::by_name(name).with_context(|| {
        let known = Subject::ALL.map(Subject::name);
        format!("ring 3: no subject {name}; there are {}", known.join(", "))
    })
}

fn on_off(on: bool) -> &'static str {
    if on {
        "on"
    } else {
        "off"
    }
}
