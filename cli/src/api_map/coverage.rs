//! What drivers need, and who offers it to Rust.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_lab::api_map::{KernelMap, Map, State, Use};

use super::document::{Part, Table};
use super::{percent, short};

/// How many names of a header make it a row of its own.
const ROW: usize = 5;

/// A table a kernel, and one of headers for the newest.
pub fn summary(map: &Map) -> Vec<Part> {
    let mut parts = vec![
        Part::Heading(
            2,
            "The C API that drivers need, and who offers it to Rust".into(),
        ),
        Part::Text(
            "Names of the kernel's C API that the stock modules of four C drivers link to \
             (\"symbols\"), and static inlines of its headers that their source calls \
             (\"inlines\"), each counted once, by the first that applies: safe, the `kernel` \
             crate uses it in a safe function that is public or a trait's; inner, it uses it \
             elsewhere (private, unsafe or macro-made functions); ours, ring0/core uses it; raw, \
             the bindings have it, and nobody wraps it; absent, Rust has no name for it. C only: \
             not used by the `kernel` crate, which is the last three together."
                .into(),
        ),
    ];
    for kernel in &map.kernels {
        let release = &kernel.release;
        parts.push(Part::Heading(
            3,
            format!("Kernel {release}, {}", compiler(&kernel.rustc)),
        ));
        let mut table = Table::new(&[
            "driver", "needs", "safe", "inner", "ours", "raw", "absent", "C only",
        ]);
        for driver in &kernel.drivers {
            row(
                &mut table,
                kernel,
                &format!("{}: symbols", driver.name),
                &driver.symbols,
            );
            row(
                &mut table,
                kernel,
                &format!("{}: inlines", driver.name),
                &driver.inlines,
            );
        }
        row(&mut table, kernel, "all: symbols", kernel.symbols());
        row(&mut table, kernel, "all: inlines", kernel.inlines());
        parts.push(Part::Table(table));
        parts.push(Part::Text(format!(
            "\"All\" counts a name once that several drivers need. The kernel and its modules \
             export {} symbols; the `kernel` crate uses {} of them ({:.1}%).",
            kernel.exported,
            kernel.exported_used,
            100.0 * kernel.exported_used as f64 / kernel.exported.max(1) as f64
        )));
    }
    if let Some(kernel) = map.kernels.last() {
        parts.push(Part::Heading(
            3,
            format!("By header, {}", short(&kernel.release)),
        ));
        parts.push(Part::Table(headers(kernel)));
    }
    parts
}

/// The compiler's name and version.
fn compiler(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ")
}

fn row<'a>(
    table: &mut Table,
    kernel: &KernelMap,
    title: &str,
    names: impl IntoIterator<Item = &'a String>,
) {
    let counts = kernel.count(names);
    let all: usize = counts.iter().sum();
    let [.., ours, raw, absent] = counts;
    let mut cells = vec![all.to_string()];
    cells.extend(counts.iter().map(usize::to_string));
    cells.push(percent(ours + raw + absent, all));
    table.row(title, cells);
}

/// Headers with what drivers need of them, the largest first.
fn headers(kernel: &KernelMap) -> Table {
    let mut by_header: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (name, facts) in &kernel.names {
        let header = facts.header.as_deref().unwrap_or("no header");
        by_header.entry(header).or_default().push(name);
    }
    let (mut large, small): (Vec<_>, Vec<_>) = by_header
        .into_iter()
        .partition(|(_, names)| names.len() >= ROW);
    large.sort_by_key(|(header, names)| (std::cmp::Reverse(names.len()), *header));
    let mut table = Table::new(&[
        "header", "needs", "safe", "inner", "ours", "raw", "absent", "C only",
    ]);
    for (header, names) in large {
        row(&mut table, kernel, header, names);
    }
    if !small.is_empty() {
        let title = format!("{} with fewer than {ROW}", small.len());
        row(
            &mut table,
            kernel,
            &title,
            small.into_iter().flat_map(|(_, names)| names),
        );
    }
    table
}

/// What a driver needs of the newest kernel, by header, each name with its
/// state and the first place that uses it.
pub fn driver(map: &Map, name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let Some(kernel) = map.kernels.last() else {
        return parts;
    };
    let Some(driver) = kernel.drivers.iter().find(|driver| driver.name == name) else {
        return parts;
    };
    parts.push(Part::Heading(
        3,
        format!("What {name} needs of {}", short(&kernel.release)),
    ));
    let mut table = Table::new(&[
        "", "needs", "safe", "inner", "ours", "raw", "absent", "C only",
    ]);
    row(&mut table, kernel, "symbols", &driver.symbols);
    row(&mut table, kernel, "inlines", &driver.inlines);
    parts.push(Part::Table(table));
    let files: BTreeSet<String> = driver
        .files
        .iter()
        .filter_map(|file| file.file_name())
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    parts.push(Part::Text(format!(
        "Modules: {}. Source: {}. Not counted: {} symbols that compilers and static calls place.",
        driver.modules.join(", "),
        files.into_iter().collect::<Vec<_>>().join(", "),
        driver.emitted.len()
    )));
    let mut by_header: BTreeMap<&str, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for name in driver.symbols.union(&driver.inlines) {
        let facts = &kernel.names[name];
        let state = facts.state();
        let place = match state {
            State::Safe | State::Inner => facts.kernel.first(),
            State::Ours => facts.ours.first(),
            State::Raw | State::Absent => None,
        };
        let place = place.map(self::place).unwrap_or_default();
        let inline = if driver.inlines.contains(name) {
            " (inline)"
        } else {
            ""
        };
        let line = format!("{name}{inline}: {}{place}", state.name());
        let header = facts.header.as_deref().unwrap_or("no header");
        by_header
            .entry(header)
            .or_default()
            .push((line, Vec::new()));
    }
    for (header, lines) in by_header {
        parts.push(Part::Heading(4, header.into()));
        parts.push(Part::List(lines));
    }
    parts
}

fn place(place: &Use) -> String {
    let through = match &place.through {
        Some(name) => format!(" through {name}"),
        None => String::new(),
    };
    format!(", {}:{}{through}", place.file.display(), place.line)
}
