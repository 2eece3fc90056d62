//! What the first blocks of boots do: those that are warm-up by the plan, and
//! the first one that counts.

use serde::{Deserialize, Serialize};

use super::cases::{self, Series, Table};
use super::{CaseSummary, Estimate};
use crate::folder::Recording;
use crate::statistics::interval::of_mean;
use crate::statistics::moments::Moments;
use crate::statistics::verdict::Verdict;

/// A comparison as it would be if warm-up had counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithWarmUp {
    /// The headline's change and its 95% interval.
    #[serde(flatten)]
    pub headline: Estimate,
    /// The verdict that it would make.
    pub verdict: Verdict,
}

/// Works out [`super::Comparison::with_warm_up`] of the main comparisons.
pub(super) fn count_in(recording: &Recording, cases: &mut [CaseSummary]) {
    let all = recording.with_warm_up();
    let others = cases::summarise(&all, &Table::of(&all));
    for case in cases {
        let same = |other: &&CaseSummary| other.key == case.key && other.metric == case.metric;
        let other = others.iter().find(same).map(|other| &other.main);
        case.main.with_warm_up = other.and_then(|main| {
            let headline = main.headline.as_ref()?;
            Some(WithWarmUp {
                headline: Estimate {
                    mean: headline.mean,
                    ci95: headline.ci95,
                },
                verdict: main.verdict,
            })
        });
    }
}

/// How the ratio of two subjects in block `block` differs from that in the
/// later ones: within each boot the log ratio of that block less the mean of
/// those of the later blocks; over boots the mean of these and its t interval;
/// both as a relative change.
///
/// `None` where no boot has that block and a later one with both subjects.
pub(super) fn first_block(first: &Series, second: &Series, block: u32) -> Option<Estimate> {
    let logs = cases::log_ratios(first, second);
    let differences: Vec<f64> = logs
        .values()
        .filter_map(|blocks| {
            let later = blocks.iter().filter(|(at, _)| *at > block);
            let later: Vec<f64> = later.map(|(_, log)| *log).collect();
            let (_, own) = blocks.iter().find(|(at, _)| *at == block)?;
            Some(own - Moments::of(&later)?.mean)
        })
        .collect();
    let moments = Moments::of(&differences)?;
    Some(Estimate {
        mean: moments.mean.exp_m1(),
        ci95: of_mean(&moments, 0.95).map(|ends| ends.map(f64::exp_m1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_is_compared_with_the_later_ones_of_its_boot() {
        let one: Series = [
            // Before the block in question, so of no matter.
            ((0, 0), 7.0),
            ((0, 1), 99.0),
            ((0, 2), 100.0),
            ((0, 3), 100.0),
            ((1, 1), 198.0),
            ((1, 3), 200.0),
            // A boot without a later block.
            ((2, 1), 50.0),
        ]
        .into();
        let other = one.keys().map(|place| (*place, 100.0)).collect();
        let found = first_block(&one, &other, 1).expect("two boots");
        assert!((found.mean + 0.01).abs() < 1e-12, "{found:?}");
        assert!(found.ci95.expect("two boots").contains(-0.01));
        assert_eq!(first_block(&one, &other, 3), None);
    }
}
