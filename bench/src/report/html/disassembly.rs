//! The loops of operations as machine code, side by side.

use std::fmt::Write;

use crate::disassembly::Listing;
use crate::folder::Recording;
use crate::report::plot::escape;
use crate::report::{words, Section};

/// Writes what was kept of a section's cases; nothing if nothing was.
pub fn write(html: &mut String, section: &Section<'_>, recording: &Recording) {
    let mut cases = Vec::new();
    for case in &section.cases {
        let listing = |subject: &&str| {
            let mut all = recording.listings.iter();
            all.find(|one| one.key == case.key && one.subject == *subject)
        };
        let listings: Vec<&Listing> = section.subjects.iter().filter_map(listing).collect();
        if !listings.is_empty() {
            cases.push((case, listings));
        }
    }
    if cases.is_empty() {
        return;
    }
    html.push_str(
        "<h3>Disassembly</h3>\n<p class=\"note\">The function with each subject's loop: what \
         comes before and after it is in it too. +N is a distance from the function's beginning, \
         in bytes.</p>\n",
    );
    for (case, listings) in cases {
        let _ = write!(
            html,
            "<details class=\"case\" data-find=\"{}\"><summary><span class=\"name\">{}</span> \
             <span class=\"change\">{}</span></summary>\n<div class=\"listings\">\n",
            super::find(&case.key, words::verdict(case.main.verdict)),
            escape(&case.key.case),
            escape(&lengths(&listings)),
        );
        for listing in listings {
            let _ = write!(
                html,
                "<figure><figcaption>{}: <code>{}</code></figcaption>\n\
                 <pre tabindex=\"0\">{}</pre></figure>\n",
                escape(words::subject(&listing.subject)),
                escape(&listing.symbol),
                escape(&listing.instructions.join("\n")),
            );
        }
        html.push_str("</div>\n</details>\n");
    }
}

/// How long each is.
fn lengths(listings: &[&Listing]) -> String {
    let each: Vec<String> = listings
        .iter()
        .map(|one| {
            let subject = words::subject(&one.subject);
            format!("{subject} {}", one.instructions.len())
        })
        .collect();
    format!("instructions: {}", each.join(", "))
}
