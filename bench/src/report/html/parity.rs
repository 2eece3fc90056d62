//! What was read back from the subjects.

use std::fmt::Write;

use super::tables::case_list;
use crate::parity::ParityItem;
use crate::report::plot::escape;
use crate::report::{words, Section};

/// Differences, blocking ones first; what is equal folded away.
pub fn table(html: &mut String, section: &Section<'_>) {
    html.push_str("<h3>Parity</h3>\n");
    let groups = groups(section);
    if groups.is_empty() {
        html.push_str("<p>Nothing that the subjects read back is recorded.</p>\n");
        return;
    }
    let (equal, different): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| group.item.equal);
    let blocking = different.iter().filter(|g| g.item.blocks()).count();
    let _ = writeln!(
        html,
        "<p>Every setting was made, read back and compared before the first sample: {}, {}.</p>",
        match blocking {
            0 => "no difference forbids a verdict".into(),
            1 => "one difference forbids a verdict".into(),
            count => format!("{count} differences forbid verdicts"),
        },
        match different.len() - blocking {
            0 => "none is noted".into(),
            1 => "one is noted".into(),
            count => format!("{count} are noted"),
        }
    );
    if !different.is_empty() {
        rows(html, section, &different, "Attributes that differ");
    }
    if !equal.is_empty() {
        let _ = writeln!(
            html,
            "<details>\n<summary>What is equal ({})</summary>",
            equal.len()
        );
        rows(html, section, &equal, "Attributes that are equal");
        html.push_str("</details>\n");
    }
}

/// An item of one or several cases.
struct Group<'a> {
    item: ParityItem,
    cases: Vec<&'a str>,
}

impl Group<'_> {
    /// Whether an item says the same of the subjects that both name: a case
    /// that goes without a subject needs no row of its own.
    fn fits(&self, item: &ParityItem) -> bool {
        let same = |(subject, value): (&String, &String)| {
            self.item.values.get(subject).is_none_or(|v| v == value)
        };
        self.item.attribute == item.attribute
            && (self.item.class, self.item.equal) == (item.class, item.equal)
            && item.values.iter().all(same)
    }
}

fn groups<'a>(section: &Section<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for case in &section.cases {
        for item in &case.parity {
            match groups.iter_mut().find(|group| group.fits(item)) {
                Some(group) => {
                    group.cases.push(&case.key.case);
                    group.item.values.extend(item.values.clone());
                }
                None => groups.push(Group {
                    item: item.clone(),
                    cases: vec![&case.key.case],
                }),
            }
        }
    }
    groups.sort_by(|Group { item: a, .. }, Group { item: b, .. }| {
        (a.equal, a.class, &a.attribute).cmp(&(b.equal, b.class, &b.attribute))
    });
    groups
}

fn rows(html: &mut String, section: &Section<'_>, groups: &[Group<'_>], label: &str) {
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n\
         <table><caption>{label}</caption>\n<thead><tr><th scope=\"col\">Attribute</th>\
         <th scope=\"col\">Class</th>"
    );
    for subject in &section.subjects {
        let _ = write!(
            html,
            "<th scope=\"col\">{}</th>",
            escape(words::subject(subject))
        );
    }
    html.push_str("<th scope=\"col\">Cases</th></tr></thead>\n<tbody>\n");
    for Group { item, cases } in groups {
        let class = match (item.blocks(), item.equal) {
            (true, _) => "<span class=\"blocking\">blocking</span>",
            (false, false) => "noted",
            (false, true) => "equal",
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{class}</td>",
            escape(&item.attribute)
        );
        for subject in &section.subjects {
            let value = item.values.get(*subject).map_or("", String::as_str);
            let _ = write!(html, "<td class=\"values\">{}</td>", escape(value));
        }
        let _ = writeln!(
            html,
            "<td><span class=\"why\">{}</span></td></tr>",
            escape(&case_list(cases, section))
        );
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}
