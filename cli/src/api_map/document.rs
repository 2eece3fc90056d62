//! A document of headings, paragraphs, tables and lists, as text for a
//! terminal or as Markdown.

use crate::output;

/// A part of a document.
pub enum Part {
    /// A heading; 1 is the document's.
    Heading(usize, String),
    /// A paragraph.
    Text(String),
    /// Lines with a point each; the second text belongs below the first.
    List(Vec<(String, Vec<String>)>),
    /// A table.
    Table(Table),
}

/// A table: first column to the left, the others to the right.
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Table {
        Table {
            columns: columns.iter().map(|name| name.to_string()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: its name and its numbers.
    pub fn row(&mut self, name: &str, numbers: impl IntoIterator<Item = String>) {
        let mut row = vec![name.to_string()];
        row.extend(numbers);
        self.rows.push(row);
    }
}

/// The document in `width` columns.
pub fn text(parts: &[Part], width: usize) -> String {
    let mut out = String::new();
    for part in parts {
        if !out.is_empty() {
            out.push('\n');
        }
        match part {
            Part::Heading(_, text) => push(&mut out, text, "", width),
            Part::Text(text) => push(&mut out, text, "", width),
            Part::List(points) => {
                for (head, tail) in points {
                    push(&mut out, head, "  ", width);
                    for line in tail {
                        push(&mut out, line, "      ", width);
                    }
                }
            }
            Part::Table(table) => {
                let mut widths = widths(table);
                let others: usize = widths[1..].iter().map(|width| width + 2).sum();
                widths[0] = widths[0].min(width.saturating_sub(others + 2).max(8));
                for row in std::iter::once(&table.columns).chain(&table.rows) {
                    let mut line = format!("  {:1$}", cut(&row[0], widths[0]), widths[0]);
                    for (cell, width) in row.iter().zip(&widths).skip(1) {
                        line.push_str(&format!("  {cell:>width$}"));
                    }
                    out.push_str(line.trim_end());
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// The document as Markdown.
pub fn markdown(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        if !out.is_empty() {
            out.push('\n');
        }
        match part {
            Part::Heading(level, text) => out.push_str(&format!("{} {text}\n", "#".repeat(*level))),
            Part::Text(text) => push(&mut out, text, "", 80),
            Part::List(points) => {
                for (head, tail) in points {
                    out.push_str(&format!("- {}\n", code(head)));
                    for line in tail {
                        out.push_str(&format!("  - {}\n", code(line)));
                    }
                }
            }
            Part::Table(table) => {
                out.push_str(&format!("| {} |\n", table.columns.join(" | ")));
                out.push_str(&format!(
                    "|---{}|\n",
                    "|--:".repeat(table.columns.len() - 1)
                ));
                for row in &table.rows {
                    out.push_str(&format!("| {} |\n", row.join(" | ")));
                }
            }
        }
    }
    out
}

/// Text that may hold what Markdown means something by.
fn code(text: &str) -> String {
    match text.split_once(": ") {
        Some((word @ ("before" | "after" | "gone" | "new"), rest)) => {
            format!("{word}: `{rest}`")
        }
        _ => format!("`{text}`"),
    }
}

/// The end of a text that is too long.
fn cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_string();
    }
    let end: String = text.chars().skip(length - width + 2).collect();
    format!("..{end}")
}

fn widths(table: &Table) -> Vec<usize> {
    let rows = || std::iter::once(&table.columns).chain(&table.rows);
    (0..table.columns.len())
        .map(|column| {
            rows()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect()
}

fn push(out: &mut String, text: &str, indent: &str, width: usize) {
    for line in output::wrap(text, width - indent.len()) {
        out.push_str(&format!("{indent}{line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        let mut table = Table::new(&["driver", "raw"]);
        table.row("nvme", ["12".to_string()]);
        vec![
            Part::Heading(2, "Kernel".into()),
            Part::Text("One two three".into()),
            Part::Table(table),
            Part::List(vec![(
                "block::mq".into(),
                vec!["before: fn(*mut u8)".into()],
            )]),
        ]
    }

    #[test]
    fn a_terminal_gets_columns_and_wrapped_lines() {
        assert_eq!(
            text(&parts(), 10),
            "Kernel\n\nOne two\nthree\n\n  driver  raw\n  nvme     12\n\n  block::mq\n      before:\n      fn(*mut\n      u8)\n"
        );
    }

    #[test]
    fn a_table_that_is_too_wide_loses_the_start_of_its_names() {
        let mut table = Table::new(&["header", "needs"]);
        table.row("linux/atomic/atomic.h", ["12".to_string()]);
        let text = text(&[Part::Table(table)], 19);
        assert_eq!(text, "  header      needs\n  ..atomic.h     12\n");
    }

    #[test]
    fn markdown_gets_its_signs() {
        assert_eq!(
            markdown(&parts()),
            "## Kernel\n\nOne two three\n\n| driver | raw |\n|---|--:|\n| nvme | 12 |\n\n\
             - `block::mq`\n  - before: `fn(*mut u8)`\n"
        );
    }
}
