//! Tables of cases.

use std::fmt::Write;

use super::{anchor, find};
use crate::report::plot::escape;
use crate::report::{words, Section};
use crate::statistics::verdict::Verdict;
use crate::summary::{CaseSummary, Comparison, DRIVER_COST, WRAPPED, WRAPPER};

/// The cases with their verdicts, and a table for each further subject.
pub fn cases(html: &mut String, section: &Section<'_>, number: usize) {
    let (first, second) = section.pair();
    let values = match section.metric {
        DRIVER_COST => "means of boots",
        _ => "samples",
    };
    let _ = writeln!(
        html,
        "<p class=\"note\">Headline and verdict take boots as replicates; ± and the classical \
         view take {values}.</p>"
    );
    table(html, section, number, (first, second), |case| {
        Some(&case.main)
    });
    let title = |html: &mut String, (first, other): (&str, &str)| {
        let _ = writeln!(
            html,
            "<h3>{} against {}</h3>",
            escape(words::subject(first)),
            escape(words::subject(other))
        );
    };
    for other in section.others() {
        title(html, (first, other));
        table(html, section, number, (first, other), |case| {
            case.against.get(other)
        });
    }
    if section.has_wrappers() {
        title(html, (WRAPPER, WRAPPED));
        table(html, section, number, (WRAPPER, WRAPPED), |case| {
            case.wrapper.as_ref()
        });
    }
}

fn table<'a>(
    html: &mut String,
    section: &'a Section<'a>,
    number: usize,
    (first, other): (&str, &str),
    pick: impl Fn(&'a CaseSummary) -> Option<&'a Comparison>,
) {
    let (first_name, other_name) = (words::subject(first), words::subject(other));
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n\
         <table class=\"sort cases\"><caption>{label}</caption>\n<thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Verdict</th>\
         <th scope=\"col\" class=\"num\">Headline, 95%</th>\
         <th scope=\"col\" class=\"num\">{other}</th>\
         <th scope=\"col\" class=\"num\">{first}</th>\
         <th scope=\"col\" class=\"num\">Classical, 95%</th></tr></thead>\n<tbody>",
        label = escape(&format!(
            "{first_name} against {other_name}: {}, {}",
            words::metric_and_unit(section.driver, section.metric, section.unit),
            words::place(section)
        )),
        other = escape(other_name),
        first = escape(first_name),
    );
    let counts = section.cases.iter().filter_map(|case| {
        let headline = pick(case)?.headline.as_ref()?;
        Some(headline.boots)
    });
    let boots = counts.max().unwrap_or(0);
    for (index, case) in section.cases.iter().enumerate() {
        if let Some(comparison) = pick(case) {
            let attributes = format!(
                "data-find=\"{}\"",
                find(&case.key, words::verdict(comparison.verdict))
            );
            let name = format!(
                "<a href=\"#{}\">{}</a>",
                anchor(number, index),
                escape(&case.key.case)
            );
            let _ = write!(html, "<tr {attributes}><th scope=\"row\">{name}</th>");
            row(html, case, comparison, (first, other), boots);
        }
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

fn row(
    html: &mut String,
    case: &CaseSummary,
    comparison: &Comparison,
    (first, other): (&str, &str),
    boots: usize,
) {
    let mean = |subject: &str| match case.subjects.get(subject) {
        None => "-".into(),
        Some(subject) => {
            let spread = subject.ci95.map_or(String::new(), |ci95| {
                format!(
                    "<span class=\"small\">±{}, n {}</span>",
                    words::si(ci95.hi - subject.mean),
                    subject.n
                )
            });
            format!("{}{spread}", words::si_fine(subject.mean))
        }
    };
    let headline = match comparison.shown() {
        None => "-".into(),
        Some(headline) => format!(
            "{}<span class=\"small\">{}{}</span>",
            super::minus(&words::percent(headline.mean)),
            headline
                .ci95
                .map_or("no interval".into(), |ci95| super::minus(
                    &words::percent_interval(&ci95)
                )),
            match headline.boots == boots {
                true => String::new(),
                false => format!(", {} of {boots} boots", headline.boots),
            }
        ),
    };
    let comparable = comparison.verdict != Verdict::NotComparable;
    let classical = match comparison.relative.filter(|_| comparable) {
        None => "-".into(),
        Some(relative) => format!(
            "{}<span class=\"small\">{}</span>",
            super::minus(&words::percent(relative.mean)),
            relative
                .ci95
                .map_or("no interval".into(), |ci95| super::minus(
                    &words::percent_interval(&ci95)
                ))
        ),
    };
    let word = words::verdict(comparison.verdict);
    let mut verdict = format!("<span class=\"v {word}\">{}</span>", word.replace('-', " "));
    if let Some(direction) = words::direction_beside(comparison) {
        let _ = write!(
            verdict,
            "<span class=\"why\">and {direction}, by less than the margin</span>"
        );
    }
    if let Some(reason) = &comparison.reason {
        let _ = write!(verdict, "<span class=\"why\">{}</span>", escape(reason));
    }
    let change = comparison.shown().map(|headline| headline.mean);
    let number = |subject: &str| case.subjects.get(subject).map(|subject| subject.mean);
    let relative = comparison.relative.filter(|_| comparable);
    let _ = writeln!(
        html,
        "<td>{verdict}</td><td class=\"num\"{}>{headline}</td><td class=\"num\"{}>{}</td>\
         <td class=\"num\"{}>{}</td><td class=\"num\"{}>{classical}</td></tr>",
        sorted_by(change),
        sorted_by(number(other)),
        super::minus(&mean(other)),
        sorted_by(number(first)),
        super::minus(&mean(first)),
        sorted_by(relative.map(|relative| relative.mean)),
    );
}

/// What a cell is sorted by.
fn sorted_by(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!(" data-v=\"{value}\""))
}

/// What cases go without, and why.
pub fn left_out(html: &mut String, section: &Section<'_>) {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for case in &section.cases {
        for left_out in &case.left_out {
            let what = format!(
                "{}: {}",
                words::subject(&left_out.subject),
                left_out.why.trim_end_matches('.')
            );
            match groups.iter_mut().find(|(known, _)| *known == what) {
                Some((_, cases)) => cases.push(&case.key.case),
                None => groups.push((what, vec![&case.key.case])),
            }
        }
    }
    if groups.is_empty() {
        return;
    }
    html.push_str("<h3>Left out</h3>\n<ul>\n");
    for (what, cases) in groups {
        let _ = writeln!(
            html,
            "<li>{}. <span class=\"small\">{}</span></li>",
            escape(&what),
            escape(&case_list(&cases, section))
        );
    }
    html.push_str("</ul>\n");
}

/// `all 8 cases`, or their names.
pub fn case_list(cases: &[&str], section: &Section<'_>) -> String {
    match cases.len() {
        1 if section.cases.len() == 1 => "the one case".into(),
        count if count == section.cases.len() => format!("all {count} cases"),
        _ => words::case_list(cases),
    }
}
