//! Context switches of a thread, as the kernel counts them.

/// How often a thread was taken off its processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Because it waited.
    pub voluntary: u64,
    /// Because another one was to run.
    pub involuntary: u64,
}

impl Switches {
    /// Those of this thread so far, what `getrusage` calls `ru_nvcsw` and
    /// `ru_nivcsw`; `None` where the kernel does not tell.
    pub fn of_this_thread() -> Option<Switches> {
        Switches::parse(&std::fs::read_to_string("/proc/thread-self/status").ok()?)
    }

    /// Those since `before`.
    pub fn since(self, before: Switches) -> Switches {
        Switches {
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            involuntary: self.involuntary.saturating_sub(before.involuntary),
        }
    }

    /// Those of two threads.
    pub fn and(self, other: Switches) -> Switches {
        Switches {
            voluntary: self.voluntary + other.voluntary,
            involuntary: self.involuntary + other.involuntary,
        }
    }

    fn parse(status: &str) -> Option<Switches> {
        let number = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value?.trim().parse().ok()
        };
        Some(Switches {
            voluntary: number("voluntary_ctxt_switches")?,
            involuntary: number("nonvoluntary_ctxt_switches")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_are_told_apart() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t15\nnonvoluntary_ctxt_switches:\t4\n";
        let expected = Switches {
            voluntary: 15,
            involuntary: 4,
        };
        assert_eq!(Switches::parse(status), Some(expected));
        assert_eq!(Switches::parse("Name:\tx\n"), None);
    }

    #[test]
    fn a_thread_that_sleeps_is_switched() {
        let before = Switches::of_this_thread().expect("Linux tells");
        std::thread::sleep(std::time::Duration::from_millis(2));
        let since = Switches::of_this_thread().expect("told").since(before);
        assert!(since.voluntary >= 1, "{since:?}");
    }
}
