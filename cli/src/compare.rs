//! `ringfence compare`: what changed from one run to another.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Result};
use ringfence_bench::across::{compare as across, Side};
use ringfence_bench::folder::Recording;
use ringfence_bench::report;

use crate::{folder, output};

/// Prints the changes from the run in one folder to that in the other, as
/// tables or as JSON; into the folder `out`, if one is named, goes a page with
/// plots. The runs stay as they are.
pub fn compare(before: &Path, after: &Path, json: bool, out: Option<&Path>) -> Result<ExitCode> {
    let recordings = (Recording::read(before)?, Recording::read(after)?);
    let sides = (Side::of(&recordings.0), Side::of(&recordings.1));
    let across = match across(&sides.0, &sides.1) {
        Ok(across) => across,
        Err(why) => bail!("{} and {}: {why}", before.display(), after.display()),
    };
    let page = match out {
        Some(out) => {
            folder::check(out)?;
            Some(report::across::write(&across, out)?)
        }
        None => None,
    };
    let mut text = match json {
        true => serde_json::to_string_pretty(&across)? + "\n",
        false => report::across::table(&across, output::width(), output::color()),
    };
    if let (Some(page), false) = (page, json) {
        text.push_str(&format!("page: {}\n", page.display()));
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
