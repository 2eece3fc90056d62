//! Intervals of confidence under Student's t-distribution.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::moments::Moments;

/// A closed interval; `[lo, hi]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// From `mean - half` to `mean + half`.
    pub fn around(mean: f64, half: f64) -> Interval {
        Interval {
            lo: mean - half,
            hi: mean + half,
        }
    }

    /// Both ends through an increasing function.
    pub fn map(self, f: impl Fn(f64) -> f64) -> Interval {
        Interval {
            lo: f(self.lo),
            hi: f(self.hi),
        }
    }

    /// Both ends divided by `divisor`, in order also if it is negative.
    pub fn divided_by(self, divisor: f64) -> Interval {
        let (a, b) = (self.lo / divisor, self.hi / divisor);
        Interval {
            lo: a.min(b),
            hi: a.max(b),
        }
    }

    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.lo <= value && value <= self.hi
    }
}

impl From<[f64; 2]> for Interval {
    fn from([lo, hi]: [f64; 2]) -> Interval {
        Interval { lo, hi }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> [f64; 2] {
        [interval.lo, interval.hi]
    }
}

/// The factor of a two-sided interval of `level` (0.95): how many standard
/// errors it reaches to each side. `None` unless `dof` is positive and
/// `level` between 0 and 1.
pub fn t_factor(level: f64, dof: f64) -> Option<f64> {
    if !(level > 0.0 && level < 1.0) {
        return None;
    }
    let t = StudentsT::new(0.0, 1.0, dof).ok()?;
    Some(t.inverse_cdf(0.5 + level / 2.0))
}

/// The two-sided t interval of a mean; `None` for fewer than two values.
pub fn of_mean(moments: &Moments, level: f64) -> Option<Interval> {
    let error = moments.variance_of_mean()?.sqrt();
    let factor = t_factor(level, (moments.n - 1) as f64)?;
    Some(Interval::around(moments.mean, factor * error))
}

/// Variance of an independent estimate, and its degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The variance, not negative.
    pub variance: f64,
    /// Degrees of freedom of the variance, above 0.
    pub dof: f64,
}

/// The two-sided t interval of a sum whose independent parts vary so, with
/// degrees of freedom by Satterthwaite (Biometrics Bulletin 2, 1946). Where no
/// part varies it is the sum alone; `None` without parts.
pub fn of_sum(sum: f64, parts: &[Part], level: f64) -> Option<Interval> {
    let variance: f64 = parts.iter().map(|part| part.variance).sum();
    let below = parts.iter().map(|part| part.variance.powi(2) / part.dof);
    let below: f64 = below.sum();
    if parts.is_empty() {
        return None;
    }
    let half = match below > 0.0 {
        true => t_factor(level, variance.powi(2) / below)? * variance.sqrt(),
        false => 0.0,
    };
    Some(Interval::around(sum, half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_stay_in_order_when_divided_by_a_negative_number() {
        let halved = Interval { lo: -1.0, hi: 3.0 }.divided_by(-2.0);
        assert_eq!(halved, Interval { lo: -1.5, hi: 0.5 });
    }

    #[test]
    fn a_sum_of_one_part_is_a_mean_and_of_two_is_welchs() {
        let moments = Moments::of(&[1.0, 2.0, 4.0]).unwrap();
        let part = Part {
            variance: moments.variance_of_mean().unwrap(),
            dof: 2.0,
        };
        let own = of_mean(&moments, 0.95).unwrap();
        let sum = of_sum(moments.mean, &[part], 0.95).unwrap();
        assert!((own.lo - sum.lo).abs() < 1e-12 && (own.hi - sum.hi).abs() < 1e-12);
        let other = Moments::of(&[0.1, 0.3]).unwrap();
        let second = Part {
            variance: other.variance_of_mean().unwrap(),
            dof: 1.0,
        };
        let welch = super::super::welch::Welch::between(&moments, &other);
        let ends = welch.interval(0.95).unwrap();
        let sum = of_sum(welch.difference, &[part, second], 0.95).unwrap();
        assert!((ends.lo - sum.lo).abs() < 1e-12 && (ends.hi - sum.hi).abs() < 1e-12);
    }

    #[test]
    fn no_interval_without_degrees_of_freedom() {
        assert_eq!(t_factor(0.95, 0.0), None);
        assert_eq!(t_factor(1.0, 5.0), None);
        assert_eq!(of_mean(&Moments::of(&[1.0]).unwrap(), 0.95), None);
    }
}
