//! Windows in which the plugin of the VM counts instructions, and the functions
//! that these are of.

use std::fs::{self, File};
use std::io::Read;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::Measured;
use ringfence_bench::count::{self, Functions};
use serde::Deserialize;

use super::symbols::Symbols;
use crate::COUNTS;

/// The kernel's functions that are C's inline ones, made callable for Rust:
/// C has them in its own code, so they are counted as the module's.
const HELPER: &str = "rust_helper_";

/// A line of the plugin's.
#[derive(Debug, Deserialize, PartialEq)]
struct Count {
    /// Of a translation block; 0 is all of user space, 1 what found no
    /// counter.
    address: u64,
    instructions: u64,
}

/// What was executed in a window.
pub struct Window(Vec<Count>);

impl Window {
    /// Counts what `run` executes between the marks that it gives, or has
    /// given.
    pub fn around<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, Window)> {
        let _ = fs::remove_file(COUNTS);
        // What was said before is sent by interrupts, which are not its own.
        let _ = rustix::termios::tcdrain(std::io::stdout());
        let answer = run()?;
        let text = fs::read_to_string(COUNTS).context(
            "ring 0: the VM did not count; instructions are counted in a VM that `ringfence \
             bench --count` started",
        )?;
        Ok((answer, Window::parse(&text)?))
    }

    fn parse(text: &str) -> Result<Window> {
        let parsed: serde_json::Result<Vec<Count>> =
            text.lines().map(serde_json::from_str).collect();
        let counts =
            parsed.context("ring 0: the plugin's counts do not parse; run `ringfence lab up`")?;
        Ok(Window(counts))
    }
}

/// What windows are of.
pub struct Counted<'a> {
    /// What runs in user space.
    pub user: &'a str,
    /// The modules that are the driver.
    pub modules: &'a [&'a str],
    /// Operations that the longer window has beyond the shorter.
    pub operations: u64,
    /// How many times both are counted. The least of each function is taken.
    pub times: usize,
}

/// Counts operations in this boot.
pub struct Counter {
    symbols: Symbols,
}

impl Counter {
    /// Reads the kernel's symbols, all modules being loaded. Waits until the
    /// kernel's random numbers are there: before that each costs more.
    pub fn new() -> Result<Counter> {
        File::open("/dev/random")
            .and_then(|mut random| random.read_exact(&mut [0]))
            .context("ring 0: /dev/random cannot be read")?;
        Ok(Counter {
            symbols: Symbols::read().context("ring 0: functions have no names")?,
        })
    }

    /// Instructions of an operation; `windows` gives a shorter and a longer
    /// one.
    pub fn measure(
        &self,
        counted: &Counted<'_>,
        mut windows: impl FnMut() -> Result<[Window; 2]>,
    ) -> Result<Measured> {
        count::measure(counted.operations, counted.times, || {
            let [short, long] = windows()?;
            Ok([
                self.functions(short, counted)?,
                self.functions(long, counted)?,
            ])
        })
    }

    /// The functions that a window is of.
    fn functions(&self, window: Window, counted: &Counted<'_>) -> Result<Functions> {
        let mut functions = Functions::new();
        for count in window.0 {
            let function = match count.address {
                0 => ("user", counted.user.to_string()),
                1 => bail!(
                    "ring 0: this boot ran more code than there are counters; choose fewer cases \
                     with --case"
                ),
                address => match self.symbols.find(address) {
                    None => ("kernel", "unknown".into()),
                    Some(function) => {
                        let module = function.module.as_deref();
                        let own = module.is_some_and(|name| counted.modules.contains(&name))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NULL_BLK: Counted = Counted {
        user: "fio and its libraries",
        modules: &["null_blk"],
        operations: 1,
        times: 1,
    };

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
        let window = Window::parse(text).unwrap();
        let functions = counter().functions(window, &NULL_BLK).unwrap();
        let expected = [
            ("user", "fio and its libraries", 100.0),
            ("kernel", "submit_bio", 24.0),
            ("module", "null_queue_rq", 8.0),
            ("module", "rust_helper_blk_mq_rq_to_pdu", 6.0),
            ("kernel", "p9_client_rpc", 2.0),
        ]
        .map(|(space, symbol, n)| ((space, symbol.to_string()), n));
        assert_eq!(functions, Functions::from(expected));
    }

    #[test]
    fn more_code_than_counters_is_an_error_with_a_way_out() {
        let count = Count {
            address: 1,
            instructions: 1,
        };
        let error = counter()
            .functions(Window(vec![count]), &NULL_BLK)
            .unwrap_err();
        assert!(error.to_string().contains("--case"));
    }
}
