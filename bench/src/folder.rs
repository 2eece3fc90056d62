//! The run folder: `plan.json`, `manifest.json`, `samples.jsonl`, with `--count`
//! `profiles.jsonl`, with `--asm` `asm.json`, and what is derived from them.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::case::CaseKey;
use crate::disassembly::{self, Listing};
use crate::plan::Plan;
use crate::sample::{Attributes, LeftOut, Profile, Sample};

/// What `manifest.json` holds: everything about a run that is neither plan
/// nor sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of `ringfence`.
    pub ringfence: String,
    /// The command line as given.
    pub command: Vec<String>,
    /// Unix time in milliseconds at the start.
    pub started_ms: u64,
    /// Unix time in milliseconds at the end; absent while running and after
    /// an interruption.
    pub ended_ms: Option<u64>,
    /// Why the run ended early, in words.
    pub interrupted: Option<String>,
    /// Per ring: what the launcher says (host, accelerator, command lines).
    pub host: BTreeMap<u8, BTreeMap<String, String>>,
    /// Per ring: what the agents say (`kernel`, `fio`, ...), of the first boot.
    pub guest: BTreeMap<u8, BTreeMap<String, String>>,
    /// Names in `guest` whose value differed in a later boot.
    pub guest_varies: Vec<String>,
    /// What was read back, one record per distinct set of values.
    pub attributes: Vec<Attributes>,
    /// Subjects that cases go without.
    pub left_out: Vec<LeftOut>,
    /// Per ring: after how many boots the plan's target was reached.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reached: BTreeMap<u8, u32>,
}

/// A run folder that is being written.
pub struct RunFolder {
    path: PathBuf,
    manifest: Manifest,
    samples: File,
}

/// A run folder that was read: as much as was there.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where it was read from.
    pub path: PathBuf,
    /// The plan.
    pub plan: Plan,
    /// The manifest; empty if it could not be read.
    pub manifest: Manifest,
    /// The samples that count, in the order in which they were taken.
    pub samples: Vec<Sample>,
    /// Those of the warm-up, which do not.
    pub warm_up: Vec<Sample>,
    /// Where the instructions of samples went, for those that were counted.
    pub profiles: Vec<Profile>,
    /// The machine code of loops, if it was asked for.
    pub listings: Vec<Listing>,
    /// What could not be read, a line each.
    pub complaints: Vec<String>,
}

/// The file that makes a folder a run folder.
pub(crate) const PLAN: &str = "plan.json";
const MANIFEST: &str = "manifest.json";
const SAMPLES: &str = "samples.jsonl";
const PROFILES: &str = "profiles.jsonl";

impl RunFolder {
    /// Makes the folder and writes the plan. The folder must be new or empty.
    pub fn create(path: &Path, plan: &Plan, manifest: Manifest) -> Result<RunFolder> {
        let shown = path.display();
        fs::create_dir_all(path)
            .with_context(|| format!("{shown}: cannot be made; choose a folder with --out"))?;
        let occupied = fs::read_dir(path)
            .with_context(|| format!("{shown}: cannot be read"))?
            .next()
            .is_some();
        if occupied {
            bail!("{shown}: holds something already; choose a new folder with --out");
        }
        write_whole(&path.join(PLAN), &serde_json::to_vec_pretty(plan)?)?;
        let samples = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(path.join(SAMPLES))
            .with_context(|| format!("{shown}: cannot be written; choose a folder with --out"))?;
        let folder = RunFolder {
            path: path.to_path_buf(),
            manifest,
            samples,
        };
        folder.save_manifest()?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes the manifest and writes it.
    pub fn update(&mut self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        change(&mut self.manifest);
        self.save_manifest()
    }

    /// Appends a sample; it has reached the file when this returns.
    pub fn append(&mut self, sample: &Sample) -> Result<()> {
        let mut line = serde_json::to_vec(sample)?;
        line.push(b'\n');
        self.samples
            .write_all(&line)
            .and_then(|()| self.samples.flush())
            .with_context(|| format!("{}: cannot be written", self.path.join(SAMPLES).display()))
    }

    /// Appends a profile to its file, which is made with the first one.
    pub fn append_profile(&mut self, profile: &Profile) -> Result<()> {
        let path = self.path.join(PROFILES);
        let mut line = serde_json::to_vec(profile)?;
        line.push(b'\n');
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&line))
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    fn save_manifest(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.manifest)?;
        write_whole(&self.path.join(MANIFEST), &text)
    }
}

impl Recording {
    /// Reads what is there. Without a plan there is nothing to say; anything
    /// else that is missing or broken becomes a complaint.
    ///
    /// # Errors
    /// If there is no plan, or none that this version reads.
    pub fn read(path: &Path) -> Result<Recording> {
        let shown = path.display();
        if !path.is_dir() {
            bail!("{shown}: no such folder; give the run folder that `bench` named");
        }
        let text = fs::read(path.join(PLAN))
            .with_context(|| format!("{shown}: holds no plan.json, so it is no run folder"))?;
        let plan: Plan = serde_json::from_slice(&text)
            .with_context(|| format!("{shown}/{PLAN}: does not parse"))?;
        if let Err(why) = plan.check() {
            bail!("{shown}/{PLAN}: {why}");
        }
        let mut complaints = Vec::new();
        let manifest = manifest(path, &mut complaints);
        let mut taken = HashSet::new();
        let mut samples: Vec<Sample> = lines(path, SAMPLES, &mut complaints, |sample| {
            of_plan(&plan, sample)?;
            let place = (sample.boot, sample.block, sample.key.clone());
            match taken.insert((place, sample.subject.clone(), sample.metric.clone())) {
                true => Ok(()),
                false => Err("taken already, in an earlier line, which counts"),
            }
        });
        let warm_up = samples.extract_if(.., |sample| sample.warm_up).collect();
        let mut profiles = Vec::new();
        if path.join(PROFILES).exists() {
            profiles = lines(path, PROFILES, &mut complaints, |profile: &Profile| {
                placed(&plan, &profile.key, profile.boot, profile.block)?;
                let counts = profile.functions.iter().map(|one| one.instructions);
                possible(counts)
            });
            profiles.retain(|profile| !plan.warms_up(profile.block));
        }
        let listings = disassembly::read(path).unwrap_or_else(|error| {
            complaints.push(format!("{error:#}"));
            Vec::new()
        });
        Ok(Recording {
            path: path.to_path_buf(),
            plan,
            manifest,
            samples,
            warm_up,
            profiles,
            listings,
            complaints,
        })
    }

    /// The same run as if no block of it had been warm-up.
    #[must_use]
    pub fn with_warm_up(&self) -> Recording {
        let mut all = self.clone();
        all.samples.splice(0..0, all.warm_up.drain(..));
        all
    }
}

/// The manifest, or as much of it as is what it should be.
fn manifest(folder: &Path, complaints: &mut Vec<String>) -> Manifest {
    let map: Map<String, Value> = match fs::read(folder.join(MANIFEST))
        .map_err(anyhow::Error::from)
        .and_then(|text| Ok(serde_json::from_slice(&text)?))
    {
        Ok(map) => map,
        Err(error) => {
            complaints.push(format!("{MANIFEST} is missing or broken: {error}"));
            return Manifest::default();
        }
    };
    if let Ok(manifest) = serde_json::from_value(Value::Object(map.clone())) {
        return manifest;
    }
    // One part after the other takes the place of an empty one.
    let mut manifest = Manifest::default();
    let Ok(Value::Object(empty)) = serde_json::to_value(&manifest) else {
        return manifest;
    };
    for name in empty.keys().filter(|name| !map.contains_key(*name)) {
        complaints.push(format!("{MANIFEST}: {name} is missing"));
    }
    let mut parts = empty;
    for (name, part) in map {
        let before = parts.insert(name.clone(), part);
        match serde_json::from_value(Value::Object(parts.clone())) {
            Ok(whole) => manifest = whole,
            Err(_) => {
                complaints.push(format!(
                    "{MANIFEST}: {} is not what it should be",
                    name.escape_debug()
                ));
                match before {
                    Some(before) => parts.insert(name, before),
                    None => parts.remove(&name),
                };
            }
        }
    }
    manifest
}

/// No figure of a sample is larger, and what is smaller is none. Numbers beyond
/// them are damage, and would leave the range of what follows.
const POSSIBLE: RangeInclusive<f64> = 1e-9..=1e15;

/// Why a sample is of no use for this plan.
fn of_plan(plan: &Plan, sample: &Sample) -> Result<(), &'static str> {
    placed(plan, &sample.key, sample.boot, sample.block)?;
    if sample.warm_up != plan.warms_up(sample.block) {
        return Err("what counts as warm-up is something else by the plan");
    }
    if sample.value < 0.0 {
        return Err("a value below zero");
    }
    possible(
        [sample.value]
            .into_iter()
            .chain(sample.extra.values().copied()),
    )
}

fn placed(plan: &Plan, key: &CaseKey, boot: u32, block: u32) -> Result<(), &'static str> {
    if plan.case(key).is_none() {
        return Err("of no case of this plan");
    }
    if boot >= plan.boots {
        return Err("of a boot that is not of this plan");
    }
    if block >= plan.rounds() {
        return Err("of a block that is not of this plan");
    }
    Ok(())
}

fn possible(mut numbers: impl Iterator<Item = f64>) -> Result<(), &'static str> {
    match numbers.all(|number| number == 0.0 || POSSIBLE.contains(&number.abs())) {
        true => Ok(()),
        false => Err("a number that cannot be"),
    }
}

/// The lines of a file that parse and are of use; each other one is a
/// complaint.
fn lines<T: DeserializeOwned>(
    folder: &Path,
    name: &str,
    complaints: &mut Vec<String>,
    mut of_use: impl FnMut(&T) -> Result<(), &'static str>,
) -> Vec<T> {
    let file = match File::open(folder.join(name)) {
        Ok(file) => file,
        Err(error) => {
            complaints.push(format!("{name} cannot be read: {error}"));
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                complaints.push(format!(
                    "{name} cannot be read from line {number} on: {error}"
                ));
                break;
            }
        };
        let item = serde_json::from_slice::<T>(&line).map_err(|_| "does not parse");
        match item.and_then(|item| of_use(&item).map(|()| item)) {
            Ok(item) => all.push(item),
            Err(why) => complaints.push(format!("{name} line {number}: {why}")),
        }
    }
    all
}

/// Writes a file so that a reader sees the old content or the new, never half.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("part");
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("{}: cannot be written", path.display()))
}
