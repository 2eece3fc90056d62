//! What changed from one kernel to the next.

use std::collections::BTreeMap;

use ringfence_lab::api_map::{Change, Churn, Kind, ModuleChurn};

use super::document::{Part, Table};
use super::{percent, short};

/// The changes: what became of needed names, the C prototypes, the `kernel`
/// crate's public items by module, and those of wanted modules one by one.
pub fn of(churn: &Churn, wanted: impl Fn(&ModuleChurn) -> bool) -> Vec<Part> {
    let title = format!("From {} to {}", short(&churn.from), short(&churn.to));
    let mut parts = vec![Part::Heading(3, title)];
    let bindings = &churn.bindings;
    parts.push(Part::Text(format!(
        "C: of {} needed names with a prototype {} changed. In all bindings there were {} \
         functions and data, there are {}; {} are gone, {} new, {} altered ({:.1}%).",
        churn.compared,
        churn.prototypes.len(),
        bindings.before,
        bindings.after,
        bindings.gone,
        bindings.new,
        bindings.altered,
        100.0 * (bindings.gone + bindings.altered) as f64 / bindings.before.max(1) as f64
    )));
    if !churn.prototypes.is_empty() {
        parts.push(Part::List(churn.prototypes.iter().map(shown).collect()));
    }
    for (driver, changes) in &churn.needs {
        let names = |kind| -> Vec<&str> {
            let these = changes.iter().filter(|change| change.kind() == kind);
            these.map(|change| &change.name[..]).collect()
        };
        let (gone, new) = (names(Kind::Gone), names(Kind::New));
        let mut words = Vec::new();
        if !gone.is_empty() {
            words.push(format!("no longer: {}", gone.join(", ")));
        }
        if !new.is_empty() {
            words.push(format!("new: {}", new.join(", ")));
        }
        if !words.is_empty() {
            parts.push(Part::Text(format!(
                "Needed by {driver}, {}.",
                words.join("; ")
            )));
        }
    }
    if !churn.states.is_empty() {
        let mut moves: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for change in &churn.states {
            let way = format!(
                "{} to {}",
                change.before.as_deref().unwrap_or_default(),
                change.after.as_deref().unwrap_or_default()
            );
            moves.entry(way).or_default().push(&change.name);
        }
        parts.push(Part::Text(format!(
            "{} names that are needed in both changed their state:",
            churn.states.len()
        )));
        let lines = moves
            .into_iter()
            .map(|(way, names)| (way, vec![names.join(", ")]));
        parts.push(Part::List(lines.collect()));
    }
    parts.extend(modules(churn));
    for (name, module) in &churn.modules {
        if wanted(module) && !module.changes.is_empty() {
            parts.push(Part::Heading(4, format!("kernel::{name}")));
            parts.push(Part::List(module.changes.iter().map(shown).collect()));
        }
    }
    parts
}

/// A module a row, those that drivers would use first.
fn modules(churn: &Churn) -> Vec<Part> {
    let mut table = Table::new(&[
        "module", "before", "after", "gone", "altered", "new", "broken",
    ]);
    let mut add = |name: &str, counts: [usize; 5]| {
        let [before, _, gone, altered, _] = counts;
        let mut cells: Vec<String> = counts.iter().map(usize::to_string).collect();
        cells.push(percent(gone + altered, before));
        table.row(name, cells);
    };
    let (mut whole, mut listed, mut unlisted) = ([0; 5], [0; 5], [0; 5]);
    for (name, module) in &churn.modules {
        let count = |kind| module.count(kind);
        let counts = [
            module.before,
            module.after,
            count(Kind::Gone),
            count(Kind::Altered),
            count(Kind::New),
        ];
        let sum = if module.listed {
            &mut listed
        } else {
            &mut unlisted
        };
        for (at, count) in counts.into_iter().enumerate() {
            whole[at] += count;
            sum[at] += count;
        }
        if module.listed {
            add(name, counts);
        }
    }
    add("these", listed);
    add("all others", unlisted);
    add("all", whole);
    vec![
        Part::Text(
            "The `kernel` crate's public items (functions, methods, types, traits, constants, \
             macros) by first module, those that such drivers would use one by one. Broken: gone \
             or altered, of those there were."
                .into(),
        ),
        Part::Table(table),
    ]
}

fn shown(change: &Change) -> (String, Vec<String>) {
    let lines = match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            vec![format!("before: {before}"), format!("after: {after}")]
        }
        (Some(before), None) => vec![format!("gone: {before}")],
        (None, after) => vec![format!("new: {}", after.as_deref().unwrap_or_default())],
    };
    (change.name.clone(), lines)
}
