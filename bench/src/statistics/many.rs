//! Many comparisons at once: p values, and what becomes of them when the
//! number of comparisons is accounted for.
//!
//! Of sixteen cases without a difference, about one in two runs shows a
//! direction at 5%. Holm's values bound the chance of a single one of those;
//! Benjamini and Hochberg's bound their share among all directions shown.

use statrs::function::beta::beta_reg;

use super::headline::Headline;
use super::moments::Moments;

/// The two-sided p value of the t test that a mean is zero, from 0 to 1.
///
/// It is below 0.05 where the 95% interval excludes zero. Values that do not
/// vary have 0, or 1 if they are all zero; `None` for fewer than two values.
pub fn p_value(moments: &Moments) -> Option<f64> {
    let variance = moments.variance_of_mean()?;
    Some(tails(moments.mean, variance, (moments.n - 1) as f64))
}

/// The same of any estimate, with the variance of its error and the degrees of
/// freedom behind that, above 0.
pub(super) fn tails(estimate: f64, variance: f64, dof: f64) -> f64 {
    if estimate == 0.0 {
        return 1.0;
    }
    // dof / (dof + t^2), which the t distribution's tails are a beta of.
    let share = dof * variance / (dof * variance + estimate * estimate);
    beta_reg(dof / 2.0, 0.5, share)
}

/// The p value of a headline: of the mean of its boots' log ratios. `None`
/// for one boot.
pub fn of_headline(headline: &Headline) -> Option<f64> {
    p_value(&Moments::of(&headline.logs())?)
}

/// Adjusted p values, in the order of the given ones, by S. Holm
/// (Scandinavian Journal of Statistics 6, 1979).
///
/// Whichever way the comparisons depend on each other: among those whose
/// adjusted value is below 0.05 there is, in 95% of runs, none without a
/// difference. Values lie from 0 to 1, as the given ones must.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let many = p_values.len();
    let mut adjusted = vec![0.0; many];
    let mut largest: f64 = 0.0;
    for (rank, at) in ascending(p_values).into_iter().enumerate() {
        largest = largest.max((many - rank) as f64 * p_values[at]).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}

/// Adjusted p values, in the order of the given ones, by Y. Benjamini and Y.
/// Hochberg (Journal of the Royal Statistical Society B 57, 1995).
///
/// Of those whose adjusted value is below 0.05, 5% on average are without a
/// difference, if the comparisons are independent or depend positively. Values
/// lie from 0 to 1, as the given ones must.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let many = p_values.len();
    let mut adjusted = vec![0.0; many];
    let mut smallest: f64 = 1.0;
    for (rank, at) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(many as f64 / (rank + 1) as f64 * p_values[at]);
        adjusted[at] = smallest;
    }
    adjusted
}

/// Their places, the smallest value's first.
fn ascending(values: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    places
}

#[cfg(test)]
mod tests {
    use super::super::headline::{over_boots, BootPair};
    use super::*;

    #[test]
    fn values_that_do_not_vary_leave_no_doubt() {
        let p = |values: &[f64]| p_value(&Moments::of(values).unwrap());
        assert_eq!(p(&[1.0]), None);
        assert_eq!(p(&[1.0, 1.0]), Some(0.0));
        assert_eq!(p(&[0.0, 0.0]), Some(1.0));
        assert_eq!(p(&[-1.0, 1.0]), Some(1.0));
    }

    #[test]
    fn the_p_value_of_a_headline_does_not_depend_on_which_subject_is_first() {
        let each = [(3.0, 2.0), (5.0, 4.0), (9.0, 7.0)];
        let pair = |(boot, (first, second)): (usize, (f64, f64))| BootPair {
            boot: boot as u32,
            first,
            second,
        };
        let there: Vec<_> = each.into_iter().enumerate().map(pair).collect();
        let swapped = each.map(|(first, second)| (second, first));
        let back: Vec<_> = swapped.into_iter().enumerate().map(pair).collect();
        let p = |pairs: &[BootPair]| of_headline(&over_boots(pairs).unwrap()).unwrap();
        assert!((p(&there) - p(&back)).abs() < 1e-12);
        assert!(p(&there) < 0.05);
        assert_eq!(of_headline(&over_boots(&there[..1]).unwrap()), None);
    }

    #[test]
    fn one_comparison_is_not_adjusted_and_none_has_no_values() {
        for adjust in [holm, benjamini_hochberg] {
            assert_eq!(adjust(&[0.03]), [0.03]);
            assert!(adjust(&[]).is_empty());
        }
    }

    #[test]
    fn adjusted_values_by_hand() {
        let p = [0.01, 0.04, 0.03, 0.5];
        assert_eq!(holm(&p), [0.04, 0.09, 0.09, 0.5]);
        let expected = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
        for (ours, theirs) in benjamini_hochberg(&p).into_iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-15);
        }
    }
}
