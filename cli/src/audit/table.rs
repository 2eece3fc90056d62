//! Draws the ledger.

use super::collect::Count;
use crate::output;

/// The ledger as text: our folders and their sum, other source beside it, and
/// the shares.
pub fn draw(
    own: &[(String, Count)],
    others: &[(String, Count)],
    shares: &[String],
    width: usize,
) -> String {
    // Seven columns of numbers take 57 places.
    let longest = own
        .iter()
        .chain(others)
        .map(|(name, _)| name.chars().count());
    let column = longest
        .max()
        .unwrap_or(0)
        .clamp(6, width.saturating_sub(58).max(6));
    let mut text = format!(
        "{:column$}   Rust    ------- unsafe -------       no       C   test\n\
         {:column$}  lines  blocks    fns  impls...   SAFETY   lines  lines\n",
        "", "folder"
    );
    for (name, count) in own {
        text.push_str(&row(name, count, column));
    }
    if !own.is_empty() {
        let mut all = Count::default();
        for (_, count) in own {
            all.add(count);
        }
        text.push_str(&row("all", &all, column));
    }
    if !own.is_empty() && !others.is_empty() {
        text.push_str("\nbeside it\n");
    }
    for (name, count) in others {
        text.push_str(&row(name, count, column));
    }
    if !shares.is_empty() {
        text.push('\n');
    }
    for share in shares {
        for line in output::wrap(share, width) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn row(name: &str, count: &Count, column: usize) -> String {
    format!(
        "{:column$} {:>6} {:>7} {:>6} {:>9} {:>8} {:>7} {:>6}\n",
        shorten(name, column),
        count.rust,
        count.blocks,
        count.fns,
        count.impls,
        count.undocumented,
        count.c,
        count.tests,
    )
}

/// A path's end says more than its start.
fn shorten(name: &str, column: usize) -> String {
    let length = name.chars().count();
    if length <= column {
        return name.to_string();
    }
    let end: String = name.chars().skip(length + 1 - column).collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_keeps_to_the_width() {
        let rows = [(
            "a/very/long/path/to/some/folder/of/rust".to_string(),
            Count::default(),
        )];
        let text = draw(
            &[("kit".into(), Count::default())],
            &rows,
            &["x ".repeat(60)],
            80,
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(text.contains("…"), "{text}");
    }
}
