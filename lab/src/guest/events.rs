//! What happens beside the instructions: interrupts, softirqs, context
//! switches and doorbells, of the whole machine, as its counters say before
//! and after a load.

use std::collections::BTreeMap;
use std::fs;

/// Softirqs that the clock raises; they are no driver's.
const OF_THE_CLOCK: [&str; 4] = ["TIMER", "HRTIMER", "SCHED", "RCU"];

/// Interrupts from one processor to another: to reschedule, to call a
/// function, to drop translations.
const BETWEEN_PROCESSORS: [&str; 3] = ["RES", "CAL", "TLB"];

/// Numbers of events by kind, since the machine started or of some time. A kind
/// that could not be read is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events(BTreeMap<&'static str, f64>);

impl Events {
    /// Reads the machine's counters. `doorbells` is how often the driver rang
    /// its device, if it tells: 0 for one that has no registers.
    pub fn read(doorbells: Option<u64>) -> Events {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut events = interrupts(&text("/proc/interrupts"));
        events.extend(softirqs(&text("/proc/softirqs")));
        events.extend(context_switches(&text("/proc/stat")));
        events.extend(doorbells.map(|number| ("doorbells", number as f64)));
        Events(events)
    }

    /// Those since `before`, of the kinds that both have.
    pub fn since(&self, before: &Events) -> Events {
        self.with(before, |now, then| now - then)
    }

    /// The smaller number of each kind that both have.
    pub fn least(&self, other: &Events) -> Events {
        self.with(other, f64::min)
    }

    /// By name, for each of so many operations.
    pub fn each_of(&self, operations: f64) -> BTreeMap<String, f64> {
        let each = self.0.iter();
        each.map(|(kind, number)| (kind.to_string(), number / operations))
            .collect()
    }

    fn with(&self, other: &Events, f: impl Fn(f64, f64) -> f64) -> Events {
        let both = |(kind, number): (&&'static str, &f64)| {
            let other = other.0.get(kind)?;
            Some((*kind, f(*number, *other)))
        };
        Events(self.0.iter().filter_map(both).collect())
    }
}

/// The lines of a table of counters, a column a processor: name, sum, and what
/// stands after the numbers.
fn table(text: &str) -> impl Iterator<Item = (&str, f64, &str)> {
    text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let mut rest = rest.trim_start();
        let mut sum = None;
        while let Some((word, more)) = rest.split_once(char::is_whitespace).or(Some((rest, ""))) {
            let Ok(number) = word.parse::<u64>() else {
                break;
            };
            sum = Some(sum.unwrap_or(0.0) + number as f64);
            rest = more.trim_start();
        }
        Some((name.trim(), sum?, rest.trim_end()))
    })
}

/// From `/proc/interrupts`: those of devices, of the clock, and between
/// processors.
fn interrupts(text: &str) -> BTreeMap<&'static str, f64> {
    let mut events = BTreeMap::new();
    for (name, number, what) in table(text) {
        let device = name.bytes().all(|byte| byte.is_ascii_digit());
        let kind = match name {
            "LOC" => "timer_interrupts",
            _ if device && what.ends_with(" timer") => "timer_interrupts",
            _ if device => "interrupts",
            name if BETWEEN_PROCESSORS.contains(&name) => "ipis",
            _ => continue,
        };
        *events.entry(kind).or_default() += number;
    }
    events
}

/// From `/proc/softirqs`, without those of the clock.
fn softirqs(text: &str) -> Option<(&'static str, f64)> {
    let own = table(text).filter(|(name, ..)| !OF_THE_CLOCK.contains(name));
    let numbers: Vec<f64> = own.map(|(_, number, _)| number).collect();
    (!numbers.is_empty()).then(|| ("softirqs", numbers.iter().sum()))
}

/// From `/proc/stat`.
fn context_switches(text: &str) -> Option<(&'static str, f64)> {
    let mut lines = text.lines();
    let number = lines.find_map(|line| line.strip_prefix("ctxt "))?;
    Some(("context_switches", number.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPTS: &str = "            CPU0       CPU1       
   0:         25          0  IO-APIC    2-edge      timer
   4:        100         11  IO-APIC    4-edge      ttyS0
  24:          3          4  PCI-MSI-0000:00:02.0    1-edge      virtio0-requests
 NMI:          0          0   Non-maskable interrupts
 LOC:       1000       2000   Local timer interrupts
 RES:         40         50   Rescheduling interrupts
 CAL:          6          0   Function call interrupts
 TLB:          1          1   TLB shootdowns
 ERR:          9
";

    #[test]
    fn interrupts_are_the_devices_the_clocks_or_between_processors() {
        let expected = [
            ("interrupts", 118.0),
            ("timer_interrupts", 3025.0),
            ("ipis", 98.0),
        ];
        assert_eq!(interrupts(INTERRUPTS), expected.into());
    }

    #[test]
    fn softirqs_of_the_clock_are_left_out() {
        let text =
            "          CPU0   CPU1\n    HI:   1   0\n TIMER:   500   600\n BLOCK:   7   8\n   \
                    RCU:   90   0\n";
        assert_eq!(softirqs(text), Some(("softirqs", 16.0)));
        assert_eq!(softirqs("nothing"), None);
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        assert_eq!(
            context_switches("cpu 1 2\nctxt 4711\n"),
            Some(("context_switches", 4711.0))
        );
        assert_eq!(context_switches("cpu 1 2\n"), None);
        assert!(interrupts("").is_empty());
        let before = Events([("ipis", 3.0), ("softirqs", 1.0)].into());
        let after = Events([("ipis", 13.0), ("doorbells", 5.0)].into());
        let each = after.since(&before).each_of(20.0);
        assert_eq!(each, [("ipis".to_string(), 0.5)].into());
    }

    #[test]
    fn this_machine_switches_contexts() {
        let before = Events::read(None);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let since = Events::read(Some(3)).since(&before);
        assert!(since.0["context_switches"] > 0.0);
        assert!(!since.0.contains_key("doorbells"));
    }
}
