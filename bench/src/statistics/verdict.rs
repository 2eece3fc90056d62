//! What a headline says in one word, and in which direction it points.

use serde::{Deserialize, Serialize};

use super::headline::Headline;
use super::interval::Interval;

/// Which way of a metric is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better: operations a second.
    Higher,
    /// Less is better: nanoseconds.
    Lower,
}

/// The verdict on the first subject of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The headline shows it to be better.
    Faster,
    /// The headline shows it to be worse.
    Slower,
    /// The difference is shown to be smaller than the margin.
    Equivalent,
    /// Nothing is shown.
    Inconclusive,
    /// The subjects were not made equal, so there is no verdict.
    NotComparable,
}

/// The sign of a difference, where one is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The 95% interval lies on the better side of zero.
    Faster,
    /// It lies on the worse side.
    Slower,
    /// It holds zero, or there is none.
    None,
}

/// Whether a change is shown to be within `margin` (0.01: 1%).
///
/// Two one-sided tests at 5% each (D. J. Schuirmann, 1987), which is the same
/// as the *90%* interval lying inside the bounds. The bounds are symmetric on
/// the log scale, `1/(1+margin)` and `1+margin`, so that it does not matter
/// which subject is called the first.
pub fn equivalent(ci90: &Interval, margin: f64) -> bool {
    1.0 + ci90.lo > 1.0 / (1.0 + margin) && ci90.hi < margin
}

/// The direction that a 95% interval shows.
pub fn direction(ci95: &Interval, better: Better) -> Direction {
    match (ci95.contains(0.0), ci95.lo > 0.0, better) {
        (true, _, _) => Direction::None,
        (_, true, Better::Higher) | (_, false, Better::Lower) => Direction::Faster,
        (_, true, Better::Lower) | (_, false, Better::Higher) => Direction::Slower,
    }
}

/// Verdict and direction of a headline of comparable subjects: equivalent,
/// else faster or slower, else inconclusive. A small difference that is shown
/// clearly is equivalent *and* has a direction.
pub fn judge(headline: &Headline, better: Better, margin: f64) -> (Verdict, Direction) {
    judge_ends(
        headline.ci95.as_ref(),
        headline.ci90.as_ref(),
        better,
        margin,
    )
}

/// The same of any change, by its two intervals.
pub fn judge_ends(
    ci95: Option<&Interval>,
    ci90: Option<&Interval>,
    better: Better,
    margin: f64,
) -> (Verdict, Direction) {
    let (Some(ci95), Some(ci90)) = (ci95, ci90) else {
        return (Verdict::Inconclusive, Direction::None);
    };
    let direction = direction(ci95, better);
    let verdict = match direction {
        _ if equivalent(ci90, margin) => Verdict::Equivalent,
        Direction::Faster => Verdict::Faster,
        Direction::Slower => Verdict::Slower,
        Direction::None => Verdict::Inconclusive,
    };
    (verdict, direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headline(lo: f64, hi: f64) -> Headline {
        let ends = Some(Interval { lo, hi });
        Headline {
            mean: (lo + hi) / 2.0,
            ci95: ends,
            ci90: ends,
            boots: 10,
            each: Vec::new(),
        }
    }

    #[test]
    fn verdicts_by_interval_and_better_side() {
        use Better::{Higher, Lower};
        for (lo, hi, better, verdict, direction) in [
            (0.02, 0.04, Higher, Verdict::Faster, Direction::Faster),
            (0.02, 0.04, Lower, Verdict::Slower, Direction::Slower),
            (-0.04, -0.02, Higher, Verdict::Slower, Direction::Slower),
            (-0.04, -0.02, Lower, Verdict::Faster, Direction::Faster),
            (-0.04, 0.02, Higher, Verdict::Inconclusive, Direction::None),
            (-0.005, 0.005, Higher, Verdict::Equivalent, Direction::None),
            (0.002, 0.005, Higher, Verdict::Equivalent, Direction::Faster),
            (0.002, 0.005, Lower, Verdict::Equivalent, Direction::Slower),
            (0.0, 0.02, Higher, Verdict::Inconclusive, Direction::None),
            (0.002, 0.02, Higher, Verdict::Faster, Direction::Faster),
        ] {
            assert_eq!(
                judge(&headline(lo, hi), better, 0.01),
                (verdict, direction),
                "{lo} {hi} {better:?}"
            );
        }
    }

    #[test]
    fn the_margin_is_symmetric_on_the_log_scale() {
        let inside = |lo, hi| equivalent(&Interval { lo, hi }, 0.25);
        assert!(inside(-0.199, 0.249));
        assert!(!inside(-0.201, 0.0), "1/1.25 is 0.8");
        assert!(!inside(0.0, 0.251));
    }

    #[test]
    fn one_boot_shows_nothing() {
        let mut one = headline(0.5, 0.6);
        (one.ci95, one.ci90) = (None, None);
        assert_eq!(
            judge(&one, Better::Higher, 0.01),
            (Verdict::Inconclusive, Direction::None)
        );
    }

    #[test]
    fn verdicts_are_written_as_the_design_says() {
        let text = serde_json::to_string(&Verdict::NotComparable).unwrap();
        assert_eq!(text, "\"not-comparable\"");
    }
}
