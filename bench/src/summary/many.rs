//! What is left of a direction once the number of comparisons is counted in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CaseSummary, Comparison};
use crate::statistics::many::{benjamini_hochberg, holm, of_headline};

/// The p value of a headline among those of the other cases in the same ring,
/// driver and metric, against the same subject.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AmongMany {
    /// Comparisons that are counted in.
    pub comparisons: usize,
    /// The p value alone.
    pub p: f64,
    /// Holm's: below 0.05 the direction is a claim that stands for itself.
    pub holm: f64,
    /// Benjamini and Hochberg's: below 0.05 the direction is one of a list of
    /// which 5% are expected to be none.
    pub listed: f64,
}

/// Works out [`Comparison::among_many`] of all cases.
pub fn adjust(cases: &mut [CaseSummary]) {
    let mut families: BTreeMap<Family, Vec<&mut Comparison>> = BTreeMap::new();
    for case in cases {
        let against = case.against.iter_mut();
        let main = [(None, &mut case.main)].into_iter();
        for (other, comparison) in main.chain(against.map(|(other, c)| (Some(other), c))) {
            let family = Family {
                ring: case.key.ring,
                driver: &case.key.driver,
                metric: &case.metric,
                other,
            };
            families.entry(family).or_default().push(comparison);
        }
    }
    families.into_values().for_each(adjust_family);
}

/// Comparisons that are counted together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Family<'a> {
    ring: u8,
    driver: &'a str,
    metric: &'a str,
    /// What the first subject is compared with; `None` is the second.
    other: Option<&'a String>,
}

fn adjust_family(comparisons: Vec<&mut Comparison>) {
    let found: Vec<(&mut Comparison, f64)> = comparisons
        .into_iter()
        .filter_map(|comparison| {
            let p = of_headline(comparison.shown()?)?;
            Some((comparison, p))
        })
        .collect();
    let p: Vec<f64> = found.iter().map(|(_, p)| *p).collect();
    let adjusted = holm(&p).into_iter().zip(benjamini_hochberg(&p));
    let comparisons = p.len();
    for ((comparison, p), (holm, listed)) in found.into_iter().zip(adjusted) {
        comparison.among_many = Some(AmongMany {
            comparisons,
            p,
            holm,
            listed,
        });
    }
}
