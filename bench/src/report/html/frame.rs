//! What every page begins and ends with.

use std::fmt::Write;

use crate::report::plot::{escape, palette};

const CSS: &str = include_str!("../report.css");
const SCRIPT: &str = include_str!("../report.js");

/// The bar that the script fills with life, and shows.
const FILTER: &str = "<div id=\"filter\" role=\"search\" hidden>\n\
    <label for=\"words\">Filter cases</label>\n\
    <input id=\"words\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" \
    placeholder=\"ring 0 randread slower\" aria-describedby=\"how\">\n\
    <button type=\"button\">Open all</button>\n<button type=\"button\">Close all</button>\n\
    <output role=\"status\"></output>\n<p id=\"how\" class=\"note\">Words of a case, driver, ring \
    or verdict; all must match.</p>\n</div>\n";

/// Begins a page: everything up to a header's first lines.
pub fn open(html: &mut String, title: &str, about: &str) {
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n\
         <title>{title}</title>\n<style>\n{CSS}{subjects}{dark}\n</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#results\">Skip to the results</a>\n<header>\n\
         <h1>{title}</h1>\n<p class=\"sub\">{about}</p>\n",
        title = escape(title),
        about = escape(about),
        subjects = palette::subject_variables(),
        dark = palette::dark_rules(),
    );
}

/// What a reader must know first, in the header.
pub fn warnings(html: &mut String, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    html.push_str("<aside class=\"warnings\" aria-label=\"Warnings\">\n");
    html.push_str("<strong>Read this first</strong>\n<ul>\n");
    for warning in warnings {
        let _ = writeln!(html, "<li>{}</li>", escape(warning));
    }
    html.push_str("</ul>\n</aside>\n");
}

/// Ends the header, links to the parts of the page by their ids and titles, and
/// begins those.
pub fn contents(html: &mut String, parts: &[(String, String)]) {
    html.push_str("</header>\n<nav aria-label=\"Contents\">\n<ul>\n");
    for (id, title) in parts {
        let _ = writeln!(html, "<li><a href=\"#{id}\">{}</a></li>", escape(title));
    }
    html.push_str("</ul>\n</nav>\n");
    html.push_str(FILTER);
    html.push_str("<main id=\"results\" tabindex=\"-1\">\n");
}

/// How to read the numbers, a sentence each: the last part of a page.
pub fn method(html: &mut String, sentences: &[String]) {
    html.push_str("<section id=\"method\">\n<h2>Method</h2>\n<ul>\n");
    for sentence in sentences {
        let _ = writeln!(html, "<li>{}</li>", escape(sentence));
    }
    html.push_str("</ul>\n</section>\n");
}

/// Ends a page.
pub fn close(html: &mut String) {
    let _ = write!(
        html,
        "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
}
