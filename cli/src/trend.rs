//! `ringfence trend`: many runs of the same cases, kernel by kernel.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use ringfence_bench::{report, trend};

use crate::output;

/// Prints all runs below a folder in the order of their kernels, as tables or
/// as JSON. What does not read is named and skipped; nothing is written.
pub fn trend(folder: &Path, json: bool) -> Result<ExitCode> {
    let (recordings, skipped) = trend::read_below(folder)?;
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
    let text = match json {
        true => serde_json::to_string_pretty(&trend)? + "\n",
        false => report::trend::table(&trend, output::width(), output::color()),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
