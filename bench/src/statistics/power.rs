//! What a number of boots can show: the power of the headline's t test at 5%.
//!
//! With a true difference the test's statistic follows the noncentral t
//! distribution; the chance of it beyond either end is a sum of beta
//! distributions, weighted by Poisson's (N. L. Johnson, S. Kotz and N.
//! Balakrishnan, Continuous Univariate Distributions 2, 1995, chapters 30 and
//! 31).

use statrs::function::beta::beta_reg;
use statrs::function::gamma::ln_gamma;

use super::interval::t_factor;
use super::search::first;

/// The level of the interval that has to exclude zero.
const LEVEL: f64 = 0.95;

/// More boots than this are not planned for.
const MOST_BOOTS: u64 = 10_000;

/// The chance that the 95% interval over `boots` boots excludes zero.
///
/// `effect` is the true relative change (0.02: 2%), `sd` the standard deviation
/// of the boots' log ratios. 0.05 if there is no effect. `None` for fewer than
/// two boots, for an effect of -1 or less and unless `sd` is positive.
pub fn power(effect: f64, sd: f64, boots: usize) -> Option<f64> {
    if !(effect > -1.0 && sd > 0.0) {
        return None;
    }
    let shift = effect.ln_1p() / sd * (boots as f64).sqrt();
    chance_beyond(shift, boots)
}

/// The fewest boots, two or more, with which an effect is shown with the chance
/// `wanted` (0.9) at least. `None` if ten thousand do not suffice, and for what
/// has no [`power`].
pub fn boots_needed(effect: f64, sd: f64, wanted: f64) -> Option<usize> {
    let reached = |boots| power(effect, sd, boots as usize).is_some_and(|power| power >= wanted);
    first(2, MOST_BOOTS, reached).map(|boots| boots as usize)
}

/// The fewest boots with which nine of ten runs show an effect, also where log
/// ratios are not normal.
///
/// It is [`boots_needed`] for 93%: skewed ratios lose up to three of a hundred
/// runs against what normal ones promise (`bench/tests/power.rs`).
pub fn boots_to_plan(effect: f64, sd: f64) -> Option<usize> {
    boots_needed(effect, sd, 0.93)
}

/// The smallest positive effect, as a relative change, that `boots` boots show
/// with the chance `wanted` (0.9).
///
/// The negative one is `1 / (1 + effect) - 1`. `None` for fewer than two boots,
/// unless `sd` is positive and unless `wanted` is above 0.05 and below 1.
pub fn smallest_effect(sd: f64, boots: usize, wanted: f64) -> Option<f64> {
    if !(sd > 0.0 && wanted > 1.0 - LEVEL && wanted < 1.0) {
        return None;
    }
    let (mut below, mut above) = (0.0, 1.0);
    while chance_beyond(above, boots)? < wanted {
        (below, above) = (above, 2.0 * above);
    }
    while above - below > 1e-13 * above {
        let middle = (below + above) / 2.0;
        if chance_beyond(middle, boots)? < wanted {
            below = middle;
        } else {
            above = middle;
        }
    }
    Some((above * sd / (boots as f64).sqrt()).exp_m1())
}

/// The chance that the t statistic over `boots` boots lies beyond either end,
/// where the mean lies `shift` standard errors from zero.
fn chance_beyond(shift: f64, boots: usize) -> Option<f64> {
    let dof = boots as f64 - 1.0;
    let end = t_factor(LEVEL, dof)?;
    // Neither the mean nor the deviation is ever so far off.
    if shift.abs() > 40.0 * end {
        return Some(1.0);
    }
    let share = dof / (dof + end * end);
    let mean = shift * shift / 2.0;
    // A Poisson distribution beyond nine deviations is below 1e-16.
    let reach = 9.0 * mean.sqrt() + 40.0;
    let least = (mean - reach).max(0.0).floor();
    let most = (mean + reach).ceil();
    let mut chance = 0.0;
    let mut count = least;
    while count <= most {
        let weight = if mean > 0.0 {
            (count * mean.ln() - mean - ln_gamma(count + 1.0)).exp()
        } else {
            f64::from(count == 0.0)
        };
        chance += weight * beta_reg(dof / 2.0, count + 0.5, share);
        count += 1.0;
    }
    Some(chance.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_effect_the_power_is_the_level() {
        for boots in [2, 4, 10, 40, 1000] {
            let power = power(0.0, 0.01, boots).unwrap();
            assert!((power - 0.05).abs() < 1e-10, "{boots}: {power}");
        }
    }

    #[test]
    fn an_effect_and_its_inverse_have_the_same_power() {
        let more = power(0.25, 0.2, 10).unwrap();
        let less = power(-0.2, 0.2, 10).unwrap();
        assert!((more - less).abs() < 1e-12);
    }

    #[test]
    fn a_large_effect_is_shown_for_certain() {
        assert_eq!(power(1e3, 1e-3, 10), Some(1.0));
        assert_eq!(boots_needed(1e3, 1e-3, 0.9), Some(2));
    }

    #[test]
    fn what_makes_no_sense_has_no_power() {
        assert_eq!(power(0.02, 0.0, 10), None);
        assert_eq!(power(-1.0, 0.01, 10), None);
        assert_eq!(power(0.02, 0.01, 1), None);
        assert_eq!(power(f64::NAN, 0.01, 10), None);
        assert_eq!(boots_needed(0.0, 0.01, 0.9), None);
        assert_eq!(smallest_effect(0.01, 1, 0.9), None);
        assert_eq!(smallest_effect(0.01, 10, 1.0), None);
        assert_eq!(smallest_effect(0.01, 10, 0.05), None);
    }

    #[test]
    fn the_smallest_effect_takes_just_the_boots_there_are() {
        for boots in [2, 3, 4, 10, 40, 200] {
            let effect = smallest_effect(0.01, boots, 0.9).unwrap();
            assert_eq!(boots_needed(effect * 1.000001, 0.01, 0.9), Some(boots));
            assert_eq!(boots_needed(effect * 0.999999, 0.01, 0.9), Some(boots + 1));
        }
    }
}
