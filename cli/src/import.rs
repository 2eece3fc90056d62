//! `ringfence import`: what fio wrote, as a run folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail, Context, Result};
use ringfence_bench::fio;
use ringfence_bench::folder::RunFolder;
use ringfence_bench::import::{self, Found, Label, NamePattern};

use crate::args::{ImportArguments, Labelled};
use crate::failure::Usage;
use crate::{folder, output, report};

/// Reads all files, then makes the folder and reports on it. A file that does
/// not read leaves nothing behind.
pub fn import(arguments: &ImportArguments) -> Result<ExitCode> {
    let percent = arguments.margin;
    if !(percent > 0.0 && percent < 100.0) {
        return Err(Usage::error(format!(
            "--margin {percent}: must be above 0 and below 100 percent"
        )));
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let driver = &arguments.driver;
    if driver.is_empty() || !driver.chars().all(letter) {
        return Err(Usage::error(format!(
            "--driver {driver:?}: letters, digits, - and _ can name one"
        )));
    }
    let labels = labels(arguments)?;
    let path = arguments.out.clone();
    let path = path.unwrap_or_else(|| folder::default(&[0]));
    folder::check(&path)?;
    let mut found = Vec::new();
    for (label, file) in labels {
        let shown = file.display();
        let bytes = std::fs::read(file).with_context(|| format!("{shown}: cannot be read"))?;
        let loads = fio::read(&String::from_utf8_lossy(&bytes));
        for load in loads.map_err(|why| anyhow!("{shown}: {why}"))? {
            found.push(Found {
                file: shown.to_string(),
                label: label.clone(),
                load,
            });
        }
    }
    let run = match import::run(found, driver, &arguments.subject, percent / 100.0) {
        Ok(run) => run,
        Err(why) => bail!("{why}"),
    };
    let mut manifest = run.manifest;
    manifest.ringfence = env!("CARGO_PKG_VERSION").into();
    manifest.command = std::env::args().collect();
    let mut folder = RunFolder::create(&path, &run.plan, manifest)?;
    for sample in &run.samples {
        folder.append(sample)?;
    }
    output::say(&format!(
        "{} of {} into {}",
        output::count(run.samples.len() as u64, "sample"),
        output::count(run.plan.cases.len() as u64, "case"),
        path.display()
    ));
    report::report(&path, None, true)
}

/// Whose each file is.
fn labels(arguments: &ImportArguments) -> Result<Vec<(Label, &Path)>> {
    let files = &arguments.files;
    let mut seen = BTreeMap::new();
    for Labelled { file, .. } in files.iter() {
        if seen.insert(file, ()).is_some() {
            return Err(Usage::error(format!(
                "{}: is named twice; name each file once",
                file.display()
            )));
        }
    }
    let Some(text) = &arguments.pattern else {
        return files
            .iter()
            .map(|one| {
                let shown = one.file.display();
                let Some(text) = &one.label else {
                    return Err(Usage::error(format!(
                        "{shown}: whose is it? put --as SUBJECT before it, or name a --pattern"
                    )));
                };
                let label = Label::parse(text);
                let label = label.map_err(|why| Usage::error(format!("--as {text}: {why}")))?;
                Ok((label, one.file.as_path()))
            })
            .collect();
    };
    let pattern = NamePattern::parse(text);
    let pattern = pattern.map_err(|why| Usage::error(format!("--pattern {text}: {why}")))?;
    files
        .iter()
        .map(|Labelled { file, .. }| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let label = pattern.label(&name);
            let label =
                label.map_err(|why| Usage::error(format!("{}: {why} {text}", file.display())))?;
            Ok((label, file.as_path()))
        })
        .collect()
}
