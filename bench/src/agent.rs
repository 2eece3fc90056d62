//! How a boot starts, and what happens inside it.
//!
//! The controller sends one [`BootPlan`] as a JSON line; the agent answers
//! with [`Event`]s, a JSON line each, until `done` or `error`. The same agent
//! serves a VM (over a serial line), the running kernel and a ring-3 process
//! (over pipes).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{bail, Context, Result};

use crate::case::Case;
use crate::control::Label;
use crate::plan::BootPlan;
use crate::sample::{Attributes, Event, FunctionCount, LeftOut, Profile, Sample};

/// Starts boots. `bench::run` calls it once a boot.
pub trait Launcher {
    /// A word for progress lines: `vm`, `process`.
    fn name(&self) -> &str;

    /// What this launcher contributes to `manifest.json` under `host`:
    /// command lines, accelerator, versions.
    fn describe(&mut self) -> Result<BTreeMap<String, String>>;

    /// Starts boot `number` (from 0) and connects to its agent.
    fn boot(&mut self, number: u32) -> Result<Box<dyn Link>>;
}

/// A connection to the agent of one boot. Dropping it ends the boot: a VM is
/// powered off, a process killed, a device given back.
pub trait Link {
    /// Sends the boot's plan; called once, first.
    fn send(&mut self, plan: &BootPlan) -> Result<()>;

    /// The next event; an error if the boot died or hung (the text names the
    /// log). Implementations put a time limit on silence.
    fn next(&mut self) -> Result<Event>;
}

/// What a subject gave back when it was asked to set up for a case.
pub enum Prepared {
    /// Ready, with what was read back.
    Ready(BTreeMap<String, String>),
    /// This subject cannot run this case, and why.
    LeftOut(String),
}

/// One measurement of a load.
pub struct Measured {
    /// Name of the metric: `iops`, `ns` or `instructions`.
    pub metric: &'static str,
    /// Its value.
    pub value: f64,
    /// Further figures by name.
    pub extra: BTreeMap<String, f64>,
    /// Where instructions went; empty if they were not counted.
    pub functions: Vec<FunctionCount>,
}

/// The inside of a boot: sets subjects up and loads them.
pub trait Workbench {
    /// What this machine says of itself.
    fn environment(&mut self) -> Result<BTreeMap<String, String>>;

    /// Loads what is behind a label (a module, a function table): a subject, or
    /// a control of one. Called once each, in the boot's load order, before
    /// anything else.
    fn load(&mut self, label: &str) -> Result<()>;

    /// Sets `label` up for `case` with the case's settings and `overrides`
    /// on top, and reads everything back. It stays set up until this label
    /// is set up again.
    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared>;

    /// Takes one block: loads each of `labels`, all of them set up for
    /// `case`, for the case's time. Gives each result to `taken` as soon as
    /// it is there, in the order of `labels`.
    fn measure(
        &mut self,
        labels: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()>;

    /// Gives every device and module back. Called once, also after an error.
    fn finish(&mut self) -> Result<()>;
}

/// Runs one boot: reads the plan from `input`, has its workbench made, and
/// writes events to `output`.
///
/// Every subject of every case is set up and read back before the first
/// sample; those of a block are set up again right before it, and if one then
/// reads back differently, the boot ends with an error.
pub fn serve(
    make: impl FnOnce(&BootPlan) -> Result<Box<dyn Workbench>>,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<()> {
    let result = read_plan(input).and_then(|plan| {
        let mut bench = make(&plan)?;
        let result = serve_plan(bench.as_mut(), &plan, &mut output);
        let finished = bench.finish();
        result.and(finished)
    });
    match result {
        Ok(()) => emit(&mut output, &Event::Done),
        Err(error) => emit(
            &mut output,
            &Event::Error {
                text: format!("{error:#}"),
            },
        ),
    }
}

fn read_plan(mut input: impl BufRead) -> Result<BootPlan> {
    let mut line = String::new();
    input
        .read_line(&mut line)
        .context("agent: reading the plan")?;
    serde_json::from_str(&line).context("agent: the plan does not parse")
}

fn serve_plan(bench: &mut dyn Workbench, plan: &BootPlan, output: &mut impl Write) -> Result<()> {
    emit(
        output,
        &Event::Hello {
            environment: bench.environment()?,
        },
    )?;
    for subject in &plan.load_order {
        bench.load(subject)?;
    }
    let none = BTreeMap::new();
    let overrides = |label: &str| {
        let subject = Label::subject_of(label);
        plan.overrides.get(subject).unwrap_or(&none)
    };
    let measured: BTreeSet<(usize, &String)> = plan
        .steps
        .iter()
        .flat_map(|step| step.order.iter().map(|label| (step.case, label)))
        .collect();
    let mut read_back = BTreeMap::new();
    let mut left_out = BTreeSet::new();
    for (index, case) in plan.cases.iter().enumerate() {
        let here = |label: &&String| measured.contains(&(index, *label));
        for subject in plan.load_order.iter().filter(here) {
            match bench.prepare(subject, case, overrides(subject))? {
                Prepared::Ready(values) => {
                    let attributes = Attributes {
                        key: case.key(),
                        subject: subject.clone(),
                        boots: vec![plan.boot],
                        values: values.clone(),
                    };
                    emit(output, &Event::Attributes(attributes))?;
                    read_back.insert((index, subject.clone()), values);
                }
                Prepared::LeftOut(why) => {
                    let event = LeftOut {
                        key: case.key(),
                        subject: subject.clone(),
                        why,
                    };
                    emit(output, &Event::LeftOut(event))?;
                    left_out.insert((index, subject.clone()));
                }
            }
        }
    }
    for step in &plan.steps {
        let case = plan
            .cases
            .get(step.case)
            .context("agent: a step without a case")?;
        let subjects: Vec<&str> = step
            .order
            .iter()
            .filter(|subject| !left_out.contains(&(step.case, subject.to_string())))
            .map(String::as_str)
            .collect();
        for subject in &subjects {
            let Prepared::Ready(values) = bench.prepare(subject, case, overrides(subject))? else {
                bail!(
                    "agent: {subject} could be set up for {} once, not twice",
                    case.name
                );
            };
            if read_back.get(&(step.case, subject.to_string())) != Some(&values) {
                bail!(
                    "agent: {subject} reads back differently on its second set-up for {}",
                    case.name
                );
            }
        }
        let mut place = 0;
        bench.measure(&subjects, case, &mut |measured| {
            let sample = Sample {
                key: case.key(),
                subject: subjects[place].to_string(),
                boot: plan.boot,
                block: step.block,
                warm_up: step.warm_up,
                place: place as u32,
                metric: measured.metric.to_string(),
                value: measured.value,
                at_ms: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |time| time.as_millis() as u64),
                extra: measured.extra,
            };
            let profile = Profile {
                key: case.key(),
                subject: sample.subject.clone(),
                boot: plan.boot,
                block: step.block,
                functions: measured.functions,
            };
            place += 1;
            emit(output, &Event::Sample(sample))?;
            match profile.functions.is_empty() {
                true => Ok(()),
                false => emit(output, &Event::Profile(profile)),
            }
        })?;
        if place != subjects.len() {
            bail!("agent: a block of {} is short of a sample", case.name);
        }
    }
    Ok(())
}

fn emit(output: &mut impl Write, event: &Event) -> Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    output
        .write_all(&line)
        .context("agent: the controller is gone")?;
    output.flush().context("agent: the controller is gone")
}
