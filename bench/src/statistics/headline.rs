//! The headline: how two subjects differ, with boots as replicates.
//!
//! Within a boot the logarithm of the ratio of the two means is taken; over
//! boots, the mean of those and its t interval. `exp(x) - 1` turns the result
//! into a relative change. On the log scale swapping the subjects only swaps
//! the sign, and a boot that is faster as a whole cancels out.

use serde::{Deserialize, Serialize};

use super::interval::{of_mean, Interval};
use super::moments::Moments;
use super::sequential::Looks;

/// The two means of one boot, over the blocks in which both were sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootPair {
    /// The boot's number.
    pub boot: u32,
    /// Mean of the first subject.
    pub first: f64,
    /// Mean of the second.
    pub second: f64,
}

/// A relative change of the first subject against the second, over boots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// The change: 0.02 is 2% more than the second subject.
    pub mean: f64,
    /// Its 95% interval, which direction is read from; `None` for one boot.
    pub ci95: Option<Interval>,
    /// Its 90% interval, which equivalence is read from; `None` for one boot.
    pub ci90: Option<Interval>,
    /// Boots that count: both subjects were sampled in them.
    pub boots: usize,
    /// The change in each of those.
    pub each: Vec<BootChange>,
}

/// The relative change in one boot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootChange {
    /// The boot's number.
    pub boot: u32,
    /// The change.
    pub relative: f64,
}

impl Headline {
    /// The boots' log ratios, of which everything here is worked out.
    pub fn logs(&self) -> Vec<f64> {
        let boots = self.each.iter();
        boots.map(|boot| boot.relative.ln_1p()).collect()
    }

    /// The same with intervals that are valid though a run was looked at after
    /// several boots. There is one of 95% only; equivalence is read from it as
    /// well, so that it takes more than it would have to.
    #[must_use]
    pub fn looked_at(self, looks: &Looks) -> Headline {
        let interval = Moments::of(&self.logs()).and_then(|moments| looks.interval(&moments));
        let relative = interval.map(|ends| ends.map(f64::exp_m1));
        Headline {
            ci95: relative,
            ci90: relative,
            ..self
        }
    }
}

/// The headline of some boots.
///
/// # Errors
/// Says in words why there is none: no boots, or a mean that is not positive
/// and so has no logarithm.
pub fn over_boots(pairs: &[BootPair]) -> Result<Headline, String> {
    if let Some(pair) = pairs
        .iter()
        .find(|pair| pair.first <= 0.0 || pair.second <= 0.0)
    {
        return Err(format!(
            "boot {}: a ratio needs two positive means, these are {:.4} and {:.4}",
            pair.boot, pair.first, pair.second
        ));
    }
    let logs: Vec<f64> = pairs
        .iter()
        .map(|pair| (pair.first / pair.second).ln())
        .collect();
    let moments = Moments::of(&logs).ok_or("no boot holds samples of both")?;
    let interval = |level| of_mean(&moments, level).map(|ends| ends.map(f64::exp_m1));
    Ok(Headline {
        mean: moments.mean.exp_m1(),
        ci95: interval(0.95),
        ci90: interval(0.90),
        boots: pairs.len(),
        each: pairs
            .iter()
            .zip(&logs)
            .map(|(pair, log)| BootChange {
                boot: pair.boot,
                relative: log.exp_m1(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(boot: u32, first: f64, second: f64) -> BootPair {
        BootPair {
            boot,
            first,
            second,
        }
    }

    #[test]
    fn a_boot_that_is_faster_as_a_whole_cancels_out() {
        let headline = over_boots(&[pair(0, 102.0, 100.0), pair(1, 204.0, 200.0)]).unwrap();
        assert!((headline.mean - 0.02).abs() < 1e-12);
        assert!(headline.ci95.unwrap().hi - headline.ci95.unwrap().lo < 1e-12);
    }

    #[test]
    fn swapping_the_subjects_inverts_the_ratio() {
        let there = over_boots(&[pair(0, 3.0, 2.0), pair(1, 5.0, 4.0)]).unwrap();
        let back = over_boots(&[pair(0, 2.0, 3.0), pair(1, 4.0, 5.0)]).unwrap();
        assert!(((1.0 + there.mean) * (1.0 + back.mean) - 1.0).abs() < 1e-12);
        let (there, back) = (there.ci95.unwrap(), back.ci95.unwrap());
        assert!(((1.0 + there.hi) * (1.0 + back.lo) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_boot_has_a_change_and_no_interval() {
        let headline = over_boots(&[pair(4, 3.0, 2.0)]).unwrap();
        assert_eq!((headline.boots, headline.ci95), (1, None));
    }

    #[test]
    fn what_has_no_logarithm_is_refused_by_name() {
        let error = over_boots(&[pair(0, 1.0, 1.0), pair(3, -0.5, 1.0)]).unwrap_err();
        assert!(error.starts_with("boot 3:"), "{error}");
        assert!(over_boots(&[]).is_err());
    }
}
