//! `ringfence api-map`: who wraps the C API that drivers need, and what
//! changed between kernels.

mod coverage;
mod document;
mod history;

use std::process::ExitCode;

use anyhow::Result;
use ringfence_lab::api_map::{self, Map, ModuleChurn};

use crate::args::ApiMapArguments;
use crate::failure::Usage;
use crate::{output, source};

use document::Part;

/// Prints the map of the labs there are, or of those that were named.
pub fn api_map(arguments: &ApiMapArguments) -> Result<ExitCode> {
    if let Some(name) = &arguments.driver {
        if !api_map::drivers().any(|one| one == name) {
            let known: Vec<&str> = api_map::drivers().collect();
            let known = known.join(", ");
            return Err(Usage::error(format!(
                "--driver {name}: no such driver; there are {known}"
            )));
        }
    }
    let checkout = source::find(arguments.source.as_deref())?;
    let labs = match arguments.lab.is_empty() {
        true => api_map::labs()?,
        false => arguments.lab.clone(),
    };
    let map = api_map::read(&labs, &checkout)?;
    for kernel in &map.kernels {
        for complaint in &kernel.complaints {
            output::complain(&format!("{}: {complaint}", kernel.release));
        }
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&map)? + "\n"
    } else {
        let parts = parts(&map, arguments);
        match arguments.markdown {
            true => document::markdown(&parts),
            false => document::text(&parts, output::width()),
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The document: a driver's names, or the summary and, if all is asked for,
/// every driver's.
fn parts(map: &Map, arguments: &ApiMapArguments) -> Vec<Part> {
    if let Some(driver) = &arguments.driver {
        return coverage::driver(map, driver);
    }
    let mut parts = coverage::summary(map);
    for churn in &map.churn {
        let wanted = |module: &ModuleChurn| arguments.all || arguments.markdown && module.listed;
        parts.extend(history::of(churn, wanted));
    }
    if map.churn.is_empty() {
        parts.push(Part::Text(
            "One kernel is here, so there is nothing to compare it with. Another one's lab is \
             made, as root, by `RINGFENCE_KERNEL=7.2 RINGFENCE_CACHE=$HOME/.cache/ringfence-7.2 \
             ringfence lab up`, and found there or named by --lab."
                .into(),
        ));
    }
    if arguments.all {
        for driver in api_map::drivers() {
            parts.extend(coverage::driver(map, driver));
        }
    } else if !arguments.markdown {
        parts.push(Part::Text(
            "More: `--driver NAME` lists a driver's names with the places that use them, `--all` \
             everything."
                .into(),
        ));
    }
    parts
}

/// A kernel's release without what its distribution added.
fn short(release: &str) -> &str {
    release.split(['+', '-']).next().unwrap_or(release)
}

/// A share in whole percent.
fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => "-".into(),
        _ => format!("{:.0}%", 100.0 * part as f64 / whole as f64),
    }
}
