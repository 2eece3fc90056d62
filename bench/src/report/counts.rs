//! Tables of instructions: where they were executed, and by which functions of
//! the drivers. They are Markdown's own, to be copied into a page.

use std::fmt::Write;

use super::Section;

/// The tables of a section; nothing if it counted no instructions.
pub fn tables(text: &mut String, section: &Section<'_>) {
    let mut parts = Vec::new();
    let mut functions = Vec::new();
    let counted = || section.cases.iter().flat_map(|case| case.counts.values());
    let model = counted().any(|counts| counts.model.is_some());
    for case in &section.cases {
        for subject in &section.subjects {
            let Some(counts) = case.counts.get(*subject) else {
                continue;
            };
            let parts_of = [counts.user, counts.kernel, counts.module];
            let total = parts_of.iter().chain(&counts.model).sum();
            let name = [case.key.case.clone(), subject.to_string()];
            let mut numbers = vec![total];
            numbers.extend(parts_of);
            if model {
                numbers.push(counts.model.unwrap_or(0.0));
            }
            let numbers = numbers.into_iter().map(tenths);
            parts.push(name.iter().cloned().chain(numbers).collect());
            for function in &counts.functions {
                let symbol = format!("`{}`", function.symbol.replace('|', "\\|"));
                let instructions = tenths(function.instructions);
                functions.push(name.iter().cloned().chain([symbol, instructions]).collect());
            }
        }
    }
    if parts.is_empty() {
        return;
    }
    let each = super::words::each(section.driver);
    let _ = writeln!(text, "Instructions {each}, by where they were executed:\n");
    let mut head = vec!["case", "subject", "total", "user", "kernel", "module"];
    if model {
        head.push("model");
    }
    table(text, &head, 2, &parts);
    if !functions.is_empty() {
        text.push_str("The module's, by function:\n\n");
        let head = ["case", "subject", "function", "instructions"];
        table(text, &head, 3, &functions);
    }
}

fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

/// A table whose columns from `numbers` on are numbers.
fn table(text: &mut String, head: &[&str], numbers: usize, rows: &[Vec<String>]) {
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let rules: Vec<&str> = (0..head.len())
        .map(|column| if column < numbers { "---" } else { "--:" })
        .collect();
    let _ = writeln!(text, "| {} |", rules.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}
