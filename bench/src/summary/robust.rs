//! Other ways to an interval over boots, beside the t interval.

use serde::{Deserialize, Serialize};

use crate::statistics::headline::Headline;
use crate::statistics::interval::Interval;
use crate::statistics::{bootstrap, hodges_lehmann};

/// What supposes less of the boots than the headline does. No verdict comes
/// from it; where it says otherwise, the report does too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Robust {
    /// Hodges and Lehmann's estimate of the relative change.
    pub hodges_lehmann: f64,
    /// Its exact 95% interval; `None` for fewer than six boots.
    pub hodges_lehmann_ci95: Option<Interval>,
    /// The 95% interval of the bootstrap over boots; `None` for one boot.
    pub bootstrap_ci95: Option<Interval>,
    /// Whether each of those intervals excludes zero where the headline's
    /// does, on the same side, and includes it where that does.
    pub agrees: bool,
}

impl Robust {
    /// Of a headline; `seed` fixes the resamples. `None` without boots.
    pub fn of(headline: &Headline, seed: u64) -> Option<Robust> {
        let logs = headline.logs();
        let relative = |ends: Option<Interval>| ends.map(|ends| ends.map(f64::exp_m1));
        let hodges_lehmann_ci95 = relative(hodges_lehmann::interval(&logs, 0.95));
        let bootstrap_ci95 = relative(bootstrap::interval(&logs, 0.95, seed));
        let others = hodges_lehmann_ci95.iter().chain(&bootstrap_ci95);
        let side = |ends: &Interval| (ends.lo > 0.0, ends.hi < 0.0);
        let agrees = headline.ci95.as_ref().is_none_or(|own| {
            let own = side(own);
            others.into_iter().all(|other| side(other) == own)
        });
        Some(Robust {
            hodges_lehmann: hodges_lehmann::estimate(&logs)?.exp_m1(),
            hodges_lehmann_ci95,
            bootstrap_ci95,
            agrees,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::headline::{over_boots, BootPair};

    fn headline(ratios: &[f64]) -> Headline {
        let pair = |(boot, ratio): (usize, &f64)| BootPair {
            boot: boot as u32,
            first: *ratio,
            second: 1.0,
        };
        let pairs: Vec<BootPair> = ratios.iter().enumerate().map(pair).collect();
        over_boots(&pairs).expect("a headline")
    }

    #[test]
    fn a_boot_far_out_makes_the_ways_disagree() {
        let mut ratios = [1.01, 1.012, 1.009, 1.011, 1.01, 1.013, 1.008, 1.01];
        let robust = Robust::of(&headline(&ratios), 1).expect("boots");
        assert!(robust.agrees);
        ratios[7] = 3.0;
        let headline = headline(&ratios);
        assert!(headline.ci95.expect("eight boots").contains(0.0));
        let robust = Robust::of(&headline, 1).expect("boots");
        assert!(!robust.agrees);
        assert!((robust.hodges_lehmann - 0.01).abs() < 0.01);
    }

    #[test]
    fn one_boot_has_an_estimate_and_nothing_to_disagree_with() {
        let robust = Robust::of(&headline(&[1.5]), 1).expect("a boot");
        assert!((robust.hodges_lehmann - 0.5).abs() < 1e-12);
        assert_eq!(robust.bootstrap_ci95, None);
        assert!(robust.agrees);
    }
}
