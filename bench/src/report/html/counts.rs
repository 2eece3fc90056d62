//! Instructions an operation: where they were executed, and by which
//! functions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::find;
use crate::case::{Case, CaseKey};
use crate::folder::Recording;
use crate::report::plot::escape;
use crate::report::taken::Taken;
use crate::report::words;
use crate::statistics::moments::Moments;
use crate::summary::Summary;

/// The metric of counted instructions.
const INSTRUCTIONS: &str = "instructions";
/// Where an instruction can be; in the last only where a device is a model.
const SPACES: [&str; 4] = ["user", "kernel", "module", "model"];
/// Functions that a table shows one by one.
const FUNCTIONS: usize = 40;

/// The part about instructions of every ring and driver that has some.
pub fn write(html: &mut String, summary: &Summary, recording: &Recording, taken: &Taken<'_>) {
    for (ring, driver, cases) in places(recording) {
        let subjects = words::compared(summary, ring);
        let counts = counts(&cases, &subjects, taken);
        let profiles = profiles(recording, &cases, &subjects);
        if counts.is_empty() && profiles.is_empty() {
            continue;
        }
        let place = format!("ring {ring}, {driver}");
        let _ = writeln!(
            html,
            "<section id=\"{}\">\n<h2>{}: where instructions are spent</h2>",
            id(ring, driver),
            escape(&words::capitalised(&place))
        );
        if !counts.is_empty() {
            split(html, &place, &counts);
        }
        if !profiles.is_empty() {
            functions(html, &place, &profiles);
        }
        html.push_str("</section>\n");
    }
}

/// Titles of the parts that [`write`] writes, with their ids.
pub fn titles(
    summary: &Summary,
    recording: &Recording,
    taken: &Taken<'_>,
) -> Vec<(String, String)> {
    let mut titles = Vec::new();
    for (ring, driver, cases) in places(recording) {
        let subjects = words::compared(summary, ring);
        let some = !counts(&cases, &subjects, taken).is_empty()
            || !profiles(recording, &cases, &subjects).is_empty();
        if some {
            let title = format!("Ring {ring}, {driver}: where instructions are spent");
            titles.push((id(ring, driver), title));
        }
    }
    titles
}

fn id(ring: u8, driver: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric();
    format!(
        "spent-{ring}-{}",
        driver.chars().filter(plain).collect::<String>()
    )
}

/// The cases by ring and driver, ring 3 first.
fn places(recording: &Recording) -> Vec<(u8, &str, Vec<&Case>)> {
    let mut places: BTreeMap<(std::cmp::Reverse<u8>, &str), Vec<&Case>> = BTreeMap::new();
    for case in &recording.plan.cases {
        let place = (std::cmp::Reverse(case.ring), case.driver.as_str());
        places.entry(place).or_default().push(case);
    }
    let flat = |((ring, driver), cases): ((std::cmp::Reverse<u8>, _), _)| (ring.0, driver, cases);
    places.into_iter().map(flat).collect()
}

/// What one subject executed in one case, an operation.
struct Count {
    key: CaseKey,
    subject: String,
    total: f64,
    /// In the order of [`SPACES`], as far as they were told apart.
    spaces: [Option<f64>; 4],
}

fn counts(cases: &[&Case], subjects: &[&str], taken: &Taken<'_>) -> Vec<Count> {
    let mut counts = Vec::new();
    for case in cases {
        let key = case.key();
        for subject in subjects {
            let own: Vec<_> = taken
                .samples(&key, INSTRUCTIONS)
                .filter(|sample| sample.subject == *subject)
                .collect();
            let mean = |values: Vec<f64>| Some(Moments::of(&values)?.mean);
            let space = |name: &&str| {
                mean(
                    own.iter()
                        .filter_map(|sample| sample.extra.get(*name).copied())
                        .collect(),
                )
            };
            if let Some(total) = mean(own.iter().map(|sample| sample.value).collect()) {
                counts.push(Count {
                    key: key.clone(),
                    subject: subject.to_string(),
                    total,
                    spaces: SPACES.each_ref().map(space),
                });
            }
        }
    }
    counts
}

/// The table of totals, a bar in each row.
fn split(html: &mut String, place: &str, counts: &[Count]) {
    let caption = format!("Instructions an operation by where they were executed, {place}");
    let model = counts.iter().any(|count| count.spaces[3].is_some());
    let shown = if model { 4 } else { 3 };
    let chip = match model {
        true => " <i class=\"chip model\"></i> model: the device that it drives",
        false => "",
    };
    let _ = write!(
        html,
        "<p class=\"note\">Means of all samples, in instructions an operation. \
         <i class=\"chip user\"></i> user <i class=\"chip kernel\"></i> kernel \
         <i class=\"chip module\"></i> module: the driver{chip}</p>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\n\
         <table class=\"sort\"><caption>{0}</caption>\n<thead><tr><th scope=\"col\">Case</th>\
         <th scope=\"col\">Subject</th>",
        escape(&caption)
    );
    for name in ["Total"].into_iter().chain(SPACES).take(shown + 1) {
        let name = words::capitalised(name);
        let _ = write!(html, "<th scope=\"col\" class=\"num\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let most = counts.iter().map(|count| count.total).fold(0.0, f64::max);
    for count in counts {
        let key = &count.key;
        let mut bar = String::new();
        for (name, value) in SPACES.iter().zip(count.spaces) {
            let share = value.unwrap_or(0.0) / most.max(1e-9) * 100.0;
            let _ = write!(bar, "<i class=\"{name}\" style=\"width:{share:.2}%\"></i>");
        }
        let _ = write!(
            html,
            "<tr data-find=\"{}\"><th scope=\"row\">{}</th><td>{}<span class=\"bar\" \
             aria-hidden=\"true\">{bar}</span></td>",
            find(key, &count.subject),
            escape(&key.case),
            escape(words::subject(&count.subject))
        );
        number(html, Some(count.total), None);
        for value in count.spaces.into_iter().take(shown) {
            number(html, value, None);
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

/// A cell with a number and a bar for its share of `most`.
fn number(html: &mut String, value: Option<f64>, most: Option<f64>) {
    let _ = match (value, most) {
        (None, _) => write!(html, "<td class=\"num\">-</td>"),
        (Some(value), None) => {
            write!(html, "<td class=\"num\" data-v=\"{value}\">{value:.1}</td>")
        }
        (Some(value), Some(most)) => write!(
            html,
            "<td class=\"num part\" data-v=\"{value}\" style=\"--p:{:.1}%\">{value:.1}</td>",
            value / most * 100.0
        ),
    };
}

/// Instructions of each subject in one function.
type Row = Vec<Option<f64>>;
/// Rows by space and symbol.
type Functions = BTreeMap<(String, String), Row>;
/// An entry of those.
type Entry<'a> = (&'a (String, String), &'a Row);

/// The functions of a case, a column a subject that was profiled.
struct ByFunction<'a> {
    case: &'a Case,
    subjects: Vec<&'a str>,
    functions: Functions,
}

/// The cases that were profiled, means over their profiles.
fn profiles<'a>(
    recording: &Recording,
    cases: &[&'a Case],
    subjects: &[&'a str],
) -> Vec<ByFunction<'a>> {
    let mut found = Vec::new();
    for case in cases {
        let key = case.key();
        let mut functions = Functions::new();
        let profiled = |subject: &&str| {
            let mut all = recording.profiles.iter();
            all.any(|profile| profile.key == key && profile.subject == *subject)
        };
        let subjects: Vec<&str> = subjects.iter().copied().filter(profiled).collect();
        for (place, subject) in subjects.iter().enumerate() {
            let own: Vec<_> = recording
                .profiles
                .iter()
                .filter(|profile| profile.key == key && profile.subject == *subject)
                .collect();
            for function in own.iter().flat_map(|profile| &profile.functions) {
                let name = (function.space.clone(), function.symbol.clone());
                let row = functions.entry(name).or_insert(vec![None; subjects.len()]);
                let share = function.instructions / own.len() as f64;
                row[place] = Some(row[place].unwrap_or(0.0) + share);
            }
        }
        if !functions.is_empty() {
            found.push(ByFunction {
                case,
                subjects,
                functions,
            });
        }
    }
    found
}

fn functions(html: &mut String, place: &str, profiles: &[ByFunction<'_>]) {
    html.push_str(
        "<h3>By function</h3>\n<p class=\"note\">Instructions an operation that each function \
         executed itself, without those that it calls. A dash: not seen.</p>\n",
    );
    for (index, profile) in profiles.iter().enumerate() {
        let ByFunction {
            case,
            subjects,
            functions,
        } = profile;
        let key = case.key();
        let caption = format!(
            "Instructions an operation by function, {place}, {}",
            key.case
        );
        let _ = write!(
            html,
            "<details class=\"case\" data-find=\"{}\"{}><summary><span class=\"name\">{}</span> \
             <span class=\"change\">{} functions</span></summary>\n\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
             <table class=\"sort functions\"><caption>{caption}</caption>\n<thead><tr>\
             <th scope=\"col\">Function</th><th scope=\"col\">Space</th>",
            find(&key, ""),
            if index == 0 { " open" } else { "" },
            escape(&key.case),
            functions.len(),
            caption = escape(&caption),
        );
        for subject in subjects {
            let name = escape(words::subject(subject));
            let _ = write!(html, "<th scope=\"col\" class=\"num\">{name}</th>");
        }
        let two = subjects.len() > 1;
        if two {
            let _ = write!(
                html,
                "<th scope=\"col\" class=\"num\">{} − {}</th>",
                escape(words::subject(subjects[0])),
                escape(words::subject(subjects[1]))
            );
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        rows(html, functions, subjects.len());
        html.push_str("</tbody>\n</table>\n</div>\n</details>\n");
    }
}

/// The functions that take most, the rest as one, and the sum.
fn rows(html: &mut String, functions: &Functions, subjects: usize) {
    let most = |row: &[Option<f64>]| row.iter().flatten().copied().fold(0.0, f64::max);
    let mut sorted: Vec<_> = functions.iter().collect();
    sorted.sort_by(|a, b| most(b.1).total_cmp(&most(a.1)));
    let sum = |rows: &[Entry<'_>]| -> Row {
        (0..subjects)
            .map(|place| {
                let own: Vec<f64> = rows.iter().filter_map(|(_, row)| row[place]).collect();
                (!own.is_empty()).then(|| own.iter().sum())
            })
            .collect()
    };
    let peak = sorted.first().map_or(0.0, |(_, row)| most(row)).max(1e-9);
    let (shown, rest) = sorted.split_at(sorted.len().min(FUNCTIONS));
    for ((space, symbol), row) in shown {
        line(html, "", symbol, space, row, Some(peak));
    }
    let spaces = |rows: &[Entry<'_>]| {
        let spaces: BTreeSet<&str> = rows.iter().map(|((space, _), _)| space.as_str()).collect();
        spaces.into_iter().collect::<Vec<_>>().join(", ")
    };
    if !rest.is_empty() {
        let name = format!("{} others", rest.len());
        line(
            html,
            " class=\"rest\"",
            &name,
            &spaces(rest),
            &sum(rest),
            None,
        );
    }
    line(
        html,
        " class=\"rest\"",
        "all",
        &spaces(&sorted),
        &sum(&sorted),
        None,
    );
}

fn line(
    html: &mut String,
    class: &str,
    symbol: &str,
    space: &str,
    row: &[Option<f64>],
    most: Option<f64>,
) {
    let chip = match SPACES.contains(&space) {
        true => format!("<i class=\"chip {space}\"></i> "),
        false => String::new(),
    };
    let _ = write!(
        html,
        "<tr{class}><th scope=\"row\"><code>{}</code></th><td>{chip}{}</td>",
        escape(symbol),
        escape(space)
    );
    for value in row {
        number(html, *value, most);
    }
    if let [first, second, ..] = row {
        let difference = first.unwrap_or(0.0) - second.unwrap_or(0.0);
        let text = super::minus(&format!("{difference:+.1}"));
        let text = if text.ends_with("0.0") && difference.abs() < 0.05 {
            "0.0"
        } else {
            &text
        };
        let _ = write!(
            html,
            "<td class=\"num\" data-v=\"{difference}\">{text}</td>"
        );
    }
    html.push_str("</tr>\n");
}
