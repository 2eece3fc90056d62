//! `report.html`: one file that needs nothing else and asks for nothing. Its
//! script filters and sorts; all that it says is there without.

pub mod across;
mod attribution;
mod controls;
mod counts;
mod disassembly;
mod environment;
mod figure;
mod frame;
mod parity;
mod published;
mod samples;
mod tables;
pub mod trend;

use std::fmt::Write;

use anyhow::Result;

use crate::case::CaseKey;
use crate::folder::Recording;
use crate::summary::{CaseSummary, Comparison, Estimate, Summary};

use super::plot::{self, escape, Layout};
use super::published::Published;
use super::taken::Taken;
use super::{notes, sections, words, Section};

/// The page; `others` is what was published elsewhere, to stand beside it.
pub fn page(summary: &Summary, recording: &Recording, others: &[Published]) -> Result<String> {
    let sections = sections(summary);
    let taken = Taken::of(recording);
    let mut html = String::new();
    head(&mut html, summary);
    for section in &sections {
        verdict(&mut html, summary, section);
    }
    let mut titles: Vec<(String, String)> = sections
        .iter()
        .enumerate()
        .map(|(at, section)| (format!("s{at}"), words::section_title(section)))
        .collect();
    titles.extend(controls::title(summary));
    titles.extend(published::title(summary, others));
    titles.extend(counts::titles(summary, recording, &taken));
    let last = [("environment", "Environment"), ("method", "Method")];
    titles.extend(last.map(|(id, title)| (id.to_string(), title.to_string())));
    frame::contents(&mut html, &titles);
    for (number, section) in sections.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section id=\"s{number}\">\n<h2>{}</h2>",
            escape(&words::section_title(section))
        );
        tables::cases(&mut html, section, number);
        plots(&mut html, summary, section, others)?;
        attribution::write(&mut html, section, number);
        samples::write(&mut html, section, &taken, number);
        // What was read back belongs to cases, not to metrics.
        let place = (section.ring, section.driver);
        let before = &sections[..number];
        if !before.iter().any(|one| (one.ring, one.driver) == place) {
            parity::table(&mut html, section);
            tables::left_out(&mut html, section);
            disassembly::write(&mut html, section, recording);
        }
        html.push_str("</section>\n");
    }
    controls::write(&mut html, summary, &sections)?;
    published::write(&mut html, summary, others);
    counts::write(&mut html, summary, recording, &taken);
    environment::write(&mut html, summary);
    frame::method(&mut html, &words::method(&summary.run));
    frame::close(&mut html);
    Ok(html)
}

/// Where a case's samples are: the case at `index` of a section.
fn anchor(section: usize, index: usize) -> String {
    format!("s{section}c{index}")
}

/// What the filter looks for, as an attribute's value: a case and `more`.
fn find(key: &CaseKey, more: &str) -> String {
    let text = format!("ring{} {} {} {more}", key.ring, key.driver, key.case);
    escape(&text.to_lowercase())
}

/// A cell with a change and its interval below it.
fn change_cell(html: &mut String, change: Option<Estimate>) {
    let Some(Estimate { mean, ci95 }) = change else {
        html.push_str("<td class=\"num\">-</td>");
        return;
    };
    let ci95 = ci95.as_ref();
    let _ = write!(
        html,
        "<td class=\"num\" data-v=\"{mean}\">{}<span class=\"small\">{}</span></td>",
        minus(&words::percent(mean)),
        minus(&ci95.map_or("no interval".into(), words::percent_interval))
    );
}

/// Hyphens before numbers as minus signs.
fn minus(text: &str) -> String {
    let mut signed = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let number = letters.peek().is_some_and(char::is_ascii_digit);
        let start = " [>±".contains(before);
        signed.push(if letter == '-' && number && start {
            '−'
        } else {
            letter
        });
        before = letter;
    }
    signed
}

fn head(html: &mut String, summary: &Summary) {
    let run = &summary.run;
    let mut places: Vec<String> = Vec::new();
    for section in sections(summary) {
        let place = words::place(&section);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let title = match places.as_slice() {
        [] => "Ringfence: a run without cases".into(),
        places => format!("Ringfence: {}", places.join("; ")),
    };
    let state = match run.complete {
        true => "Complete",
        false => "Incomplete",
    };
    let seed = match run.imported {
        true => "Imported".into(),
        false => format!("Seed {}", run.seed),
    };
    let about = format!("{state}: {}. {seed}.", words::completeness(run));
    frame::open(html, &title, &about);
    frame::warnings(html, &run.warnings);
}

fn verdict(html: &mut String, summary: &Summary, section: &Section<'_>) {
    let (_, second) = section.pair();
    let main = words::verdict_sentence(section, &summary.run, second, |case| Some(&case.main));
    let _ = writeln!(
        html,
        "<div class=\"verdict\">\n<p><strong>{}.</strong> {}</p>",
        escape(&words::section_title(section)),
        escape(&main)
    );
    for other in section.others() {
        let beside =
            words::verdict_sentence(section, &summary.run, other, |case| case.against.get(other));
        let _ = writeln!(
            html,
            "<p class=\"beside\">Beside it, against {}: {}</p>",
            escape(words::subject(other)),
            escape(&beside)
        );
    }
    for note in notes::of(section, summary) {
        let _ = writeln!(html, "<p class=\"beside\">{}</p>", escape(&minus(&note)));
    }
    html.push_str("</div>\n");
}

/// Each plot twice, for wide and for narrow pages; the style sheet shows one.
fn plots(
    html: &mut String,
    summary: &Summary,
    section: &Section<'_>,
    others: &[Published],
) -> Result<()> {
    let wide = plot::relatives(section, summary, others, Layout::Wide)?;
    let narrow = plot::relatives(section, summary, others, Layout::Narrow)?;
    let (_, second) = section.pair();
    let others = std::iter::once(second).chain(section.others());
    for ((wide, narrow), other) in wide.iter().zip(&narrow).zip(others) {
        let rows: Vec<Vec<String>> = section
            .cases
            .iter()
            .filter_map(|case| {
                let comparison = match other == second {
                    true => &case.main,
                    false => case.against.get(other)?,
                };
                Some(change_row(case, comparison))
            })
            .collect();
        let head = ["case", "change", "95% interval", "verdict", "single boots"];
        figure::twice(html, wide, narrow, &head.map(String::from), &rows);
    }
    let wide = plot::absolute(section, Layout::Wide)?;
    let narrow = plot::absolute(section, Layout::Narrow)?;
    let mut head = vec!["case".to_string()];
    for subject in &section.subjects {
        let name = words::subject(subject);
        head.extend([name.to_string(), format!("{name}, 95% interval")]);
    }
    let rows: Vec<Vec<String>> = section
        .cases
        .iter()
        .map(|case| mean_row(case, &section.subjects))
        .collect();
    figure::twice(html, &wide, &narrow, &head, &rows);
    Ok(())
}

/// What a row of the relative plot shows.
fn change_row(case: &CaseSummary, comparison: &Comparison) -> Vec<String> {
    let mut row = vec![case.key.case.clone()];
    let verdict = words::verdict(comparison.verdict).replace('-', " ");
    match comparison.shown() {
        None => row.extend(["-".into(), "-".into(), verdict, "-".into()]),
        Some(headline) => {
            let ci95 = headline.ci95.as_ref();
            let each: Vec<String> = headline
                .each
                .iter()
                .map(|boot| words::percent(boot.relative))
                .collect();
            row.extend([
                words::percent(headline.mean),
                ci95.map_or("-".into(), words::percent_interval),
                verdict,
                each.join(", "),
            ]);
        }
    }
    row.iter().map(|cell| minus(cell)).collect()
}

/// What a group of bars shows.
fn mean_row(case: &CaseSummary, subjects: &[&str]) -> Vec<String> {
    let mut row = vec![case.key.case.clone()];
    for subject in subjects {
        let found = case.subjects.get(*subject);
        let ci95 = found.and_then(|subject| subject.ci95);
        row.push(found.map_or("-".into(), |subject| words::si_fine(subject.mean)));
        row.push(ci95.map_or("-".into(), |ci95| {
            format!("[{}, {}]", words::si_fine(ci95.lo), words::si_fine(ci95.hi))
        }));
    }
    row
}
