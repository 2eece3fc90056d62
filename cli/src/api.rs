//! The ring-3 agent of `api`: operations of C's libraries and of Rust's, in
//! this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use ring3::api::{Operation, Side, OPERATIONS};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;
use ringfence_bench::control::{Control, Label};
use ringfence_bench::count::{self, Functions};
use ringfence_bench::operation::{self, Looped, Timer};

use crate::callgrind::Counter;
use crate::ring3::{built, environment};

/// The subjects, in the order of reports.
pub const SUBJECTS: [(&str, Side); 2] = [("rust", Side::Rust), ("c", Side::C)];

/// How many times both windows of a counted sample are taken. What one holds
/// is the same each time, but for addresses.
const WINDOWS: usize = 2;

/// The ring-3 agent; `counts` is where callgrind writes, if it runs this.
pub fn workbench(counts: Option<PathBuf>) -> Box<dyn Workbench> {
    Box::new(Api {
        timer: Timer::default(),
        counter: counts.map(Counter::new),
    })
}

struct Api {
    timer: Timer,
    counter: Option<Counter>,
}

impl Api {
    fn count(&mut self, label: &str, case: &Case, iterations: u64) -> Result<Measured> {
        let (operation, side) = (operation_of(case)?, side_of(label)?);
        let counter = self.counter.as_mut();
        let counter = counter.context("ring 3: counting needs valgrind around the agent")?;
        let own = operation.symbol(side);
        let mut window = |iterations| -> Result<Functions> {
            ring3::count::begin();
            let effect = operation.run(side, iterations);
            ring3::count::end();
            operation::check(label, case, iterations, effect)?;
            let functions = counter.read()?.into_iter();
            let space =
                |symbol: &str| match symbol.contains(&own) || symbol.contains("ring3::api::") {
                    true => "module",
                    false => "user",
                };
            Ok(functions
                .map(|(symbol, count)| ((space(&symbol), symbol), count as f64))
                .collect())
        };
        // What is done once only, such as finding a library's function.
        window(iterations)?;
        count::measure(2 * iterations, WINDOWS, || {
            Ok([window(iterations)?, window(3 * iterations)?])
        })
    }
}

impl Workbench for Api {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        Ok(environment())
    }

    fn load(&mut self, label: &str) -> Result<()> {
        side_of(label).map(drop)
    }

    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        if let Some(name) = overrides.keys().next() {
            bail!("ring 3: operations have no setting {name}; leave --set out");
        }
        let (operation, side) = (operation_of(case)?, side_of(label)?);
        operation::check(label, case, 1, operation.run(side, 1))?;
        Ok(Prepared::Ready(built(match side {
            Side::C => None,
            Side::Rust => Some(ring3::OVERFLOW_CHECKS),
        })))
    }

    fn measure(
        &mut self,
        labels: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        match case.operations {
            None => {
                let operation = operation_of(case)?;
                let run = |label: &str, iterations| looped(operation, label, iterations);
                let measured = self.timer.time(labels, case, 1, run)?;
                measured.into_iter().try_for_each(taken)
            }
            Some(iterations) => labels
                .iter()
                .try_for_each(|label| taken(self.count(label, case, iterations)?)),
        }
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

fn looped(operation: &Operation, label: &str, iterations: u64) -> Result<Looped> {
    let side = side_of(label)?;
    let start = Instant::now();
    let effect = operation.run(side, iterations);
    Ok(Looped {
        nanoseconds: start.elapsed().as_nanos() as u64,
        effect,
    })
}

fn operation_of(case: &Case) -> Result<&'static Operation> {
    let name = &case.operation()?.operation;
    OPERATIONS
        .iter()
        .find(|operation| operation.name == name)
        .with_context(|| {
            format!(
                "ring 3: there is no operation {name}; `ringfence bench api --case '*'` has all"
            )
        })
}

/// The side of a label. None can delay.
fn side_of(label: &str) -> Result<Side> {
    let parts = Label::parse(label);
    let parts = parts.filter(|parts| matches!(parts.control, None | Some(Control::Again)));
    let side = parts.and_then(|parts| {
        let mut all = SUBJECTS.iter();
        all.find(|(name, _)| *name == parts.subject)
    });
    side.map(|(_, side)| *side).with_context(|| {
        let known = SUBJECTS.map(|(name, _)| name).join(", ");
        format!("ring 3: api has no subject {label}; there are {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_loop_is_refused() {
        let case = Case {
            driver: "api".into(),
            ring: 3,
            name: "empty".into(),
            workload: ringfence_bench::case::Workload::Operation(
                ringfence_bench::case::Operation {
                    operation: "empty".into(),
                    calls: BTreeMap::new(),
                    contended: false,
                    device: false,
                },
            ),
            settings: BTreeMap::new(),
            runtime_ms: 1,
            ramp_ms: 0,
            operations: None,
        };
        for label in ["rust", "c", "c:again"] {
            let run = |label: &str, iterations| looped(&ring3::api::EMPTY, label, iterations);
            let error = Timer::default().time(&[label], &case, 1, run).err();
            let text = error.expect("refused").to_string();
            assert!(text.contains("the loop did nothing"), "{text}");
        }
        assert!(operation_of(&case).is_err(), "and is no case");
        assert!(side_of("rust:slow1").is_err());
    }
}
