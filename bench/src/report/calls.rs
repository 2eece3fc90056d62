//! What each subject calls in an operation. Markdown's own table, to be copied
//! into a page.

use std::fmt::Write;

use super::{words, Section};

/// The table of a section; nothing for drivers, which call nothing by name.
pub fn table(text: &mut String, section: &Section<'_>) {
    if section.cases.iter().all(|case| case.calls.is_empty()) {
        return;
    }
    text.push_str("What an operation calls:\n\n");
    let names: Vec<&str> = section.subjects.iter().map(|s| words::subject(s)).collect();
    let _ = writeln!(text, "| operation | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(names.len()));
    for case in &section.cases {
        let _ = write!(text, "| {} |", case.key.case);
        for subject in &section.subjects {
            match case.calls.get(*subject) {
                Some(call) => {
                    let _ = write!(text, " `{}` |", call.replace('|', "\\|"));
                }
                None => text.push_str(" - |"),
            }
        }
        text.push('\n');
    }
    text.push('\n');
}
