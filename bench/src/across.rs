//! What changed between two runs of the same cases.
//!
//! The ratio of two subjects is measured within boots of one machine, so its
//! change from run to run (a ratio of ratios) has a meaning also where the
//! machine is another one. The level of a subject alone has not.

mod environment;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::case::CaseKey;
use crate::folder::Recording;
use crate::plan::Plan;
use crate::statistics::headline::Headline;
use crate::statistics::interval::Interval;
use crate::statistics::many::{benjamini_hochberg, holm};
use crate::statistics::moments::Moments;
use crate::statistics::verdict::{judge_ends, Better, Direction, Verdict};
use crate::statistics::welch::Welch;
use crate::summary::{
    boot_means, summarise, AmongMany, BootMeans, CaseSummary, Comparison, Estimate, Summary, EMPTY,
};

pub use environment::{Difference, Machine};

/// Two runs, the one before and the one after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Across {
    /// The run that changes are counted from.
    pub before: RunName,
    /// The run that they lead to.
    pub after: RunName,
    /// Margin of equivalence as a fraction: the larger of the two plans'.
    pub margin: f64,
    /// What differs between the runs besides time, as far as it was recorded.
    pub environment: Vec<Difference>,
    /// Whether both ran on the same machine, by ring that both have.
    pub machines: BTreeMap<u8, Machine>,
    /// The cases of both, in the order of the run before.
    pub cases: Vec<CaseChange>,
    /// Cases that only the run before has.
    pub only_before: Vec<CaseKey>,
    /// Cases that only the run after has.
    pub only_after: Vec<CaseKey>,
    /// What a reader must know before believing a number, a sentence each.
    pub warnings: Vec<String>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunName {
    /// Where it was read from.
    pub folder: String,
    /// Unix time in milliseconds at the start; 0 if not recorded.
    pub started_ms: u64,
    /// Boots of its plan, for each ring.
    pub boots: u32,
}

/// One case in one metric, in both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseChange {
    /// Driver, ring and name.
    #[serde(flatten)]
    pub key: CaseKey,
    /// As in `summary.json`.
    pub metric: String,
    /// Unit of the metric.
    pub unit: String,
    /// Which way of it is better.
    pub better: Better,
    /// The two subjects whose ratio it is: the first against the second.
    pub pair: Vec<String>,
    /// The headline before, where it is comparable.
    pub before: Option<Estimate>,
    /// The headline after, where it is comparable.
    pub after: Option<Estimate>,
    /// The change of the ratio.
    #[serde(flatten)]
    pub ratio: Judged,
    /// What the number of cases leaves of it.
    pub among_many: Option<AmongMany>,
    /// The change of each subject by itself, of those that both runs have.
    pub levels: BTreeMap<String, Level>,
}

/// A subject by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Geometric mean of its boots before, in the metric's unit; `None` where
    /// one of them is not positive.
    pub before: Option<f64>,
    /// The same after.
    pub after: Option<f64>,
    /// The change from one to the other.
    #[serde(flatten)]
    pub change: Judged,
}

/// A change and the verdict on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The change; `None` where there is none, for a reason.
    pub change: Option<Change>,
    /// The verdict on the run after.
    pub verdict: Verdict,
    /// Sign of the change, where its 95% interval excludes zero.
    pub direction: Direction,
    /// Why there is no better verdict, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A relative change from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The change: 0.02 is 2% more than before.
    pub mean: f64,
    /// Its 95% interval by Welch, which direction is read from; `None` where a
    /// run has one boot.
    pub ci95: Option<Interval>,
    /// Its 90% interval, which equivalence is read from.
    pub ci90: Option<Interval>,
    /// The p value of the test that nothing changed, from 0 to 1.
    pub p: Option<f64>,
    /// Boots before and after.
    pub boots: (usize, usize),
}

impl Change {
    /// Of logarithms, one a boot, of ratios or of means: the difference of
    /// their means with Welch's interval, boots as replicates in each run.
    /// `None` if a run has none.
    pub fn of_logs(before: &[f64], after: &[f64]) -> Option<Change> {
        let (before, after) = (Moments::of(before)?, Moments::of(after)?);
        let welch = Welch::between(&after, &before);
        let interval = |level| welch.interval(level).map(|ends| ends.map(f64::exp_m1));
        Some(Change {
            mean: welch.difference.exp_m1(),
            ci95: interval(0.95),
            ci90: interval(0.90),
            p: welch.p_value(),
            boots: (before.n, after.n),
        })
    }

    fn judged(self, better: Better, margin: f64) -> Judged {
        let (verdict, direction) =
            judge_ends(self.ci95.as_ref(), self.ci90.as_ref(), better, margin);
        let one = self.boots.0 < 2 || self.boots.1 < 2;
        Judged {
            change: Some(self),
            verdict,
            direction,
            reason: one.then(|| "a run of one boot gives no interval; take 10".into()),
        }
    }
}

impl Judged {
    /// The change, unless it may not be told: then its number is in the JSON
    /// for whoever looks for it, and tables show none.
    pub fn shown(&self) -> Option<&Change> {
        let comparable = self.verdict != Verdict::NotComparable;
        self.change.as_ref().filter(|_| comparable)
    }

    /// No change at all, and why.
    fn refused(verdict: Verdict, why: impl Into<String>) -> Judged {
        Judged {
            change: None,
            verdict,
            direction: Direction::None,
            reason: Some(why.into()),
        }
    }
}

/// A run, read and summed up.
pub struct Side<'a> {
    recording: &'a Recording,
    /// What it says alone.
    pub summary: Summary,
    means: HashMap<(CaseKey, String), BootMeans>,
}

impl<'a> Side<'a> {
    /// Sums a recording up.
    pub fn of(recording: &'a Recording) -> Side<'a> {
        let means = boot_means(recording).into_iter();
        Side {
            recording,
            summary: summarise(recording),
            means: means
                .map(|means| ((means.key.clone(), means.metric.clone()), means))
                .collect(),
        }
    }

    fn name(&self) -> RunName {
        RunName {
            folder: self.recording.path.display().to_string(),
            started_ms: self.summary.run.started_ms,
            boots: self.recording.plan.boots,
        }
    }

    fn case(&self, like: &CaseSummary) -> Option<&CaseSummary> {
        let mut cases = self.summary.cases.iter();
        cases.find(|case| case.key == like.key && case.metric == like.metric)
    }

    /// Subjects of a ring that are compared, in the plan's order.
    pub(crate) fn subjects(&self, ring: u8) -> Vec<&str> {
        let subjects = self.recording.plan.subjects.get(&ring).into_iter();
        let names = subjects.flatten().map(String::as_str);
        names.filter(|subject| *subject != EMPTY).collect()
    }

    /// What compiled a subject: as it was read back, else as the machine under
    /// test said.
    pub(crate) fn compiler(&self, case: &CaseSummary, subject: &str) -> Option<String> {
        let items = case.parity.iter();
        let mut items = items.filter(|item| item.attribute == "compiler");
        let read_back = items.find_map(|item| item.values.get(subject));
        let guest = || {
            let guest = self.summary.run.guest.get(&case.key.ring)?;
            guest.get(&format!("compiler.{subject}"))
        };
        read_back.or_else(guest).cloned()
    }

    /// The means of a subject's boots.
    pub(crate) fn boots(&self, case: &CaseSummary, subject: &str) -> Option<&[f64]> {
        let means = self.means.get(&(case.key.clone(), case.metric.clone()))?;
        Some(means.labels.get(subject)?)
    }

    /// The logarithms of a subject's boots; `None` where one has none.
    fn logs(&self, case: &CaseSummary, subject: &str) -> Option<Vec<f64>> {
        let boots = self.boots(case, subject)?.iter();
        boots.map(|mean| (*mean > 0.0).then(|| mean.ln())).collect()
    }
}

/// Works out what changed from one run to the other.
///
/// # Errors
/// Says in words why nothing can be said: both hold the same samples, or they
/// have no case and metric in common.
pub fn compare(before: &Side, after: &Side) -> Result<Across, String> {
    let (old, new) = (before.recording, after.recording);
    if !old.samples.is_empty() && old.samples == new.samples {
        return Err("hold the same samples; name two runs".into());
    }
    let margin = old.plan.margin.max(new.plan.margin);
    let environment = environment::differences(old, new);
    let machines = environment::machines(old, new, &environment);
    let mut cases = Vec::new();
    for case in &before.summary.cases {
        if let Some(twin) = after.case(case) {
            let machine = machines.get(&case.key.ring).copied();
            let machine = machine.unwrap_or(Machine::Unknown);
            cases.push(change(before, after, (case, twin), margin, machine));
        }
    }
    if cases.is_empty() {
        return Err("have no case in common; name two runs of the same cases".into());
    }
    among_many(&mut cases);
    let warnings = [before, after].into_iter().flat_map(warnings);
    Ok(Across {
        before: before.name(),
        after: after.name(),
        margin,
        machines,
        only_before: missing(&old.plan, &new.plan),
        only_after: missing(&new.plan, &old.plan),
        warnings: warnings.collect(),
        environment,
        cases,
    })
}

/// The cases of `plan` that `other` does not have.
fn missing(plan: &Plan, other: &Plan) -> Vec<CaseKey> {
    let keys = plan.cases.iter().map(|case| case.key());
    keys.filter(|key| other.case(key).is_none()).collect()
}

fn warnings(side: &Side) -> Vec<String> {
    let (run, shown) = (&side.summary.run, side.recording.path.display());
    let mut warnings = Vec::new();
    if run.imported {
        warnings.push(format!(
            "{shown} was imported: parity was not read back, so every change supposes it."
        ));
    }
    if !run.complete {
        warnings.push(format!(
            "{shown} is incomplete: {} of {} samples are there.",
            run.samples.taken, run.samples.expected
        ));
    }
    if !run.complaints.is_empty() {
        warnings.push(format!(
            "{shown} has {} things that could not be used; `ringfence report` names them.",
            run.complaints.len()
        ));
    }
    warnings
}

/// One case in one metric.
fn change(
    before: &Side,
    after: &Side,
    (old, new): (&CaseSummary, &CaseSummary),
    margin: f64,
    machine: Machine,
) -> CaseChange {
    let subjects = before.subjects(old.key.ring);
    let pair: Vec<&str> = subjects.iter().take(2).copied().collect();
    let later = match pair[..] {
        [first, second] => comparison(after, new, first, second),
        _ => None,
    };
    let others = after.subjects(new.key.ring);
    let levels = subjects.iter().filter(|subject| others.contains(subject));
    CaseChange {
        key: old.key.clone(),
        metric: old.metric.clone(),
        unit: old.unit.clone(),
        better: old.better,
        before: old.main.shown().map(Estimate::from),
        after: later.and_then(Comparison::shown).map(Estimate::from),
        ratio: match later {
            Some(later) => ratio(&old.main, later, old.better, margin),
            None => Judged::refused(
                Verdict::NotComparable,
                format!(
                    "the run before compares {}, the run after {}",
                    pair.join(" with "),
                    others.join(" with ")
                ),
            ),
        },
        among_many: None,
        levels: levels
            .filter_map(|subject| {
                let level = level(before, after, old, subject, margin, machine)?;
                Some((subject.to_string(), level))
            })
            .collect(),
        pair: pair.into_iter().map(String::from).collect(),
    }
}

/// The comparison of two subjects in a case, if there is one.
fn comparison<'a>(
    side: &Side,
    case: &'a CaseSummary,
    first: &str,
    second: &str,
) -> Option<&'a Comparison> {
    match side.subjects(case.key.ring)[..] {
        [one, two, ..] if one == first && two == second => Some(&case.main),
        [one, ..] if one == first => case.against.get(second),
        _ => None,
    }
}

fn ratio(before: &Comparison, after: &Comparison, better: Better, margin: f64) -> Judged {
    for (comparison, when) in [(before, "before"), (after, "after")] {
        let verdict = match (comparison.verdict, &comparison.headline) {
            (Verdict::NotComparable, _) => Verdict::NotComparable,
            (_, None) => Verdict::Inconclusive,
            _ => continue,
        };
        let why = comparison.reason.as_deref().unwrap_or("no headline");
        return Judged::refused(verdict, format!("{when}: {why}"));
    }
    let logs = |comparison: &Comparison| -> Vec<f64> {
        let headline = comparison.headline.as_ref();
        headline.map(Headline::logs).unwrap_or_default()
    };
    match Change::of_logs(&logs(before), &logs(after)) {
        Some(change) => change.judged(better, margin),
        None => Judged::refused(Verdict::Inconclusive, "no boot holds samples of both"),
    }
}

/// `None` where a run has no samples of the subject.
fn level(
    before: &Side,
    after: &Side,
    case: &CaseSummary,
    subject: &str,
    margin: f64,
    machine: Machine,
) -> Option<Level> {
    let sampled = |side: &Side| Some(side.case(case)?.subjects.contains_key(subject));
    if !(sampled(before)? && sampled(after)?) {
        return None;
    }
    let (old, new) = (before.logs(case, subject), after.logs(case, subject));
    let mean = |logs: &Option<Vec<f64>>| Some(Moments::of(logs.as_ref()?)?.mean.exp());
    let judged = match old.as_ref().zip(new.as_ref()) {
        None => Judged::refused(
            Verdict::Inconclusive,
            "a boot's mean is not positive, so it has no logarithm",
        ),
        Some((old, new)) => Change::of_logs(old, new)?.judged(case.better, margin),
    };
    let change = match machine {
        Machine::Same => judged,
        _ => Judged {
            change: judged.change,
            ..Judged::refused(Verdict::NotComparable, machine.words())
        },
    };
    Some(Level {
        before: mean(&old),
        after: mean(&new),
        change,
    })
}

/// Counts the changes of a ring, driver and metric as one family.
fn among_many(cases: &mut [CaseChange]) {
    let mut families: BTreeMap<(u8, String, String), Vec<(usize, f64)>> = BTreeMap::new();
    for (at, case) in cases.iter().enumerate() {
        if let Some(p) = case.ratio.change.and_then(|change| change.p) {
            let family = (case.key.ring, case.key.driver.clone(), case.metric.clone());
            families.entry(family).or_default().push((at, p));
        }
    }
    for family in families.into_values() {
        let alone: Vec<f64> = family.iter().map(|(_, p)| *p).collect();
        let adjusted = holm(&alone).into_iter().zip(benjamini_hochberg(&alone));
        for ((at, p), (holm, listed)) in family.into_iter().zip(adjusted) {
            cases[at].among_many = Some(AmongMany {
                comparisons: alone.len(),
                p,
                holm,
                listed,
            });
        }
    }
}
