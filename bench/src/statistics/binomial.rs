//! Counts of alarms: what a count says of the rate behind it, and which counts
//! a rate allows.

use std::ops::RangeInclusive;

use statrs::distribution::{Binomial, DiscreteCDF};
use statrs::function::beta::inv_beta_reg;

use super::interval::Interval;
use super::search::first;

/// The exact two-sided interval of a rate of which `hits` among `n` were seen,
/// both ends from 0 to 1 (C. J. Clopper and E. S. Pearson, Biometrika 26,
/// 1934).
///
/// It covers `level` (0.95) at least. `None` for an `n` of 0, for more hits
/// than `n`, and unless `level` is between 0 and 1.
pub fn rate(hits: u64, n: u64, level: f64) -> Option<Interval> {
    if n == 0 || hits > n || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let tail = (1.0 - level) / 2.0;
    let least = |hits: u64| match hits {
        0 => 0.0,
        _ => inv_beta_reg(hits as f64, (n - hits + 1) as f64, tail),
    };
    Some(Interval {
        lo: least(hits),
        hi: 1.0 - least(n - hits),
    })
}

/// The counts among `n` that a `rate` (0.05) allows: the smallest range with
/// at most half of `1 - level` on either side of it.
///
/// A count of 5% alarms lies in it in `level` (0.95) of runs at least. `None`
/// unless `rate` is from 0 to 1 and `level` between them.
pub fn allowed(n: u64, rate: f64, level: f64) -> Option<RangeInclusive<u64>> {
    if !(level > 0.0 && level < 1.0) {
        return None;
    }
    let tail = (1.0 - level) / 2.0;
    let count = Binomial::new(rate, n).ok()?;
    let lo = first(0, n, |hits| count.cdf(hits) > tail)?;
    let hi = first(0, n, |hits| count.sf(hits) <= tail)?;
    Some(lo..=hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hits_and_only_hits_bound_one_side() {
        let none = rate(0, 60, 0.95).unwrap();
        assert_eq!(none.lo, 0.0);
        // The chance of no hit in sixty is then 2.5%.
        assert!(((1.0 - none.hi).powi(60) - 0.025).abs() < 1e-12);
        let all = rate(60, 60, 0.95).unwrap();
        assert!((all.lo + none.hi - 1.0).abs() < 1e-12);
        assert_eq!(all.hi, 1.0);
    }

    #[test]
    fn what_is_no_count_has_no_rate() {
        assert_eq!(rate(0, 0, 0.95), None);
        assert_eq!(rate(3, 2, 0.95), None);
        assert_eq!(rate(1, 2, 1.0), None);
        assert_eq!(allowed(10, 1.5, 0.95), None);
        assert_eq!(allowed(10, 0.5, 0.0), None);
    }

    #[test]
    fn a_rate_of_nothing_or_everything_allows_one_count() {
        assert_eq!(allowed(10, 0.0, 0.95), Some(0..=0));
        assert_eq!(allowed(10, 1.0, 0.95), Some(10..=10));
        assert_eq!(allowed(0, 0.05, 0.95), Some(0..=0));
    }

    #[test]
    fn a_tail_more_would_be_too_much() {
        for n in [1, 20, 100, 1000, 5000] {
            let count = Binomial::new(0.05, n).unwrap();
            let range = allowed(n, 0.05, 0.95).unwrap();
            let (lo, hi) = range.into_inner();
            assert!(lo == 0 || count.cdf(lo - 1) <= 0.025);
            assert!(count.cdf(lo) > 0.025);
            assert!(count.sf(hi) <= 0.025);
            assert!(hi == 0 || count.sf(hi - 1) > 0.025);
        }
    }
}
