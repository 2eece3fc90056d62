//! What the controls of a run say of it.

use serde::{Deserialize, Serialize};

use super::{CaseSummary, Comparison};
use crate::case::CaseKey;
use crate::statistics::binomial::allowed;
use crate::statistics::interval::Interval;
use crate::statistics::median::median;
use crate::statistics::moments::Moments;
use crate::statistics::power::smallest_effect;
use crate::statistics::verdict::Direction;

/// A direction is claimed at 5%, so that this is the rate of false alarms.
const RATE: f64 = 0.05;
/// A count of alarms lies in the allowed range in so many runs at least.
const LEVEL: f64 = 0.95;
/// A difference counts as visible if so many runs would find it.
pub const POWER: f64 = 0.9;

/// One control in one case and metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlSummary {
    /// Its label, such as `rust:again`.
    pub label: String,
    /// The label that it is compared with.
    pub against: String,
    /// The relative change of the metric that was injected; `None` for the
    /// same code.
    pub injected: Option<f64>,
    /// The first against the second.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What all controls of one ring, driver and metric say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// 0 or 3.
    pub ring: u8,
    /// The driver.
    pub driver: String,
    /// The metric.
    pub metric: String,
    /// Comparisons of a subject with itself.
    pub comparisons: u64,
    /// Those in which a direction shows: false alarms.
    pub alarms: u64,
    /// How many alarms 5% allow, the least and the most: a run lies within in
    /// 95% of cases.
    pub allowed: (u64, u64),
    /// The noise floor: of the changes that the same code shows against
    /// itself, the size below which 95% of them lie.
    pub floor: f64,
    /// The smallest difference that nine of ten such runs would find, the
    /// median over the comparisons; `None` for one boot.
    pub visible: Option<f64>,
    /// The delays that were injected.
    pub injected: Vec<Injected>,
}

/// A known change, and what the run made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Injected {
    /// Where.
    pub case: CaseKey,
    /// The change that was made: -0.02 is 2% less of the metric.
    pub change: f64,
    /// The change that was seen.
    pub seen: f64,
    /// Its interval; `None` for one boot.
    pub ci95: Option<Interval>,
    /// Whether it shows as a direction, the right one.
    pub found: bool,
}

/// Sums up the controls in the cases.
pub fn of(cases: &[CaseSummary]) -> Vec<Controls> {
    let mut all: Vec<Controls> = Vec::new();
    for case in cases {
        let known = all.iter().any(|controls| controls.is_of(case));
        if known || case.controls.is_empty() {
            continue;
        }
        let same: Vec<&CaseSummary> = cases.iter().filter(|other| is_same(case, other)).collect();
        all.push(of_section(&same));
    }
    all
}

fn is_same(one: &CaseSummary, other: &CaseSummary) -> bool {
    (one.key.ring, &one.key.driver, &one.metric)
        == (other.key.ring, &other.key.driver, &other.metric)
}

impl Controls {
    fn is_of(&self, case: &CaseSummary) -> bool {
        (self.ring, &self.driver, &self.metric) == (case.key.ring, &case.key.driver, &case.metric)
    }

    /// Whether the count of alarms is one that 5% make likely.
    pub fn sound(&self) -> bool {
        (self.allowed.0..=self.allowed.1).contains(&self.alarms)
    }
}

fn of_section(cases: &[&CaseSummary]) -> Controls {
    let first = cases[0];
    let mut changes = Vec::new();
    let mut visible = Vec::new();
    let (mut comparisons, mut alarms) = (0, 0);
    let mut injected = Vec::new();
    for case in cases {
        for control in &case.controls {
            let comparison = &control.comparison;
            let Some(headline) = comparison.shown() else {
                continue;
            };
            if let Some(change) = control.injected {
                let right = headline.mean.signum() == change.signum();
                injected.push(Injected {
                    case: case.key.clone(),
                    change,
                    seen: headline.mean,
                    ci95: headline.ci95,
                    found: right && comparison.direction != Direction::None,
                });
                continue;
            }
            comparisons += 1;
            alarms += u64::from(comparison.direction != Direction::None);
            changes.push(headline.mean.abs());
            let logs = headline.logs();
            let sd = Moments::of(&logs).and_then(|moments| moments.sd);
            visible.extend(sd.and_then(|sd| smallest_effect(sd, logs.len(), POWER)));
        }
    }
    changes.sort_by(f64::total_cmp);
    let allowed = allowed(comparisons, RATE, LEVEL).unwrap_or(0..=0);
    Controls {
        ring: first.key.ring,
        driver: first.key.driver.clone(),
        metric: first.metric.clone(),
        comparisons,
        alarms,
        allowed: (*allowed.start(), *allowed.end()),
        floor: changes
            .get((changes.len() * 95).div_ceil(100).saturating_sub(1))
            .copied()
            .unwrap_or(0.0),
        visible: median(&visible),
        injected,
    }
}

/// What a reader must be told of them, a sentence each.
pub fn warnings(all: &[Controls]) -> Vec<String> {
    let mut warnings = Vec::new();
    for controls in all {
        if controls.alarms > controls.allowed.1 {
            warnings.push(format!(
                "of {} comparisons of a subject with itself (ring {}, {}) {} show a direction, \
                 where 5% allow {}: intervals of this run are too narrow, more boots are needed",
                controls.comparisons,
                controls.ring,
                controls.metric,
                controls.alarms,
                controls.allowed.1,
            ));
        }
        for injected in &controls.injected {
            if !injected.found && injected.change.abs() > 0.04 {
                warnings.push(format!(
                    "an injected change of {:+.1}% was not found in {} (ring {}): that this run \
                     shows no difference somewhere says little",
                    injected.change * 100.0,
                    injected.case.case,
                    controls.ring,
                ));
            }
        }
    }
    warnings
}
