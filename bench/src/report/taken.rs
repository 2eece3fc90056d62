//! The values of a case in the order in which they were taken.

use std::collections::{BTreeMap, HashMap};

use crate::case::{Case, CaseKey};
use crate::folder::Recording;
use crate::sample::Sample;
use crate::summary::{block_cost, CaseSummary, DRIVER_COST, EMPTY, IOPS};

/// One value of one subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Place of the subject among those of its section.
    pub subject: usize,
    /// Boot, from 0.
    pub boot: u32,
    /// Block within the boot, from 0.
    pub block: u32,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// The samples of a run by case.
pub struct Taken<'a> {
    recording: &'a Recording,
    samples: HashMap<&'a CaseKey, Vec<&'a Sample>>,
}

impl<'a> Taken<'a> {
    /// Sorts the samples of a recording.
    pub fn of(recording: &'a Recording) -> Taken<'a> {
        let mut samples: HashMap<&CaseKey, Vec<&Sample>> = HashMap::new();
        for sample in &recording.samples {
            samples.entry(&sample.key).or_default().push(sample);
        }
        Taken { recording, samples }
    }

    /// Samples of a case in a metric.
    pub fn samples(&self, key: &CaseKey, metric: &str) -> impl Iterator<Item = &'a Sample> {
        let samples = self.samples.get(key).cloned().unwrap_or_default();
        let metric = metric.to_string();
        samples
            .into_iter()
            .filter(move |sample| sample.metric == metric)
    }

    /// The values of a case in its metric, for these subjects. The driver's
    /// cost is that of single blocks.
    pub fn points(&self, case: &CaseSummary, subjects: &[&str]) -> Vec<Point> {
        let cost = case.metric == DRIVER_COST;
        let metric = if cost { IOPS } else { &case.metric };
        let jobs = self.recording.plan.case(&case.key);
        let jobs = jobs.map_or(1, Case::jobs);
        let mut empty = BTreeMap::new();
        for sample in self.samples(&case.key, metric) {
            if sample.subject == EMPTY {
                empty.insert((sample.boot, sample.block), sample.value);
            }
        }
        let point = |sample: &Sample| {
            let value = match cost {
                false => sample.value,
                true => {
                    let empty = empty.get(&(sample.boot, sample.block))?;
                    block_cost(sample.value, *empty, jobs)?
                }
            };
            Some(Point {
                subject: subjects.iter().position(|name| *name == sample.subject)?,
                boot: sample.boot,
                block: sample.block,
                value,
            })
        };
        self.samples(&case.key, metric).filter_map(point).collect()
    }
}

/// Points by boot.
pub fn by_boot(points: &[Point]) -> BTreeMap<u32, Vec<Point>> {
    let mut boots: BTreeMap<u32, Vec<Point>> = BTreeMap::new();
    for point in points {
        boots.entry(point.boot).or_default().push(*point);
    }
    boots
}

/// The values of one subject.
pub fn values(points: &[Point], subject: usize) -> Vec<f64> {
    let own = points.iter().filter(|point| point.subject == subject);
    own.map(|point| point.value).collect()
}
