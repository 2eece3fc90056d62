//! The plots, as SVG.

mod absolute;
mod canvas;
pub mod change;
pub mod controls;
mod forest;
pub mod order;
pub mod palette;
pub mod parts;
mod relative;
pub mod ridges;
pub mod sheet;
pub mod steps;

use anyhow::Result;

use crate::summary::{CaseSummary, Comparison, Summary};

use super::published::{self, Published};
use super::{words, Section};

/// How a plot uses its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 960 pixels, labels left of the rows.
    Wide,
    /// 360 pixels, labels above the rows.
    Narrow,
}

/// A plot, and what it is called.
pub struct Plot {
    /// Name of its file, without the ending.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What is to be seen on it, for those who do not see it.
    pub content: String,
    svg: String,
}

impl Plot {
    /// A file of its own, with its dark colours.
    pub fn standalone(&self) -> String {
        self.with_head(
            &self.name,
            "",
            &format!("<style>{}</style>\n", palette::dark_rules()),
        )
    }

    /// A part of a page whose styles hold [`palette::dark_rules`].
    pub fn inline(&self, class: &str) -> String {
        let id = format!("{}-{class}", self.name);
        self.with_head(&id, &format!(" class=\"plot {class}\""), "")
    }

    /// The drawing with a role, a name and `more` after its first tag.
    fn with_head(&self, id: &str, attributes: &str, more: &str) -> String {
        let title = escape(&self.title);
        let start = self.svg.find("<svg").map_or(0, |at| at + 4);
        let end = self.svg[start..]
            .find('>')
            .map_or(start, |at| start + at + 1);
        format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\"{attributes}{}\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{}</desc>\n{more}{}",
            &self.svg[start..end],
            escape(&self.content),
            self.svg[end..].trim_start()
        )
    }
}

/// Every plot of a section that becomes a file.
pub fn all(section: &Section<'_>, summary: &Summary, published: &[Published]) -> Result<Vec<Plot>> {
    let mut plots = relatives(section, summary, published, Layout::Wide)?;
    plots.push(absolute(section, Layout::Wide)?);
    if let Some(controls) = section.controls(summary) {
        plots.extend(controls::plots(section, controls, Layout::Wide)?);
    }
    Ok(plots)
}

/// The plot of the headlines against the second subject, and one for each
/// further subject, with what of `published` belongs beside them.
pub fn relatives(
    section: &Section<'_>,
    summary: &Summary,
    published: &[Published],
    layout: Layout,
) -> Result<Vec<Plot>> {
    let second = section.pair().1;
    let mut plots = vec![relative(
        section,
        summary,
        published,
        layout,
        second,
        |case| Some(&case.main),
    )?];
    for other in section.others() {
        let mut plot = relative(section, summary, published, layout, other, |case| {
            case.against.get(other)
        })?;
        plot.name = format!("{}-{}", plot.name, file_name(other));
        plots.push(plot);
    }
    Ok(plots)
}

fn relative<'a>(
    section: &'a Section<'a>,
    summary: &Summary,
    published: &[Published],
    layout: Layout,
    other: &str,
    pick: impl Fn(&'a CaseSummary) -> Option<&'a Comparison>,
) -> Result<Plot> {
    let rows: Vec<(&str, &Comparison)> = section
        .cases
        .iter()
        .filter_map(|case| Some((case.key.case.as_str(), pick(case)?)))
        .collect();
    let title = format!(
        "{} against {}: relative change of {}, {}",
        words::subject(section.pair().0),
        words::subject(other),
        words::metric(section.metric),
        words::place(section)
    );
    let beside = published::beside(published, section, other);
    let mut content = words::verdict_sentence(section, &summary.run, other, pick);
    for one in &beside {
        content.push_str(&format!(
            " Published, not measured here: {} ({}).",
            one.figures(),
            one.version
        ));
    }
    let better = section.cases[0].better;
    let forest = relative::forest(&title, &rows, summary.run.margin, better, beside);
    Ok(Plot {
        name: format!("{}-relative", stem(section)),
        svg: forest.draw(layout)?,
        content,
        title,
    })
}

/// The plot of every subject's mean.
pub fn absolute(section: &Section<'_>, layout: Layout) -> Result<Plot> {
    let title = format!(
        "{} by subject, {}",
        words::capitalised(&words::metric_and_unit(
            section.driver,
            section.metric,
            section.unit
        )),
        words::place(section)
    );
    let names: Vec<&str> = section.subjects.iter().map(|s| words::subject(s)).collect();
    Ok(Plot {
        name: format!("{}-absolute", stem(section)),
        svg: absolute::draw(&title, section, layout)?,
        content: format!(
            "A bar for the mean of each of {} in each of {} cases.",
            names.join(", "),
            section.cases.len()
        ),
        title,
    })
}

fn stem(section: &Section<'_>) -> String {
    stem_of(section.ring, section.driver, section.metric)
}

/// `ring0-nullblk`, or `ring3-nullblk-driver-cost`.
fn stem_of(ring: u8, driver: &str, metric: &str) -> String {
    let mut stem = format!("ring{ring}-{}", file_name(driver));
    if metric != crate::summary::IOPS {
        stem.push('-');
        stem.push_str(&file_name(metric));
    }
    stem
}

/// A change on an axis: `+5%`, `-0.5%`, `0`.
pub fn percent_tick(change: f64) -> String {
    let percent = (change * 1e6).round() / 1e4;
    match percent == 0.0 {
        true => "0".into(),
        false => format!("{percent:+}%"),
    }
}

/// Only letters, digits and `-` of a name that may come from anywhere.
fn file_name(name: &str) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    name.chars().map(plain).collect()
}

/// Text for HTML and XML, in elements and in attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML knows no other control characters.
            letter if letter.is_control() && !"\n\t".contains(letter) => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}
