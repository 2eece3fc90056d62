//! What a run says: `summary.json`.

pub mod attribution;
mod cases;
pub mod controls;
mod counts;
pub mod many;
mod robust;
mod variation;
mod warm_up;
mod warnings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::case::{Case, CaseKey};
use crate::folder::Recording;
use crate::parity::ParityItem;
use crate::plan::{Plan, WarmUp};
use crate::sample::{FunctionCount, LeftOut};
use crate::statistics::headline::Headline;
use crate::statistics::interval::Interval;
use crate::statistics::verdict::{Better, Direction, Verdict};

pub use attribution::Attribution;
pub use cases::{block_cost, boot_means, BootMeans};
pub use controls::{ControlSummary, Controls};
pub use many::AmongMany;
pub use robust::Robust;
pub use variation::{Shape, Variation};
pub use warm_up::WithWarmUp;

/// The subject of ring 3 that does nothing: its cost is the load loop's own.
pub const EMPTY: &str = "empty";

/// The subject of operations that is our own wrapper.
pub const WRAPPER: &str = "wrapper";

/// What it wraps.
pub const WRAPPED: &str = "c";

/// Operations a second, as sampled.
pub const IOPS: &str = "iops";

/// Nanoseconds an operation above those of the subject [`EMPTY`], derived
/// from `iops`.
pub const DRIVER_COST: &str = "driver-cost";

/// Nanoseconds that an operation of an API takes, as sampled.
pub const NANOSECONDS: &str = "ns";

/// Instructions that an operation executes, as sampled.
pub const INSTRUCTIONS: &str = "instructions";

/// Those of them in the driver's own module, derived from the samples of
/// `instructions`.
pub const MODULE_INSTRUCTIONS: &str = "module-instructions";

/// Whether a metric is worked out from the samples of another one.
pub fn derived(metric: &str) -> bool {
    [DRIVER_COST, MODULE_INSTRUCTIONS].contains(&metric)
}

/// All of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run as a whole.
    pub run: Run,
    /// One entry a case and metric, in the order of the plan.
    pub cases: Vec<CaseSummary>,
}

/// The run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of `ringfence` that took the samples; empty if not recorded.
    pub ringfence: String,
    /// The command line that made the run.
    pub command: Vec<String>,
    /// Unix time in milliseconds at the start; 0 if not recorded.
    pub started_ms: u64,
    /// Unix time in milliseconds at the end, if it came to one.
    pub ended_ms: Option<u64>,
    /// Seed of the random orders.
    pub seed: u64,
    /// Whether it was the short plan that says little.
    pub quick: bool,
    /// Whether others took the samples, so that nothing was read back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// Margin of equivalence as a fraction.
    pub margin: f64,
    /// The width at which the run was to end, as in the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Per ring: after how many boots it was reached.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reached: BTreeMap<u8, u32>,
    /// Blocks of each case in a boot that count.
    pub blocks: u32,
    /// What a boot ran before those, as in the plan.
    #[serde(default)]
    pub warm_up: WarmUp,
    /// The longest time under load before a sample, in milliseconds, by ring;
    /// none where instructions were counted.
    #[serde(default)]
    pub ramp_ms: BTreeMap<u8, u64>,
    /// Boots, the unit of replication.
    pub boots: Boots,
    /// Samples.
    pub samples: Samples,
    /// Whether every sample of the plan is there, but for subjects that were
    /// left out.
    pub complete: bool,
    /// Why it ended early, if it did.
    pub interrupted: Option<String>,
    /// What could not be read or used, a line each.
    pub complaints: Vec<String>,
    /// What a reader must know before believing a number, a sentence each.
    pub warnings: Vec<String>,
    /// Subjects by ring, the first compared with the second.
    pub subjects: BTreeMap<u8, Vec<String>>,
    /// What the controls say, by ring, driver and metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<Controls>,
    /// The run whose counts of instructions were joined, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<String>,
    /// Settings that differ by subject because the user asked for it.
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
    /// Per ring: what the launcher said of the host.
    pub host: BTreeMap<u8, BTreeMap<String, String>>,
    /// Per ring: what the agents said of the machine under test.
    pub guest: BTreeMap<u8, BTreeMap<String, String>>,
    /// Names in `guest` whose value differed in a later boot.
    pub guest_varies: Vec<String>,
}

/// Boots planned, and those with samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boots {
    /// As the plan says, for each ring.
    pub planned: u32,
    /// With at least one sample, by ring.
    pub sampled: BTreeMap<u8, u32>,
}

/// Samples expected, less subjects left out, and taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// As the plan says, less those of subjects that were left out.
    pub expected: u64,
    /// In the folder and of use.
    pub taken: u64,
    /// In the folder beside those, and not counted: warm-up by the plan.
    #[serde(default)]
    pub warm_up: u64,
}

/// One case in one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseSummary {
    /// Driver, ring and name.
    #[serde(flatten)]
    pub key: CaseKey,
    /// [`IOPS`], [`DRIVER_COST`], [`NANOSECONDS`], [`INSTRUCTIONS`] or
    /// [`MODULE_INSTRUCTIONS`].
    pub metric: String,
    /// Unit of the metric.
    pub unit: String,
    /// Which way of it is better.
    pub better: Better,
    /// What each subject gave.
    pub subjects: BTreeMap<String, SubjectSummary>,
    /// The first subject against the second.
    #[serde(flatten)]
    pub main: Comparison,
    /// What each subject calls, of an operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, String>,
    /// Our wrapper of an operation against the C that it wraps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<Comparison>,
    /// The first subject against each further one.
    pub against: BTreeMap<String, Comparison>,
    /// Where the instructions of each subject went; only for
    /// [`INSTRUCTIONS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, Counts>,
    /// Where the difference in time comes from; only for [`IOPS`], and where
    /// something is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// Subjects against themselves, and against themselves with a delay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<ControlSummary>,
    /// What was read back from the subjects.
    pub parity: Vec<ParityItem>,
    /// Subjects that this case goes without.
    pub left_out: Vec<LeftOutSubject>,
}

/// Number, mean, deviation and 95% t interval of the values of one subject:
/// its samples, or for [`DRIVER_COST`] its boots.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectSummary {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their deviation; `None` for one value.
    pub sd: Option<f64>,
    /// Interval of the mean; `None` for one value.
    pub ci95: Option<Interval>,
    /// The shape of its samples, in the order in which they were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// Instructions of an operation by where they were executed: means over all
/// samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// The load and its libraries.
    pub user: f64,
    /// The kernel and other modules.
    pub kernel: f64,
    /// The driver under test.
    pub module: f64,
    /// The model of a device that it drives, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<f64>,
    /// The functions of `module`, most instructions first.
    pub functions: Vec<FunctionCount>,
}

/// A mean and its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its interval; `None` where there are too few values.
    pub ci95: Option<Interval>,
}

impl From<&Headline> for Estimate {
    fn from(headline: &Headline) -> Estimate {
        Estimate {
            mean: headline.mean,
            ci95: headline.ci95,
        }
    }
}

/// One subject against another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Classical view: difference of the means with Welch's interval, every
    /// sample a replicate.
    pub difference: Option<Estimate>,
    /// The same divided by the second subject's mean: (rust - c) / c. The
    /// interval is the difference's over that mean, which is taken as exact,
    /// as in the report that this project follows.
    pub relative: Option<Estimate>,
    /// Headline: relative change over boots. Verdicts come from it alone.
    pub headline: Option<Headline>,
    /// Where its variation comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variation: Option<Variation>,
    /// How the ratio in the first block of a boot that counts differs from
    /// that in the later ones; `None` for what is worked out a boot at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_block: Option<Estimate>,
    /// What would be said if warm-up had counted; only for the main comparison
    /// of a run that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_warm_up: Option<WithWarmUp>,
    /// Two other ways to an interval over boots, which suppose less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robust: Option<Robust>,
    /// What the number of cases leaves of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among_many: Option<AmongMany>,
    /// The verdict on the first subject.
    pub verdict: Verdict,
    /// Sign of the headline, where its 95% interval excludes zero. Kept
    /// beside every verdict but `not-comparable`.
    pub direction: Direction,
    /// Why there is no better verdict, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Comparison {
    /// The headline, unless the subjects were not made equal: then its number
    /// is in `summary.json` for whoever looks for it, and reports show none.
    pub fn shown(&self) -> Option<&Headline> {
        let comparable = self.verdict != Verdict::NotComparable;
        self.headline.as_ref().filter(|_| comparable)
    }
}

/// A subject that a case goes without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutSubject {
    /// Which.
    pub subject: String,
    /// Why.
    pub why: String,
}

impl Summary {
    /// Whether the main comparison of every case of a ring that can be compared
    /// is known as well as the plan's target asks for, in what is sampled.
    pub fn reached(&self, plan: &Plan, ring: u8) -> bool {
        let Some(target) = plan.target else {
            return false;
        };
        let sampled = |case: &&CaseSummary| case.key.ring == ring && !derived(&case.metric);
        let mut comparable = self
            .cases
            .iter()
            .filter(sampled)
            .filter_map(|case| case.main.shown())
            .peekable();
        comparable.peek().is_some()
            && comparable.all(|headline| {
                let ends = headline.ci95.as_ref();
                ends.is_some_and(|ends| (ends.hi - ends.lo) / 2.0 <= target)
            })
    }
}

/// Works out everything that the samples of a run say.
pub fn summarise(recording: &Recording) -> Summary {
    let plan = &recording.plan;
    let manifest = &recording.manifest;
    let table = cases::Table::of(recording);
    let mut complaints = recording.complaints.clone();
    complaints.extend(table.complaints.iter().cloned());
    let samples = Samples {
        expected: expected(recording),
        taken: table.taken,
        warm_up: recording.warm_up.len() as u64,
    };
    let mut run = Run {
        ringfence: manifest.ringfence.clone(),
        command: manifest.command.clone(),
        started_ms: manifest.started_ms,
        ended_ms: manifest.ended_ms,
        seed: plan.seed,
        quick: plan.quick,
        imported: plan.imported,
        margin: plan.margin,
        target: plan.target,
        reached: manifest.reached.clone(),
        blocks: plan.blocks,
        warm_up: plan.warm_up,
        ramp_ms: ramps(plan),
        boots: Boots {
            planned: plan.boots,
            sampled: table.boots(plan),
        },
        samples,
        complete: samples.taken >= samples.expected,
        interrupted: manifest.interrupted.clone(),
        complaints,
        warnings: Vec::new(),
        controls: Vec::new(),
        subjects: plan.subjects.clone(),
        counts: None,
        overrides: plan.overrides.clone(),
        host: manifest.host.clone(),
        guest: manifest.guest.clone(),
        guest_varies: manifest.guest_varies.clone(),
    };
    run.warnings = warnings::of(&run, plan.counts());
    let mut cases = cases::summarise(recording, &table);
    if !recording.warm_up.is_empty() {
        warm_up::count_in(recording, &mut cases);
    }
    if plan.target.is_none() {
        many::adjust(&mut cases);
    }
    attribution::add(&mut cases, recording);
    run.controls = controls::of(&cases);
    run.warnings.extend(controls::warnings(&run.controls));
    Summary { run, cases }
}

/// The longest ramp by ring, of cases that are timed.
fn ramps(plan: &Plan) -> BTreeMap<u8, u64> {
    let mut ramps: BTreeMap<u8, u64> = BTreeMap::new();
    for case in plan.cases.iter().filter(|case| case.operations.is_none()) {
        let ramp = ramps.entry(case.ring).or_default();
        *ramp = case.ramp_ms.max(*ramp);
    }
    ramps
}

/// The plan's samples that count, less those of subjects that cases go without.
fn expected(recording: &Recording) -> u64 {
    let plan = &recording.plan;
    let mut left_out: Vec<&LeftOut> = Vec::new();
    for new in &recording.manifest.left_out {
        let planned = plan
            .case(&new.key)
            .is_some_and(|case| plan.labels(case).contains(&new.subject));
        let known = left_out
            .iter()
            .any(|old| old.key == new.key && old.subject == new.subject);
        if planned && !known {
            left_out.push(new);
        }
    }
    let boots = |ring| {
        let reached = recording.manifest.reached.get(&ring);
        u64::from(reached.map_or(plan.boots, |boots| plan.boots.min(*boots)))
    };
    let all = |case: &Case| plan.labels(case).len() as u64 * boots(case.ring);
    let less: u64 = left_out.iter().map(|one| boots(one.key.ring)).sum();
    let each: u64 = plan.cases.iter().map(all).sum();
    each.saturating_sub(less) * u64::from(plan.blocks)
}
