//! The tables that `trend` prints.

use std::fmt::Write;

use crate::across::Machine;
use crate::statistics::interval::Interval;
use crate::trend::{CaseTrend, Row, Run, Trend};

use super::across::place_of;
use super::terminal::{shortened, wrapped, Paint};
use super::words;

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
        let (before, after) = (step.runs.0 + 1, step.runs.1 + 1);
        let names: Vec<&str> = step.environment.iter().map(|one| &one.name[..]).collect();
        let line = match &step.reason {
            Some(why) => format!("- {before} and {after} {why}."),
            None if names.is_empty() => format!("- {before} to {after}: nothing recorded differs."),
            None => format!("- {before} to {after} differ in: {}.", names.join(", ")),
        };
        wrapped(&mut text, &line, width);
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
    let machines = trend.steps.iter().flat_map(|step| step.machines.values());
    if machines.into_iter().any(|one| *one != Machine::Same) {
        let mut lines = String::new();
        let warning = "warning: not all runs are known to be of one machine: means of different \
                       machines say nothing of each other, changes of the ratio do.";
        wrapped(&mut lines, warning, width);
        text.push_str(&paint.yellow(&lines));
    }
    text
}

/// The cases of one ring, driver and metric, under that as a title.
fn families(trend: &Trend) -> Vec<(String, Vec<&CaseTrend>)> {
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
fn short(kernel: &str) -> String {
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
fn named(run: &Run) -> String {
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
        let kernel = trend.runs[row.run].kernels.get(&case.key.ring);
        let mean = |at: usize| {
            let mean = row.means.get(at).copied().flatten();
            mean.map_or("-".into(), words::si)
        };
        let change = row.headline.as_ref().map(|headline| headline.mean);
        let interval = row.headline.as_ref().and_then(|one| one.ci95);
        let _ = writeln!(
            text,
            "{:>2} {:KERNEL$} {:COMPILER$} {:>6} {:>6} {} {}",
            row.run + 1,
            kernel.map_or("-".into(), |kernel| short(kernel)),
            row.compiler.as_ref().map_or("-".into(), |compiler| {
                shortened(
                    compiler.split([',', '(']).next().unwrap_or("").trim(),
                    COMPILER,
                )
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
