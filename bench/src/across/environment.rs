//! What differs between two runs besides time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::folder::Recording;
use crate::parity::{self, BLOCKING, MISSING};
use crate::plan::Plan;
use crate::sample::Attributes;

/// What the host and the machine under test say that changes from run to run
/// and means nothing.
const PASSED_OVER: [&str; 4] = ["accelerator_why", "agent", "command", "memory"];

/// What tells machines apart.
const MACHINE: [&str; 6] = [
    "accelerator",
    "cores",
    "cpu",
    "cpus",
    "host_cpu",
    "host_cpus",
];

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `ringfence`, `ring 0 kernel`, `ring 0 accelerator (host)`, `scheduler of
    /// rust in 8 cases`.
    pub name: String,
    /// Its value before; `-` where it was not recorded.
    pub before: String,
    /// Its value after.
    pub after: String,
    /// The ring whose machine it tells apart, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<u8>,
}

/// Whether two runs of a ring had the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// Nothing that was recorded tells them apart.
    Same,
    /// Processor, number of processors or accelerator differ.
    Other,
    /// One of the runs did not record its machine.
    Unknown,
}

impl Machine {
    /// Why levels are not compared, in words.
    pub fn words(self) -> &'static str {
        match self {
            Machine::Same => "the machine is the same, as far as it was recorded",
            Machine::Other => "the machines differ, which levels do not survive",
            Machine::Unknown => {
                "which machine it was is not recorded, and levels are the machine's"
            }
        }
    }
}

/// Everything that differs, the machines first.
pub fn differences(before: &Recording, after: &Recording) -> Vec<Difference> {
    let mut all = Vec::new();
    let (old, new) = (&before.manifest, &after.manifest);
    if old.ringfence != new.ringfence {
        all.push(difference(
            "ringfence".into(),
            Some(&old.ringfence),
            Some(&new.ringfence),
        ));
    }
    for ring in rings(before, after) {
        let host = (&old.host, &new.host, " (host)");
        for (old, new, whose) in [host, (&old.guest, &new.guest, "")] {
            let none = BTreeMap::new();
            let old = old.get(&ring).unwrap_or(&none);
            let new = new.get(&ring).unwrap_or(&none);
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let passed_over = PASSED_OVER.contains(&name.as_str());
                if old.get(name) == new.get(name) || passed_over {
                    continue;
                }
                let title = format!("ring {ring} {name}{whose}");
                all.push(Difference {
                    machine: MACHINE.contains(&name.as_str()).then_some(ring),
                    ..difference(title, old.get(name), new.get(name))
                });
            }
        }
    }
    all.sort_by_key(|difference| difference.machine.is_none());
    all.extend(settings(before, after));
    all.extend(read_back(before, after));
    all
}

/// Whether the machine was the same, by ring that both runs have.
pub fn machines(
    before: &Recording,
    after: &Recording,
    differences: &[Difference],
) -> BTreeMap<u8, Machine> {
    let recorded = |recording: &Recording, ring| {
        let maps = [&recording.manifest.host, &recording.manifest.guest];
        let mut maps = maps.into_iter().filter_map(|map| map.get(&ring));
        maps.any(|map| map.keys().any(|name| MACHINE.contains(&name.as_str())))
    };
    let machine = |ring| {
        if !(recorded(before, ring) && recorded(after, ring)) {
            return Machine::Unknown;
        }
        match differences.iter().any(|one| one.machine == Some(ring)) {
            true => Machine::Other,
            false => Machine::Same,
        }
    };
    let rings = rings(before, after).into_iter();
    rings.map(|ring| (ring, machine(ring))).collect()
}

/// The rings of both.
fn rings(before: &Recording, after: &Recording) -> Vec<u8> {
    let after = after.plan.rings();
    let rings = before.plan.rings().into_iter();
    rings.filter(|ring| after.contains(ring)).collect()
}

fn difference(name: String, before: Option<&String>, after: Option<&String>) -> Difference {
    let value = |value: Option<&String>| match value {
        Some(value) if !value.is_empty() => value.clone(),
        _ => MISSING.into(),
    };
    Difference {
        name,
        before: value(before),
        after: value(after),
        machine: None,
    }
}

/// What the plans ask for differently in cases of the same name.
fn settings(before: &Recording, after: &Recording) -> Vec<Difference> {
    let words = |plan: &Plan, case: &Case| {
        let mut words: BTreeMap<String, String> = case.settings.clone();
        words.insert("runtime".into(), format!("{} ms", case.runtime_ms));
        words.insert("ramp".into(), format!("{} ms", case.ramp_ms));
        let blocks = plan.warm_up.blocks;
        words.insert("warm-up".into(), format!("{blocks} blocks"));
        if let Some(operations) = case.operations {
            words.insert("operations".into(), operations.to_string());
        }
        words
    };
    let mut found = Found::default();
    for case in &before.plan.cases {
        if let Some(twin) = after.plan.case(&case.key()) {
            found.add(
                "",
                &words(&before.plan, case),
                &words(&after.plan, twin),
                |_| true,
            );
        }
    }
    found.differences()
}

/// What was read back differently from the same subject in the same case, of
/// that which decides performance.
fn read_back(before: &Recording, after: &Recording) -> Vec<Difference> {
    let mut found = Found::default();
    for case in &before.plan.cases {
        let key = case.key();
        let subjects = before.plan.subjects.get(&case.ring).into_iter().flatten();
        for subject in subjects {
            let values = |recording: &Recording| -> BTreeMap<String, String> {
                let records: Vec<&Attributes> = recording
                    .manifest
                    .attributes
                    .iter()
                    .filter(|record| record.key == key && record.subject == *subject)
                    .collect();
                let items = parity::over_boots(records, &[subject]).into_iter();
                items
                    .filter_map(|mut item| {
                        let value = item.values.remove(subject)?;
                        Some((item.attribute, value))
                    })
                    .collect()
            };
            let (old, new) = (values(before), values(after));
            if !old.is_empty() && !new.is_empty() {
                found.add(subject, &old, &new, |name| BLOCKING.contains(&name));
            }
        }
    }
    found.differences()
}

/// The same differences of many cases, counted: by name, subject and values.
#[derive(Default)]
struct Found {
    cases: BTreeMap<[String; 4], u32>,
}

impl Found {
    fn add(
        &mut self,
        subject: &str,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
        counts: impl Fn(&str) -> bool,
    ) {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            if before.get(name) != after.get(name) && counts(name) {
                let one = difference(name.clone(), before.get(name), after.get(name));
                let kind = [one.name, subject.into(), one.before, one.after];
                *self.cases.entry(kind).or_default() += 1;
            }
        }
    }

    fn differences(self) -> Vec<Difference> {
        let each = self.cases.into_iter();
        each.map(|([name, subject, before, after], cases)| {
            let of = match subject.as_str() {
                "" => String::new(),
                subject => format!(" of {subject}"),
            };
            let plural = if cases == 1 { "" } else { "s" };
            Difference {
                name: format!("{name}{of} in {cases} case{plural}"),
                before,
                after,
                machine: None,
            }
        })
        .collect()
    }
}
