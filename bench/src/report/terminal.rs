//! The table that `bench` and `report` print.

use std::fmt::Write;

use crate::statistics::verdict::Verdict;
use crate::summary::{CaseSummary, Summary};

use super::{attribution, notes, sections, words, Section};

/// Columns besides the case's name, with the spaces before them: second
/// subject, first subject, change, interval, verdict.
const FIXED: usize = 7 + 7 + 8 + 15 + 16;

/// The table in `width` columns (60 at least), with ANSI colours if `color`:
/// verdicts, legend, warnings, and how complete the run is.
pub fn table(summary: &Summary, width: usize, color: bool) -> String {
    let width = width.clamp(60, 160);
    let paint = Paint { color };
    let mut text = String::new();
    let mut starred = false;
    let mut reasons = Vec::new();
    for section in sections(summary) {
        starred |= section_table(&mut text, &section, width, &paint);
        for case in &section.cases {
            if let Some(reason) = &case.main.reason {
                reasons.push((reason.as_str(), case.key.case.as_str()));
            }
        }
        text.push('\n');
    }
    let reasons = words::grouped(&reasons);
    for (reason, cases) in &reasons {
        wrapped(&mut text, &format!("- {cases}: {reason}."), width);
    }
    if !reasons.is_empty() {
        text.push('\n');
    }
    for section in sections(summary) {
        let before = text.len();
        attribution::findings(&mut text, &section, width);
        if text.len() > before {
            text.push('\n');
        }
    }
    let margin = words::margin(summary.run.margin);
    wrapped(
        &mut text,
        &format!(
            "change: headline over boots with its 95% interval in percent, first subject against \
             second; equivalent: within {margin}"
        ),
        width,
    );
    if starred {
        wrapped(
            &mut text,
            "*: equivalent, and yet the 95% interval excludes zero",
            width,
        );
    }
    for section in sections(summary) {
        let notes = notes::of(&section, summary);
        if !notes.is_empty() {
            text.push('\n');
            let title = format!("{}:", words::section_title(&section));
            wrapped(&mut text, &title, width);
        }
        for note in notes {
            wrapped(&mut text, &format!("- {note}"), width);
        }
    }
    for warning in &summary.run.warnings {
        let mut lines = String::new();
        wrapped(&mut lines, &format!("warning: {warning}"), width);
        text.push_str(&paint.yellow(&lines));
    }
    let complete = if summary.run.complete {
        "complete"
    } else {
        "incomplete"
    };
    wrapped(
        &mut text,
        &format!("{complete}: {}", words::completeness(&summary.run)),
        width,
    );
    text
}

/// One section's lines; whether an equivalent case has a direction.
fn section_table(text: &mut String, section: &Section<'_>, width: usize, paint: &Paint) -> bool {
    let (first, second) = section.pair();
    let longest = section
        .cases
        .iter()
        .map(|case| case.key.case.chars().count())
        .max();
    let room = width - FIXED;
    let name = longest.unwrap_or(0).clamp(room.min(20), room);
    text.push_str(&paint.bold(&words::section_title(section)));
    text.push('\n');
    let head = format!(
        "{:name$} {:>6} {:>6} {:>7} {:>14}  verdict",
        "case",
        shortened(words::subject(second), 6),
        shortened(words::subject(first), 6),
        "change",
        "95% interval"
    );
    text.push_str(&paint.dim(&head));
    text.push('\n');
    let mut starred = false;
    for case in &section.cases {
        let star = words::direction_beside(&case.main).is_some();
        starred |= star;
        let word = words::verdict(case.main.verdict);
        let _ = writeln!(
            text,
            "{:name$} {:>6} {:>6} {:>7} {:>14}  {}{}",
            shortened(&case.key.case, name),
            mean(case, second),
            mean(case, first),
            change(case),
            interval(case),
            paint.verdict(case.main.verdict, word),
            if star { "*" } else { "" }
        );
    }
    starred
}

fn mean(case: &CaseSummary, subject: &str) -> String {
    case.subjects
        .get(subject)
        .map_or("-".into(), |subject| words::si(subject.mean))
}

fn change(case: &CaseSummary) -> String {
    let headline = case.main.shown();
    headline.map_or("-".into(), |headline| words::percent(headline.mean))
}

fn interval(case: &CaseSummary) -> String {
    let headline = case.main.shown();
    headline
        .and_then(|headline| headline.ci95.as_ref())
        .map_or("-".into(), words::percent_interval)
}

/// At most `width` characters, the middle cut out.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().filter(|letter| !letter.is_control()).collect();
    if letters.len() <= width {
        return letters.into_iter().collect();
    }
    let tail = width / 2;
    let head = width - tail - 1;
    let mut short: String = letters[..head].iter().collect();
    short.push('~');
    short.extend(&letters[letters.len() - tail..]);
    short
}

/// `line` in lines of at most `width` characters; those after the first of a
/// list item or a warning are indented. Words longer than that stay whole.
pub(super) fn wrapped(text: &mut String, line: &str, width: usize) {
    let item = line.starts_with("- ") || line.starts_with("warning: ");
    let indent = if item { "  " } else { "" };
    let mut used = 0;
    for word in line.split_whitespace() {
        let letters = word.chars().filter(|letter| !letter.is_control()).count();
        if used > 0 && used + 1 + letters > width {
            text.push('\n');
            text.push_str(indent);
            used = indent.len();
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.extend(word.chars().filter(|letter| !letter.is_control()));
        used += letters;
    }
    text.push('\n');
}

/// ANSI colours, or none.
pub(super) struct Paint {
    /// Whether there are any.
    pub(super) color: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.into(),
        }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn yellow(&self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn verdict(&self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Faster => "32",
            Verdict::Slower => "31",
            Verdict::Equivalent => "36",
            Verdict::Inconclusive => "2",
            Verdict::NotComparable => "35",
        };
        self.with(code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("randwrite-256k-qd32", 11), "randw~-qd32");
        assert_eq!(shortened("short", 11), "short");
    }

    #[test]
    fn lines_wrap_between_words() {
        let mut text = String::new();
        wrapped(&mut text, "one two three four", 9);
        wrapped(&mut text, "- one two three", 9);
        assert_eq!(text, "one two\nthree\nfour\n- one two\n  three\n");
    }
}
