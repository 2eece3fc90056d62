//! What another run counted, and whether it is of the same thing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, Result};

use super::{pair, Estimate, EVENTS};
use crate::folder::Recording;
use crate::parity::BLOCKING;
use crate::statistics::interval::{of_mean, Part};
use crate::statistics::moments::Moments;
use crate::summary::{self, CaseSummary};

/// What must be the same of the machines under test, or begin so: kernel and
/// builds.
const BUILD: [&str; 6] = [
    "compiler.",
    "fio",
    "kernel",
    "module.",
    "overflow_checks",
    "sources",
];

/// What must have been read back the same, beside what blocks a verdict.
const READ_BACK: [&str; 2] = ["compiler", "overflow_checks"];

/// Words of a load's command line in which a time and a count differ.
const OF_THE_MEASURE: [&str; 5] = [
    "--cpus_allowed=",
    "--number_ios=",
    "--ramp_time=",
    "--runtime=",
    "--time_based",
];

/// Instructions and events of two subjects in one case, an operation.
pub struct Counted {
    /// Instructions of the first subject.
    pub first: f64,
    /// Instructions of the second.
    pub second: f64,
    /// Their difference over boots.
    pub difference: Estimate,
    /// The first over the second.
    pub ratio: f64,
    /// Boots in which both were counted.
    pub boots: usize,
    /// What was not recorded, in words.
    pub unknown: Option<String>,
    /// By boot: the ratio.
    ratios: Moments,
    /// Events by kind and boot: of the first, of the second.
    events: BTreeMap<&'static str, Vec<[f64; 2]>>,
}

impl Counted {
    /// Events of a kind which the counted boots had, of each subject; their
    /// instructions were counted.
    pub fn events(&self, kind: &str) -> Option<[f64; 2]> {
        let boots = self.events.get(kind)?;
        let mean = |place: usize| {
            let each: Vec<f64> = boots.iter().map(|both| both[place]).collect();
            Moments::of(&each).map(|moments| moments.mean)
        };
        Some([mean(0)?, mean(1)?])
    }

    /// What the ratio's own variation adds to `time` times it.
    pub fn of_ratio(&self, time: f64) -> Option<Part> {
        varies(&self.ratios, time)
    }

    /// What the variation of counted events adds to `price` times their
    /// difference.
    pub fn part_of_events(&self, kind: &str, price: f64) -> Option<Part> {
        let boots = self.events.get(kind)?;
        let each: Vec<f64> = boots.iter().map(|[a, b]| a - b).collect();
        varies(&Moments::of(&each)?, price)
    }
}

fn varies(moments: &Moments, factor: f64) -> Option<Part> {
    Some(Part {
        variance: moments.variance_of_mean()? * factor * factor,
        dof: (moments.n - 1) as f64,
    })
}

/// Whether a run of times and one of counts are of the same kernel and builds;
/// what was not recorded, a sentence each.
///
/// # Errors
/// One line that says what differs.
pub fn agree(times: &Recording, counts: &Recording) -> Result<Vec<String>> {
    let (run, other) = (times.path.display(), counts.path.display());
    if times.plan.counts() {
        bail!("{run}: counts instructions itself; name a run that takes times, and {other} with --counts");
    }
    if !counts.plan.counts() {
        bail!("{other}: counted no instructions; name a run of `bench --count` with --counts");
    }
    if times.plan.target.is_some() {
        bail!("{run}: ended when its intervals were narrow enough, which parts of a difference cannot allow for; take a run without --target-ci");
    }
    let mut notes = Vec::new();
    if times.plan.overrides != counts.plan.overrides {
        bail!(
            "{other}: its settings by subject (--set) are not those of {run}; count with the same"
        );
    }
    let mut same = vec![(
        "ringfence".to_string(),
        &times.manifest.ringfence,
        &counts.manifest.ringfence,
    )];
    let rings: Vec<u8> = times.plan.rings();
    let rings = rings
        .iter()
        .filter(|ring| counts.plan.rings().contains(ring));
    let none = BTreeMap::new();
    for ring in rings {
        let own = times.manifest.guest.get(ring).unwrap_or(&none);
        let its = counts.manifest.guest.get(ring).unwrap_or(&none);
        let names: BTreeSet<&String> = own.keys().chain(its.keys()).collect();
        let mut missing = Vec::new();
        for name in names {
            let built = BUILD.iter().any(|start| name.starts_with(start));
            match (own.get(name), its.get(name)) {
                (Some(own), Some(its)) if built => {
                    same.push((format!("ring {ring} {name}"), own, its));
                }
                (Some(own), Some(its)) if name == "cpu" && own != its => notes.push(format!(
                    "ring {ring}: counted on another processor ({its}), which may take other ways"
                )),
                (Some(_), Some(_)) => {}
                _ if built => missing.push(name.as_str()),
                _ => {}
            }
        }
        let build = |name: &String| name.starts_with("module.") || name == "sources";
        if !own.keys().chain(its.keys()).any(build) {
            missing.push("the driver's build");
        }
        if !missing.is_empty() {
            notes.push(format!(
                "ring {ring}: whether the count is of the same build is not known: not recorded in \
                 both runs: {}",
                missing.join(", ")
            ));
        }
    }
    for (name, own, its) in same {
        if own != its {
            bail!("{other}: {name} is {its}, in {run} it is {own}; take both runs with the same");
        }
    }
    Ok(notes)
}

/// The counts of the first two subjects of a case.
///
/// # Errors
/// Says in words why there are none.
pub fn of(times: &Recording, counts: &Recording, entry: &CaseSummary) -> Result<Counted, String> {
    let key = &entry.key;
    let timed = times.plan.case(key).ok_or("the plan does not have it")?;
    let case = counts.plan.case(key).ok_or("it was not counted")?;
    let pair = pair(times, key.ring).ok_or("there are fewer than two subjects")?;
    if (&timed.workload, &timed.settings) != (&case.workload, &case.settings) {
        return Err("it was counted with another load or other settings".into());
    }
    let mut missing = Vec::new();
    let words = |values: &BTreeSet<String>| {
        let all: Vec<&str> = values.iter().map(String::as_str).collect();
        all.join(" or ")
    };
    for subject in pair {
        let (own, its) = (
            read_back(times, entry, subject),
            read_back(counts, entry, subject),
        );
        let names: BTreeSet<&String> = own.keys().chain(its.keys()).collect();
        let decides = |name: &&&String| {
            BLOCKING.contains(&name.as_str()) || READ_BACK.contains(&name.as_str())
        };
        for name in names.iter().filter(decides) {
            match (own.get(*name), its.get(*name)) {
                (Some(own), Some(its)) if own == its => {}
                (Some(own), Some(its)) => {
                    return Err(format!(
                        "{name} of {subject} is {} where it was counted, and {} here",
                        words(its),
                        words(own)
                    ))
                }
                _ => missing.push(format!("{name} of {subject}")),
            }
        }
    }
    let mut counted = counted(counts, entry, pair)?;
    if !missing.is_empty() {
        counted.unknown = Some(format!(
            "whether the count is of the same settings is not known: not recorded in both runs: {}",
            missing.join(", ")
        ));
    }
    Ok(counted)
}

/// All values of each attribute of a subject in a case.
fn read_back(
    recording: &Recording,
    entry: &CaseSummary,
    subject: &str,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let records = recording.manifest.attributes.iter();
    for record in records.filter(|record| record.key == entry.key && record.subject == subject) {
        for (name, value) in &record.values {
            let value = match name.as_str() {
                "load" => without_measure(value),
                _ => value.clone(),
            };
            all.entry(name.clone()).or_default().insert(value);
        }
    }
    all
}

fn without_measure(load: &str) -> String {
    let of_the_measure = |word: &&str| OF_THE_MEASURE.iter().any(|start| word.starts_with(start));
    let words: Vec<&str> = load
        .split(' ')
        .filter(|word| !of_the_measure(word))
        .collect();
    words.join(" ")
}

fn counted(counts: &Recording, entry: &CaseSummary, pair: [&str; 2]) -> Result<Counted, String> {
    let mut boots: BTreeMap<u32, [Vec<&crate::sample::Sample>; 2]> = BTreeMap::new();
    for sample in &counts.samples {
        let place = pair.iter().position(|subject| *subject == sample.subject);
        let own = sample.key == entry.key && sample.metric == summary::INSTRUCTIONS;
        if let Some(place) = place.filter(|_| own && sample.value > 0.0) {
            boots.entry(sample.boot).or_default()[place].push(sample);
        }
    }
    let both = |samples: &[Vec<_>; 2]| samples.iter().all(|samples| !samples.is_empty());
    let boots: Vec<_> = boots.into_values().filter(both).collect();
    let value = |get: &dyn Fn(&crate::sample::Sample) -> Option<f64>| -> Option<Vec<[f64; 2]>> {
        let mean = |samples: &Vec<&crate::sample::Sample>| {
            let all: Option<Vec<f64>> = samples.iter().map(|sample| get(sample)).collect();
            Some(Moments::of(&all?)?.mean)
        };
        let each = boots.iter();
        each.map(|[a, b]| Some([mean(a)?, mean(b)?])).collect()
    };
    let instructions = value(&|sample| Some(sample.value)).unwrap_or_default();
    let over = |f: &dyn Fn(&[f64; 2]) -> f64| {
        let each: Vec<f64> = instructions.iter().map(f).collect();
        let missing = format!("no boot counted both {} and {}", pair[0], pair[1]);
        Moments::of(&each).ok_or(missing)
    };
    let events = EVENTS.into_iter().filter_map(|kind| {
        let numbers = value(&|sample| sample.extra.get(kind).copied())?;
        Some((kind, numbers))
    });
    let difference = over(&|[a, b]| a - b)?;
    let ratios = over(&|[a, b]| a / b)?;
    Ok(Counted {
        first: over(&|[a, _]| *a)?.mean,
        second: over(&|[_, b]| *b)?.mean,
        difference: Estimate {
            mean: difference.mean,
            ci95: of_mean(&difference, super::LEVEL),
        },
        ratio: ratios.mean,
        boots: boots.len(),
        unknown: None,
        events: events.collect(),
        ratios,
    })
}
