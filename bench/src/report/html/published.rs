//! The sources of what others published.

use std::fmt::Write;

use super::minus;
use crate::report::plot::escape;
use crate::report::published::Published;
use crate::summary::Summary;

const TITLE: &str = "Published by others";

/// What is known of the drivers of a run.
fn known<'a>(summary: &Summary, others: &'a [Published]) -> Vec<&'a Published> {
    let measured = |one: &&Published| {
        summary
            .cases
            .iter()
            .any(|case| case.key.driver == one.driver)
    };
    others.iter().filter(measured).collect()
}

/// Id and title of the part that [`write`] writes, if it does.
pub fn title(summary: &Summary, others: &[Published]) -> Option<(String, String)> {
    let some = !known(summary, others).is_empty();
    some.then(|| ("published".into(), TITLE.into()))
}

/// A table of the results of the same drivers, their sources and their faults.
pub fn write(html: &mut String, summary: &Summary, others: &[Published]) {
    let known = known(summary, others);
    if known.is_empty() {
        return;
    }
    let caption = "Results of others, Rust against C, none of them measured here";
    let _ = write!(
        html,
        "<section id=\"published\">\n<h2>{TITLE}</h2>\n<p class=\"note\">For orientation: no \
         verdict here knows of them. Those with numbers stand beside the changes of the same \
         metric in ring 0. <code>ringfence report --no-published</code> leaves them out.</p>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table>\
         <caption>{caption}</caption>\n<thead><tr>"
    );
    for name in [
        "Driver",
        "Result",
        "Measured",
        "Source",
        "Known to be wrong",
    ] {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for one in known {
        let said = one.said.as_ref().filter(|said| **said != one.figures());
        let said = said.map_or(String::new(), |said| {
            format!("<span class=\"small\">{}</span>", escape(said))
        });
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}, {}</th><td>{}{said}</td>\
             <td><span class=\"why\">{}</span></td>\
             <td>{}<span class=\"why\">{}</span></td>\
             <td><span class=\"why\">{}</span></td></tr>",
            escape(&one.driver),
            escape(&one.version),
            minus(&escape(&one.figures())),
            escape(&one.measured),
            escape(&one.who),
            escape(&one.place),
            minus(&escape(&one.doubt)),
        );
    }
    html.push_str("</tbody>\n</table>\n</div>\n</section>\n");
}
