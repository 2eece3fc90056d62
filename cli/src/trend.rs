//! `ringfence trend`: many runs of the same cases, kernel by kernel.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use ringfence_bench::{report, trend};

use crate::{folder, output};

/// Prints all runs below a folder in the order of their kernels, as tables or
/// as JSON; into the folder `out`, if one is named, goes a page with plots. What
/// does not read is named and skipped; the runs stay as they are.
pub fn trend(dir: &Path, json: bool, out: Option<&Path>) -> Result<ExitCode> {
    let (recordings, skipped) = trend::read_below(dir)?;
    for line in skipped {
        output::complain(&line);
    }
    for recording in &recordings {
        if let Some(first) = recording.complaints.first() {
            let further = match recording.complaints.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let shown = recording.path.display();
            output::complain(&format!("{shown}: {first}{further}"));
        }
    }
    let trend = trend::of(&recordings);
    let page = match out {
        Some(out) => {
            folder::check(out)?;
            Some(report::trend::write(&trend, out)?)
        }
        None => None,
    };
    let mut text = match json {
        true => serde_json::to_string_pretty(&trend)? + "\n",
        false => report::trend::table(&trend, output::width(), output::color()),
    };
    if let (Some(page), false) = (page, json) {
        text.push_str(&format!("page: {}\n", page.display()));
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
