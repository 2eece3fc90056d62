//! Instructions of an operation, from windows that hold more and less of them.
//!
//! Two windows are counted; what the longer executes beyond the shorter, over
//! the operations that it has more, is an operation's own, and what surrounds
//! them cancels out. That is done several times.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::agent::Measured;
use crate::sample::FunctionCount;
use crate::summary::INSTRUCTIONS;

/// Functions below this many instructions an operation are told together:
/// they are timer ticks, and what differs between two windows besides.
const SHOWN: f64 = 0.1;

/// Instructions by space (`user`, `kernel`, `module`) and function.
pub type Functions = BTreeMap<(&'static str, String), f64>;

/// A sample: `windows` gives a shorter window and one with `operations` more,
/// `times` times, and the least of each function is taken.
pub fn measure(
    operations: u64,
    times: usize,
    mut windows: impl FnMut() -> Result<[Functions; 2]>,
) -> Result<Measured> {
    let (mut less, mut functions) = (None, None);
    for _ in 0..times {
        let [short, long] = windows()?;
        least(&mut less, short);
        least(&mut functions, long);
    }
    let operations = operations as f64;
    let mut functions = functions.unwrap_or_default();
    for (function, instructions) in less.unwrap_or_default() {
        *functions.entry(function).or_default() -= instructions;
    }
    for instructions in functions.values_mut() {
        *instructions /= operations;
    }
    let sum = |wanted: &str| -> f64 {
        let of = functions.iter().filter(|((space, _), _)| *space == wanted);
        of.map(|(_, instructions)| instructions).sum()
    };
    let (user, kernel, module) = (sum("user"), sum("kernel"), sum("module"));
    Ok(Measured {
        metric: INSTRUCTIONS,
        value: user + kernel + module,
        extra: BTreeMap::from([
            ("user".to_string(), user),
            ("kernel".to_string(), kernel),
            ("module".to_string(), module),
            ("operations".to_string(), operations),
        ]),
        functions: told(functions),
    })
}

/// Makes `so_far` what both windows execute at least: the smaller count of each
/// function. What the machine does besides now and then mostly meets one of
/// them only.
fn least(so_far: &mut Option<Functions>, next: Functions) {
    let Some(least) = so_far else {
        *so_far = Some(next);
        return;
    };
    least.retain(|function, _| next.contains_key(function));
    for (function, instructions) in least {
        *instructions = instructions.min(next[function]);
    }
}

/// The functions of each space, most instructions first, small ones together.
fn told(functions: Functions) -> Vec<FunctionCount> {
    let mut all = Vec::new();
    let mut small: BTreeMap<&str, f64> = BTreeMap::new();
    for ((space, symbol), instructions) in functions {
        if instructions.abs() < SHOWN {
            *small.entry(space).or_default() += instructions;
            continue;
        }
        all.push(FunctionCount {
            space: space.into(),
            symbol,
            instructions,
        });
    }
    all.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
    all.extend(
        small
            .into_iter()
            .filter(|(_, instructions)| *instructions != 0.0)
            .map(|(space, instructions)| FunctionCount {
                space: space.into(),
                symbol: "others".into(),
                instructions,
            }),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(counts: &[(&'static str, &str, f64)]) -> Functions {
        let each = counts.iter();
        each.map(|(space, name, count)| ((*space, name.to_string()), *count))
            .collect()
    }

    #[test]
    fn what_surrounds_the_operations_and_what_met_one_window_cancels_out() {
        let mut tick = 0;
        let measured = measure(200, 3, || {
            tick += 1;
            let window = |operations: f64| {
                let mut all = functions(&[
                    ("module", "rf_api_mutex", 30.0 + 5.0 * operations),
                    ("kernel", "mutex_lock", 9.0 * operations),
                    ("user", "the agent", 400.0),
                ]);
                if tick == 2 {
                    all.insert(("kernel", "tick".into()), 5000.0);
                    *all.get_mut(&("kernel", "mutex_lock".into())).unwrap() += 70.0;
                }
                all
            };
            Ok([window(100.0), window(300.0)])
        });
        let measured = measured.expect("a sample");
        assert_eq!(measured.value, 14.0);
        let extra = |name: &str| measured.extra[name];
        assert_eq!(
            [extra("module"), extra("kernel"), extra("user")],
            [5.0, 9.0, 0.0]
        );
        let names: Vec<&str> = measured
            .functions
            .iter()
            .map(|one| one.symbol.as_str())
            .collect();
        assert_eq!(names, ["mutex_lock", "rf_api_mutex"]);
    }

    #[test]
    fn small_functions_are_told_together_and_nothing_is_lost() {
        let told = told(functions(&[
            ("kernel", "a", 5.0),
            ("kernel", "b", 0.03125),
            ("kernel", "c", -0.0625),
        ]));
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].symbol, "others");
        let sum: f64 = told.iter().map(|f| f.instructions).sum();
        assert_eq!(sum, 5.0 - 0.03125);
    }
}
