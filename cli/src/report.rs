//! `ringfence report`: draws a run again from its samples.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Result};
use ringfence_bench::folder::Recording;
use ringfence_bench::report::published::{self, Published};
use ringfence_bench::report::{self, terminal};

use crate::output;

/// Writes the report of the run in `path`, with what others published, and
/// prints its table, which says how complete the run is.
pub fn report(path: &Path) -> Result<ExitCode> {
    report_beside(path, &published::all())
}

/// The same with `published` beside it, which may be nothing.
pub fn report_beside(path: &Path, published: &[Published]) -> Result<ExitCode> {
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
    let summary = report::write_beside(&recording, path, published)?;
    let table = terminal::table(&summary, output::width(), output::color());
    output::print(&format!(
        "{}\nreport: {}\n",
        table.trim_end(),
        path.join("report.html").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
