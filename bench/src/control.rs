//! Controls: a subject is measured once more, under a label of its own, so
//! that a run shows what it can see and what it cannot.
//!
//! A label is a subject's name, or that with a control's behind a colon:
//! `rust:again` is the same code a second time, `rust:slow2` the same with 2%
//! of an operation's time added to each.

use std::fmt;

/// What sets a label apart from its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing: the same code. A difference is a false alarm.
    Again,
    /// A known delay, in percent of the time of an operation. That of 0 has
    /// all that injects a delay, and no delay: the others are compared with it.
    Slow(u8),
}

/// The delays that are injected, in percent.
pub const DELAYS: [u8; 3] = [1, 2, 5];

/// A label in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Whose code it is.
    pub subject: &'a str,
    /// What is different, if anything is.
    pub control: Option<Control>,
}

impl<'a> Label<'a> {
    /// The parts of a label; `None` for a control that there is not.
    pub fn parse(label: &'a str) -> Option<Label<'a>> {
        let Some((subject, control)) = label.split_once(':') else {
            return Some(Label {
                subject: label,
                control: None,
            });
        };
        let control = match control.strip_prefix("slow") {
            Some(percent) => Control::Slow(percent.parse().ok().filter(|percent| *percent <= 100)?),
            None if control == "again" => Control::Again,
            None => return None,
        };
        Some(Label {
            subject,
            control: Some(control),
        })
    }

    /// The subject that a label is of, whatever its control.
    pub fn subject_of(label: &str) -> &str {
        label.split_once(':').map_or(label, |(subject, _)| subject)
    }
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject)?;
        match self.control {
            None => Ok(()),
            Some(Control::Again) => f.write_str(":again"),
            Some(Control::Slow(percent)) => write!(f, ":slow{percent}"),
        }
    }
}

/// The label of a subject's control.
pub fn label(subject: &str, control: Control) -> String {
    let control = Some(control);
    Label { subject, control }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_survives_the_round_trip() {
        for text in ["rust", "c-clang", "rust:again", "c:slow0", "rust:slow5"] {
            assert_eq!(Label::parse(text).expect(text).to_string(), text);
        }
        for text in ["rust:slow", "rust:slow101", "rust:fast", "rust:"] {
            assert_eq!(Label::parse(text), None, "{text}");
        }
        assert_eq!(Label::subject_of("c-clang:again"), "c-clang");
    }
}
