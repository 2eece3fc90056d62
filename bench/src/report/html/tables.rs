//! Tables of cases.

use std::fmt::Write;

use crate::report::plot::escape;
use crate::report::{words, Section};
use crate::statistics::verdict::Verdict;
use crate::summary::{CaseSummary, Comparison, DRIVER_COST};

/// The cases with their verdicts, and a table for each further subject.
pub fn cases(html: &mut String, section: &Section<'_>) {
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
    table(html, section, second, |case| Some(&case.main));
    for other in section.others() {
        let _ = writeln!(
            html,
            "<h3>{} against {}</h3>",
            escape(words::subject(first)),
            escape(words::subject(other))
        );
        table(html, section, other, |case| case.against.get(other));
    }
}

fn table<'a>(
    html: &mut String,
    section: &'a Section<'a>,
    other: &str,
    pick: impl Fn(&'a CaseSummary) -> Option<&'a Comparison>,
) {
    let first = section.pair().0;
    let (first_name, other_name) = (words::subject(first), words::subject(other));
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n<table>\n\
         <thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Verdict</th>\
         <th scope=\"col\" class=\"num\">Headline, 95%</th>\
         <th scope=\"col\" class=\"num\">{other}</th>\
         <th scope=\"col\" class=\"num\">{first}</th>\
         <th scope=\"col\" class=\"num\">Classical, 95%</th></tr></thead>\n<tbody>",
        label = escape(&format!("Cases, {first_name} against {other_name}")),
        other = escape(other_name),
        first = escape(first_name),
    );
    let counts = section.cases.iter().filter_map(|case| {
        let headline = pick(case)?.headline.as_ref()?;
        Some(headline.boots)
    });
    let boots = counts.max().unwrap_or(0);
    for case in &section.cases {
        if let Some(comparison) = pick(case) {
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
            minus(&words::percent(headline.mean)),
            headline.ci95.map_or("no interval".into(), |ci95| minus(
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
            minus(&words::percent(relative.mean)),
            relative.ci95.map_or("no interval".into(), |ci95| minus(
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
    let _ = writeln!(
        html,
        "<tr><th scope=\"row\">{}</th><td>{verdict}</td><td class=\"num\">{headline}</td>\
         <td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{classical}</td></tr>",
        escape(&case.key.case),
        minus(&mean(other)),
        minus(&mean(first)),
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
