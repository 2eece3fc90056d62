//! From samples to comparisons, case by case.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    counts, warm_up, CaseSummary, Comparison, ControlSummary, Estimate, LeftOutSubject, Robust,
    Shape, SubjectSummary, Variation, DRIVER_COST, EMPTY, INSTRUCTIONS, IOPS, MODULE_INSTRUCTIONS,
    NANOSECONDS, WRAPPED, WRAPPER,
};
use crate::case::{Case, CaseKey, Workload};
use crate::control::{label as label_of, Control, Label};
use crate::folder::Recording;
use crate::parity::{self, ParityItem};
use crate::plan::Plan;
use crate::sample::Attributes;
use crate::statistics::headline::{over_boots, BootPair};
use crate::statistics::interval::of_mean;
use crate::statistics::median::median;
use crate::statistics::moments::Moments;
use crate::statistics::sequential::Looks;
use crate::statistics::verdict::{judge, Better, Direction, Verdict};
use crate::statistics::welch::Welch;

/// What is said beside every verdict of a run that others took.
const NOT_READ_BACK: &str = "parity was not read back: imported";

/// Values of one subject in one case, by boot and block.
pub(super) type Series = BTreeMap<(u32, u32), f64>;

/// The usable samples of a run, sorted by case and subject.
#[derive(Default)]
pub struct Table {
    series: HashMap<CaseKey, BTreeMap<String, Series>>,
    /// Instructions of the driver's module, where they were counted.
    module: HashMap<CaseKey, BTreeMap<String, Series>>,
    /// How many there are.
    pub taken: u64,
    /// Why others are of no use.
    pub complaints: Vec<String>,
}

impl Table {
    /// Sorts the samples of a recording.
    pub fn of(recording: &Recording) -> Table {
        let plan = &recording.plan;
        let mut table = Table::default();
        let metrics: HashMap<CaseKey, &str> = plan
            .cases
            .iter()
            .map(|case| (case.key(), metric(case)))
            .collect();
        let labels: HashMap<CaseKey, Vec<String>> = plan
            .cases
            .iter()
            .map(|case| (case.key(), plan.labels(case)))
            .collect();
        let mut unknown = BTreeSet::new();
        for sample in &recording.samples {
            let planned = labels
                .get(&sample.key)
                .is_some_and(|labels| labels.contains(&sample.subject));
            if !planned {
                unknown.insert(format!(
                    "subject {}, which is not in the plan of their case",
                    sample.subject.escape_debug()
                ));
            } else if metrics.get(&sample.key) != Some(&sample.metric.as_str()) {
                unknown.insert(format!(
                    "metric {}, which the plan does not ask for",
                    sample.metric.escape_debug()
                ));
            } else {
                let place = (sample.boot, sample.block);
                if let Some(module) = sample.extra.get("module") {
                    let subjects = table.module.entry(sample.key.clone()).or_default();
                    let series = subjects.entry(sample.subject.clone()).or_default();
                    series.insert(place, *module);
                }
                if !table.series.contains_key(&sample.key) {
                    table.series.insert(sample.key.clone(), BTreeMap::new());
                }
                let subjects = table.series.entry(sample.key.clone()).or_default();
                let series = subjects.entry(sample.subject.clone()).or_default();
                if series.insert(place, sample.value).is_none() {
                    table.taken += 1;
                }
            }
        }
        table
            .complaints
            .extend(unknown.into_iter().map(|what| format!("samples of {what}")));
        table
    }

    /// Boots with samples, by ring of the plan.
    pub fn boots(&self, plan: &Plan) -> BTreeMap<u8, u32> {
        let count = |ring| {
            let boots: BTreeSet<u32> = self
                .series
                .iter()
                .filter(|(key, _)| key.ring == ring)
                .flat_map(|(_, subjects)| subjects.values())
                .flat_map(|series| series.keys().map(|(boot, _)| *boot))
                .collect();
            boots.len() as u32
        };
        let rings = plan.rings();
        rings.into_iter().map(|ring| (ring, count(ring))).collect()
    }
}

/// What a case's samples are of.
fn metric(case: &Case) -> &'static str {
    match (&case.operations, &case.workload) {
        (Some(_), _) => INSTRUCTIONS,
        (None, Workload::Block(_)) => IOPS,
        (None, Workload::Operation(_)) => NANOSECONDS,
    }
}

/// All entries of `summary.json`, in the order of the plan.
pub fn summarise(recording: &Recording, table: &Table) -> Vec<CaseSummary> {
    let mut attributes: HashMap<&CaseKey, Vec<&Attributes>> = HashMap::new();
    for record in &recording.manifest.attributes {
        attributes.entry(&record.key).or_default().push(record);
    }
    let mut entries = Vec::new();
    for case in &recording.plan.cases {
        let key = case.key();
        let records = attributes.get(&key).map_or(&[][..], Vec::as_slice);
        let about = About::new(recording, case, records);
        for measured in measured(case, table) {
            let mut entry = about.entry(&measured);
            if measured.metric == INSTRUCTIONS {
                entry.counts = counts::of(recording, &key);
            }
            entries.push(entry);
        }
    }
    entries
}

/// The boots of one case in one metric.
pub struct BootMeans {
    /// The case.
    pub key: CaseKey,
    /// The metric.
    pub metric: String,
    /// Mean of each boot by label, in the metric's unit; the same entries as
    /// `summary.json` has, in the same order.
    pub labels: BTreeMap<String, Vec<f64>>,
}

/// What each boot of each label gave, alone and not as a ratio.
pub fn boot_means(recording: &Recording) -> Vec<BootMeans> {
    let table = Table::of(recording);
    let mut all = Vec::new();
    for case in &recording.plan.cases {
        for measured in measured(case, &table) {
            let boots = |values: &Values| Values::boots(values.series.clone()).classical;
            let labels = measured.values.iter();
            all.push(BootMeans {
                key: case.key(),
                metric: measured.metric.into(),
                labels: labels
                    .map(|(label, values)| (label.clone(), boots(values)))
                    .collect(),
            });
        }
    }
    all
}

/// One metric of a case, sampled or derived.
struct Measured {
    metric: &'static str,
    unit: &'static str,
    better: Better,
    /// By label.
    values: BTreeMap<String, Values>,
}

/// All metrics of a case.
fn measured(case: &Case, table: &Table) -> Vec<Measured> {
    let none = BTreeMap::new();
    let key = case.key();
    let series = table.series.get(&key).unwrap_or(&none);
    if case.operations.is_some() {
        let module = table.module.get(&key).unwrap_or(&none);
        let counts = [(INSTRUCTIONS, series), (MODULE_INSTRUCTIONS, module)];
        return counts
            .map(|(metric, series)| Measured {
                metric,
                unit: INSTRUCTIONS,
                better: Better::Lower,
                values: sampled(series),
            })
            .into();
    }
    let jobs = match &case.workload {
        Workload::Block(load) => load.jobs,
        Workload::Operation(_) => {
            return vec![Measured {
                metric: NANOSECONDS,
                unit: "ns",
                better: Better::Lower,
                values: sampled(series),
            }]
        }
    };
    let mut all = vec![Measured {
        metric: IOPS,
        unit: "1/s",
        better: Better::Higher,
        values: sampled(series),
    }];
    if let Some(empty) = series.get(EMPTY) {
        let costs =
            series
                .iter()
                .filter(|(subject, _)| *subject != EMPTY)
                .map(|(subject, series)| {
                    let cost = cost(series, empty, jobs);
                    (subject.clone(), Values::boots(cost))
                });
        all.push(Measured {
            metric: DRIVER_COST,
            unit: "ns",
            better: Better::Lower,
            values: costs.collect(),
        });
    }
    all
}

fn is_control(label: &str) -> bool {
    Label::parse(label).is_none_or(|label| label.control.is_some())
}

/// Every sample of every label.
fn sampled(series: &BTreeMap<String, Series>) -> BTreeMap<String, Values> {
    series
        .iter()
        .map(|(subject, series)| (subject.clone(), Values::samples(series)))
        .collect()
}

/// Nanoseconds of a job's time that an operation takes above an empty one:
/// for each boot, the median over its blocks. A cost is a small difference of
/// two larger times, so that one block that a neighbour met in the middle
/// would otherwise decide its boot. With a closed loop of `jobs` threads that is
/// `jobs / iops`, whatever the depth.
fn cost(series: &Series, empty: &Series, jobs: u32) -> Series {
    let mut boots: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (place, iops) in series {
        let empty = empty.get(place).copied();
        if let Some(cost) = empty.and_then(|empty| block_cost(*iops, empty, jobs)) {
            boots.entry(place.0).or_default().push(cost);
        }
    }
    boots
        .into_iter()
        .filter_map(|(boot, costs)| Some(((boot, 0), median(&costs)?)))
        .collect()
}

/// The cost in one block, from the rates of a subject and of an empty one.
pub fn block_cost(iops: f64, empty: f64, jobs: u32) -> Option<f64> {
    let time = |iops: f64| (iops > 0.0).then(|| 1e9 * f64::from(jobs) / iops);
    Some(time(iops)? - time(empty)?)
}

/// One subject's values: what the headline uses and what the classical view
/// calls a value.
struct Values {
    series: Series,
    classical: Vec<f64>,
}

impl Values {
    /// Every sample is a value.
    fn samples(series: &Series) -> Values {
        Values {
            classical: series.values().copied().collect(),
            series: series.clone(),
        }
    }

    /// The mean of every boot is a value.
    fn boots(series: Series) -> Values {
        let mut boots: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for ((boot, _), value) in &series {
            boots.entry(*boot).or_default().push(*value);
        }
        let classical = boots
            .values()
            .filter_map(|values| Some(Moments::of(values)?.mean))
            .collect();
        Values { series, classical }
    }
}

/// What is the same for every metric of a case.
struct About<'a> {
    key: CaseKey,
    /// Subjects that are compared, in the plan's order.
    subjects: Vec<&'a str>,
    records: &'a [&'a Attributes],
    left_out: Vec<LeftOutSubject>,
    /// Labels of controls.
    controls: Vec<String>,
    /// What subjects call, of an operation.
    calls: BTreeMap<String, String>,
    margin: f64,
    /// Of the plan.
    seed: u64,
    /// When the run was looked at, if it was to end at a target.
    looks: Option<Looks>,
    imported: bool,
    /// The first block of a boot that counts.
    first_block: u32,
}

impl<'a> About<'a> {
    fn new(recording: &'a Recording, case: &Case, records: &'a [&'a Attributes]) -> About<'a> {
        let key = case.key();
        let subjects = recording.plan.subjects.get(&case.ring);
        let mut left_out: Vec<LeftOutSubject> = Vec::new();
        for record in &recording.manifest.left_out {
            let new = LeftOutSubject {
                subject: record.subject.clone(),
                why: record.why.clone(),
            };
            if record.key == key && !left_out.contains(&new) {
                left_out.push(new);
            }
        }
        About {
            key,
            subjects: subjects
                .into_iter()
                .flatten()
                .map(String::as_str)
                .filter(|subject| *subject != EMPTY)
                .collect(),
            records,
            left_out,
            controls: recording
                .plan
                .labels(case)
                .into_iter()
                .filter(|label| is_control(label))
                .collect(),
            calls: case
                .operation()
                .map(|operation| operation.calls.clone())
                .unwrap_or_default(),
            margin: recording.plan.margin,
            seed: recording.plan.seed,
            looks: recording.plan.looks(),
            imported: recording.plan.imported,
            first_block: recording.plan.warm_up.blocks,
        }
    }

    fn entry(&self, measured: &Measured) -> CaseSummary {
        let Measured {
            metric,
            unit,
            better,
            values,
        } = measured;
        let (metric, better) = (*metric, *better);
        let against = match self.subjects.split_first() {
            Some((first, rest)) => rest
                .iter()
                .skip(1)
                .filter(|other| values.contains_key(**other))
                .map(|other| {
                    let comparison = self.compare(first, other, better, values);
                    (other.to_string(), comparison)
                })
                .collect(),
            None => BTreeMap::new(),
        };
        CaseSummary {
            key: self.key.clone(),
            metric: metric.into(),
            unit: (*unit).into(),
            better,
            subjects: values
                .iter()
                .filter(|(label, _)| !is_control(label))
                .filter_map(|(subject, values)| {
                    let moments = Moments::of(&values.classical)?;
                    let summary = SubjectSummary {
                        shape: [IOPS, NANOSECONDS]
                            .contains(&metric)
                            .then(|| Shape::of(&values.classical)),
                        ..subject_summary(&moments)
                    };
                    Some((subject.clone(), summary))
                })
                .collect(),
            main: match self.subjects[..] {
                [first, second, ..] => self.compare(first, second, better, values),
                _ => refused("fewer than two subjects were run".into()),
            },
            calls: self.calls.clone(),
            wrapper: [WRAPPER, WRAPPED]
                .iter()
                .all(|subject| values.contains_key(*subject))
                .then(|| self.compare(WRAPPER, WRAPPED, better, values)),
            against,
            counts: BTreeMap::new(),
            attribution: None,
            controls: self.controls(metric, better, values),
            parity: parity::over_boots(self.records.iter().copied(), &self.subjects),
            left_out: self.left_out.clone(),
        }
    }

    /// Those controls that say something in this metric.
    fn controls(
        &self,
        metric: &str,
        better: Better,
        values: &BTreeMap<String, Values>,
    ) -> Vec<ControlSummary> {
        let mut controls = Vec::new();
        for text in &self.controls {
            let label = Label::parse(text);
            let Some((subject, control)) = label.and_then(|l| Some((l.subject, l.control?))) else {
                continue;
            };
            let (against, injected) = match control {
                Control::Again => (subject.to_string(), None),
                // A delay is a share of the time of an operation.
                Control::Slow(percent) if percent > 0 && metric == IOPS => {
                    let slower = 1.0 / (1.0 + f64::from(percent) / 100.0);
                    (label_of(subject, Control::Slow(0)), Some(slower - 1.0))
                }
                Control::Slow(_) => continue,
            };
            controls.push(ControlSummary {
                comparison: self.compare(text, &against, better, values),
                label: text.clone(),
                against,
                injected,
            });
        }
        controls
    }

    fn compare(
        &self,
        first: &str,
        second: &str,
        better: Better,
        values: &BTreeMap<String, Values>,
    ) -> Comparison {
        for subject in [first, second] {
            if let Some(left_out) = self.left_out.iter().find(|l| l.subject == subject) {
                if !values.contains_key(subject) {
                    return refused(format!("{subject} was left out: {}", left_out.why));
                }
            }
        }
        let (Some(a), Some(b)) = (values.get(first), values.get(second)) else {
            let missing = match values.contains_key(first) {
                true => second.to_string(),
                false if values.contains_key(second) => first.to_string(),
                false => format!("{first} and {second}"),
            };
            return Comparison {
                verdict: Verdict::Inconclusive,
                reason: Some(format!("no samples of {missing}")),
                ..refused(String::new())
            };
        };
        let pairs = pairs(&a.series, &b.series);
        let (difference, relative) = classical(&a.classical, &b.classical);
        let headline = over_boots(&pairs).map(|headline| match &self.looks {
            None => headline,
            Some(looks) => headline.looked_at(looks),
        });
        let (verdict, direction, reason) = match (&headline, self.unequal(first, second, &pairs)) {
            (_, Some(why)) => (Verdict::NotComparable, Direction::None, Some(why)),
            (Err(why), None) => (Verdict::Inconclusive, Direction::None, Some(why.clone())),
            (Ok(headline), None) => {
                let (verdict, direction) = judge(headline, better, self.margin);
                let one = headline.boots < 2;
                let one = one.then_some("one boot gives no interval; take at least 2, better 10");
                let imported = self.imported.then_some(NOT_READ_BACK);
                let reasons: Vec<&str> = one.into_iter().chain(imported).collect();
                let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
                (verdict, direction, reason)
            }
        };
        Comparison {
            difference,
            relative,
            variation: Variation::of(&log_ratios(&a.series, &b.series)),
            first_block: warm_up::first_block(&a.series, &b.series, self.first_block),
            with_warm_up: None,
            // It knows nothing of looks.
            robust: match (&headline, &self.looks) {
                (Ok(headline), None) => Robust::of(headline, self.seed),
                _ => None,
            },
            among_many: None,
            headline: headline.ok(),
            verdict,
            direction,
            reason,
        }
    }

    /// Why the two cannot be compared, if they cannot: something blocking
    /// differs in some boot, or a boot with samples read nothing back.
    fn unequal(&self, first: &str, second: &str, pairs: &[BootPair]) -> Option<String> {
        let read_back = |subject: &str, boot: u32| {
            self.records
                .iter()
                .any(|record| record.subject == subject && record.boots.contains(&boot))
        };
        for pair in pairs {
            for subject in [first, second] {
                if !self.imported && !read_back(subject, pair.boot) {
                    return Some(format!(
                        "nothing that {subject} read back in boot {} is recorded, so whether the \
                         subjects were equal is not known",
                        pair.boot
                    ));
                }
            }
        }
        let items = parity::over_boots(self.records.iter().copied(), &[first, second]);
        let words: Vec<String> = items
            .iter()
            .filter(|item| item.blocks())
            .map(ParityItem::words)
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// No comparison at all, and why.
fn refused(why: String) -> Comparison {
    Comparison {
        difference: None,
        relative: None,
        headline: None,
        variation: None,
        first_block: None,
        with_warm_up: None,
        robust: None,
        among_many: None,
        verdict: Verdict::NotComparable,
        direction: Direction::None,
        reason: Some(why),
    }
}

fn subject_summary(moments: &Moments) -> SubjectSummary {
    SubjectSummary {
        n: moments.n,
        mean: moments.mean,
        sd: moments.sd,
        ci95: of_mean(moments, 0.95),
        shape: None,
    }
}

/// Difference of means with Welch's interval, and both over the second mean.
fn classical(first: &[f64], second: &[f64]) -> (Option<Estimate>, Option<Estimate>) {
    let (Some(a), Some(b)) = (Moments::of(first), Moments::of(second)) else {
        return (None, None);
    };
    let welch = Welch::between(&a, &b);
    let ci95 = welch.interval(0.95);
    let difference = Estimate {
        mean: welch.difference,
        ci95,
    };
    let relative = (b.mean != 0.0).then(|| Estimate {
        mean: welch.difference / b.mean,
        ci95: ci95.map(|ends| ends.divided_by(b.mean)),
    });
    (Some(difference), relative)
}

/// The means of each boot over the blocks in which both were sampled.
fn pairs(first: &Series, second: &Series) -> Vec<BootPair> {
    let mut sums: BTreeMap<u32, (f64, f64, u32)> = BTreeMap::new();
    for ((boot, block), a) in first {
        if let Some(b) = second.get(&(*boot, *block)) {
            let sum = sums.entry(*boot).or_default();
            *sum = (sum.0 + a, sum.1 + b, sum.2 + 1);
        }
    }
    sums.into_iter()
        .map(|(boot, (a, b, n))| BootPair {
            boot,
            first: a / f64::from(n),
            second: b / f64::from(n),
        })
        .collect()
}

/// The log ratio of each block in which both were sampled, by boot, with the
/// block's number.
pub(super) fn log_ratios(first: &Series, second: &Series) -> BTreeMap<u32, Vec<(u32, f64)>> {
    let mut boots: BTreeMap<u32, Vec<(u32, f64)>> = BTreeMap::new();
    for ((boot, block), a) in first {
        let b = second.get(&(*boot, *block)).copied().unwrap_or(0.0);
        if *a > 0.0 && b > 0.0 {
            boots.entry(*boot).or_default().push((*block, (a / b).ln()));
        }
    }
    boots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_that_a_neighbour_met_does_not_decide_its_boot() {
        let iops = |ns: f64| 1e9 / ns;
        let series: Series = [(0, 5.0), (1, 9.0), (2, 5.0), (3, 5.2)]
            .map(|(block, ns)| ((7, block), iops(ns)))
            .into();
        let empty: Series = (0..4).map(|block| ((7, block), iops(4.0))).collect();
        let cost = cost(&series, &empty, 1);
        assert_eq!(cost.len(), 1);
        assert!((cost[&(7, 0)] - 1.1).abs() < 1e-9, "{cost:?}");
    }
}
