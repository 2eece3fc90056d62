//! A figure: drawings, what they are, and the table of their numbers.

use std::fmt::Write;

use crate::report::plot::{escape, Plot};

/// A table that its figure keeps closed.
pub struct Table<'a> {
    /// What it holds, in a few words.
    pub caption: &'a str,
    /// Names of the columns; the first one's cells name their rows.
    pub head: &'a [String],
    /// The cells, as text.
    pub rows: &'a [Vec<String>],
}

/// Writes a figure of a plot in both layouts, of which the style sheet shows
/// one, with the table of its numbers.
pub fn twice(html: &mut String, wide: &Plot, narrow: &Plot, head: &[String], rows: &[Vec<String>]) {
    let drawings = wide.inline("wide") + &narrow.inline("narrow");
    let caption = &wide.title;
    write(
        html,
        &drawings,
        "",
        &Table {
            caption,
            head,
            rows,
        },
    );
}

/// Writes a figure; `drawings` is finished SVG, `note` says how to read it.
pub fn write(html: &mut String, drawings: &str, note: &str, table: &Table<'_>) {
    let _ = write!(html, "<figure>\n{drawings}");
    if !note.is_empty() {
        let _ = write!(html, "<figcaption>{}</figcaption>", escape(note));
    }
    let caption = escape(table.caption);
    let _ = write!(
        html,
        "<details class=\"numbers\"><summary>Table: {caption}</summary>\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
         <table><caption>{caption}</caption><thead><tr>"
    );
    for name in table.head {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in table.rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match column {
                0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                _ => write!(html, "<td>{cell}</td>"),
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div></details>\n</figure>\n");
}
