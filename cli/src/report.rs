//! `ringfence report`: draws a run again from its samples.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Result};
use ringfence_bench::folder::Recording;

use crate::output;

/// Writes the report of the run in `path`, with the instructions that the run
/// in `counts` counted, and prints its table, which says how complete the run
/// is.
pub fn report(path: &Path, counts: Option<&Path>) -> Result<ExitCode> {
    let recording = Recording::read(path)?;
    for complaint in &recording.complaints {
        output::complain(&format!("{}: {complaint}", path.display()));
    }
    if recording.samples.is_empty() {
        bail!(
            "{}: holds no sample yet, so there is nothing to report",
            path.display()
        );
    }
    let counts = counts.map(Recording::read).transpose()?;
    let summary = ringfence_bench::report::write_joined(&recording, counts.as_ref(), path)?;
    let table =
        ringfence_bench::report::terminal::table(&summary, output::width(), output::color());
    output::print(&format!(
        "{}\nreport: {}\n",
        table.trim_end(),
        path.join("report.html").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
