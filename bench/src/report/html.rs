//! `report.html`: one file that needs nothing else, no script and no network.

mod environment;
mod parity;
mod tables;

use std::fmt::Write;

use anyhow::Result;

use crate::summary::Summary;

use super::plot::{self, escape, palette, Layout};
use super::{sections, words, Section};

const CSS: &str = include_str!("report.css");

/// The page.
pub fn page(summary: &Summary) -> Result<String> {
    let sections = sections(summary);
    let mut html = String::new();
    head(&mut html, summary);
    for section in &sections {
        verdict(&mut html, summary, section);
    }
    for section in &sections {
        let _ = writeln!(
            html,
            "<section>\n<h2>{}</h2>",
            escape(&words::section_title(section))
        );
        tables::cases(&mut html, section);
        plots(&mut html, summary, section)?;
        // What was read back belongs to cases, not to metrics.
        if !crate::summary::derived(section.metric) {
            parity::table(&mut html, section);
            tables::left_out(&mut html, section);
        }
        html.push_str("</section>\n");
    }
    environment::write(&mut html, summary);
    method(&mut html, summary);
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(html)
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
         <title>{title}</title>\n<style>\n{CSS}{dark}\n</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"sub\">{state}: {completeness}. Seed {seed}.</p>\n",
        title = escape(&title),
        dark = palette::dark_rules(),
        state = if run.complete {
            "Complete"
        } else {
            "Incomplete"
        },
        completeness = escape(&words::completeness(run)),
        seed = run.seed
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
    html.push_str("</div>\n");
}

/// Each plot twice, for wide and for narrow pages; the style sheet shows one.
fn plots(html: &mut String, summary: &Summary, section: &Section<'_>) -> Result<()> {
    let mut pairs = Vec::new();
    let wide = plot::relatives(section, &summary.run, Layout::Wide)?;
    let narrow = plot::relatives(section, &summary.run, Layout::Narrow)?;
    pairs.extend(wide.into_iter().zip(narrow));
    pairs.push((
        plot::absolute(section, Layout::Wide)?,
        plot::absolute(section, Layout::Narrow)?,
    ));
    for (wide, narrow) in pairs {
        let _ = writeln!(
            html,
            "<figure>\n{}{}</figure>",
            wide.inline("wide"),
            narrow.inline("narrow")
        );
    }
    Ok(())
}

fn method(html: &mut String, summary: &Summary) {
    html.push_str("<section>\n<h2>Method</h2>\n<ul>\n");
    for sentence in words::method(&summary.run) {
        let _ = writeln!(html, "<li>{}</li>", escape(&sentence));
    }
    html.push_str("</ul>\n</section>\n");
}
