//! Fault injection, as the kernel's `lib/fault-inject.c` decides it.

use core::fmt::Write;

use crate::settings::{parse, Invalid};

/// When to inject a fault: `interval,probability,space,times`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// Every so many calls (0 and 1: every one).
    pub interval: u64,
    /// In percent, 0..=100.
    pub probability: u64,
    /// Calls that pass before.
    pub space: u64,
    /// How often at most; `None` (written -1) for always.
    pub times: Option<u64>,
}

impl Injection {
    /// Never.
    pub const OFF: Injection = Injection {
        interval: 0,
        probability: 0,
        space: 0,
        times: Some(0),
    };

    /// Whether no call is to fail.
    pub fn is_off(&self) -> bool {
        self.probability == 0 || self.times == Some(0)
    }

    /// Reads the four numbers.
    pub(crate) fn parse(text: &str) -> Result<Injection, Invalid> {
        let mut parts = text.split(',');
        let mut next = || parts.next().ok_or(Invalid);
        let new = Injection {
            interval: parse(next()?)?,
            probability: parse(next()?)?,
            space: parse(next()?)?,
            times: match next()? {
                "-1" => None,
                digits => Some(parse(digits)?),
            },
        };
        if parts.next().is_some() || new.probability > 100 {
            return Err(Invalid);
        }
        Ok(new)
    }

    pub(crate) fn show(&self, out: &mut dyn Write) -> core::fmt::Result {
        write!(
            out,
            "{},{},{},",
            self.interval, self.probability, self.space
        )?;
        match self.times {
            Some(times) => write!(out, "{times}"),
            None => write!(out, "-1"),
        }
    }
}

/// An injection under way.
#[derive(Debug)]
pub(crate) struct Fault {
    left: Injection,
    calls: u64,
    random: u32,
}

impl Fault {
    /// Faults with different seeds do not go together; a seed is not 0.
    pub(crate) fn new(injection: Injection, seed: u32) -> Fault {
        Fault {
            left: injection,
            calls: 0,
            random: seed,
        }
    }

    /// Whether this call is to fail (`should_fail`, size 1).
    pub(crate) fn fails(&mut self) -> bool {
        if self.left.is_off() {
            return false;
        }
        if self.left.space > 1 {
            self.left.space = self.left.space.saturating_sub(1);
            return false;
        }
        if self.left.interval > 1 {
            self.calls = self.calls.wrapping_add(1);
            if self.calls % self.left.interval != 0 {
                return false;
            }
        }
        if self.left.probability <= u64::from(self.next_random() % 100) {
            return false;
        }
        if let Some(times) = &mut self.left.times {
            *times = times.saturating_sub(1);
        }
        true
    }

    /// xorshift32 (Marsaglia 2003): repeatable, and good enough to toss coins.
    fn next_random(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, calls: usize) -> usize {
        let mut fault = Fault::new(Injection::parse(text).unwrap(), 1);
        (0..calls).filter(|_| fault.fails()).count()
    }

    #[test]
    fn interval_space_and_times_are_those_of_the_kernel() {
        assert_eq!(count("1,100,0,-1", 50), 50);
        assert_eq!(count("5,100,0,-1", 50), 10);
        assert_eq!(count("1,100,11,-1", 50), 40);
        assert_eq!(count("1,100,0,3", 50), 3);
        assert_eq!(count("1,0,0,-1", 50), 0);
        let half = count("1,50,0,-1", 10_000);
        assert!((4500..5500).contains(&half), "{half}");
    }

    #[test]
    fn what_is_not_four_numbers_is_invalid() {
        for text in [
            "",
            "1",
            "1,2,3",
            "1,2,3,4,5",
            "1,101,0,1",
            ",,,",
            "1,1,1,",
            "a,1,1,1",
            "1,1,1,-2",
        ] {
            assert_eq!(Injection::parse(text), Err(Invalid), "{text:?}");
        }
    }
}
