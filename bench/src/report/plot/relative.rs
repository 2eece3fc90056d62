//! Headlines with their intervals, a row a case (a forest plot).

use anyhow::Result;

use super::canvas::{fitted, lines, width_of, Axis, Canvas, Hold, SIZE};
use super::palette::{self, BAND, GRID, INK, MUTED};
use super::Layout;
use crate::report::words;
use crate::statistics::headline::Headline;
use crate::statistics::verdict::Better;
use crate::summary::Comparison;

/// Where everything goes.
struct Geometry {
    width: i32,
    /// The left and right ends of the axis.
    ends: (i32, i32),
    /// Height of a row, and where its dot is.
    row: (i32, i32),
    /// Room for the case's name.
    label: i32,
}

/// Draws it.
pub fn draw(
    title: &str,
    rows: &[(&str, &Comparison)],
    margin: f64,
    better: Option<Better>,
    layout: Layout,
) -> Result<String> {
    let geometry = geometry(rows, layout);
    let heads = lines(title, geometry.width - 24, 15);
    let side = match better {
        Some(Better::Lower) => "left",
        _ => "right",
    };
    let legend = lines(
        &format!(
            "Dot and line: headline over boots with its 95% interval. Small ticks: single boots. \
             Band: margin of equivalence, {}. Better is to the {side}.",
            words::margin(margin)
        ),
        geometry.width - 24,
        12,
    );
    let top = 16 + 20 * heads.len() as i32 + 17 * legend.len() as i32 + 28;
    let bottom = top + geometry.row.0 * rows.len() as i32;
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, geometry.width, bottom + 34)?;
    let mut y = 20;
    for line in &heads {
        canvas.bold((12, y), line, 15, INK)?;
        y += 20;
    }
    for line in &legend {
        canvas.text((12, y), line, 12, MUTED, Hold::Left)?;
        y += 17;
    }
    let axis = Axis::new(range(rows, margin), geometry.ends);
    let band = (axis.at(1.0 / (1.0 + margin) - 1.0), axis.at(margin));
    canvas.bar((band.0, top), (band.1, bottom), BAND)?;
    for tick in axis.ticks(55) {
        let x = axis.at(tick);
        canvas.line((x, top), (x, bottom), GRID, 1)?;
        let text = tick_text(tick);
        canvas.text((x, bottom + 16), &text, 12, MUTED, Hold::Middle)?;
        if rows.len() > 12 {
            canvas.text((x, top - 12), &text, 12, MUTED, Hold::Middle)?;
        }
    }
    canvas.line((axis.at(0.0), top), (axis.at(0.0), bottom), INK, 1)?;
    for (index, (case, comparison)) in rows.iter().enumerate() {
        let y = top + geometry.row.0 * index as i32;
        row(&canvas, &axis, &geometry, layout, y, case, comparison)?;
    }
    canvas.done()?;
    Ok(svg)
}

fn row(
    canvas: &Canvas<'_>,
    axis: &Axis,
    geometry: &Geometry,
    layout: Layout,
    top: i32,
    case: &str,
    comparison: &Comparison,
) -> Result<()> {
    let y = top + geometry.row.1;
    let right = geometry.width - 12;
    let colour = palette::verdict(comparison.verdict);
    let verdict = words::verdict(comparison.verdict);
    let headline = comparison.shown();
    match layout {
        Layout::Wide => {
            let label = fitted(case, geometry.label, SIZE);
            canvas.text((12, y), &label, SIZE, INK, Hold::Left)?;
            canvas.text((right, y), verdict, SIZE, colour, Hold::Right)?;
            if let Some(headline) = headline {
                let text = words::headline(Some(headline));
                canvas.text((right - 108, y), &text, 12, MUTED, Hold::Right)?;
            }
        }
        Layout::Narrow => {
            let change = headline.map(|headline| words::percent(headline.mean) + " ");
            let text = change.unwrap_or_default() + verdict;
            let room = right - 20 - width_of(&text, 12);
            let label = fitted(case, room, 12);
            canvas.text((12, y - 17), &label, 12, INK, Hold::Left)?;
            canvas.text((right, y - 17), &text, 12, colour, Hold::Right)?;
        }
    }
    let Some(headline) = headline else {
        return Ok(());
    };
    for boot in headline.each.iter().filter(|b| axis.holds(b.relative)) {
        let x = axis.at(boot.relative);
        canvas.line((x, y + 3), (x, y + 7), MUTED, 1)?;
    }
    if let Some(ci95) = &headline.ci95 {
        let (lo, hi) = (axis.at(ci95.lo), axis.at(ci95.hi));
        canvas.line((lo, y), (hi, y), colour, 2)?;
        // An end that is off the sheet is an arrow.
        if lo == geometry.ends.0 {
            canvas.arrow((lo - 2, y), lo + 7, colour)?;
        }
        if hi == geometry.ends.1 {
            canvas.arrow((hi + 2, y), hi - 7, colour)?;
        }
    }
    canvas.dot((axis.at(headline.mean), y), 5, colour)
}

fn geometry(rows: &[(&str, &Comparison)], layout: Layout) -> Geometry {
    let longest = rows.iter().map(|(case, _)| width_of(case, SIZE)).max();
    match layout {
        Layout::Wide => {
            let label = longest.unwrap_or(0).min(280);
            Geometry {
                width: 960,
                ends: (label + 36, 960 - 290),
                row: (24, 12),
                label,
            }
        }
        Layout::Narrow => Geometry {
            width: 360,
            ends: (22, 338),
            row: (44, 29),
            label: 0,
        },
    }
}

/// The range that the axis shows: everything, unless a few intervals are far
/// wider than the others; those are cut off.
fn range(rows: &[(&str, &Comparison)], margin: f64) -> (f64, f64) {
    let shown: Vec<&Headline> = rows
        .iter()
        .filter_map(|(_, comparison)| comparison.shown())
        .collect();
    let mut reach: Vec<f64> = shown
        .iter()
        .map(|headline| match &headline.ci95 {
            Some(ci95) => ci95.lo.abs().max(ci95.hi.abs()),
            None => headline.mean.abs(),
        })
        .collect();
    reach.sort_by(f64::total_cmp);
    let median = reach.get(reach.len() / 2).copied().unwrap_or(0.0);
    let means = shown
        .iter()
        .map(|headline| headline.mean.abs())
        .fold(0.0, f64::max);
    let limit = (2.5 * median).max(1.25 * means).max(3.0 * margin);
    let mut ends = (-1.5 * margin, 1.5 * margin);
    for headline in &shown {
        let ci95 = headline.ci95.as_ref();
        let lo = ci95.map_or(headline.mean, |ends| ends.lo);
        let hi = ci95.map_or(headline.mean, |ends| ends.hi);
        ends.0 = ends.0.min(lo.max(-limit));
        ends.1 = ends.1.max(hi.min(limit));
    }
    let space = (ends.1 - ends.0).max(1e-6) * 0.04;
    let far = |end: f64| end.abs() >= limit;
    (
        if far(ends.0) { ends.0 } else { ends.0 - space },
        if far(ends.1) { ends.1 } else { ends.1 + space },
    )
}

fn tick_text(tick: f64) -> String {
    let percent = (tick * 1e6).round() / 1e4;
    match percent == 0.0 {
        true => "0".into(),
        false => format!("{percent:+}%"),
    }
}
