//! One sample on a disk: operations a second, or instructions of one.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ringfence_bench::agent::Measured;
use ringfence_bench::case::Case;

use super::count::{Counted, Counter, Window};
use super::events::Events;
use super::fio;

/// Times a case on a device that is set up. Events are those of fio's start, its
/// ramp and the measured time; the first has few of them, and the others have
/// operations at one rate.
pub fn timed(case: &Case, node: &Path, doorbells: Option<u64>) -> Result<Measured> {
    let before = Events::read(doorbells);
    let mut measured = fio::measure(case, node)?;
    let events = Events::read(doorbells).since(&before);
    let operations = measured.value * (case.ramp_ms + case.runtime_ms) as f64 / 1e3;
    measured.extra.extend(events.each_of(operations));
    Ok(measured)
}

/// What is counted of a case.
pub struct Count<'a> {
    /// The case, with the operations of its shorter window.
    pub case: &'a Case,
    /// Those operations.
    pub short: u64,
    /// The modules that are the driver.
    pub modules: &'a [&'a str],
    /// How many times both windows are counted.
    pub times: usize,
    /// How often the driver rang its device so far, if it tells.
    pub doorbells: Option<u64>,
}

impl Count<'_> {
    /// Counts instructions of an operation. `counter` is made once fio is in
    /// memory; `renew` makes the device anew and gives its disk's node.
    pub fn sample(
        &self,
        counter: &mut Option<Counter>,
        mut renew: impl FnMut() -> Result<PathBuf>,
    ) -> Result<Measured> {
        let counter = match counter {
            Some(counter) => counter,
            None => {
                fio::window(self.case, &renew()?)?;
                counter.insert(Counter::new()?)
            }
        };
        let long = Case {
            operations: Some(3 * self.short),
            ..self.case.clone()
        };
        let counted = Counted {
            user: "fio and its libraries",
            modules: self.modules,
            operations: 2 * self.short * u64::from(self.case.jobs()),
            times: self.times,
        };
        let mut events = [None, None];
        let mut measured = counter.measure(&counted, || {
            let node = renew()?;
            let [few, many] = &mut events;
            Ok([
                self.window(self.case, &node, few)?,
                self.window(&long, &node, many)?,
            ])
        })?;
        if let [Some(few), Some(many)] = &events {
            let each = many.since(few).each_of(counted.operations as f64);
            measured.extra.extend(each);
        }
        Ok(measured)
    }

    /// A counted window, and the fewest events that there were in one.
    fn window(&self, case: &Case, node: &Path, least: &mut Option<Events>) -> Result<Window> {
        let before = Events::read(self.doorbells);
        let window = fio::window(case, node)?;
        let since = Events::read(self.doorbells).since(&before);
        *least = Some(match least.take() {
            Some(so_far) => so_far.least(&since),
            None => since,
        });
        Ok(window)
    }
}
