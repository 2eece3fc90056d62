//! Where instructions went: the three parts of each sample, and the functions
//! of the driver.

use std::collections::BTreeMap;

use super::Counts;
use crate::case::CaseKey;
use crate::folder::Recording;
use crate::sample::FunctionCount;

/// The parts of a sample, as `extra` names them.
const PARTS: [&str; 3] = ["user", "kernel", "module"];

/// The counts of a case by subject, means over its samples.
pub fn of(recording: &Recording, key: &CaseKey) -> BTreeMap<String, Counts> {
    let mut all: BTreeMap<String, Counts> = BTreeMap::new();
    let mut samples: BTreeMap<&str, f64> = BTreeMap::new();
    for sample in recording.samples.iter().filter(|s| s.key == *key) {
        let parts = PARTS.map(|part| sample.extra.get(part).copied());
        if let [Some(user), Some(kernel), Some(module)] = parts {
            let counts = all.entry(sample.subject.clone()).or_default();
            counts.user += user;
            counts.kernel += kernel;
            counts.module += module;
            if let Some(model) = sample.extra.get("model") {
                *counts.model.get_or_insert(0.0) += model;
            }
            *samples.entry(&sample.subject).or_default() += 1.0;
        }
    }
    for (subject, counts) in &mut all {
        let samples = samples[subject.as_str()];
        let parts = [&mut counts.user, &mut counts.kernel, &mut counts.module];
        for part in parts.into_iter().chain(&mut counts.model) {
            *part /= samples;
        }
        counts.functions = functions(recording, key, subject);
    }
    all
}

/// The driver's functions, means over the profiles that there are.
fn functions(recording: &Recording, key: &CaseKey, subject: &str) -> Vec<FunctionCount> {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    let mut profiles = 0.0;
    for profile in &recording.profiles {
        if profile.key != *key || profile.subject != subject {
            continue;
        }
        profiles += 1.0;
        for function in profile.functions.iter().filter(|f| f.space == "module") {
            *sums.entry(&function.symbol).or_default() += function.instructions;
        }
    }
    let mut all: Vec<FunctionCount> = sums
        .into_iter()
        .map(|(symbol, sum)| FunctionCount {
            space: "module".into(),
            symbol: symbol.into(),
            instructions: sum / profiles,
        })
        .collect();
    all.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
    all
}
