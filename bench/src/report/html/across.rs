//! The page of `compare`: what changed from one run to another.

use std::fmt::Write;

use anyhow::Result;

use super::{change_cell, figure, find, frame, minus};
use crate::across::{Across, CaseChange, Judged, RunName};
use crate::report::across::{families, machines, many, place, sentence, shown, subjects};
use crate::report::plot::{change, escape, Layout};
use crate::report::words;
use crate::statistics::verdict::{Direction, Verdict};
use crate::summary::Estimate;

/// The page.
pub fn page(across: &Across) -> Result<String> {
    let families = families(across);
    let mut html = String::new();
    let title = "Ringfence: what changed from run to run";
    let about = format!(
        "Before: {}. After: {}.",
        named(&across.before),
        named(&across.after)
    );
    frame::open(&mut html, title, &about);
    let warnings: Vec<String> = machines(across)
        .into_iter()
        .chain(across.warnings.iter().cloned())
        .collect();
    frame::warnings(&mut html, &warnings);
    for family in &families {
        verdict(&mut html, family);
    }
    let titles = families.iter().enumerate();
    let mut titles: Vec<(String, String)> = titles
        .map(|(at, family)| (format!("s{at}"), place(family[0])))
        .collect();
    titles.push(("differs".into(), "What differs".into()));
    titles.push(("method".into(), "Method".into()));
    frame::contents(&mut html, &titles);
    for (at, family) in families.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section id=\"s{at}\">\n<h2>{}</h2>",
            escape(&place(family[0]))
        );
        ratios(&mut html, across, family)?;
        levels(&mut html, across, family)?;
        html.push_str("</section>\n");
    }
    differs(&mut html, across);
    frame::method(&mut html, &method(across));
    frame::close(&mut html);
    Ok(html)
}

fn named(run: &RunName) -> String {
    let plural = if run.boots == 1 { "" } else { "s" };
    format!("{} ({} boot{plural})", run.folder, run.boots)
}

fn verdict(html: &mut String, family: &[&CaseChange]) {
    let ratios = sentence(family.iter().map(|case| &case.ratio));
    let _ = writeln!(
        html,
        "<div class=\"verdict\">\n<p><strong>{}, {}.</strong> {}</p>",
        escape(&place(family[0])),
        escape(&pair(family[0])),
        escape(&ratios)
    );
    if let Some(note) = many(family) {
        let _ = writeln!(html, "<p class=\"beside\">{}</p>", escape(&note));
    }
    html.push_str("</div>\n");
}

/// `Rust against C`.
fn pair(case: &CaseChange) -> String {
    let pair: Vec<&str> = case.pair.iter().map(|name| words::subject(name)).collect();
    pair.join(" against ")
}

/// The table and the plot of the ratios.
fn ratios(html: &mut String, across: &Across, family: &[&CaseChange]) -> Result<()> {
    let caption = format!("{}: the ratio before and after", pair(family[0]));
    table_head(html, &caption);
    for case in family {
        let value = |estimate: &Option<Estimate>| {
            estimate.map_or(("-".into(), None), |one| {
                (minus(&words::percent(one.mean)), Some(one.mean))
            })
        };
        row(
            html,
            case,
            value(&case.before),
            value(&case.after),
            &case.ratio,
        );
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    let wide = change::ratios(family, across.margin, Layout::Wide)?;
    let narrow = change::ratios(family, across.margin, Layout::Narrow)?;
    let head = [
        "case",
        "before",
        "after",
        "change",
        "95% interval",
        "verdict",
    ];
    let rows: Vec<Vec<String>> = family
        .iter()
        .map(|case| {
            let headline =
                |one: &Option<Estimate>| one.map_or("-".into(), |one| words::estimate(&one));
            let mut row = vec![
                case.key.case.clone(),
                headline(&case.before),
                headline(&case.after),
            ];
            row.extend(change_cells(&case.ratio));
            row.iter().map(|cell| minus(cell)).collect()
        })
        .collect();
    figure::twice(html, &wide, &narrow, &head.map(String::from), &rows);
    Ok(())
}

/// The plot of all subjects by themselves, and a table of each.
fn levels(html: &mut String, across: &Across, family: &[&CaseChange]) -> Result<()> {
    let mut rows = Vec::new();
    let mut tables = String::new();
    for subject in subjects(family) {
        let name = words::subject(subject);
        let _ = writeln!(tables, "<h3>{} alone</h3>", escape(name));
        table_head(&mut tables, &format!("{name} alone, before and after"));
        for case in family {
            let Some(level) = case.levels.get(subject) else {
                continue;
            };
            let value = |mean: Option<f64>| (mean.map_or("-".into(), words::si_fine), mean);
            row(
                &mut tables,
                case,
                value(level.before),
                value(level.after),
                &level.change,
            );
            let mut cells = vec![
                case.key.case.clone(),
                name.to_string(),
                value(level.before).0,
                value(level.after).0,
            ];
            cells.extend(change_cells(&level.change));
            rows.push(cells.iter().map(|cell| minus(cell)).collect());
        }
        tables.push_str("</tbody>\n</table>\n</div>\n");
    }
    let wide = change::levels(family, across.margin, Layout::Wide)?;
    let narrow = change::levels(family, across.margin, Layout::Narrow)?;
    if let Some((wide, narrow)) = wide.zip(narrow) {
        let head = [
            "case",
            "subject",
            "before",
            "after",
            "change",
            "95% interval",
            "verdict",
        ];
        figure::twice(html, &wide, &narrow, &head.map(String::from), &rows);
    }
    html.push_str(&tables);
    Ok(())
}

fn change_cells(judged: &Judged) -> [String; 3] {
    let change = shown(judged);
    let ci95 = change.and_then(|change| change.ci95);
    [
        change.map_or("-".into(), |change| words::percent(change.mean)),
        ci95.map_or("-".into(), |ci95| words::percent_interval(&ci95)),
        words::verdict(judged.verdict).replace('-', " "),
    ]
}

fn table_head(html: &mut String, caption: &str) {
    let caption = escape(caption);
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"sort cases\"><caption>{caption}</caption>\n<thead><tr>\
         <th scope=\"col\">Case</th><th scope=\"col\">Verdict</th>"
    );
    for name in ["Change, 95%", "Before", "After"] {
        let _ = write!(html, "<th scope=\"col\" class=\"num\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
}

/// A text, and what it is sorted by.
type Value = (String, Option<f64>);

fn row(html: &mut String, case: &CaseChange, before: Value, after: Value, judged: &Judged) {
    let word = words::verdict(judged.verdict);
    let direction = match (judged.verdict, judged.direction) {
        (Verdict::Equivalent, Direction::Faster) => ", and faster",
        (Verdict::Equivalent, Direction::Slower) => ", and slower",
        _ => "",
    };
    let reason = judged.reason.as_ref().map_or(String::new(), |reason| {
        format!("<span class=\"why\">{}</span>", escape(reason))
    });
    let _ = write!(
        html,
        "<tr data-find=\"{}\"><th scope=\"row\">{}</th>\
         <td><span class=\"v {word}\">{}{direction}</span>{reason}</td>",
        find(&case.key, word),
        escape(&case.key.case),
        word.replace('-', " "),
    );
    change_cell(html, shown(judged));
    for (text, value) in [before, after] {
        let value = value.map_or(String::new(), |value| format!(" data-v=\"{value}\""));
        let _ = write!(html, "<td class=\"num\"{value}>{text}</td>");
    }
    html.push_str("</tr>\n");
}

/// What differs between the runs, and what one of them has alone.
fn differs(html: &mut String, across: &Across) {
    html.push_str("<section id=\"differs\">\n<h2>What differs</h2>\n");
    if across.environment.is_empty() {
        html.push_str("<p>Nothing that was recorded differs.</p>\n");
    } else {
        let caption = "What was recorded of both runs and differs";
        let _ = write!(
            html,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
             <table><caption>{caption}</caption>\n<thead><tr><th scope=\"col\">What</th>\
             <th scope=\"col\">Before</th><th scope=\"col\">After</th></tr></thead>\n<tbody>\n"
        );
        for one in &across.environment {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th><td class=\"values\">{}</td>\
                 <td class=\"values\">{}</td></tr>",
                escape(&one.name),
                escape(&one.before),
                escape(&one.after)
            );
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
    }
    let alone = [
        ("before", &across.only_before),
        ("after", &across.only_after),
    ];
    for (word, keys) in alone {
        let names: Vec<&str> = keys.iter().map(|key| key.case.as_str()).collect();
        if !names.is_empty() {
            let names = escape(&words::case_list(&names));
            let _ = writeln!(html, "<p>Only in the run {word}: {names}.</p>");
        }
    }
    html.push_str("</section>\n");
}

fn method(across: &Across) -> Vec<String> {
    vec![
        "The change of a ratio is the difference of the two runs' means of log ratios, a log \
         ratio a boot, with Welch's interval: a ratio of ratios, in which a machine that is \
         faster as a whole cancels out."
            .into(),
        "The change of a subject alone is the same difference of the logarithms of its boots' \
         means. Nothing cancels there, so it has a verdict only where nothing that was recorded \
         tells the machines apart; and even then a noisier day is a change."
            .into(),
        format!(
            "Equivalent: the 90% interval lies within 1/(1+m) and 1+m for a margin m of {}, the \
             larger of the two plans'. Faster or slower: the 95% interval excludes zero; if it is \
             equivalent as well, that stands beside it. Else it is inconclusive, which does not \
             mean equal.",
            words::margin(across.margin)
        ),
        "Which of the things that differ made a change, no number tells.".into(),
    ]
}
