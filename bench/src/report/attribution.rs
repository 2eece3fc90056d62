//! What makes a difference in time, in words and as a table of Markdown.

use std::fmt::Write;

use crate::summary::attribution::{Attribution, Event, Finding, INSTRUCTIONS};
use crate::summary::{CaseSummary, Estimate};

use super::terminal::wrapped;
use super::{words, Section};

/// The cases of a section of which something is known.
pub fn told<'a>(section: &Section<'a>) -> Vec<(&'a CaseSummary, &'a Attribution)> {
    let cases = section.cases.iter();
    cases
        .filter_map(|case| Some((*case, case.attribution.as_ref()?)))
        .collect()
}

/// `Ring 0, nullblk: what makes the difference in time`.
pub fn title(section: &Section<'_>) -> String {
    let place = words::capitalised(&words::place(section));
    format!("{place}: what makes the difference in time")
}

/// A kind of event, or instructions, in running text.
pub fn kind(name: &str) -> &str {
    match name {
        "interrupts" => "interrupts of devices",
        "timer_interrupts" => "timer interrupts",
        "ipis" => "interrupts between processors",
        "context_switches" => "context switches",
        other => other,
    }
}

/// What an attribution says.
pub fn sentence(one: &Attribution) -> String {
    let by: Vec<&str> = one.by.iter().map(|name| kind(name)).collect();
    let by = by.join(" and ");
    let parts: f64 = one.by.iter().filter_map(|name| part(one, name)).sum();
    let along = (parts > 0.0) == (one.difference.mean > 0.0);
    let shown = one.difference.ci95.is_some_and(|ends| !ends.contains(0.0));
    match one.finding {
        Finding::NotToldApart => match one.instructions {
            None => "not told apart: no instructions are joined".into(),
            Some(all) if all.price.is_none() => {
                "not told apart: an instruction has no price".into()
            }
            Some(_) => "not told apart: one boot gives no interval".into(),
        },
        Finding::NoDifference => "no difference in time is shown, nor anything left over".into(),
        Finding::Explained => format!("explained by {by}"),
        Finding::Unclear => "not told apart: what is left over may be nothing or most of it".into(),
        Finding::More | Finding::Less if by.is_empty() => {
            "left over: neither instructions nor events explain it".into()
        }
        Finding::More if !along => format!("left over: {by} make a difference the other way"),
        Finding::More => format!("left over: more than {by} explain"),
        Finding::Less if !shown => {
            format!("left over: {by} would make a difference that time does not show")
        }
        Finding::Less => format!("left over: less than {by} would make"),
    }
}

/// The nanoseconds that something makes.
pub fn part(one: &Attribution, name: &str) -> Option<f64> {
    let part = match name {
        INSTRUCTIONS => one.instructions.and_then(|all| all.part),
        kind => one.events.get(kind).and_then(|event| event.part),
    };
    Some(part?.mean)
}

/// `+200 [+170, +230]`, in ns.
pub fn ns(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".into(),
        Some(Estimate { mean, ci95: None }) => format!("{} (no interval)", signed(mean)),
        Some(Estimate {
            mean,
            ci95: Some(ends),
        }) => format!(
            "{} [{}, {}]",
            signed(mean),
            signed(ends.lo),
            signed(ends.hi)
        ),
    }
}

/// Three significant digits or so, and a sign.
pub fn signed(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 99.95 => format!("{value:+.0}"),
        size if size >= 9.995 => format!("{value:+.1}"),
        size if size >= 0.9995 => format!("{value:+.2}"),
        size if size >= 0.001 => format!("{value:+.4}"),
        _ => format!("{value:+.1e}"),
    }
}

/// Instructions as a difference, times a price: `-47.0 x 2.10 ns`.
pub fn instructions(one: &Attribution) -> String {
    match one.instructions {
        None => "-".into(),
        Some(all) => {
            let price = all.price.map_or(", no price".into(), |price| {
                format!(" x {} ns", signed(price).trim_start_matches('+'))
            });
            format!("{:+.1}{price}", all.difference.mean)
        }
    }
}

/// The same of a kind of event.
pub fn event(event: &Event) -> String {
    let difference = ns(Some(event.difference));
    match (event.price, event.counted) {
        (Some(price), counted) => format!(
            "{difference}, {} in the count; {} ns each",
            signed(counted.unwrap_or(0.0)),
            ns(Some(price)).trim_start_matches('+')
        ),
        (None, _) => format!("{difference}; no price"),
    }
}

/// Whether a kind occurs at all.
pub fn occurs(event: &Event) -> bool {
    event.first != 0.0 || event.second != 0.0
}

/// Whether a kind is told of where there is little room: it has a price, or
/// subjects are shown to differ in it.
fn differs(event: &Event) -> bool {
    let ends = event.difference.ci95;
    event.price.is_some() || ends.is_some_and(|ends| !ends.contains(0.0))
}

/// What is said of the cases of a section to which counts were joined, each
/// finding once with its cases.
pub fn findings(text: &mut String, section: &Section<'_>, width: usize) {
    let joined = joined(section);
    if !joined.is_empty() {
        wrapped(text, &format!("{}:", title(section)), width);
    }
    list(text, &joined, width);
}

fn list(text: &mut String, cases: &[(&CaseSummary, &Attribution)], width: usize) {
    let said: Vec<(String, &str)> = cases
        .iter()
        .map(|(case, one)| (sentence(one), case.key.case.as_str()))
        .collect();
    let said: Vec<(&str, &str)> = said
        .iter()
        .map(|(what, case)| (what.as_str(), *case))
        .collect();
    for (what, cases) in words::grouped(&said) {
        wrapped(text, &format!("- {cases}: {what}."), width);
    }
}

/// The cases to which counts were to be joined.
fn joined<'a>(section: &Section<'a>) -> Vec<(&'a CaseSummary, &'a Attribution)> {
    let mut told = told(section);
    told.retain(|(_, one)| one.instructions.is_some() || !one.notes.is_empty());
    told
}

/// The part of `summary.md` about a section, in lines of `width`.
pub fn markdown(text: &mut String, section: &Section<'_>, width: usize) {
    let told = joined(section);
    if told.is_empty() {
        return;
    }
    let (first, second) = section.pair();
    let _ = writeln!(text, "## {}\n", title(section));
    let lead = format!(
        "Nanoseconds of a job's time an I/O, {} less {}, with 95% intervals.",
        words::subject(first),
        words::subject(second)
    );
    wrapped(text, &lead, width);
    text.push_str(
        "\n| case | difference | instructions | their part | events' part | left over |\n",
    );
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (case, one) in &told {
        let own = one.instructions.and_then(|all| all.part);
        let parts: Vec<f64> = one
            .events
            .keys()
            .filter_map(|name| part(one, name))
            .collect();
        let events = match parts.is_empty() {
            true => "-".into(),
            false => signed(parts.iter().sum()),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {events} | {} |",
            case.key.case,
            ns(Some(one.difference)),
            instructions(one),
            ns(own),
            ns(one.left_over),
        );
    }
    text.push('\n');
    list(text, &told, width);
    for (case, one) in &told {
        for (name, number) in one.events.iter().filter(|(_, event)| differs(event)) {
            let line = format!("- {}: {} {}", case.key.case, kind(name), event(number));
            wrapped(text, &line, width);
        }
    }
    for (note, cases) in notes(&told) {
        wrapped(text, &format!("- {cases}: {note}."), width);
    }
    text.push('\n');
}

/// What a reader must know, each once with its cases.
pub fn notes<'a>(told: &[(&'a CaseSummary, &'a Attribution)]) -> Vec<(&'a str, String)> {
    let said: Vec<(&str, &str)> = told
        .iter()
        .flat_map(|(case, one)| {
            let notes = one.notes.iter();
            notes.map(|note| (note.as_str(), case.key.case.as_str()))
        })
        .collect();
    words::grouped(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (912.4, "+912"),
            (-12.34, "-12.3"),
            (1.234, "+1.23"),
            (-0.01234, "-0.0123"),
            (0.000012, "+1.2e-5"),
            (0.0, "0"),
        ] {
            assert_eq!(signed(value), text);
        }
    }
}
