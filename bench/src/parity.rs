//! Were the subjects made equal? What was read back from each, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::sample::Attributes;

/// Attributes whose difference forbids a verdict.
pub const BLOCKING: &[&str] = &[
    "completion_nsec",
    "hw_queue_depth",
    "hw_queues",
    "interrupt_affinity",
    "interrupts",
    "io_poll",
    "iostats",
    "irqmode",
    "load",
    "logical_block_size",
    "memory_backed",
    "nomerges",
    "nr_requests",
    "poll_queues",
    "queue_entries",
    "queue_pairs",
    "rq_affinity",
    "scheduler",
    "shadow_doorbells",
    "size",
    "wbt_lat_usec",
    "write_cache",
];

/// Blocking attributes that a driver may lack altogether: not to have them is
/// the same as to have them off, so a missing one is only noted.
pub const MAY_BE_MISSING: &[&str] = &["completion_nsec", "memory_backed", "poll_queues"];

/// What stands for a value that was not read.
pub const MISSING: &str = "-";

/// What a difference in an attribute means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It forbids a verdict.
    Blocking,
    /// It is shown beside the verdict.
    Noted,
}

/// One attribute of several subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParityItem {
    /// Its name.
    pub attribute: String,
    /// What a difference in it means.
    pub class: Class,
    /// Its value by subject; [`MISSING`] where it was not read. A value that
    /// changed between boots is written with its boots.
    pub values: BTreeMap<String, String>,
    /// Whether all subjects had the same value (in each boot).
    pub equal: bool,
    /// The subjects whose value is not that of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

impl ParityItem {
    /// Whether it forbids a verdict.
    pub fn blocks(&self) -> bool {
        self.class == Class::Blocking && !self.equal
    }

    /// The difference in words: `scheduler is none for rust, bfq for c`.
    pub fn words(&self) -> String {
        let mut subjects: Vec<(&str, Vec<&str>)> = Vec::new();
        for (subject, value) in &self.values {
            match subjects.iter_mut().find(|(known, _)| known == value) {
                Some((_, of)) => of.push(subject),
                None => subjects.push((value, vec![subject])),
            }
        }
        let values: Vec<String> = subjects
            .iter()
            .map(|(value, of)| format!("{value} for {}", of.join(" and ")))
            .collect();
        format!("{} is {}", self.attribute, values.join(", "))
    }
}

/// Compares what was read back from some subjects, the first of which the
/// others are held against. Differences come first, blocking before noted.
pub fn compare(subjects: &[(&str, &BTreeMap<String, String>)]) -> Vec<ParityItem> {
    let names: BTreeSet<&String> = subjects.iter().flat_map(|(_, map)| map.keys()).collect();
    let mut items: Vec<ParityItem> = names
        .into_iter()
        .map(|name| {
            let value = |map: &BTreeMap<String, String>| map.get(name).cloned();
            let first = subjects.first().and_then(|(_, map)| value(map));
            let differs: Vec<String> = subjects
                .iter()
                .filter(|(_, map)| value(map) != first)
                .map(|(subject, _)| subject.to_string())
                .collect();
            let missing = subjects.iter().any(|(_, map)| !map.contains_key(name));
            ParityItem {
                attribute: name.clone(),
                class: class_of(name, missing),
                values: subjects
                    .iter()
                    .map(|(subject, map)| {
                        let shown = value(map).unwrap_or_else(|| MISSING.into());
                        (subject.to_string(), shown)
                    })
                    .collect(),
                equal: differs.is_empty(),
                differs,
            }
        })
        .collect();
    sort(&mut items);
    items
}

/// Compares what was read back for one case, boot by boot: subjects are equal
/// in an attribute if they are in every boot. `records` may hold other cases'
/// subjects; those not in `subjects` are passed over.
pub fn over_boots<'a>(
    records: impl IntoIterator<Item = &'a Attributes>,
    subjects: &[&str],
) -> Vec<ParityItem> {
    let mut boots: BTreeMap<u32, BTreeMap<&str, &BTreeMap<String, String>>> = BTreeMap::new();
    for record in records {
        for boot in &record.boots {
            boots
                .entry(*boot)
                .or_default()
                .insert(&record.subject, &record.values);
        }
    }
    let mut merged: BTreeMap<String, Merged> = BTreeMap::new();
    for (boot, maps) in boots {
        let present: Vec<(&str, &BTreeMap<String, String>)> = subjects
            .iter()
            .filter_map(|subject| Some((*subject, *maps.get(subject)?)))
            .collect();
        for item in compare(&present) {
            merged
                .entry(item.attribute.clone())
                .or_default()
                .add(boot, item);
        }
    }
    let mut items: Vec<ParityItem> = merged
        .into_iter()
        .map(|(attribute, merged)| merged.item(attribute))
        .collect();
    sort(&mut items);
    items
}

/// One attribute over the boots seen so far.
#[derive(Default)]
struct Merged {
    values: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    blocks: bool,
    differs: BTreeSet<String>,
}

impl Merged {
    fn add(&mut self, boot: u32, item: ParityItem) {
        self.blocks |= item.blocks();
        self.differs.extend(item.differs);
        for (subject, value) in item.values {
            let boots = self.values.entry(subject).or_default();
            boots.entry(value).or_default().push(boot);
        }
    }

    fn item(self, attribute: String) -> ParityItem {
        let equal = self.differs.is_empty();
        let class = match (self.blocks, equal) {
            (true, _) => Class::Blocking,
            (false, true) => class_of(&attribute, false),
            (false, false) => Class::Noted,
        };
        let values = self
            .values
            .into_iter()
            .map(|(subject, by_value)| (subject, shown(by_value)))
            .collect();
        ParityItem {
            attribute,
            class,
            values,
            equal,
            differs: self.differs.into_iter().collect(),
        }
    }
}

/// `none`, or `none (boots 0, 2); bfq (boot 1)` where it changed.
fn shown(by_value: BTreeMap<String, Vec<u32>>) -> String {
    if by_value.len() == 1 {
        return by_value.into_keys().collect();
    }
    let parts: Vec<String> = by_value
        .into_iter()
        .map(|(value, boots)| {
            let word = if boots.len() == 1 { "boot" } else { "boots" };
            let boots: Vec<String> = boots.iter().map(u32::to_string).collect();
            format!("{value} ({word} {})", boots.join(", "))
        })
        .collect();
    parts.join("; ")
}

fn class_of(attribute: &str, missing: bool) -> Class {
    let blocking = BLOCKING.contains(&attribute);
    if blocking && !(missing && MAY_BE_MISSING.contains(&attribute)) {
        Class::Blocking
    } else {
        Class::Noted
    }
}

fn sort(items: &mut [ParityItem]) {
    items.sort_by(|a, b| (a.equal, a.class, &a.attribute).cmp(&(b.equal, b.class, &b.attribute)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseKey;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn differences_come_first_and_blocking_ones_before_noted_ones() {
        let rust = map(&[("compiler", "llvm"), ("scheduler", "none"), ("size", "1g")]);
        let c = map(&[("compiler", "gcc"), ("scheduler", "bfq"), ("size", "1g")]);
        let items = compare(&[("rust", &rust), ("c", &c)]);
        let names: Vec<&str> = items.iter().map(|item| item.attribute.as_str()).collect();
        assert_eq!(names, ["scheduler", "compiler", "size"]);
        assert!(items[0].blocks() && !items[1].blocks() && items[2].equal);
        assert_eq!(items[0].words(), "scheduler is bfq for c, none for rust");
        assert_eq!(items[1].differs, ["c"]);
    }

    #[test]
    fn a_missing_scheduler_blocks_and_missing_poll_queues_are_noted() {
        let rust = map(&[]);
        let c = map(&[("poll_queues", "0"), ("scheduler", "none")]);
        let items = compare(&[("rust", &rust), ("c", &c)]);
        assert_eq!(items[0].attribute, "scheduler");
        assert!(items[0].blocks());
        assert_eq!(items[0].values["rust"], MISSING);
        assert_eq!((items[1].class, items[1].equal), (Class::Noted, false));
    }

    #[test]
    fn poll_queues_that_are_read_and_differ_block() {
        let (rust, c) = (map(&[("poll_queues", "0")]), map(&[("poll_queues", "1")]));
        assert!(compare(&[("rust", &rust), ("c", &c)])[0].blocks());
    }

    #[test]
    fn the_third_subject_is_named_where_only_it_differs() {
        let (a, b) = (
            map(&[("nr_requests", "64")]),
            map(&[("nr_requests", "256")]),
        );
        let items = compare(&[("rust", &a), ("c", &a), ("upstream", &b)]);
        assert_eq!(items[0].differs, ["upstream"]);
    }

    fn record(subject: &str, boots: &[u32], scheduler: &str) -> Attributes {
        Attributes {
            key: CaseKey {
                driver: "nullblk".into(),
                ring: 0,
                case: "x".into(),
            },
            subject: subject.into(),
            boots: boots.to_vec(),
            values: map(&[("scheduler", scheduler)]),
        }
    }

    #[test]
    fn a_difference_in_one_boot_blocks() {
        let records = [
            record("rust", &[0, 1, 2], "none"),
            record("c", &[0, 2], "none"),
            record("c", &[1], "bfq"),
        ];
        let items = over_boots(&records, &["rust", "c"]);
        assert!(items[0].blocks());
        assert_eq!(items[0].values["c"], "bfq (boot 1); none (boots 0, 2)");
        assert_eq!(items[0].values["rust"], "none");
    }

    #[test]
    fn boots_may_differ_from_each_other_if_the_subjects_do_not() {
        let records = [
            record("rust", &[0], "none"),
            record("rust", &[1], "bfq"),
            record("c", &[0], "none"),
            record("c", &[1], "bfq"),
        ];
        assert!(over_boots(&records, &["rust", "c"])[0].equal);
    }
}
