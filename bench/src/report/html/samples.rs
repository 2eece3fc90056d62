//! Case by case: the samples in the order in which they were taken, and their
//! densities by boot.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::figure::{self, Table};
use super::{anchor, find};
use crate::report::plot::{escape, order, ridges};
use crate::report::taken::{by_boot, values, Point, Taken};
use crate::report::{words, Section};
use crate::statistics::moments::Moments;
use crate::summary::{CaseSummary, DRIVER_COST};

/// A closed part of the page for every case of a section; `number` is the
/// section's.
pub fn write(html: &mut String, section: &Section<'_>, taken: &Taken<'_>, number: usize) {
    let _ = writeln!(
        html,
        "<h3>Case by case</h3>\n<p class=\"note\">Every sample as it was taken, and how the \
         samples of each {} lie: a Gaussian kernel density, its bandwidth by Silverman's rule from \
         the spread within. It smooths, and decides nothing. Open a case.</p>",
        unit(section, false)
    );
    for (index, case) in section.cases.iter().enumerate() {
        let verdict = words::verdict(case.main.verdict);
        let _ = writeln!(
            html,
            "<details class=\"case\" data-find=\"{}\"{}><summary><span class=\"name\">{}</span> \
             <span class=\"v {verdict}\">{}</span> <span class=\"change\">{}</span></summary>\n\
             <div class=\"pair\" id=\"{}\">",
            find(&case.key, verdict),
            if index == 0 { " open" } else { "" },
            escape(&case.key.case),
            verdict.replace('-', " "),
            super::minus(&words::headline(case.main.shown())),
            anchor(number, index),
        );
        let points = taken.points(case, &section.subjects);
        match points.is_empty() {
            true => html.push_str("<p>There are no samples of this case.</p>\n"),
            false => figures(html, section, case, &points, &anchor(number, index)),
        }
        html.push_str("</div>\n</details>\n");
    }
}

fn figures(
    html: &mut String,
    section: &Section<'_>,
    case: &CaseSummary,
    points: &[Point],
    id: &str,
) {
    let (subjects, units) = (&section.subjects, unit(section, true));
    let measured = words::metric_and_unit(section.driver, section.metric, section.unit);
    let name = &case.key.case;
    let title = format!("{name}: samples in the order taken, {measured}");
    let drawing = order::draw(&format!("{id}o"), &title, subjects, points, units);
    let names: Vec<String> = subjects
        .iter()
        .map(|name| words::subject(name).to_string())
        .collect();
    let head = [unit(section, false).into(), "block".into(), "order".into()];
    figure::write(
        html,
        &drawing,
        &format!(
            "{}, sample by sample. Lines: means of {units}.",
            words::capitalised(&measured)
        ),
        &Table {
            caption: &format!("samples of {name} as taken"),
            head: &[&head[..], &names].concat(),
            rows: &blocks(points, subjects),
        },
    );
    let title = format!("{name}: densities by {}, {measured}", unit(section, false));
    let drawing = ridges::draw(&format!("{id}d"), &title, subjects, points, units);
    let (first, second) = section.pair();
    let change = format!(
        "{} against {}",
        words::subject(first),
        words::subject(second)
    );
    let head = [unit(section, false).to_string()];
    figure::write(
        html,
        &drawing,
        &match section.metric {
            DRIVER_COST => format!("Density of the cost in single blocks, by {}.", head[0]),
            _ => format!("Density of the samples, by {}.", head[0]),
        },
        &Table {
            caption: &format!("{name} by {}: mean ± deviation", head[0]),
            head: &[&head[..], &names, &[change]].concat(),
            rows: &boots(case, points, subjects),
        },
    );
}

/// A row a block, in the order taken.
fn blocks(points: &[Point], subjects: &[&str]) -> Vec<Vec<String>> {
    let mut order: Vec<(u32, u32)> = Vec::new();
    let mut blocks: BTreeMap<(u32, u32), Vec<Point>> = BTreeMap::new();
    for point in points {
        let place = (point.boot, point.block);
        let block = blocks.entry(place).or_default();
        if block.is_empty() {
            order.push(place);
        }
        block.push(*point);
    }
    let row = |place: &(u32, u32)| {
        let block = &blocks[place];
        let names: Vec<&str> = block
            .iter()
            .map(|point| words::subject(subjects[point.subject]))
            .collect();
        let mut row = vec![place.0.to_string(), place.1.to_string(), names.join(", ")];
        for subject in 0..subjects.len() {
            let own = values(block, subject);
            let texts: Vec<String> = own.iter().map(|value| words::si_fine(*value)).collect();
            row.push(or_dash(texts.join(", ")));
        }
        row
    };
    order.iter().map(row).collect()
}

/// A row a boot, and one for all.
fn boots(case: &CaseSummary, points: &[Point], subjects: &[&str]) -> Vec<Vec<String>> {
    let row = |name: String, points: &[Point], change: String| {
        let mut row = vec![name];
        for subject in 0..subjects.len() {
            let text = Moments::of(&values(points, subject)).map_or(String::new(), |own| {
                let spread = own
                    .sd
                    .map_or(String::new(), |sd| format!(" ± {}", words::si(sd)));
                format!("{}{spread}", words::si_fine(own.mean))
            });
            row.push(or_dash(text));
        }
        row.push(or_dash(change));
        row
    };
    let headline = case.main.shown();
    let mut rows: Vec<Vec<String>> = by_boot(points)
        .iter()
        .map(|(boot, own)| {
            let change = headline
                .and_then(|headline| headline.each.iter().find(|each| each.boot == *boot))
                .map_or(String::new(), |each| words::percent(each.relative));
            row(boot.to_string(), own, change)
        })
        .collect();
    let change = headline.map_or(String::new(), |headline| words::percent(headline.mean));
    rows.push(row("all".into(), points, change));
    rows
}

fn or_dash(text: String) -> String {
    match text.is_empty() {
        true => "-".into(),
        false => text,
    }
}

/// What a boot is called in a ring.
pub fn unit(section: &Section<'_>, many: bool) -> &'static str {
    match (section.ring, many) {
        (3, false) => "process",
        (3, true) => "processes",
        (_, false) => "boot",
        (_, true) => "boots",
    }
}
