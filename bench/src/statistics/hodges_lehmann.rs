//! The Hodges-Lehmann estimate of the boots' log ratios, with its exact
//! interval.
//!
//! The estimate is the median of the Walsh averages: of the means of all pairs
//! of values, each value with itself among them (J. L. Hodges and E. L.
//! Lehmann, Annals of Mathematical Statistics 34, 1963). The interval holds the
//! centres that Wilcoxon's signed-rank test does not reject (M. Hollander and
//! D. A. Wolfe, Nonparametric Statistical Methods, section 3.3). It supposes
//! that the values lie evenly to both sides of their centre, not that they are
//! normal, and one boot that is far out moves it little.

use super::interval::Interval;

/// The estimate, in the unit of the values; `None` of none.
pub fn estimate(values: &[f64]) -> Option<f64> {
    let walsh = walsh_averages(values);
    let above = walsh.get(walsh.len() / 2)?;
    let below = walsh[(walsh.len() - 1) / 2];
    Some((below + above) / 2.0)
}

/// The exact two-sided interval of `level` (0.95), in the unit of the values.
///
/// Rank sums are whole numbers, so it covers a little more than `level` says.
/// `None` where even the whole range of the values covers less, at 95% for
/// fewer than six, and unless `level` is between 0 and 1. The time it takes
/// grows with the third power of their number; a hundred are no burden.
pub fn interval(values: &[f64], level: f64) -> Option<Interval> {
    if !(level > 0.0 && level < 1.0) {
        return None;
    }
    let walsh = walsh_averages(values);
    let cut = rank_sums_below(values.len(), (1.0 - level) / 2.0);
    Some(Interval {
        lo: *walsh.get(cut.checked_sub(1)?)?,
        hi: walsh[walsh.len() - cut],
    })
}

/// The means of all pairs, each value with itself among them, in order.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut averages: Vec<f64> = (0..values.len())
        .flat_map(|at| {
            values[at..]
                .iter()
                .map(move |other| (values[at] + other) / 2.0)
        })
        .collect();
    averages.sort_unstable_by(f64::total_cmp);
    averages
}

/// How many of the signed-rank sums of `n` values, from 0 on, make up at most
/// `tail` of their distribution.
fn rank_sums_below(n: usize, tail: f64) -> usize {
    // Each rank counts or not, with equal chance.
    let mut chance = vec![0.0; n * (n + 1) / 2 + 1];
    chance[0] = 1.0;
    for rank in 1..=n {
        for sum in (0..=rank * (rank + 1) / 2).rev() {
            let with = if sum < rank { 0.0 } else { chance[sum - rank] };
            chance[sum] = (chance[sum] + with) / 2.0;
        }
    }
    let mut so_far = 0.0;
    chance
        .iter()
        .take_while(|chance| {
            so_far += **chance;
            so_far <= tail
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_of_a_few_values_is_known_by_hand() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[3.0]), Some(3.0));
        // Walsh averages: 0, 0.5, 1, 5, 5.5, 10.
        assert_eq!(estimate(&[10.0, 0.0, 1.0]), Some(3.0));
    }

    #[test]
    fn six_values_are_the_fewest_with_an_interval_of_95_percent() {
        let values = [4.0, 1.0, 6.0, 2.0, 3.0, 5.0];
        assert_eq!(interval(&values[..5], 0.95), None);
        assert_eq!(interval(&values, 0.95), Some(Interval { lo: 1.0, hi: 6.0 }));
        assert_eq!(interval(&values, 1.0), None);
        assert_eq!(interval(&[], 0.5), None);
    }

    #[test]
    fn one_boot_far_out_moves_it_little() {
        let values = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 9.0];
        let ends = interval(&values, 0.95).unwrap();
        assert!(estimate(&values).unwrap() < 0.07, "{values:?}");
        assert!(ends.lo > 0.02, "{ends:?}");
    }
}
