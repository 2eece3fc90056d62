//! `ringfence report`: draws a run again from its samples.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Result};
use ringfence_bench::folder::Recording;
use ringfence_bench::report::{self, published, terminal, Beside};

use crate::output;

/// Writes the report of the run in `path`, with the instructions that the run
/// in `counts` counted and what others published, and prints its table, which
/// says how complete the run is.
pub fn report(path: &Path, counts: Option<&Path>, published: bool) -> Result<ExitCode> {
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
    let published = match published {
        true => published::all(),
        false => Vec::new(),
    };
    let beside = Beside {
        counts: counts.as_ref(),
        published: &published,
    };
    let summary = report::write_beside(&recording, beside, path)?;
    let table = terminal::table(&summary, output::width(), output::color());
    output::print(&format!(
        "{}\nreport: {}\n",
        table.trim_end(),
        path.join("report.html").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
