//! Every subject's mean with its interval, a group of bars a case.

use anyhow::Result;

use super::canvas::{fitted, lines, width_of, Axis, Canvas, Hold, SIZE};
use super::palette::{self, GRID, INK, MUTED};
use super::Layout;
use crate::report::{words, Section};
use crate::summary::SubjectSummary;

const BAR: i32 = 12;
const GAP: i32 = 10;

/// Draws it.
pub fn draw(title: &str, section: &Section<'_>, layout: Layout) -> Result<String> {
    let width = match layout {
        Layout::Wide => 960,
        Layout::Narrow => 360,
    };
    let longest = section
        .cases
        .iter()
        .map(|case| width_of(&case.key.case, SIZE))
        .max();
    let label = longest.unwrap_or(0).min(280);
    // Above the bars in the narrow layout, left of them in the wide one.
    let (left, above) = match layout {
        Layout::Wide => (label + 36, 0),
        Layout::Narrow => (12, 18),
    };
    let groups: Vec<(&str, Vec<(usize, &SubjectSummary)>)> = section
        .cases
        .iter()
        .map(|case| {
            let places = section.subjects.iter().enumerate();
            let bars = places.filter_map(|(place, name)| Some((place, case.subjects.get(*name)?)));
            (case.key.case.as_str(), bars.collect())
        })
        .collect();
    let height = |bars: usize| above + BAR * (bars.max(1) as i32) + GAP;
    let heads = lines(title, width - 24, 15);
    let legend = lines(
        "Bar: mean of all samples. Line: its 95% interval, every sample a replicate.",
        width - 24,
        12,
    );
    let top = 16 + 20 * heads.len() as i32 + 17 * legend.len() as i32 + 30;
    let bottom = top
        + groups
            .iter()
            .map(|(_, bars)| height(bars.len()))
            .sum::<i32>();
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, width, bottom + 34)?;
    let y = canvas.head(&heads, &legend)?;
    let mut x = 12;
    for (place, name) in section.subjects.iter().enumerate() {
        let name = words::subject(name);
        canvas.bar((x, y - 4), (x + 12, y + 6), palette::subject(place))?;
        canvas.text((x + 18, y + 1), name, 12, INK, Hold::Left)?;
        x += 18 + width_of(name, 12) + 16;
    }
    let axis = Axis::new(range(&groups), (left, width - 84));
    for tick in axis.ticks(70) {
        let x = axis.at(tick);
        canvas.line((x, top), (x, bottom), GRID, 1)?;
        let text = tick_text(tick);
        canvas.text((x, bottom + 16), &text, 12, MUTED, Hold::Middle)?;
    }
    let zero = axis.at(0.0);
    canvas.line((zero, top), (zero, bottom), MUTED, 1)?;
    let mut y = top + GAP / 2;
    for (case, bars) in &groups {
        match layout {
            Layout::Wide => {
                let middle = y + BAR * (bars.len().max(1) as i32) / 2;
                let text = fitted(case, label, SIZE);
                canvas.text((12, middle), &text, SIZE, INK, Hold::Left)?;
            }
            Layout::Narrow => {
                let text = fitted(case, width - 30, 12);
                canvas.text((18, y + 8), &text, 12, INK, Hold::Left)?;
            }
        }
        if bars.is_empty() {
            let at = (zero + 6, y + above + BAR / 2);
            canvas.text(at, "no samples", 11, MUTED, Hold::Left)?;
        }
        for (row, (place, subject)) in bars.iter().enumerate() {
            let top = y + above + BAR * row as i32;
            let end = axis.at(subject.mean);
            canvas.bar(
                (zero, top + 1),
                (end, top + BAR - 1),
                palette::subject(*place),
            )?;
            let mut free = end.max(zero);
            if let Some(ci95) = &subject.ci95 {
                let middle = top + BAR / 2;
                let (lo, hi) = (axis.at(ci95.lo), axis.at(ci95.hi));
                canvas.line((lo, middle), (hi, middle), INK, 1)?;
                for end in [lo, hi] {
                    canvas.line((end, middle - 3), (end, middle + 3), INK, 1)?;
                }
                free = free.max(hi);
            }
            let at = (free + 6, top + BAR / 2);
            canvas.text(at, &words::si_fine(subject.mean), 11, MUTED, Hold::Left)?;
        }
        y += height(bars.len());
    }
    canvas.done()?;
    Ok(svg)
}

/// From zero, or the lowest mean below it, to the highest interval's end.
fn range(groups: &[(&str, Vec<(usize, &SubjectSummary)>)]) -> (f64, f64) {
    let mut ends = (0.0f64, 0.0f64);
    for (_, subject) in groups.iter().flat_map(|(_, bars)| bars) {
        let ci95 = subject.ci95.as_ref();
        // A wild interval must not flatten every bar.
        let reach = 2.0 * subject.mean.abs();
        let lo = ci95.map_or(subject.mean, |ends| ends.lo.max(-reach));
        let hi = ci95.map_or(subject.mean, |ends| ends.hi.min(reach));
        ends.0 = ends.0.min(subject.mean).min(lo);
        ends.1 = ends.1.max(subject.mean).max(hi);
    }
    if ends.0 == ends.1 {
        ends.1 = 1.0;
    }
    ends
}

fn tick_text(tick: f64) -> String {
    let text = words::si(tick);
    // 50.0k reads better as 50k on an axis.
    match text.find('.') {
        None => text,
        Some(_) => {
            let suffix = text.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
            let number = text[..text.len() - suffix.len()].trim_end_matches('0');
            format!("{}{suffix}", number.trim_end_matches('.'))
        }
    }
}
