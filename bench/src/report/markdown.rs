//! `summary.md`: the run for a mailing list, plain text in 72 columns.

use std::fmt::Write;

use crate::summary::{derived, CaseSummary, Comparison, Summary, WRAPPED, WRAPPER};

use super::terminal::wrapped;
use super::{attribution, calls, counts, notes, sections, words, Section};

const WIDTH: usize = 72;

/// The page. `folder` is the run folder's name, for the command that draws
/// the report again.
pub fn page(summary: &Summary, folder: &str) -> String {
    let run = &summary.run;
    let mut text = String::from("# Ringfence: what this run says\n\n");
    let sections = sections(summary);
    for section in &sections {
        verdicts(&mut text, summary, section);
    }
    if !run.warnings.is_empty() {
        text.push_str("## Read this first\n\n");
        for warning in &run.warnings {
            wrapped(&mut text, &format!("- {warning}"), WIDTH);
        }
        text.push('\n');
    }
    for section in &sections {
        tables(&mut text, section);
        counts::tables(&mut text, section);
        attribution::markdown(&mut text, section, WIDTH);
        // What is called belongs to cases, not to metrics.
        if !derived(section.metric) {
            calls::table(&mut text, section);
        }
    }
    differences(&mut text, summary);
    environment(&mut text, summary);
    text.push_str("## Method\n\n");
    for sentence in words::method(run) {
        wrapped(&mut text, &format!("- {sentence}"), WIDTH);
    }
    text.push_str("\n## Again\n\n");
    let state = if run.complete {
        "Complete"
    } else {
        "Incomplete"
    };
    wrapped(
        &mut text,
        &format!("{state}: {}.", words::completeness(run)),
        WIDTH,
    );
    text.push('\n');
    if !run.command.is_empty() {
        let seed = run.command.iter().any(|word| word.starts_with("--seed"));
        let _ = write!(text, "    {}", words::command(&run.command));
        if !(seed || run.imported) {
            let _ = write!(text, " --seed {}", run.seed);
        }
        text.push('\n');
    }
    let mut again = ["ringfence", "report", folder].map(String::from).to_vec();
    if let Some(counts) = &run.counts {
        again.extend(["--counts".to_string(), counts.clone()]);
    }
    let _ = writeln!(text, "    {}", words::command(&again));
    text
}

fn verdicts(text: &mut String, summary: &Summary, section: &Section<'_>) {
    let (_, second) = section.pair();
    let main = words::verdict_sentence(section, &summary.run, second, |case| Some(&case.main));
    wrapped(
        text,
        &format!("{}. {main}", words::section_title(section)),
        WIDTH,
    );
    text.push('\n');
    for other in section.others() {
        let beside =
            words::verdict_sentence(section, &summary.run, other, |case| case.against.get(other));
        wrapped(
            text,
            &format!("Beside it, against {other}: {beside}"),
            WIDTH,
        );
        text.push('\n');
    }
    for note in notes::of(section, summary) {
        wrapped(text, &format!("- {note}"), WIDTH);
    }
    text.push('\n');
}

fn tables(text: &mut String, section: &Section<'_>) {
    let (_, second) = section.pair();
    let _ = writeln!(text, "## {}\n", words::section_title(section));
    let first = section.pair().0;
    table(text, section, (first, second), |case| Some(&case.main));
    for other in section.others() {
        table(text, section, (first, other), |case| {
            case.against.get(other)
        });
    }
    if section.has_wrappers() {
        table(text, section, (WRAPPER, WRAPPED), |case| {
            case.wrapper.as_ref()
        });
    }
    let mut said: Vec<(String, &str)> = Vec::new();
    for case in &section.cases {
        let against = case.against.values().filter_map(|c| c.reason.as_ref());
        for reason in case.main.reason.iter().chain(against) {
            said.push((reason.clone(), &case.key.case));
        }
        for left_out in &case.left_out {
            let why = left_out.why.trim_end_matches('.');
            let text = format!("without {}: {why}", left_out.subject);
            said.push((text, &case.key.case));
        }
    }
    let said: Vec<(&str, &str)> = said
        .iter()
        .map(|(what, case)| (what.as_str(), *case))
        .collect();
    let reasons = words::grouped(&said);
    for (reason, cases) in &reasons {
        wrapped(text, &format!("- {cases}: {reason}."), WIDTH);
    }
    if !reasons.is_empty() {
        text.push('\n');
    }
}

fn table<'a>(
    text: &mut String,
    section: &'a Section<'a>,
    (first, other): (&str, &str),
    pick: impl Fn(&'a CaseSummary) -> Option<&'a Comparison>,
) {
    let mean = |case: &CaseSummary, subject: &str| {
        case.subjects
            .get(subject)
            .map_or("-".into(), |subject| words::si(subject.mean))
    };
    let rows: Vec<[String; 5]> = section
        .cases
        .iter()
        .filter_map(|case| {
            let comparison = pick(case)?;
            let beside = words::direction_beside(comparison)
                .map_or(String::new(), |direction| format!(" ({direction})"));
            Some([
                case.key.case.clone(),
                mean(case, other),
                mean(case, first),
                words::headline(comparison.shown()),
                words::verdict(comparison.verdict).to_string() + &beside,
            ])
        })
        .collect();
    let head = [
        "case",
        words::subject(other),
        words::subject(first),
        "headline, 95%",
        "verdict",
    ]
    .map(String::from);
    let mut widths = [0; 5];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = widths.map(|width| "-".repeat(width));
    text.push_str("```\n");
    for [case, b, a, headline, verdict] in [&head, &rule].into_iter().chain(&rows) {
        let [w0, w1, w2, w3, _] = widths;
        let _ = writeln!(
            text,
            "{case:w0$} {b:>w1$} {a:>w2$} {headline:w3$} {verdict}"
        );
    }
    text.push_str("```\n\n");
}

fn differences(text: &mut String, summary: &Summary) {
    let mut lines: Vec<(String, usize)> = Vec::new();
    // What was read back belongs to cases, not to metrics.
    for case in summary.cases.iter().filter(|case| !derived(&case.metric)) {
        for item in case.parity.iter().filter(|item| !item.equal) {
            let class = if item.blocks() { "blocking" } else { "noted" };
            let line = format!("- ring {}, {class}: {}", case.key.ring, item.words());
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, count)) => *count += 1,
                None => lines.push((line, 1)),
            }
        }
    }
    if lines.is_empty() {
        return;
    }
    lines.sort_by_key(|(line, _)| !line.contains(", blocking: "));
    text.push_str("## Differences that were read back\n\n");
    for (line, count) in lines {
        let cases = if count == 1 { "case" } else { "cases" };
        wrapped(text, &format!("{line} ({count} {cases})"), WIDTH);
    }
    text.push('\n');
}

fn environment(text: &mut String, summary: &Summary) {
    text.push_str("## Environment\n\n");
    if !summary.run.ringfence.is_empty() {
        let _ = writeln!(text, "- ringfence {}", summary.run.ringfence);
    }
    for (kind, maps) in [("host", &summary.run.host), ("guest", &summary.run.guest)] {
        for (ring, map) in maps {
            for (name, value) in map {
                wrapped(
                    text,
                    &format!("- ring {ring} {kind} {name}: {value}"),
                    WIDTH,
                );
            }
        }
    }
    text.push('\n');
}
