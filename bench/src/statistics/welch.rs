//! The difference of two means with unequal variances (B. L. Welch,
//! Biometrika 34, 1947): the classical view.

use super::interval::{t_factor, Interval};
use super::moments::Moments;

/// A difference of means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// Mean of the first less mean of the second.
    pub difference: f64,
    /// Its standard error; `None` where a side has one value.
    pub error: Option<f64>,
    /// Degrees of freedom by Welch and Satterthwaite; `None` where a side has
    /// one value or neither varies.
    pub dof: Option<f64>,
}

impl Welch {
    /// The first less the second.
    pub fn between(first: &Moments, second: &Moments) -> Welch {
        let difference = first.mean - second.mean;
        let (Some(a), Some(b)) = (first.variance_of_mean(), second.variance_of_mean()) else {
            return Welch {
                difference,
                error: None,
                dof: None,
            };
        };
        let below = a * a / (first.n - 1) as f64 + b * b / (second.n - 1) as f64;
        Welch {
            difference,
            error: Some((a + b).sqrt()),
            dof: (below > 0.0).then(|| (a + b).powi(2) / below),
        }
    }

    /// The two-sided interval of the difference. Where neither side varies it
    /// is the difference alone; where a side has one value there is none.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let error = self.error?;
        let half = match self.dof {
            Some(dof) => t_factor(level, dof)? * error,
            None => 0.0,
        };
        Some(Interval::around(self.difference, half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_that_do_not_vary_differ_by_exactly_their_difference() {
        let welch = Welch::between(
            &Moments::of(&[3.0, 3.0]).unwrap(),
            &Moments::of(&[1.0, 1.0]).unwrap(),
        );
        assert_eq!(welch.interval(0.95), Some(Interval { lo: 2.0, hi: 2.0 }));
    }

    #[test]
    fn a_side_of_one_value_gives_no_interval() {
        let welch = Welch::between(
            &Moments::of(&[3.0]).unwrap(),
            &Moments::of(&[1.0, 2.0]).unwrap(),
        );
        assert_eq!(welch.difference, 1.5);
        assert_eq!(welch.interval(0.95), None);
    }
}
