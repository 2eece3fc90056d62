//! `report.html`: one file that needs nothing else and asks for nothing. Its
//! script filters and sorts; all that it says is there without.

mod counts;
mod disassembly;
mod environment;
mod figure;
mod parity;
mod samples;
mod tables;

use std::fmt::Write;

use anyhow::Result;

use crate::folder::Recording;
use crate::statistics::verdict::Verdict;
use crate::summary::{CaseSummary, Comparison, Summary};

use super::plot::{self, escape, palette, Layout};
use super::taken::Taken;
use super::{notes, sections, words, Section};
use figure::Table;

const CSS: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The page.
pub fn page(summary: &Summary, recording: &Recording) -> Result<String> {
    let sections = sections(summary);
    let taken = Taken::of(recording);
    let mut html = String::new();
    head(&mut html, summary);
    for section in &sections {
        verdict(&mut html, summary, section);
    }
    html.push_str("</header>\n");
    let counts = counts::titles(summary, recording, &taken);
    contents(&mut html, &sections, &counts);
    html.push_str(FILTER);
    html.push_str("<main id=\"results\" tabindex=\"-1\">\n");
    for (number, section) in sections.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section id=\"s{number}\">\n<h2>{}</h2>",
            escape(&words::section_title(section))
        );
        tables::cases(&mut html, section, number);
        plots(&mut html, summary, section)?;
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
    counts::write(&mut html, summary, recording, &taken);
    environment::write(&mut html, summary);
    method(&mut html, summary);
    let _ = write!(
        html,
        "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    Ok(html)
}

/// The bar that the script fills with life, and shows.
const FILTER: &str = "<div id=\"filter\" role=\"search\" hidden>\n\
    <label for=\"words\">Filter cases</label>\n\
    <input id=\"words\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" \
    placeholder=\"ring 0 randread slower\" aria-describedby=\"how\">\n\
    <button type=\"button\">Open all</button>\n<button type=\"button\">Close all</button>\n\
    <output role=\"status\"></output>\n<p id=\"how\" class=\"note\">Words of a case, driver, ring \
    or verdict; all must match.</p>\n</div>\n";

/// Where a case's samples are: the case at `index` of a section.
fn anchor(section: usize, index: usize) -> String {
    format!("s{section}c{index}")
}

/// What the filter looks for, as an attribute's value.
fn find(section: &Section<'_>, case: &CaseSummary, verdict: Verdict) -> String {
    let text = format!(
        "ring{} {} {} {}",
        section.ring,
        section.driver,
        case.key.case,
        words::verdict(verdict)
    );
    escape(&text.to_lowercase())
}

/// Links to the parts of the page.
fn contents(html: &mut String, sections: &[Section<'_>], counts: &[(String, String)]) {
    html.push_str("<nav aria-label=\"Contents\">\n<ul>\n");
    let titles = sections.iter().enumerate();
    let titles = titles.map(|(at, section)| (format!("s{at}"), words::section_title(section)));
    let last = [("environment", "Environment"), ("method", "Method")];
    let last = last.map(|(id, title)| (id.to_string(), title.to_string()));
    for (id, title) in titles.chain(counts.iter().cloned()).chain(last) {
        let _ = writeln!(html, "<li><a href=\"#{id}\">{}</a></li>", escape(&title));
    }
    html.push_str("</ul>\n</nav>\n");
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
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n\
         <title>{title}</title>\n<style>\n{CSS}{subjects}{dark}\n</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#results\">Skip to the results</a>\n<header>\n\
         <h1>{title}</h1>\n<p class=\"sub\">{state}: {completeness}. {seed}.</p>\n",
        title = escape(&title),
        subjects = palette::subject_variables(),
        dark = palette::dark_rules(),
        state = if run.complete {
            "Complete"
        } else {
            "Incomplete"
        },
        completeness = escape(&words::completeness(run)),
        seed = match run.imported {
            true => "Imported".into(),
            false => format!("Seed {}", run.seed),
        }
    );
    if !run.warnings.is_empty() {
        html.push_str("<aside class=\"warnings\" aria-label=\"Warnings\">\n");
        html.push_str("<strong>Read this first</strong>\n<ul>\n");
        for warning in &run.warnings {
            let _ = writeln!(html, "<li>{}</li>", escape(warning));
        }
        html.push_str("</ul>\n</aside>\n");
    }
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
fn plots(html: &mut String, summary: &Summary, section: &Section<'_>) -> Result<()> {
    let wide = plot::relatives(section, &summary.run, Layout::Wide)?;
    let narrow = plot::relatives(section, &summary.run, Layout::Narrow)?;
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
        let drawings = wide.inline("wide") + &narrow.inline("narrow");
        let table = Table {
            caption: &wide.title,
            head: &head.map(String::from),
            rows: &rows,
        };
        figure::write(html, &drawings, "", &table);
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
    let drawings = wide.inline("wide") + &narrow.inline("narrow");
    let table = Table {
        caption: &wide.title,
        head: &head,
        rows: &rows,
    };
    figure::write(html, &drawings, "", &table);
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

fn method(html: &mut String, summary: &Summary) {
    html.push_str("<section id=\"method\">\n<h2>Method</h2>\n<ul>\n");
    for sentence in words::method(&summary.run) {
        let _ = writeln!(html, "<li>{}</li>", escape(&sentence));
    }
    html.push_str("</ul>\n</section>\n");
}
