//! Times operations of an API: batches of a loop, the subjects taking turns.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, Result};

use crate::agent::Measured;
use crate::case::Case;
use crate::summary::NANOSECONDS;

/// Batches of a sample.
const BATCHES: usize = 20;

/// Iterations that a loop may be asked for.
pub const MOST: u64 = 1 << 32;

/// What a loop gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looped {
    /// What it took.
    pub nanoseconds: u64,
    /// Iterations whose effect was seen, by a check of the operation's own.
    pub effect: u64,
}

/// Refuses a loop that did not do what it was asked for.
pub fn check(label: &str, case: &Case, iterations: u64, effect: u64) -> Result<()> {
    if effect == iterations {
        return Ok(());
    }
    let did = match effect {
        0 => "the loop did nothing".to_string(),
        _ => format!("the loop did {effect}"),
    };
    bail!(
        "ring {}: {label}: {did} when asked for {iterations} of {}, so that what it took says \
         nothing; leave the case out with --case",
        case.ring,
        case.name
    )
}

/// The label by which numbers of iterations are chosen for all of a block: C
/// where it is there.
pub fn first_of<'a>(labels: &[&'a str]) -> Option<&'a str> {
    let c = labels.iter().find(|label| **label == "c");
    c.or(labels.first()).copied()
}

/// Times the operations of a boot. How many iterations a case's batch has is
/// chosen once, for all labels.
#[derive(Default)]
pub struct Timer {
    /// By case.
    iterations: BTreeMap<String, u64>,
}

impl Timer {
    /// A sample of each label; `run` runs one loop of one, of `fewest`
    /// iterations or more.
    pub fn time(
        &mut self,
        labels: &[&str],
        case: &Case,
        fewest: u64,
        mut run: impl FnMut(&str, u64) -> Result<Looped>,
    ) -> Result<Vec<Measured>> {
        let mut run = |label: &str, iterations| {
            let looped = run(label, iterations)?;
            check(label, case, iterations, looped.effect)?;
            Ok(looped)
        };
        let Some(first) = first_of(labels) else {
            return Ok(Vec::new());
        };
        let iterations = match self.iterations.get(&case.name) {
            Some(iterations) => *iterations,
            None => {
                let iterations = iterations(case, fewest, |iterations| run(first, iterations))?;
                self.iterations.insert(case.name.clone(), iterations);
                iterations
            }
        };
        time(labels, iterations, run)
    }
}

/// Iterations of a case's batch, so that all batches of a sample together take
/// its time. `run` runs one loop.
fn iterations(case: &Case, fewest: u64, mut run: impl FnMut(u64) -> Result<Looped>) -> Result<u64> {
    let wanted = (Duration::from_millis(case.runtime_ms) / BATCHES as u32).as_nanos() as u64;
    let mut iterations = fewest;
    loop {
        // The first of two may find nothing in the caches.
        let took = run(iterations)?
            .nanoseconds
            .min(run(iterations)?.nanoseconds);
        if took >= wanted / 4 || iterations >= MOST / 4 {
            let scaled = iterations as f64 * wanted as f64 / took.max(1) as f64;
            return Ok((scaled as u64).clamp(fewest, MOST));
        }
        iterations *= 4;
    }
}

/// A sample of each label: batches of `iterations`, one of each label in turn,
/// so that what else the machine does meets all alike. A sample is the first
/// decile of its batches, in nanoseconds an operation: each batch has the same
/// work, so that what makes one slower than another is mostly the machine.
fn time(
    labels: &[&str],
    iterations: u64,
    mut run: impl FnMut(&str, u64) -> Result<Looped>,
) -> Result<Vec<Measured>> {
    let mut batches = vec![Vec::with_capacity(BATCHES); labels.len()];
    for _ in 0..BATCHES {
        for (label, batches) in labels.iter().zip(&mut batches) {
            let looped = run(label, iterations)?;
            batches.push(looped.nanoseconds as f64 / iterations as f64);
        }
    }
    let sample = |mut batches: Vec<f64>| {
        batches.sort_by(f64::total_cmp);
        let mean = batches.iter().sum::<f64>() / BATCHES as f64;
        Measured {
            metric: NANOSECONDS,
            value: batches[BATCHES / 10],
            extra: BTreeMap::from([
                ("iterations".to_string(), iterations as f64),
                ("mean_ns".to_string(), mean),
            ]),
            functions: Vec::new(),
        }
    };
    Ok(batches.into_iter().map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Operation, Workload, API};

    fn case() -> Case {
        Case {
            driver: API.into(),
            ring: 3,
            name: "mutex".into(),
            workload: Workload::Operation(Operation {
                operation: "mutex".into(),
                calls: BTreeMap::new(),
                contended: false,
                device: false,
            }),
            settings: BTreeMap::new(),
            runtime_ms: 20,
            ramp_ms: 0,
            operations: None,
        }
    }

    #[test]
    fn batches_together_take_the_time_of_the_case() {
        for cost in [1, 7, 900, 40_000, 5_000_000] {
            let took = |iterations| {
                Ok(Looped {
                    nanoseconds: 150 + cost * iterations,
                    effect: iterations,
                })
            };
            let iterations = iterations(&case(), 1, took).expect("a number");
            let batch = 1_000_000.0 / cost as f64;
            let ratio = iterations as f64 / batch.max(1.0);
            assert!((0.9..1.1).contains(&ratio), "{cost} ns: {iterations}");
        }
        let free = |iterations| {
            Ok(Looped {
                nanoseconds: 0,
                effect: iterations,
            })
        };
        assert_eq!(iterations(&case(), 1, free).expect("a number"), MOST);
    }

    #[test]
    fn a_sample_is_hardly_moved_by_batches_that_a_neighbour_met() {
        let mut turn = 0;
        let samples = time(&["rust", "c"], 100, |label, iterations| {
            turn += 1;
            let cost = if label == "rust" { 8 } else { 10 };
            let met = if turn % 3 == 0 { 50 } else { 0 };
            Ok(Looped {
                nanoseconds: iterations * (cost + met),
                effect: iterations,
            })
        });
        let samples = samples.expect("samples");
        assert_eq!([samples[0].value, samples[1].value], [8.0, 10.0]);
        assert!(samples[0].extra["mean_ns"] > 20.0);
    }

    #[test]
    fn all_labels_of_a_case_have_the_iterations_that_c_was_given() {
        let mut timer = Timer::default();
        for labels in [&["rust", "c"], &["c", "rust"]] {
            let run = |label: &str, iterations| {
                Ok(Looped {
                    nanoseconds: iterations * if label == "c" { 10 } else { 1000 },
                    effect: iterations,
                })
            };
            let samples = timer.time(labels, &case(), 1, run).expect("samples");
            for sample in samples {
                assert_eq!(sample.extra["iterations"], 100_000.0);
            }
        }
        let none = timer.time(&[], &case(), 1, |_, _| unreachable!("nothing to run"));
        assert!(none.expect("no samples").is_empty());
    }

    #[test]
    fn a_loop_without_its_effect_is_refused() {
        for (effect, word) in [(0, "did nothing"), (99, "did 99")] {
            let run = |_: &str, iterations: u64| {
                Ok(Looped {
                    nanoseconds: 5000 * iterations,
                    effect: iterations.min(effect),
                })
            };
            let error = Timer::default().time(&["rust"], &case(), 1, run).err();
            let text = error.expect(word).to_string();
            assert!(text.contains(word) && text.contains("mutex"), "{text}");
        }
    }
}
