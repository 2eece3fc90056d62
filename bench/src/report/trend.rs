//! What `trend` says: tables to print, and a page with plots.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::across::Machine;
use crate::statistics::interval::Interval;
use crate::statistics::verdict::Direction;
use crate::trend::{CaseTrend, Row, Run, Step, Trend};

use super::across::place_of;
use super::plot::{steps, Layout};
use super::terminal::{shortened, wrapped, Paint};
use super::{html, words, write_plots};
use crate::folder::write_whole;

/// Columns of kernel and compiler.
const KERNEL: usize = 9;
const COMPILER: usize = 12;

/// All runs in `width` columns (60 at least), with ANSI colours if `color`: the
/// runs by number, what differs from each to the next, and a table a case.
pub fn table(trend: &Trend, width: usize, color: bool) -> String {
    let width = width.clamp(60, 160);
    let paint = Paint { color };
    let mut text = String::new();
    text.push_str(&paint.bold("Runs"));
    text.push('\n');
    for (at, run) in trend.runs.iter().enumerate() {
        wrapped(&mut text, &format!("- {}: {}", at + 1, named(run)), width);
    }
    for step in &trend.steps {
        wrapped(&mut text, &format!("- {}", differs(step)), width);
    }
    for (place, cases) in families(trend) {
        text.push('\n');
        text.push_str(&paint.bold(&place));
        text.push('\n');
        for case in cases {
            text.push('\n');
            case_table(&mut text, trend, case, width, &paint);
        }
    }
    text.push('\n');
    wrapped(
        &mut text,
        "change: first subject against second, with the 95% interval in percent; below each row, \
         indented: the change of that ratio since the run above (Welch, boots as replicates), \
         with its own verdict; `ringfence compare` tells more of two runs",
        width,
    );
    if let Some(warning) = machines(trend) {
        let mut lines = String::new();
        wrapped(&mut lines, &format!("warning: {warning}"), width);
        text.push_str(&paint.yellow(&lines));
    }
    text
}

/// Writes a page and its plots into a folder, which is made if need be; the
/// page's path.
pub fn write(trend: &Trend, folder: &Path) -> Result<PathBuf> {
    let plots = trend.cases.iter().filter(|case| followed(case));
    let plots: Result<Vec<_>> = plots
        .map(|case| steps::plot(trend, case, Layout::Wide))
        .collect();
    write_plots(&plots?, folder)?;
    let path = folder.join("trend.html");
    write_whole(&path, html::trend::page(trend)?.as_bytes())?;
    Ok(path)
}

/// Whether there is more than one run of a case, and so something to draw.
pub(super) fn followed(case: &CaseTrend) -> bool {
    case.rows.len() > 1
}

/// What differs from one run to another, in a line.
pub(super) fn differs(step: &Step) -> String {
    let (before, after) = (step.runs.0 + 1, step.runs.1 + 1);
    let names: Vec<&str> = step.environment.iter().map(|one| &one.name[..]).collect();
    match &step.reason {
        Some(why) => format!("{before} and {after} {why}."),
        None if names.is_empty() => format!("{before} to {after}: nothing recorded differs."),
        None => format!("{before} to {after} differ in: {}.", names.join(", ")),
    }
}

/// What follows where the machines are not known to be the same.
pub(super) fn machines(trend: &Trend) -> Option<&'static str> {
    let mut machines = trend.steps.iter().flat_map(|step| step.machines.values());
    machines.any(|one| *one != Machine::Same).then_some(
        "not all runs are known to be of one machine: means of different machines say nothing of \
         each other, changes of the ratio do.",
    )
}

/// A case through its runs in a sentence or two.
pub(super) fn summary(case: &CaseTrend) -> String {
    let mut told = case.rows.iter().filter(|row| row.headline.is_some());
    let said = |row: &Row| {
        let headline = row.headline.as_ref().map(words::estimate);
        format!("{} in run {}", headline.unwrap_or_default(), row.run + 1)
    };
    let change = match (told.next(), told.next_back()) {
        (None, _) => "no run has a change that may be told".into(),
        (Some(first), None) => format!("{}: {}", pair(first), said(first)),
        (Some(first), Some(last)) => format!("{}: {}, {}", pair(first), said(first), said(last)),
    };
    let steps = case.rows.iter().filter(|row| row.since.is_some()).count();
    let shown: Vec<String> = case
        .rows
        .iter()
        .filter(|row| stepped(row))
        .map(|row| (row.run + 1).to_string())
        .collect();
    let shown = match shown.is_empty() {
        true => "none".into(),
        false => format!("{} (to run {})", shown.len(), shown.join(", ")),
    };
    format!("{change}. Of {steps} steps from run to run, those that show: {shown}.")
}

/// `Rust against C`.
pub(super) fn pair(row: &Row) -> String {
    let pair: Vec<&str> = row.pair.iter().map(|name| words::subject(name)).collect();
    pair.join(" against ")
}

/// Whether the ratio is another one than in the row before, by its 95%
/// interval.
pub(super) fn stepped(row: &Row) -> bool {
    let since = row.since.as_ref();
    since.is_some_and(|since| since.ratio.direction != Direction::None)
}

/// The kernel of a case's run.
pub(super) fn kernel<'a>(trend: &'a Trend, case: &CaseTrend, row: &Row) -> Option<&'a str> {
    let kernel = trend.runs[row.run].kernels.get(&case.key.ring)?;
    Some(kernel)
}

/// A compiler without its details.
pub(super) fn first_word(compiler: &str) -> &str {
    compiler.split([',', '(']).next().unwrap_or("").trim()
}

/// The cases of one ring, driver and metric, under that as a title.
pub(super) fn families(trend: &Trend) -> Vec<(String, Vec<&CaseTrend>)> {
    let mut families: Vec<(String, Vec<&CaseTrend>)> = Vec::new();
    for case in &trend.cases {
        let place = place_of(&case.key, &case.metric, &case.unit);
        match families.iter_mut().find(|(title, _)| *title == place) {
            Some((_, cases)) => cases.push(case),
            None => families.push((place, vec![case])),
        }
    }
    families
}

/// A release without what its distribution added, where that leaves no room.
pub(super) fn short(kernel: &str) -> String {
    let release = kernel.split('+').next().unwrap_or(kernel);
    let parts: Vec<&str> = release.split('-').collect();
    match parts[..] {
        _ if release.chars().count() <= KERNEL => release.into(),
        [number, candidate, ..] if candidate.starts_with("rc") => {
            shortened(&format!("{number}-{candidate}"), KERNEL)
        }
        [number, ..] => shortened(number, KERNEL),
        [] => String::new(),
    }
}

/// `7.3.4+deb13-amd64, runs/a (10 boots)`.
pub(super) fn named(run: &Run) -> String {
    let kernels: Vec<&str> = run.kernels.values().map(String::as_str).collect();
    let kernel = match kernels.is_empty() {
        true => "kernel not recorded".into(),
        false => kernels.join(" and "),
    };
    let plural = if run.boots == 1 { "" } else { "s" };
    let complete = if run.complete { "" } else { ", incomplete" };
    format!(
        "{kernel}, {} ({} boot{plural}{complete})",
        run.folder, run.boots
    )
}

fn case_table(text: &mut String, trend: &Trend, case: &CaseTrend, width: usize, paint: &Paint) {
    let _ = writeln!(text, "{}", shortened(&case.key.case, width));
    let subject = |row: &Row, at: usize| match row.pair.get(at) {
        Some(name) => shortened(words::subject(name), 6),
        None => "-".into(),
    };
    let mut shown: Option<&[String]> = None;
    for row in &case.rows {
        if shown != Some(&row.pair[..]) {
            let head = format!(
                " # {:KERNEL$} {:COMPILER$} {:>6} {:>6} {:>7} {:>15} verdict",
                "kernel",
                "compiler",
                subject(row, 1),
                subject(row, 0),
                "change",
                "95% interval"
            );
            text.push_str(&paint.dim(&head));
            text.push('\n');
            shown = Some(&row.pair);
        }
        let mean = |at: usize| {
            let mean = row.means.get(at).copied().flatten();
            mean.map_or("-".into(), |mean| words::si(mean.mean))
        };
        let change = row.headline.as_ref().map(|headline| headline.mean);
        let interval = row.headline.as_ref().and_then(|one| one.ci95);
        let _ = writeln!(
            text,
            "{:>2} {:KERNEL$} {:COMPILER$} {:>6} {:>6} {} {}",
            row.run + 1,
            kernel(trend, case, row).map_or("-".into(), short),
            row.compiler.as_ref().map_or("-".into(), |compiler| {
                shortened(first_word(compiler), COMPILER)
            }),
            mean(1),
            mean(0),
            change_and_interval(change, interval),
            paint.verdict(row.verdict, words::verdict(row.verdict)),
        );
        if let Some(since) = &row.since {
            let change = since.ratio.shown();
            let _ = writeln!(
                text,
                "{:indent$}{} {}",
                "   the ratio since the run above",
                change_and_interval(
                    change.map(|change| change.mean),
                    change.and_then(|change| change.ci95)
                ),
                paint.verdict(since.ratio.verdict, words::verdict(since.ratio.verdict)),
                indent = 2 + 1 + KERNEL + 1 + COMPILER + 7 + 7 + 1,
            );
        }
    }
}

fn change_and_interval(change: Option<f64>, interval: Option<Interval>) -> String {
    format!(
        "{:>7} {:>15}",
        change.map_or("-".into(), words::percent),
        interval
            .as_ref()
            .map_or("-".into(), words::percent_interval)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_keeps_its_number() {
        for (kernel, text) in [
            ("7.3.4+deb13-amd64", "7.3.4"),
            ("6.18.44-fc-v595", "6.18.44"),
            ("7.4.0-rc2", "7.4.0-rc2"),
            ("6.12.0-rc3-next", "6.12~-rc3"),
        ] {
            assert_eq!(short(kernel), text);
        }
    }
}
