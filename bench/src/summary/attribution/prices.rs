//! What one more event of a kind costs, from how samples vary within boots.
//!
//! Two fits must agree. Time over events, both an operation, has the price as
//! its slope, but would give one also to events that come by the clock: where
//! an operation takes longer for whatever reason, more of them fall into it. So
//! operations a second over events a second must fall as well, which events at
//! a steady rate do not make them do. Where that shows nothing there is no
//! price.

use super::{Estimate, Timed, LEVEL};
use crate::statistics::interval::Part;
use crate::statistics::least_squares::{LeastSquares, Observation};

/// The prices of some kinds of events.
pub struct Prices {
    /// Of time over events; `None` where there are too few samples.
    fit: Option<LeastSquares>,
    /// Whether both fits show a price, by kind.
    shown: Vec<bool>,
}

impl Prices {
    /// From the samples of both subjects; a group is a subject in a boot.
    pub fn of(boots: &[Vec<[Timed; 2]>], kinds: usize) -> Prices {
        let fit = |columns: &dyn Fn(&Timed) -> Vec<f64>, value: &dyn Fn(&Timed) -> f64| {
            let mut all = Vec::new();
            for (boot, blocks) in boots.iter().enumerate() {
                for both in blocks {
                    for (place, timed) in both.iter().enumerate() {
                        all.push(Observation {
                            group: 2 * boot + place,
                            columns: columns(timed),
                            value: value(timed),
                        });
                    }
                }
            }
            LeastSquares::within(&all)
        };
        let times = fit(&|timed| timed.events.clone(), &|timed| timed.time);
        let rates = fit(
            &|timed| {
                timed
                    .events
                    .iter()
                    .map(|number| number / timed.time)
                    .collect()
            },
            &|timed| 1.0 / timed.time,
        );
        // As many kinds are asked at once.
        let level = 1.0 - (1.0 - LEVEL) / kinds.max(1) as f64;
        let shown = |kind| {
            let (Some(times), Some(rates)) = (&times, &rates) else {
                return false;
            };
            let dearer = times
                .interval(kind, level)
                .is_some_and(|ends| ends.lo > 0.0);
            let fewer = rates
                .interval(kind, level)
                .is_some_and(|ends| ends.hi < 0.0);
            dearer && fewer
        };
        Prices {
            shown: (0..kinds).map(shown).collect(),
            fit: times,
        }
    }

    /// The price of a kind in ns, if it is shown.
    pub fn of_kind(&self, kind: usize) -> Option<f64> {
        let fit = self.fit.as_ref().filter(|_| self.shown[kind])?;
        fit.slopes[kind]
    }

    /// The same with its interval.
    pub fn estimate(&self, kind: usize) -> Option<Estimate> {
        let mean = self.of_kind(kind)?;
        let ci95 = self.fit.as_ref()?.interval(kind, LEVEL);
        Some(Estimate { mean, ci95 })
    }

    /// The variance of a sum of prices, each times its weight; `None` of none.
    pub fn variance(&self, weights: &[(usize, f64)]) -> Option<Part> {
        let fit = self.fit.as_ref().filter(|_| !weights.is_empty())?;
        let mut variance = 0.0;
        for (i, a) in weights {
            for (j, b) in weights {
                variance += a * b * fit.covariance[*i][*j];
            }
        }
        Some(Part {
            variance: variance.max(0.0),
            dof: fit.dof,
        })
    }
}
