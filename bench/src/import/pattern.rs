//! Labels in the names of files.

use super::Label;

/// `{subject}-{case}-{boot}-{block}.json`: how files are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Subject,
    /// Anything: the case comes from what fio was told.
    Case,
    Boot,
    Block,
}

impl NamePattern {
    /// Of a text.
    ///
    /// # Errors
    /// Says in words what is wrong: a place that there is not, one that is
    /// there twice, or no `{subject}`.
    pub fn parse(text: &str) -> Result<NamePattern, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let part = match rest.strip_prefix('{') {
                None => {
                    let end = rest.find('{').unwrap_or(rest.len());
                    let (part, after) = rest.split_at(end);
                    rest = after;
                    Part::Text(part.into())
                }
                Some(inner) => {
                    let (name, after) = inner.split_once('}').ok_or("a { is not closed")?;
                    rest = after;
                    match name {
                        "subject" => Part::Subject,
                        "case" => Part::Case,
                        "boot" => Part::Boot,
                        "block" => Part::Block,
                        _ => {
                            return Err(format!(
                                "{{{name}}} is unknown; there is {{subject}}, {{case}}, {{boot}}, \
                                 {{block}}"
                            ))
                        }
                    }
                }
            };
            if !matches!(part, Part::Text(_)) && parts.contains(&part) {
                return Err("a place is there twice".into());
            }
            parts.push(part);
        }
        match parts.contains(&Part::Subject) {
            true => Ok(NamePattern { parts }),
            false => Err("{subject} is missing".into()),
        }
    }

    /// The label in a file's name. Boots and blocks are digits; a subject and a
    /// case are the shortest text with which the rest fits.
    ///
    /// # Errors
    /// Says in words that the name does not fit, or what [`Label::of`] says.
    pub fn label(&self, name: &str) -> Result<Label, String> {
        let mut found = [None; 3];
        if !fits(&self.parts, name, &mut found) {
            return Err("its name does not fit the pattern".into());
        }
        let [subject, boot, block] = found;
        Label::of(subject.unwrap_or_default(), boot, block)
    }
}

/// Whether a name fits, and where subject, boot and block then are.
fn fits<'a>(parts: &[Part], name: &'a str, found: &mut [Option<&'a str>; 3]) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return name.is_empty();
    };
    let (slot, digits) = match part {
        Part::Text(text) => {
            let after = name.strip_prefix(text.as_str());
            return after.is_some_and(|after| fits(rest, after, found));
        }
        Part::Subject => (Some(0), false),
        Part::Case => (None, false),
        Part::Boot => (Some(1), true),
        Part::Block => (Some(2), true),
    };
    for (at, letter) in name.char_indices() {
        if digits && !letter.is_ascii_digit() {
            return false;
        }
        let (taken, after) = name.split_at(at + letter.len_utf8());
        if fits(rest, after, found) {
            if let Some(slot) = slot {
                found[slot] = Some(taken);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(pattern: &str, name: &str) -> Result<Label, String> {
        NamePattern::parse(pattern)?.label(name)
    }

    #[test]
    fn a_name_gives_subject_boot_and_block() {
        let pattern = "{subject}-{case}-{boot}-{block}.json";
        let found = label(pattern, "rust-randread-4k-qd1-j1-3-12.json").unwrap();
        assert_eq!((found.subject.as_str(), found.boot), ("rust", 3));
        assert_eq!(found.block, Some(12));
        let found = label("b{boot}_{subject}.json", "b10_c-oot.json").unwrap();
        assert_eq!((found.subject.as_str(), found.boot), ("c-oot", 10));
        assert_eq!(found.block, None);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        for (pattern, name, words) in [
            ("{subject}-{boot}.json", "rust-x.json", "does not fit"),
            ("{subject}-{boot}.json", "rust-.json", "does not fit"),
            ("{subject}-{boot}.json", "rust-1.jsonx", "does not fit"),
            ("{subject}-{boot}.json", "rust-77777.json", "0 to 9999"),
            ("{subject}.json", "a b.json", "cannot name"),
            ("{boot}.json", "1.json", "{subject} is missing"),
            ("{subject}{who}", "x", "{who} is unknown"),
            ("{subject}{boot}{boot}", "x", "twice"),
            ("{subject", "", "not closed"),
        ] {
            let error = label(pattern, name).unwrap_err();
            assert!(error.contains(words), "{pattern} {name}: {error}");
        }
    }
}
