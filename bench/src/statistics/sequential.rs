//! Intervals that stay valid when they are looked at after each boot.
//!
//! A 95% interval that is looked at ten times excludes a true zero at one of
//! them far more often than in 5% of runs. Here the 5% are spent over a list of
//! looks that is fixed before the first boot: little on early looks, most on
//! the last, by the spending function of the type of O'Brien and Fleming (K. K.
//! G. Lan and D. L. DeMets, Biometrika 70, 1983). Each look's interval is a t
//! interval at its own share, and the shares add up to 5% whatever the looks
//! have in common (Bonferroni). So all intervals of a run hold the true value
//! together in 95% of runs at least, and any rule may end the run at a look.
//! The price is width: with a look after each of ten boots, the last interval
//! is 1.4 times as wide as one that was planned alone.

use statrs::function::erf::{erfc, erfc_inv};

use super::interval::{t_factor, Interval};
use super::moments::Moments;

/// What all looks of a run may spend.
const ALL: f64 = 0.05;

/// The numbers of boots after which a run may be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    boots: Vec<usize>,
}

impl Looks {
    /// After each of these numbers of boots, the last of which ends the run.
    ///
    /// # Errors
    /// Says in words what is wrong: no look, a look at fewer than two boots,
    /// or one that does not come after the one before it.
    pub fn at(boots: &[usize]) -> Result<Looks, String> {
        match boots.first() {
            None => return Err("a run needs a look".into()),
            Some(0 | 1) => return Err("an interval needs two boots".into()),
            Some(_) => {}
        }
        if let Some(pair) = boots.windows(2).find(|pair| pair[1] <= pair[0]) {
            return Err(format!(
                "a look at {} boots cannot follow one at {}",
                pair[1], pair[0]
            ));
        }
        Ok(Looks {
            boots: boots.to_vec(),
        })
    }

    /// After each boot from the `first` number on, up to `most`.
    ///
    /// # Errors
    /// As [`Looks::at`].
    pub fn after_each(first: usize, most: usize) -> Result<Looks, String> {
        Looks::at(&Vec::from_iter(first..=most))
    }

    /// The share of the 5% (from 0 to 0.05) that the look after `boots` boots
    /// has; `None` if there is no look then.
    pub fn share(&self, boots: usize) -> Option<f64> {
        let look = self.boots.iter().position(|at| *at == boots)?;
        let most = *self.boots.last()? as f64;
        let before = match look {
            0 => 0.0,
            _ => spent(self.boots[look - 1] as f64 / most),
        };
        Some(spent(boots as f64 / most) - before)
    }

    /// The interval of a mean over as many boots as `moments` has, in its unit.
    ///
    /// `None` if there is no look then, and at a look so early that its share
    /// is below one in ten million: it could show nothing yet.
    pub fn interval(&self, moments: &Moments) -> Option<Interval> {
        let share = self.share(moments.n).filter(|share| *share >= 1e-7)?;
        let error = moments.variance_of_mean()?.sqrt();
        let factor = t_factor(1.0 - share, (moments.n - 1) as f64)?;
        Some(Interval::around(moments.mean, factor * error))
    }
}

/// What is spent when a share (above 0, up to 1) of the boots is there:
/// `2 - 2 F(z / sqrt(share))`, where `F` is the normal distribution and `z` its
/// 97.5% quantile.
fn spent(share: f64) -> f64 {
    // erfc(x) is 2 - 2 F(x sqrt 2).
    erfc(erfc_inv(ALL) / share.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_and_grow() {
        for looks in [
            Looks::after_each(2, 10).unwrap(),
            Looks::after_each(4, 40).unwrap(),
            Looks::at(&[5, 10, 20]).unwrap(),
        ] {
            let share = |boots: &usize| looks.share(*boots).unwrap();
            let shares: Vec<f64> = looks.boots.iter().map(share).collect();
            assert!((shares.iter().sum::<f64>() - 0.05).abs() < 1e-10);
            assert!(shares.iter().all(|share| *share > 0.0));
            assert!(shares.last() > shares.first());
        }
    }

    #[test]
    fn one_look_is_the_ordinary_interval() {
        let moments = Moments::of(&[0.01, 0.02, 0.03, 0.02]).unwrap();
        let alone = super::super::interval::of_mean(&moments, 0.95).unwrap();
        let ends = Looks::at(&[4]).unwrap().interval(&moments).unwrap();
        assert!((ends.lo - alone.lo).abs() < 1e-12);
        assert!((ends.hi - alone.hi).abs() < 1e-12);
    }

    #[test]
    fn ten_looks_widen_the_last_interval_by_no_more_than_the_text_says() {
        let looks = Looks::after_each(2, 10).unwrap();
        let factor = t_factor(1.0 - looks.share(10).unwrap(), 9.0).unwrap();
        let ratio = factor / t_factor(0.95, 9.0).unwrap();
        assert!((1.35..1.45).contains(&ratio), "{ratio}");
    }

    #[test]
    fn what_was_not_planned_has_no_interval() {
        let looks = Looks::at(&[4, 8]).unwrap();
        assert_eq!(looks.interval(&Moments::of(&[0.1; 5]).unwrap()), None);
        assert_eq!(looks.interval(&Moments::of(&[0.1; 9]).unwrap()), None);
        assert!(looks.interval(&Moments::of(&[0.1; 4]).unwrap()).is_some());
        // Two boots of a hundred.
        let early = Looks::after_each(2, 100).unwrap();
        assert_eq!(early.interval(&Moments::of(&[0.1, 0.2]).unwrap()), None);
    }

    #[test]
    fn a_list_that_is_none_is_refused_in_words() {
        assert!(Looks::at(&[]).is_err());
        assert!(Looks::at(&[1, 2]).is_err());
        assert!(Looks::after_each(5, 4).is_err());
        let error = Looks::at(&[4, 8, 8]).unwrap_err();
        assert_eq!(error, "a look at 8 boots cannot follow one at 8");
    }
}
