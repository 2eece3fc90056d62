//! The page of `trend`: cases through many runs.

use std::fmt::Write;

use anyhow::Result;

use super::{change_cell, figure, find, frame, minus};
use crate::report::across::shown;
use crate::report::plot::{escape, steps, Layout};
use crate::report::trend::{differs, families, followed, kernel, machines, named, pair, stepped};
use crate::report::words;
use crate::trend::{CaseTrend, Row, Trend};

/// The page.
pub fn page(trend: &Trend) -> Result<String> {
    let families = families(trend);
    let mut html = String::new();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (runs, cases) = (trend.runs.len(), trend.cases.len());
    let about = format!("{runs} run{}, {cases} case{}.", plural(runs), plural(cases));
    frame::open(&mut html, "Ringfence: from run to run", &about);
    let warnings = machines(trend).map(words::capitalised);
    frame::warnings(&mut html, &Vec::from_iter(warnings));
    for (title, cases) in &families {
        verdict(&mut html, title, cases);
    }
    let mut titles = vec![("runs".to_string(), "Runs".to_string())];
    let each = families.iter().enumerate();
    titles.extend(each.map(|(at, (title, _))| (format!("s{at}"), title.clone())));
    titles.push(("method".into(), "Method".into()));
    frame::contents(&mut html, &titles);
    table_of_runs(&mut html, trend);
    for (number, (title, cases)) in families.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section id=\"s{number}\">\n<h2>{}</h2>",
            escape(title)
        );
        overview(&mut html, cases, number);
        for (at, case) in cases.iter().enumerate().filter(|one| followed(one.1)) {
            let _ = writeln!(
                html,
                "<div data-find=\"{}\">\n<h3 id=\"{}\" tabindex=\"-1\">{}</h3>",
                find(&case.key, last_verdict(case)),
                super::anchor(number, at),
                escape(&case.key.case)
            );
            let wide = steps::plot(trend, case, Layout::Wide)?;
            let narrow = steps::plot(trend, case, Layout::Narrow)?;
            let rows: Vec<Vec<String>> = case
                .rows
                .iter()
                .map(|row| numbers(trend, case, row))
                .collect();
            figure::twice(&mut html, &wide, &narrow, &HEAD.map(String::from), &rows);
            html.push_str("</div>\n");
        }
        html.push_str("</section>\n");
    }
    frame::method(&mut html, &METHOD.map(String::from));
    frame::close(&mut html);
    Ok(html)
}

const METHOD: [&str; 4] = [
    "Runs are in the order of their kernels, candidates before releases, then of their start.",
    "A mean is that of a subject's boots, with its t interval; the ratio is the run's headline: \
     the mean of the boots' log ratios, with its t interval.",
    "The change since the run before is that of `compare`: the difference of the two runs' means \
     of log ratios with Welch's interval. What a machine does to both subjects cancels out of it, \
     and out of a mean alone it does not.",
    "It is a change of neighbours: of twenty of them without any difference one shows a direction \
     by chance, and a slow drift shows in none.",
];

/// Of the table behind each plot.
const HEAD: [&str; 9] = [
    "run",
    "kernel",
    "compiler",
    "first: mean, 95%",
    "second: mean, 95%",
    "change, 95%",
    "verdict",
    "since the run before, 95%",
    "verdict on that",
];

fn numbers(trend: &Trend, case: &CaseTrend, row: &Row) -> Vec<String> {
    let mean = |at: usize| {
        let (Some(name), Some(Some(mean))) = (row.pair.get(at), row.means.get(at)) else {
            return "-".into();
        };
        let ends = mean.ci95.map_or("no interval".into(), |ci95| {
            format!("[{}, {}]", words::si_fine(ci95.lo), words::si_fine(ci95.hi))
        });
        format!(
            "{} {} {ends}",
            words::subject(name),
            words::si_fine(mean.mean)
        )
    };
    let since = row.since.as_ref().map(|since| &since.ratio);
    let change = since.and_then(shown);
    let or_dash = |text: Option<String>| minus(&text.unwrap_or("-".into()));
    vec![
        (row.run + 1).to_string(),
        or_dash(kernel(trend, case, row).map(String::from)),
        or_dash(row.compiler.clone()),
        minus(&mean(0)),
        minus(&mean(1)),
        or_dash(row.headline.as_ref().map(words::estimate)),
        words::verdict(row.verdict).replace('-', " "),
        or_dash(change.as_ref().map(words::estimate)),
        or_dash(since.map(|ratio| words::verdict(ratio.verdict).replace('-', " "))),
    ]
}

fn last_verdict(case: &CaseTrend) -> &'static str {
    case.rows
        .last()
        .map_or("", |row| words::verdict(row.verdict))
}

/// How many steps of a family show, of how many.
fn verdict(html: &mut String, title: &str, cases: &[&CaseTrend]) {
    let rows = || cases.iter().flat_map(|case| &case.rows);
    let steps = rows().filter(|row| row.since.is_some()).count();
    let shown = rows().filter(|row| stepped(row)).count();
    let said = match steps {
        0 => "No case has a second run that it may be compared with.".into(),
        1 => format!("Of one step of a ratio from run to run, {shown} shows a direction at 5%."),
        _ => format!(
            "Of {steps} steps of a ratio from run to run, {shown} show a direction at 5% each."
        ),
    };
    let _ = writeln!(
        html,
        "<div class=\"verdict\">\n<p><strong>{}.</strong> {said}</p>\n</div>",
        escape(title)
    );
}

fn table_of_runs(html: &mut String, trend: &Trend) {
    let caption = "Runs in the order of their kernels";
    let _ = write!(
        html,
        "<section id=\"runs\">\n<h2>Runs</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table>\
         <caption>{caption}</caption>\n<thead><tr><th scope=\"col\">Run</th>\
         <th scope=\"col\">What</th><th scope=\"col\">Ringfence</th></tr></thead>\n<tbody>\n"
    );
    for (at, run) in trend.runs.iter().enumerate() {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"values\">{}</td><td>{}</td></tr>",
            at + 1,
            escape(&named(run)),
            escape(if run.ringfence.is_empty() {
                "-"
            } else {
                &run.ringfence
            })
        );
    }
    html.push_str("</tbody>\n</table>\n</div>\n<h3>What differs</h3>\n<ul>\n");
    for step in &trend.steps {
        let _ = writeln!(html, "<li>{}</li>", escape(&differs(step)));
    }
    if trend.steps.is_empty() {
        html.push_str("<li>There is no second run of the same cases.</li>\n");
    }
    html.push_str("</ul>\n</section>\n");
}

/// A family's cases with their last run and the step to it.
fn overview(html: &mut String, cases: &[&CaseTrend], number: usize) {
    let caption = "The last run of each case, and the step to it";
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"sort cases\"><caption>{caption}</caption>\n<thead><tr>\
         <th scope=\"col\">Case</th><th scope=\"col\" class=\"num\">Runs</th>\
         <th scope=\"col\">Verdict</th><th scope=\"col\" class=\"num\">Change, 95%</th>\
         <th scope=\"col\">Last step</th><th scope=\"col\" class=\"num\">By, 95%</th>\
         </tr></thead>\n<tbody>\n"
    );
    for (at, case) in cases.iter().enumerate() {
        let Some(last) = case.rows.last() else {
            continue;
        };
        let since = last.since.as_ref().map(|since| &since.ratio);
        let verdict =
            |word: &str| format!("<span class=\"v {word}\">{}</span>", word.replace('-', " "));
        let word = words::verdict(last.verdict);
        let name = escape(&case.key.case);
        let name = match followed(case) {
            true => format!("<a href=\"#{}\">{name}</a>", super::anchor(number, at)),
            false => name,
        };
        let _ = write!(
            html,
            "<tr data-find=\"{}\"><th scope=\"row\">{name}\
             <span class=\"small\">{}</span></th><td class=\"num\">{}</td><td>{}</td>",
            find(&case.key, word),
            escape(&pair(last)),
            case.rows.len(),
            verdict(word)
        );
        change_cell(html, last.headline);
        let step = since.map_or("-".into(), |ratio| verdict(words::verdict(ratio.verdict)));
        let _ = write!(html, "<td>{step}</td>");
        change_cell(html, since.and_then(shown));
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}
