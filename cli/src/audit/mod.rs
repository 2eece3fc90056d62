//! `ringfence audit`: the ledger of lines and unsafe code per folder.

mod c;
mod collect;
mod rust;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::{drivers, output, source};
use collect::Count;

/// The project's own folders.
const FOLDERS: [&str; 8] = [
    "kit",
    "drivers",
    "ring3",
    "ring0/core",
    "ring0/modules",
    "bench",
    "lab",
    "cli",
];

/// Prints the ledger: the project's own folders, and `dirs` beside them.
pub fn audit(dirs: &[PathBuf], given: Option<&Path>) -> Result<ExitCode> {
    let mut others = Vec::new();
    for dir in dirs {
        others.push((dir.display().to_string(), collect::count(dir)?));
    }
    let checkout = match source::find(given) {
        Ok(checkout) => Some(checkout),
        // Other people's source can be counted anywhere.
        Err(_) if !dirs.is_empty() && given.is_none() => None,
        Err(error) => return Err(error),
    };
    let mut own = Vec::new();
    let mut sentences = Vec::new();
    if let Some(checkout) = &checkout {
        for folder in FOLDERS {
            let path = checkout.join(folder);
            let count = if path.exists() {
                collect::count(&path)?
            } else {
                Count::default()
            };
            own.push((folder.to_string(), count));
        }
        for driver in drivers::DRIVERS {
            sentences.extend(shares(checkout, driver)?);
        }
    }
    for (_, count) in own.iter().chain(&others) {
        for complaint in &count.complaints {
            output::complain(complaint);
        }
    }
    output::print(&table::draw(&own, &others, &sentences, output::width()))?;
    Ok(ExitCode::SUCCESS)
}

/// How much of a driver is in its driver crate, a sentence a ring: its lines
/// against those of the ring's glue that is named after it.
fn shares(checkout: &Path, driver: &str) -> Result<Vec<String>> {
    let home = checkout.join("drivers").join(driver);
    let mut sentences = Vec::new();
    if !home.exists() {
        return Ok(sentences);
    }
    let core = collect::count(&home)?.rust;
    let places = [
        (0, vec![format!("ring0/modules/{driver}")]),
        (
            3,
            vec![
                format!("ring3/src/{driver}.rs"),
                format!("ring3/src/{driver}"),
            ],
        ),
    ];
    for (ring, places) in places {
        let mut lines = 0;
        let mut names = Vec::new();
        for place in places {
            let path = checkout.join(&place);
            if path.exists() {
                let count = collect::count(&path)?;
                lines += count.rust + count.c;
                names.push(place);
            }
        }
        if core > 0 && lines > 0 {
            sentences.push(format!(
                "{driver}, ring {ring}: {core} lines of driver, {lines} of glue in {}: \
                 {:.0}% is driver",
                names.join(" and "),
                100.0 * core as f64 / (core + lines) as f64
            ));
        }
    }
    Ok(sentences)
}
