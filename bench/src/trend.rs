//! Many runs of the same cases, in the order of their kernels.

mod version;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

use crate::across::{compare, Across, CaseChange, Difference, Machine, Side};
use crate::case::CaseKey;
use crate::folder::{Recording, PLAN};
use crate::statistics::interval::of_mean;
use crate::statistics::moments::Moments;
use crate::statistics::verdict::{Better, Verdict};
use crate::summary::{CaseSummary, Estimate};

use version::Version;

/// Runs in the order of their kernels, then of their start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// The runs in order: by the kernel of ring 0 where they have one.
    pub runs: Vec<Run>,
    /// From each run to the next one that shares a case with it.
    pub steps: Vec<Step>,
    /// One entry a case and metric.
    pub cases: Vec<CaseTrend>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Where it was read from.
    pub folder: String,
    /// Version of `ringfence` that made it; empty if not recorded.
    pub ringfence: String,
    /// Unix time in milliseconds at the start; 0 if not recorded.
    pub started_ms: u64,
    /// Boots of its plan, for each ring.
    pub boots: u32,
    /// The release of the kernel, by ring; none where it was not recorded.
    pub kernels: BTreeMap<u8, String>,
    /// Whether every sample of the plan is there.
    pub complete: bool,
}

/// From one run to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Places of the two in [`Trend::runs`].
    pub runs: (usize, usize),
    /// What differs between them, as far as it was recorded.
    pub environment: Vec<Difference>,
    /// Whether both ran on the same machine, by ring that both have.
    pub machines: BTreeMap<u8, Machine>,
    /// Why they cannot be compared, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One case in one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseTrend {
    /// Driver, ring and name.
    #[serde(flatten)]
    pub key: CaseKey,
    /// As in `summary.json`.
    pub metric: String,
    /// Unit of the metric.
    pub unit: String,
    /// Which way of it is better.
    pub better: Better,
    /// The runs that have it, in order.
    pub rows: Vec<Row>,
}

/// What one run says of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Place of the run in [`Trend::runs`].
    pub run: usize,
    /// What compiled the first subject; `None` if that was not recorded.
    pub compiler: Option<String>,
    /// The two subjects that are compared.
    pub pair: Vec<String>,
    /// Means of the two over boots with their t intervals, in the metric's
    /// unit; `None` without samples.
    pub means: Vec<Option<Estimate>>,
    /// The headline, where it is comparable.
    pub headline: Option<Estimate>,
    /// The verdict of the run.
    pub verdict: Verdict,
    /// What changed since the row before; `None` in the first one, and where
    /// the runs cannot be compared.
    pub since: Option<CaseChange>,
}

/// The recordings of all run folders right below a folder, or below its
/// folders, by path; and a line on each one that does not read.
///
/// # Errors
/// If the folder cannot be read, is a run folder itself, or holds no run that
/// reads.
pub fn read_below(folder: &Path) -> Result<(Vec<Recording>, Vec<String>)> {
    let shown = folder.display();
    if folder.join(PLAN).exists() {
        bail!("{shown}: is a run folder itself; name the folder that holds several");
    }
    let mut paths = Vec::new();
    for child in folders(folder)
        .with_context(|| format!("{shown}: cannot be read; name a folder that holds run folders"))?
    {
        match child.join(PLAN).exists() {
            true => paths.push(child),
            // One that cannot be listed holds no run that could be read.
            false => paths.extend(folders(&child).unwrap_or_default()),
        }
    }
    paths.retain(|path| path.join(PLAN).exists());
    let (mut recordings, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        match Recording::read(&path) {
            Ok(recording) if recording.samples.is_empty() => {
                skipped.push(format!("{}: skipped, it holds no sample", path.display()));
            }
            Ok(recording) => recordings.push(recording),
            Err(error) => skipped.push(format!("{error:#}; skipped")),
        }
    }
    if recordings.is_empty() {
        bail!("{shown}: holds no run folder that reads; name one that holds what `bench` named");
    }
    Ok((recordings, skipped))
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// Puts runs in order and follows each of their cases.
pub fn of(recordings: &[Recording]) -> Trend {
    let mut sides: Vec<(Run, Side)> = recordings
        .iter()
        .map(|recording| (run(recording), Side::of(recording)))
        .map(|(run, side)| {
            let complete = side.summary.run.complete;
            (Run { complete, ..run }, side)
        })
        .collect();
    sides.sort_by_cached_key(|(run, _)| {
        let kernel = run.kernels.values().next().map(|text| Version::of(text));
        (kernel, run.started_ms, run.folder.clone())
    });
    let mut compared: BTreeMap<(usize, usize), Result<Across, String>> = BTreeMap::new();
    let mut cases: Vec<CaseTrend> = Vec::new();
    let mut known: HashMap<(CaseKey, String), usize> = HashMap::new();
    for (at, (_, side)) in sides.iter().enumerate() {
        for case in &side.summary.cases {
            let name = (case.key.clone(), case.metric.clone());
            let place = *known.entry(name).or_insert(cases.len());
            if place == cases.len() {
                cases.push(CaseTrend {
                    key: case.key.clone(),
                    metric: case.metric.clone(),
                    unit: case.unit.clone(),
                    better: case.better,
                    rows: Vec::new(),
                });
            }
            let rows = &mut cases[place].rows;
            let since = rows.last().map(|last| last.run).and_then(|before| {
                let across = compared
                    .entry((before, at))
                    .or_insert_with(|| compare(&sides[before].1, side));
                let mut changes = across.as_ref().ok()?.cases.iter();
                let same = |one: &&CaseChange| one.key == case.key && one.metric == case.metric;
                changes.find(same).cloned()
            });
            rows.push(row(at, side, case, since));
        }
    }
    Trend {
        runs: sides.into_iter().map(|(run, _)| run).collect(),
        steps: compared
            .into_iter()
            .map(|(runs, across)| match across {
                Ok(across) => Step {
                    runs,
                    environment: across.environment,
                    machines: across.machines,
                    reason: None,
                },
                Err(why) => Step {
                    runs,
                    environment: Vec::new(),
                    machines: BTreeMap::new(),
                    reason: Some(why),
                },
            })
            .collect(),
        cases,
    }
}

fn run(recording: &Recording) -> Run {
    let manifest = &recording.manifest;
    let kernel = |ring: u8| {
        let maps = [&manifest.guest, &manifest.host];
        let mut maps = maps.into_iter().filter_map(|map| map.get(&ring));
        let text = maps.find_map(|map| map.get("kernel"))?;
        Some((ring, text.split_whitespace().next()?.to_string()))
    };
    Run {
        folder: recording.path.display().to_string(),
        ringfence: manifest.ringfence.clone(),
        started_ms: manifest.started_ms,
        boots: recording.plan.boots,
        kernels: recording
            .plan
            .rings()
            .into_iter()
            .filter_map(kernel)
            .collect(),
        complete: true,
    }
}

fn row(run: usize, side: &Side, case: &CaseSummary, since: Option<CaseChange>) -> Row {
    let pair: Vec<&str> = side.subjects(case.key.ring).into_iter().take(2).collect();
    let mean = |subject: &&str| {
        let moments = Moments::of(side.boots(case, subject)?)?;
        Some(Estimate {
            mean: moments.mean,
            ci95: of_mean(&moments, 0.95),
        })
    };
    Row {
        run,
        compiler: pair.first().and_then(|first| side.compiler(case, first)),
        means: pair.iter().map(mean).collect(),
        pair: pair.into_iter().map(String::from).collect(),
        headline: case.main.shown().map(Estimate::from),
        verdict: case.main.verdict,
        since,
    }
}
