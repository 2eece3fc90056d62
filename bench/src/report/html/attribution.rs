//! What makes the difference in time: a table, and bars of its parts.

use std::fmt::Write;

use super::figure::{self, Table};
use super::{find, minus};
use crate::report::attribution::{event, instructions, kind, notes, ns, occurs, sentence, told};
use crate::report::plot::{escape, parts};
use crate::report::{words, Section};
use crate::summary::Estimate;

/// How to read it.
const MODEL: &str = "An instruction has the price of the second subject's mean one in the same \
                     case. An event has one where samples within boots show it, for those that the \
                     count of instructions does not contain. Left over is what both do not make.";

/// The part of a section; nothing where nothing is known.
pub fn write(html: &mut String, section: &Section<'_>, number: usize) {
    let told = told(section);
    if told.is_empty() {
        return;
    }
    let (first, second) = section.pair();
    let (first, second) = (words::subject(first), words::subject(second));
    let title = format!(
        "{first} less {second}: parts of the difference in time, {}",
        words::place(section)
    );
    let _ = writeln!(
        html,
        "<h3>What makes the difference in time</h3>\n<p class=\"note\">Nanoseconds of a job's time \
         an I/O, {} less {}, 95% intervals. {MODEL}</p>",
        escape(first),
        escape(second)
    );
    let head = ["case", "difference", "instructions", "left over"].map(String::from);
    let rows: Vec<Vec<String>> = told
        .iter()
        .map(|(case, one)| {
            let own = one.instructions.and_then(|all| all.part);
            let cells = [ns(Some(one.difference)), ns(own), ns(one.left_over)];
            let cells = cells.iter().map(|cell| minus(cell));
            std::iter::once(case.key.case.clone())
                .chain(cells)
                .collect()
        })
        .collect();
    let cases: Vec<_> = told
        .iter()
        .map(|(case, one)| (case.key.case.as_str(), *one))
        .collect();
    if let Some(drawing) = parts::draw(&format!("s{number}parts"), &title, &cases) {
        let table = Table {
            caption: &title,
            head: &head,
            rows: &rows,
        };
        // Small as it is, it needs no more.
        let drawing = format!("<div style=\"max-width:36em\">{drawing}</div>");
        figure::write(html, &drawing, "", &table);
    }
    let label = escape(&format!(
        "{first} less {second}: what makes the difference in time, {}",
        words::place(section)
    ));
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n\
         <table><caption>{label}</caption>\n<thead><tr><th scope=\"col\">Case</th>\
         <th scope=\"col\">Finding</th><th scope=\"col\" class=\"num\">Difference, ns</th>\
         <th scope=\"col\" class=\"num\">Instructions</th><th scope=\"col\">Events an I/O</th>\
         <th scope=\"col\" class=\"num\">Left over, ns</th></tr></thead>\n<tbody>"
    );
    for (case, one) in &told {
        let own = one.instructions.and_then(|all| all.part);
        let mut events = String::new();
        for (name, number) in one.events.iter().filter(|(_, event)| occurs(event)) {
            let line = format!("{} {}", kind(name), event(number));
            let _ = write!(
                events,
                "<span class=\"why\">{}</span>",
                escape(&minus(&line))
            );
            if number.part.is_some() {
                let _ = write!(events, "{} ns", escape(&minus(&ns(number.part))));
            }
        }
        let _ = writeln!(
            html,
            "<tr data-find=\"{}\"><th scope=\"row\">{}</th><td style=\"min-width:11em\">{}</td>\
             <td class=\"num\">{}</td><td class=\"num\">{}<span class=\"small\">{}</span></td>\
             <td>{events}</td><td class=\"num\">{}</td></tr>",
            find(&case.key, words::verdict(case.main.verdict)),
            escape(&case.key.case),
            escape(&sentence(one)),
            cell(Some(one.difference)),
            cell(own),
            escape(&minus(&instructions(one))),
            cell(one.left_over),
        );
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    let notes = notes(&told);
    if !notes.is_empty() {
        html.push_str("<ul>\n");
        for (note, cases) in notes {
            let _ = writeln!(
                html,
                "<li>{}. <span class=\"small\">{}</span></li>",
                escape(&words::capitalised(note)),
                escape(&cases)
            );
        }
        html.push_str("</ul>\n");
    }
}

/// A number, its interval below.
fn cell(estimate: Option<Estimate>) -> String {
    let text = minus(&ns(estimate));
    match text.split_once(' ') {
        None => text,
        Some((mean, ends)) => format!("{mean}<span class=\"small\">{ends}</span>"),
    }
}
