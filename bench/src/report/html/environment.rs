//! Where and how the run was made.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::plot::escape;
use crate::report::words;
use crate::summary::Summary;

/// Host, guest and command lines.
pub fn write(html: &mut String, summary: &Summary) {
    let run = &summary.run;
    html.push_str("<section id=\"environment\">\n<h2>Environment</h2>\n");
    if !run.command.is_empty() {
        let _ = writeln!(html, "<pre>{}</pre>", escape(&words::command(&run.command)));
    }
    let mut about = BTreeMap::new();
    if !run.imported {
        about.insert("seed".to_string(), run.seed.to_string());
    }
    if !run.ringfence.is_empty() {
        about.insert("ringfence".to_string(), run.ringfence.clone());
    }
    if let (true, Some(ended)) = (run.started_ms > 0, run.ended_ms) {
        let seconds = ended.saturating_sub(run.started_ms) / 1000;
        let text = format!("{} min {} s", seconds / 60, seconds % 60);
        about.insert("took".to_string(), text);
    }
    list(html, &about);
    for (kind, maps) in [("host", &run.host), ("machine under test", &run.guest)] {
        for (ring, map) in maps {
            let _ = writeln!(html, "<h3>Ring {ring}, {kind}</h3>");
            list(html, map);
        }
    }
    if run.host.is_empty() && run.guest.is_empty() {
        html.push_str("<p>The manifest says nothing of the machines.</p>\n");
    }
    html.push_str("</section>\n");
}

fn list(html: &mut String, map: &BTreeMap<String, String>) {
    html.push_str("<dl class=\"env\">\n");
    for (name, value) in map {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    html.push_str("</dl>\n");
}
