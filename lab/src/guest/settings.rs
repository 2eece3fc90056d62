//! From a case's settings to what is written where.

use std::collections::BTreeMap;

use anyhow::{bail, Result};
use ringfence_bench::case::Case;

/// Settings in the driver's configfs directory.
const DRIVER: [&str; 6] = [
    "size",
    "blocksize",
    "submit_queues",
    "hw_queue_depth",
    "irqmode",
    "poll_queues",
];

/// Queue attributes, in the order in which they are written: a scheduler
/// brings its own `nr_requests`.
const QUEUE: [&str; 7] = [
    "scheduler",
    "nr_requests",
    "iostats",
    "nomerges",
    "rq_affinity",
    "max_sectors_kb",
    "write_cache",
];

/// What one subject gets for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For configfs, before power.
    pub driver: BTreeMap<&'static str, String>,
    /// For the queue, after it; in writing order.
    pub queue: Vec<(&'static str, String)>,
}

impl Settings {
    /// The case's settings with `overrides` on top and defaults below.
    ///
    /// The defaults are those that every subject can have (`upstream` has one
    /// queue of depth 256), and a queue that does as little as possible:
    /// no scheduler, no statistics, no merging.
    pub fn of(case: &Case, overrides: &BTreeMap<String, String>) -> Result<Settings> {
        let mut driver = BTreeMap::new();
        let mut queue = BTreeMap::new();
        for (name, value) in case.settings.iter().chain(overrides) {
            if let Some(name) = known(&DRIVER, name) {
                driver.insert(name, value.clone());
            } else if let Some(name) = known(&QUEUE, name) {
                queue.insert(name, value.clone());
            } else {
                bail!(
                    "ring 0: nullblk has no setting {name}; there are {}, {}",
                    DRIVER.join(", "),
                    QUEUE.join(", ")
                );
            }
        }
        let blocks = if case.block()?.block_size.is_multiple_of(4096) {
            "4096"
        } else {
            "512"
        };
        for (name, value) in [
            ("size", "4096"),
            ("blocksize", blocks),
            ("submit_queues", "1"),
            ("hw_queue_depth", "256"),
            ("irqmode", "0"),
        ] {
            driver.entry(name).or_insert_with(|| value.to_string());
        }
        let depth = driver["hw_queue_depth"].clone();
        for (name, value) in [
            ("scheduler", "none"),
            ("nr_requests", depth.as_str()),
            ("iostats", "0"),
            ("nomerges", "2"),
            ("rq_affinity", "1"),
        ] {
            queue.entry(name).or_insert_with(|| value.to_string());
        }
        let queue = QUEUE
            .iter()
            .filter_map(|name| queue.remove(name).map(|value| (*name, value)))
            .collect();
        Ok(Settings { driver, queue })
    }
}

fn known(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().copied().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use ringfence_bench::case::{BlockLoad, Engine, Pattern, Workload};

    use super::*;

    fn case(block_size: u64, settings: &[(&str, &str)]) -> Case {
        Case {
            driver: "nullblk".into(),
            ring: 0,
            name: "x".into(),
            workload: Workload::Block(BlockLoad {
                pattern: Pattern::RandRead,
                block_size,
                depth: 1,
                jobs: 1,
                engine: Engine::IoUring,
            }),
            settings: settings
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            runtime_ms: 1,
            ramp_ms: 0,
            operations: None,
        }
    }

    #[test]
    fn defaults_are_what_every_subject_can_have() {
        let settings = Settings::of(&case(4096, &[("irqmode", "1")]), &BTreeMap::new()).unwrap();
        assert_eq!(settings.driver["irqmode"], "1");
        assert_eq!(settings.driver["submit_queues"], "1");
        assert_eq!(settings.driver["hw_queue_depth"], "256");
        assert_eq!(settings.driver["blocksize"], "4096");
        assert_eq!(settings.queue[0], ("scheduler", "none".to_string()));
        assert_eq!(settings.queue[1], ("nr_requests", "256".to_string()));
    }

    #[test]
    fn operations_below_a_page_get_a_block_size_that_allows_them() {
        let settings = Settings::of(&case(512, &[]), &BTreeMap::new()).unwrap();
        assert_eq!(settings.driver["blocksize"], "512");
    }

    #[test]
    fn overrides_win_and_the_requests_follow_the_depth() {
        let overrides = BTreeMap::from([
            ("hw_queue_depth".to_string(), "64".to_string()),
            ("scheduler".to_string(), "mq-deadline".to_string()),
        ]);
        let case = case(4096, &[("hw_queue_depth", "128")]);
        let settings = Settings::of(&case, &overrides).unwrap();
        assert_eq!(settings.driver["hw_queue_depth"], "64");
        assert_eq!(settings.queue[0].1, "mq-deadline");
        assert_eq!(settings.queue[1].1, "64");
    }

    #[test]
    fn an_unknown_setting_is_named_with_those_that_are_known() {
        let error = Settings::of(&case(4096, &[("depth", "1")]), &BTreeMap::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no setting depth") && error.contains("hw_queue_depth"));
    }
}
