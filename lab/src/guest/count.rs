//! Instructions of an operation, by the plugin of the VM.
//!
//! fio runs with N operations and with 3N; what the longer run executes beyond
//! the shorter, over 2N, is an operation's own. What surrounds them is in both
//! and cancels out: fio gives the marks itself, before a job's first operation
//! and after its last (`exec_prerun`, `exec_postrun`), by starting this
//! program. That is done on several disks, one after the other.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::Measured;
use ringfence_bench::case::Case;
use ringfence_bench::sample::FunctionCount;
use serde::Deserialize;

use super::events::Events;
use super::fio;
use super::symbols::Symbols;
use crate::COUNTS;

/// How many times a sample's disk is made anew. Where the block layer's
/// search for a free tag begins is drawn for every disk, and one word of its
/// map in four costs more than the others: that all disks begin there is rare.
const DISKS: usize = 4;

/// Functions below this many instructions an operation are told together:
/// they are timer ticks, and what differs between two starts of fio.
const SHOWN: f64 = 0.1;

/// The kernel's functions that are C's inline ones, made callable for Rust:
/// a C driver has them in its own code, so they are counted as the module's.
const HELPER: &str = "rust_helper_";

/// A line of the plugin's.
#[derive(Debug, Deserialize, PartialEq)]
struct Count {
    /// Of a translation block; 0 is all of user space, 1 what found no
    /// counter.
    address: u64,
    instructions: u64,
}

/// Instructions by space and function.
type Functions = BTreeMap<(&'static str, String), f64>;

/// Counts operations in this boot.
pub struct Counter {
    symbols: Symbols,
}

impl Counter {
    /// Reads the kernel's symbols, all modules being loaded, and runs fio
    /// once, so that it is in memory from here on. Waits until the kernel's
    /// random numbers are there: before that each costs more.
    pub fn new(case: &Case, node: &Path) -> Result<Counter> {
        File::open("/dev/random")
            .and_then(|mut random| random.read_exact(&mut [0]))
            .context("ring 0: /dev/random cannot be read")?;
        window(case, node)?;
        Ok(Counter {
            symbols: Symbols::read().context("ring 0: functions have no names")?,
        })
    }

    /// Instructions of an operation of a case; `disk` makes the disk anew and
    /// answers its node, `module` is the driver's, `doorbells` as
    /// [`Events::read`] takes it.
    pub fn measure(
        &self,
        case: &Case,
        mut disk: impl FnMut() -> Result<PathBuf>,
        module: &str,
        doorbells: Option<u64>,
    ) -> Result<Measured> {
        let short = case
            .operations
            .context("ring 0: a case without operations cannot be counted")?;
        let long = Case {
            operations: Some(3 * short),
            ..case.clone()
        };
        let operations = (2 * short * u64::from(case.workload.jobs)) as f64;
        let (mut less, mut functions) = (None, None);
        let (mut few, mut events) = (None, None);
        for _ in 0..DISKS {
            let node = disk()?;
            for (case, functions, events) in [
                (case, &mut less, &mut few),
                (&long, &mut functions, &mut events),
            ] {
                let before = Events::read(doorbells);
                let counts = window(case, &node)?;
                let since = Events::read(doorbells).since(&before);
                least(functions, self.functions(counts, module)?);
                *events = Some(
                    events
                        .take()
                        .map_or(since.clone(), |so_far: Events| so_far.least(&since)),
                );
            }
        }
        let mut extra = match (events, few) {
            (Some(events), Some(few)) => events.since(&few).each_of(operations),
            _ => BTreeMap::new(),
        };
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
        extra.extend([
            ("user".to_string(), user),
            ("kernel".to_string(), kernel),
            ("module".to_string(), module),
            ("operations".to_string(), operations),
        ]);
        Ok(Measured {
            metric: "instructions",
            value: user + kernel + module,
            extra,
            functions: told(functions),
        })
    }

    /// The functions that counts are of; `module` is the driver's.
    fn functions(&self, counts: Vec<Count>, module: &str) -> Result<Functions> {
        let mut functions = Functions::new();
        for count in counts {
            let function = match count.address {
                0 => ("user", "fio and its libraries".to_string()),
                1 => bail!(
                    "ring 0: this boot ran more code than there are counters; choose fewer cases \
                     with --case"
                ),
                address => match self.symbols.find(address) {
                    None => ("kernel", "unknown".into()),
                    Some(function) => {
                        let own = function.module.as_deref() == Some(module)
                            || function.name.starts_with(HELPER);
                        let space = if own { "module" } else { "kernel" };
                        (space, function.name.clone())
                    }
                },
            };
            *functions.entry(function).or_default() += count.instructions as f64;
        }
        Ok(functions)
    }
}

/// Makes `so_far` what both runs of a case execute at least: the smaller count
/// of each function. What the kernel does beside fio now and then mostly meets
/// one of them only.
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

/// What is executed while fio does a case's operations.
fn window(case: &Case, node: &Path) -> Result<Vec<Count>> {
    let _ = fs::remove_file(COUNTS);
    // What was said before is sent by interrupts, which are not fio's.
    let _ = rustix::termios::tcdrain(std::io::stdout());
    let mut arguments = fio::arguments(case, node, fio::cpus());
    let program = env::current_exe().context("ring 0: where this program lies is unknown")?;
    for (option, mark) in [("prerun", "begin"), ("postrun", "end")] {
        arguments.push(format!("--exec_{option}={} mark {mark}", program.display()));
    }
    let job = fio::parse(&fio::run(&arguments, None)?)?;
    let wanted = case.operations.unwrap_or(0) * u64::from(case.workload.jobs);
    if job.operations() != wanted as f64 {
        bail!(
            "ring 0: fio did {} operations on {} instead of {wanted}",
            job.operations(),
            node.display()
        );
    }
    let text = fs::read_to_string(COUNTS).context(
        "ring 0: the VM did not count; instructions are counted in a VM that `ringfence bench \
         --count` started",
    )?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Count>> {
    let parsed: serde_json::Result<Vec<Count>> = text.lines().map(serde_json::from_str).collect();
    parsed.context("ring 0: the plugin's counts do not parse; run `ringfence lab up`")
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

    fn counter() -> Counter {
        let text = "\
ffffffff81000000 T submit_bio
ffffffff81000100 T rust_helper_blk_mq_rq_to_pdu
ffffffffc0000000 t null_queue_rq\t[null_blk]
ffffffffc0001000 t p9_client_rpc\t[9pnet]
";
        Counter {
            symbols: Symbols::parse(text),
        }
    }

    #[test]
    fn counts_belong_to_user_space_the_kernel_or_the_drivers_module() {
        let text = "\
{\"address\":0,\"instructions\":100}
{\"address\":18446744071578845184,\"instructions\":20}
{\"address\":18446744071578845200,\"instructions\":4}
{\"address\":18446744071578845440,\"instructions\":6}
{\"address\":18446744072635809792,\"instructions\":8}
{\"address\":18446744072635813888,\"instructions\":2}
";
        let counts = parse(text).unwrap();
        let functions = counter().functions(counts, "null_blk").unwrap();
        let told: Vec<(String, String, f64)> = told(functions)
            .into_iter()
            .map(|f| (f.space, f.symbol, f.instructions))
            .collect();
        let expected = [
            ("user", "fio and its libraries", 100.0),
            ("kernel", "submit_bio", 24.0),
            ("module", "null_queue_rq", 8.0),
            ("module", "rust_helper_blk_mq_rq_to_pdu", 6.0),
            ("kernel", "p9_client_rpc", 2.0),
        ]
        .map(|(space, symbol, n)| (space.to_string(), symbol.to_string(), n));
        assert_eq!(told, expected);
    }

    #[test]
    fn small_functions_are_told_together_and_nothing_is_lost() {
        let functions = BTreeMap::from([
            (("kernel", "a".to_string()), 5.0),
            (("kernel", "b".to_string()), 0.03125),
            (("kernel", "c".to_string()), -0.0625),
        ]);
        let told = told(functions);
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].symbol, "others");
        let sum: f64 = told.iter().map(|f| f.instructions).sum();
        assert_eq!(sum, 5.0 - 0.03125);
    }

    #[test]
    fn more_code_than_counters_is_an_error_with_a_way_out() {
        let count = Count {
            address: 1,
            instructions: 1,
        };
        let error = counter().functions(vec![count], "null_blk").unwrap_err();
        assert!(error.to_string().contains("--case"));
    }
}
