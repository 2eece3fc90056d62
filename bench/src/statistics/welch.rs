//! The difference of two means with unequal variances (B. L. Welch,
//! Biometrika 34, 1947): the classical view.

use super::interval::{t_factor, Interval};
use super::many::tails;
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

    /// The two-sided p value of the test that the means are equal, from 0 to 1;
    /// `None` where a side has one value. Sides that do not vary have 0, or 1
    /// if they are equal.
    pub fn p_value(&self) -> Option<f64> {
        let error = self.error?;
        Some(tails(
            self.difference,
            error * error,
            self.dof.unwrap_or(1.0),
        ))
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
        assert_eq!(welch.p_value(), Some(0.0));
    }

    #[test]
    fn the_p_value_is_that_of_the_interval_which_just_reaches_zero() {
        let welch = Welch::between(
            &Moments::of(&[3.0, 3.4, 2.9, 3.1]).unwrap(),
            &Moments::of(&[2.6, 3.0, 2.8]).unwrap(),
        );
        let ends = welch.interval(1.0 - welch.p_value().unwrap()).unwrap();
        assert!(ends.lo.abs() < 1e-9, "{ends:?}");
        let same = Moments::of(&[1.0, 1.0]).unwrap();
        assert_eq!(Welch::between(&same, &same).p_value(), Some(1.0));
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
