//! What a run can see and what it cannot: its controls.

use std::fmt::Write;

use anyhow::Result;

use super::{figure, minus};
use crate::report::plot::controls::{plots, same_code};
use crate::report::plot::{escape, Layout};
use crate::report::{notes, words, Section};
use crate::statistics::interval::Interval;
use crate::statistics::verdict::Direction;
use crate::summary::{Controls, Summary};

const TITLE: &str = "Controls: what this run can see";

/// Id and title of the part that [`write`] writes, if it does.
pub fn title(summary: &Summary) -> Option<(String, String)> {
    let some = !summary.run.controls.is_empty();
    some.then(|| ("controls".into(), TITLE.into()))
}

/// An overview of all controls, then plots of each ring, driver and metric.
pub fn write(html: &mut String, summary: &Summary, sections: &[Section<'_>]) -> Result<()> {
    let all: Vec<(&Section<'_>, &Controls)> = sections
        .iter()
        .filter_map(|section| Some((section, section.controls(summary)?)))
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    let _ = writeln!(
        html,
        "<section id=\"controls\">\n<h2>{TITLE}</h2>\n<p class=\"note\">Every subject is measured \
         a second time, in the same blocks: whatever direction that shows is a false alarm. \
         Directions are claimed at 5%, so the number of alarms is binomial, and lies in the \
         allowed range in 95 of 100 runs whose intervals are right. Delays are injected and must \
         show.</p>"
    );
    overview(html, &all);
    for (section, controls) in &all {
        let title = escape(&words::section_title(section));
        let _ = writeln!(html, "<h3>{title}</h3>");
        let wide = plots(section, controls, Layout::Wide)?;
        let narrow = plots(section, controls, Layout::Narrow)?;
        let tables = [
            (controls.comparisons > 0).then(|| again_table(section)),
            (!controls.injected.is_empty()).then(|| injected_table(controls)),
        ];
        for ((wide, narrow), table) in wide.iter().zip(&narrow).zip(tables.iter().flatten()) {
            figure::twice(html, wide, narrow, &table.0, &table.1);
        }
    }
    html.push_str("</section>\n");
    Ok(())
}

/// A row for each ring, driver and metric.
fn overview(html: &mut String, all: &[(&Section<'_>, &Controls)]) {
    let caption = "Alarms, noise and what shows, by ring, driver and metric";
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table>\
         <caption>{caption}</caption>\n<thead><tr><th scope=\"col\">Of</th>"
    );
    let columns = [
        "Alarms",
        "Allowed",
        "Noise floor",
        "Smallest visible effect",
        "Delays found",
    ];
    for column in columns {
        let _ = write!(html, "<th scope=\"col\" class=\"num\">{column}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (section, controls) in all {
        let found = controls.injected.iter().filter(|one| one.found).count();
        let alarms = format!("{} of {}", controls.alarms, controls.comparisons);
        let cells = [
            match controls.sound() {
                true => alarms,
                false => format!("{alarms}: not sound"),
            },
            format!("{} to {}", controls.allowed.0, controls.allowed.1),
            notes::size(controls.floor),
            controls.visible.map_or("-".into(), notes::size),
            match controls.injected.len() {
                0 => "-".into(),
                all => format!("{found} of {all}"),
            },
        ];
        let title = escape(&words::section_title(section));
        let _ = write!(html, "<tr><th scope=\"row\">{title}</th>");
        for cell in cells {
            let _ = write!(html, "<td class=\"num\">{}</td>", escape(&cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

/// Head and rows.
type Table = (Vec<String>, Vec<Vec<String>>);

fn again_table(section: &Section<'_>) -> Table {
    let head = ["case", "against itself", "change", "95% interval", "alarm"];
    let mut rows = Vec::new();
    for case in &section.cases {
        for (control, headline) in same_code(case) {
            rows.push(vec![
                case.key.case.clone(),
                words::subject(&control.against).into(),
                minus(&words::percent(headline.mean)),
                interval(headline.ci95.as_ref()),
                match control.comparison.direction {
                    Direction::None => "no".into(),
                    _ => "yes".into(),
                },
            ]);
        }
    }
    (head.map(String::from).into(), rows)
}

fn injected_table(controls: &Controls) -> Table {
    let head = ["delay", "case", "wanted", "seen", "95% interval", "found"];
    let rows = controls.injected.iter().map(|one| {
        vec![
            notes::delay(one),
            one.case.case.clone(),
            minus(&words::percent(one.change)),
            minus(&words::percent(one.seen)),
            interval(one.ci95.as_ref()),
            notes::found(one).into(),
        ]
    });
    (head.map(String::from).into(), rows.collect())
}

fn interval(ci95: Option<&Interval>) -> String {
    ci95.map_or("-".into(), |ends| minus(&words::percent_interval(ends)))
}
