//! What `compare` says: tables to print, and a page with plots.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::across::{Across, CaseChange, Difference, Judged, Machine};
use crate::case::CaseKey;
use crate::statistics::verdict::{Direction, Verdict};
use crate::summary::Estimate;

use super::plot::{change, Layout};
use super::terminal::{shortened, wrapped, Paint};
use super::{html, words, write_plots};
use crate::folder::write_whole;

/// Columns besides the case's name, with the spaces before them: before, after,
/// change, interval, verdict.
const FIXED: usize = 8 + 8 + 8 + 16 + 15;

/// Two runs in `width` columns (60 at least), with ANSI colours if `color`:
/// what differs between them, the changes of ratios, those of levels, and what
/// is to be known beside them.
pub fn table(across: &Across, width: usize, color: bool) -> String {
    let width = width.clamp(60, 160);
    let paint = Paint { color };
    let mut text = String::new();
    for (word, run) in [("before:", &across.before), ("after: ", &across.after)] {
        let plural = if run.boots == 1 { "" } else { "s" };
        let folder = shortened(&run.folder, width - 24);
        let _ = writeln!(text, "{word} {folder} ({} boot{plural})", run.boots);
    }
    text.push('\n');
    environment(&mut text, across, width, &paint);
    let mut starred = false;
    let mut reasons = Vec::new();
    for family in families(across) {
        text.push('\n');
        starred |= ratios(&mut text, &family, width, &paint);
        starred |= levels(&mut text, &family, width, &paint);
        if let Some(note) = many(&family) {
            text.push('\n');
            wrapped(&mut text, &note, width);
        }
        for case in family {
            let levels = case.levels.values().map(|level| &level.change);
            let judged = [&case.ratio].into_iter().chain(levels);
            reasons.extend(judged.filter_map(|one| Some((one.reason.as_deref()?, name(case)))));
        }
    }
    text.push('\n');
    for (reason, cases) in words::grouped(&reasons) {
        wrapped(&mut text, &format!("- {cases}: {reason}."), width);
    }
    for (word, keys) in [
        ("before", &across.only_before),
        ("after", &across.only_after),
    ] {
        let names: Vec<&str> = keys.iter().map(|key| key.case.as_str()).collect();
        if !names.is_empty() {
            let names = words::case_list(&names);
            wrapped(
                &mut text,
                &format!("- only in the run {word}: {names}."),
                width,
            );
        }
    }
    let legend = format!(
        "change: from the run before to the run after, with its 95% interval in percent (Welch, \
         boots as replicates); equivalent: within {}",
        words::margin(across.margin)
    );
    wrapped(&mut text, &legend, width);
    if starred {
        let star = "*: equivalent, and yet the 95% interval excludes zero";
        wrapped(&mut text, star, width);
    }
    for warning in &across.warnings {
        let mut lines = String::new();
        wrapped(&mut lines, &format!("warning: {warning}"), width);
        text.push_str(&paint.yellow(&lines));
    }
    text
}

/// Writes a page and its plots into a folder, which is made if need be; the
/// page's path.
pub fn write(across: &Across, folder: &Path) -> Result<PathBuf> {
    let mut plots = Vec::new();
    for family in families(across) {
        plots.push(change::ratios(&family, across.margin, Layout::Wide)?);
        plots.extend(change::levels(&family, across.margin, Layout::Wide)?);
    }
    write_plots(&plots, folder)?;
    let path = folder.join("compare.html");
    write_whole(&path, html::across::page(across)?.as_bytes())?;
    Ok(path)
}

/// The cases of one ring, driver and metric; never empty.
pub(super) fn families(across: &Across) -> Vec<Vec<&CaseChange>> {
    let mut families: Vec<Vec<&CaseChange>> = Vec::new();
    let kind = |case: &CaseChange| (case.key.ring, case.key.driver.clone(), case.metric.clone());
    for case in &across.cases {
        match families.iter_mut().find(|one| kind(one[0]) == kind(case)) {
            Some(family) => family.push(case),
            None => families.push(vec![case]),
        }
    }
    families
}

fn environment(text: &mut String, across: &Across, width: usize, paint: &Paint) {
    if across.environment.is_empty() {
        wrapped(text, "Nothing that was recorded differs.", width);
    } else {
        text.push_str(&paint.bold("What differs"));
        text.push('\n');
    }
    for Difference {
        name,
        before,
        after,
        ..
    } in &across.environment
    {
        wrapped(text, &format!("- {name}: {before} -> {after}"), width);
    }
    for sentence in machines(across) {
        text.push_str(&paint.yellow(&lines(&sentence, width)));
    }
}

/// What follows where the machines are not known to be the same.
pub(super) fn machines(across: &Across) -> Vec<String> {
    let sentence = |(ring, machine): (&u8, &Machine)| match machine {
        Machine::Same => None,
        Machine::Other => Some(format!(
            "Ring {ring} ran on another machine: ratios of subjects may be compared, since what \
             a machine does to both cancels out; levels may not."
        )),
        Machine::Unknown => Some(format!(
            "Which machine ring {ring} ran on is not recorded: ratios of subjects may be \
             compared, levels may not."
        )),
    };
    across.machines.iter().filter_map(sentence).collect()
}

fn lines(line: &str, width: usize) -> String {
    let mut text = String::new();
    wrapped(&mut text, line, width);
    text
}

/// The ratio of the pair; whether an equivalent case has a direction.
fn ratios(text: &mut String, family: &[&CaseChange], width: usize, paint: &Paint) -> bool {
    let case = family[0];
    let against: Vec<&str> = case.pair.iter().map(|name| words::subject(name)).collect();
    let title = format!("{}, {}", place(case), against.join(" against "));
    let rows = family.iter().map(|case| {
        let value = |estimate: &Option<Estimate>| {
            let mean = estimate.as_ref().map(|one| words::percent(one.mean));
            mean.unwrap_or("-".into())
        };
        let values = [value(&case.before), value(&case.after)];
        (name(case), values, &case.ratio)
    });
    rows_table(text, &title, rows.collect(), width, paint)
}

/// The subjects of a family that are in both runs, those of the pair first.
pub(super) fn subjects<'a>(family: &[&'a CaseChange]) -> Vec<&'a str> {
    let mut subjects: Vec<&str> = Vec::new();
    for subject in family.iter().flat_map(|case| case.levels.keys()) {
        if !subjects.contains(&subject.as_str()) {
            subjects.push(subject);
        }
    }
    subjects.sort_by_key(|subject| {
        let mut pair = family[0].pair.iter();
        pair.position(|one| one == subject).unwrap_or(9)
    });
    subjects
}

/// A change that may be told.
pub(super) fn shown(judged: &Judged) -> Option<Estimate> {
    judged.shown().map(|change| Estimate {
        mean: change.mean,
        ci95: change.ci95,
    })
}

/// The verdicts on some changes in a sentence.
pub(super) fn sentence<'a>(judged: impl Iterator<Item = &'a Judged>) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut all = 0;
    for one in judged {
        let word = words::verdict(one.verdict);
        all += 1;
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {}", word.replace('-', " ")))
        .collect();
    let plural = if all == 1 { "" } else { "s" };
    format!("Of {all} change{plural}: {}.", counts.join(", "))
}

/// Each subject by itself.
fn levels(text: &mut String, family: &[&CaseChange], width: usize, paint: &Paint) -> bool {
    let mut starred = false;
    for subject in subjects(family) {
        let rows = family.iter().filter_map(|case| {
            let level = case.levels.get(subject)?;
            let value = |mean: Option<f64>| mean.map_or("-".into(), words::si);
            let values = [value(level.before), value(level.after)];
            Some((name(case), values, &level.change))
        });
        text.push('\n');
        let title = format!("{} of {} alone", place(family[0]), words::subject(subject));
        starred |= rows_table(text, &title, rows.collect(), width, paint);
    }
    starred
}

fn rows_table(
    text: &mut String,
    title: &str,
    rows: Vec<(&str, [String; 2], &Judged)>,
    width: usize,
    paint: &Paint,
) -> bool {
    text.push_str(&paint.bold(title));
    text.push('\n');
    let longest = rows.iter().map(|(name, ..)| name.chars().count()).max();
    let room = width - FIXED;
    let wide = longest.unwrap_or(0).clamp(room.min(20), room);
    let head = format!(
        "{:wide$} {:>7} {:>7} {:>7} {:>15} verdict",
        "case", "before", "after", "change", "95% interval"
    );
    text.push_str(&paint.dim(&head));
    text.push('\n');
    let mut starred = false;
    for (name, [before, after], judged) in rows {
        let star = judged.verdict == Verdict::Equivalent && judged.direction != Direction::None;
        starred |= star;
        let change = judged.shown();
        let _ = writeln!(
            text,
            "{:wide$} {before:>7} {after:>7} {:>7} {:>15} {}{}",
            shortened(name, wide),
            change.map_or("-".into(), |change| words::percent(change.mean)),
            change
                .and_then(|change| change.ci95.as_ref())
                .map_or("-".into(), words::percent_interval),
            paint.verdict(judged.verdict, words::verdict(judged.verdict)),
            if star { "*" } else { "" }
        );
    }
    starred
}

/// What is left of the changes of ratios among so many.
pub(super) fn many(family: &[&CaseChange]) -> Option<String> {
    let among: Vec<_> = family.iter().filter_map(|case| case.among_many).collect();
    let comparisons = among.first()?.comparisons;
    let count = |below: &dyn Fn(&crate::summary::AmongMany) -> f64| {
        among.iter().filter(|one| below(one) < 0.05).count()
    };
    (comparisons > 1).then(|| {
        format!(
            "Of {comparisons} changes of a ratio {} show at 5% each, {} in a list of which 5% \
             may be wrong (Benjamini and Hochberg), {} as claims of which none may be (Holm).",
            count(&|one| one.p),
            count(&|one| one.listed),
            count(&|one| one.holm),
        )
    })
}

fn name(case: &CaseChange) -> &str {
    &case.key.case
}

/// `Ring 0, nullblk: IOPS`.
pub(super) fn place_of(key: &CaseKey, metric: &str, unit: &str) -> String {
    format!(
        "Ring {}, {}: {}",
        key.ring,
        key.driver,
        words::metric_and_unit(&key.driver, metric, unit)
    )
}

pub(super) fn place(case: &CaseChange) -> String {
    place_of(&case.key, &case.metric, &case.unit)
}
