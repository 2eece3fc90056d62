//! Runs that others took with fio, as run folders.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, CaseKey, Workload};
use crate::fio::Load;
use crate::folder::Manifest;
use crate::plan::{Controls, Plan, WarmUp};
use crate::sample::{Attributes, Sample};
use crate::summary::{EMPTY, IOPS};

pub use pattern::NamePattern;

/// fio drives the kernel's devices.
const RING: u8 = 0;

/// Boots and blocks of a plan, at most.
const MOST: u32 = 10_000;

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The subject.
    pub subject: String,
    /// Its boot, from 0.
    pub boot: u32,
    /// Its block within the boot, from 0; `None` for the next one that its case
    /// has not yet.
    pub block: Option<u32>,
}

impl Label {
    /// A label of parts as they were written; a boot that is not given is 0.
    ///
    /// # Errors
    /// Says in words which part cannot be meant.
    pub fn of(subject: &str, boot: Option<&str>, block: Option<&str>) -> Result<Label, String> {
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if subject.is_empty() || !subject.chars().all(letter) || subject == EMPTY {
            return Err(format!(
                "{subject:?} cannot name a subject; letters, digits, - and _ can"
            ));
        }
        let number = |what: &str, text: Option<&str>| match text {
            None => Ok(None),
            Some(text) => match text.parse::<u32>() {
                Ok(number) if number < MOST => Ok(Some(number)),
                _ => Err(format!("{what} {text:?}: must be a number from 0 to 9999")),
            },
        };
        Ok(Label {
            subject: subject.into(),
            boot: number("boot", boot)?.unwrap_or(0),
            block: number("block", block)?,
        })
    }

    /// `SUBJECT[:BOOT[:BLOCK]]`.
    ///
    /// # Errors
    /// As [`Label::of`].
    pub fn parse(text: &str) -> Result<Label, String> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [subject] => Label::of(subject, None, None),
            [subject, boot] => Label::of(subject, Some(boot), None),
            [subject, boot, block] => Label::of(subject, Some(boot), Some(block)),
            _ => Err(format!("{text:?}: must be SUBJECT[:BOOT[:BLOCK]]")),
        }
    }
}

/// One measurement, whose it is, and from which file.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The file, for messages.
    pub file: String,
    /// Whose.
    pub label: Label,
    /// What fio measured.
    pub load: Load,
}

/// All that a run folder is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The plan that would have asked for these samples.
    pub plan: Plan,
    /// What is known besides: versions of fio, times, the loads' options.
    pub manifest: Manifest,
    /// The samples by time.
    pub samples: Vec<Sample>,
}

/// Makes a run of measurements. `order` are the subjects that come first, in
/// the order in which they are compared; the others follow as they were found.
///
/// # Errors
/// Says in words what cannot be: no measurement, a subject of `order` without
/// any, or two measurements for one case, subject, boot and block.
pub fn run(
    found: Vec<Found>,
    driver: &str,
    order: &[String],
    margin: f64,
) -> Result<Imported, String> {
    let mut subjects: Vec<String> = Vec::new();
    let names = found.iter().map(|one| &one.label.subject);
    for name in order.iter().chain(names) {
        if !subjects.contains(name) {
            subjects.push(name.clone());
        }
    }
    let sampled = |name: &&String| found.iter().any(|one| one.label.subject == **name);
    if let Some(none) = subjects.iter().find(|name| !sampled(name)) {
        return Err(format!("subject {none}: no file is of it"));
    }
    let mut cases: Vec<Case> = Vec::new();
    let mut taken: BTreeMap<(CaseKey, String, u32, u32), String> = BTreeMap::new();
    let mut loads: BTreeMap<(CaseKey, String, u32), BTreeSet<String>> = BTreeMap::new();
    let mut samples: Vec<Sample> = Vec::new();
    for Found { file, label, load } in &found {
        let key = key(&mut cases, driver, load);
        let place = |block| (key.clone(), label.subject.clone(), label.boot, block);
        let free = || (0..MOST).find(|block| !taken.contains_key(&place(*block)));
        let block = label.block.or_else(free);
        let block = block.ok_or(format!("{file}: more than {MOST} blocks of a boot"))?;
        if let Some(other) = taken.insert(place(block), file.clone()) {
            return Err(format!(
                "{file}: {} of {} in boot {} and block {block} is there already, from {other}; \
                 give each file a block of its own, or none",
                key.case, label.subject, label.boot
            ));
        }
        let (key, subject, ..) = place(block);
        let options = loads.entry((key.clone(), subject.clone(), label.boot));
        options.or_default().insert(load.options.clone());
        samples.push(Sample {
            key,
            subject,
            boot: label.boot,
            block,
            warm_up: false,
            place: 0,
            metric: IOPS.into(),
            value: load.iops,
            at_ms: load.at_ms,
            extra: extra(load),
        });
    }
    samples.sort_by_key(|sample| sample.at_ms);
    number_places(&mut samples);
    let most = |of: &dyn Fn(&Sample) -> u32| samples.iter().map(|one| of(one) + 1).max();
    let (Some(boots), Some(blocks)) = (most(&|one| one.boot), most(&|one| one.block)) else {
        return Err("there is no measurement to import".into());
    };
    let versions: BTreeSet<&str> = found.iter().map(|one| one.load.version.as_str()).collect();
    let versions: Vec<&str> = versions
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let mut manifest = Manifest {
        started_ms: samples.first().map_or(0, |sample| sample.at_ms),
        ended_ms: samples.last().map(|sample| sample.at_ms),
        attributes: attributes(loads),
        ..Manifest::default()
    };
    if !versions.is_empty() {
        let fio = [("fio".to_string(), versions.join(", "))].into();
        manifest.guest.insert(RING, fio);
    }
    Ok(Imported {
        plan: Plan {
            version: 1,
            seed: 0,
            subjects: [(RING, subjects)].into(),
            cases,
            boots,
            blocks,
            warm_up: WarmUp::default(),
            margin,
            overrides: BTreeMap::new(),
            quick: false,
            imported: true,
            target: None,
            controls: Controls::default(),
        },
        manifest,
        samples,
    })
}

/// The key of a load's case, which is made where it is new.
fn key(cases: &mut Vec<Case>, driver: &str, load: &Load) -> CaseKey {
    let settings = BTreeMap::new();
    let name = Case::name_of(&load.workload, &settings);
    if let Some(case) = cases.iter_mut().find(|case| case.name == name) {
        case.runtime_ms = case.runtime_ms.max(load.runtime_ms);
        return case.key();
    }
    let case = Case {
        driver: driver.into(),
        ring: RING,
        name,
        workload: Workload::Block(load.workload.clone()),
        settings,
        runtime_ms: load.runtime_ms.max(1),
        ramp_ms: 0,
        operations: None,
    };
    let key = case.key();
    cases.push(case);
    key
}

fn extra(load: &Load) -> BTreeMap<String, f64> {
    let mut extra = BTreeMap::from([
        ("operations".to_string(), load.operations),
        ("runtime_ms".to_string(), load.runtime_ms as f64),
    ]);
    if let Some(mean) = load.lat_ns_mean {
        extra.insert("lat_ns_mean".into(), mean);
    }
    extra
}

/// Places within blocks, by time.
fn number_places(samples: &mut [Sample]) {
    let mut places: BTreeMap<(CaseKey, u32, u32), u32> = BTreeMap::new();
    for sample in samples {
        let block = (sample.key.clone(), sample.boot, sample.block);
        let place = places.entry(block).or_default();
        sample.place = *place;
        *place += 1;
    }
}

/// The options of the loads, which is all that is known of what was equal.
fn attributes(loads: BTreeMap<(CaseKey, String, u32), BTreeSet<String>>) -> Vec<Attributes> {
    let mut all: Vec<Attributes> = Vec::new();
    for ((key, subject, boot), options) in loads {
        let options = Vec::from_iter(options).join(" | ");
        let values: BTreeMap<String, String> = [("load".to_string(), options)].into();
        let same = |one: &&mut Attributes| {
            one.key == key && one.subject == subject && one.values == values
        };
        match all.iter_mut().find(same) {
            Some(record) => record.boots.push(boot),
            None => all.push(Attributes {
                key,
                subject,
                boots: vec![boot],
                values,
            }),
        }
    }
    all
}
