//! Relative changes with their intervals about zero, a row each (a forest
//! plot).

use anyhow::Result;

use super::canvas::{fitted, lines, width_of, Axis, Canvas, Hold, SIZE};
use super::palette::{Colour, BAND, GRID, INK, MUTED, PUBLISHED, PUBLISHED_EDGE};
use super::{percent_tick, Layout};
use crate::report::published::Published;
use crate::report::words;
use crate::statistics::median::median;
use crate::summary::Estimate;

/// What is drawn.
pub struct Forest<'a> {
    /// What it shows, in a few words.
    pub title: &'a str,
    /// How it is read.
    pub legend: String,
    /// Names of colours, for groups of several rows.
    pub colours: Vec<(&'a str, Colour)>,
    /// From top to bottom.
    pub groups: Vec<Group>,
    /// A band behind the rows, from its left end to its right one.
    pub band: (f64, f64),
    /// Further changes that are marked behind all rows.
    pub lines: Vec<f64>,
    /// What others found, behind all rows and named below them.
    pub published: Vec<&'a Published>,
}

/// Rows under one name.
pub struct Group {
    /// The name.
    pub name: String,
    /// One, or a few that the name is of.
    pub rows: Vec<Row>,
}

/// One change.
pub struct Row {
    /// The change; without one there is the word alone.
    pub change: Option<Estimate>,
    /// Of single boots.
    pub boots: Vec<f64>,
    /// What ought to be seen, where that is known.
    pub wanted: Option<f64>,
    /// Whether a ring draws the eye to it.
    pub ringed: bool,
    /// Of dot and interval.
    pub colour: Colour,
    /// What is to be said of it, and in which colour.
    pub word: (String, Colour),
}

/// Where everything goes.
struct Geometry {
    width: i32,
    /// The left and right ends of the axis.
    ends: (i32, i32),
    /// Room for names.
    label: i32,
    layout: Layout,
}

impl Geometry {
    fn of(names: impl Iterator<Item = i32>, layout: Layout) -> Geometry {
        let label = names.max().unwrap_or(0).min(280);
        match layout {
            Layout::Wide => Geometry {
                width: 960,
                ends: (label + 36, 960 - 290),
                label,
                layout,
            },
            Layout::Narrow => Geometry {
                width: 360,
                ends: (22, 338),
                label: 0,
                layout,
            },
        }
    }

    /// Height of a group of `rows`.
    fn height(&self, rows: usize) -> i32 {
        let rows = rows.max(1) as i32;
        match (self.layout, rows) {
            (Layout::Wide, 1) => 24,
            (Layout::Wide, _) => 15 * rows + 7,
            (Layout::Narrow, 1) => 44,
            (Layout::Narrow, _) => 11 * rows + 26,
        }
    }

    /// Where the middle of row `at` of `rows` lies, from the group's top.
    fn middle(&self, at: usize, rows: usize) -> i32 {
        let at = at as i32;
        match (self.layout, rows) {
            (Layout::Wide, 0 | 1) => 12,
            (Layout::Wide, _) => 11 + 15 * at,
            (Layout::Narrow, 0 | 1) => 29,
            (Layout::Narrow, _) => 27 + 11 * at,
        }
    }
}

impl Forest<'_> {
    /// Draws it.
    pub fn draw(&self, layout: Layout) -> Result<String> {
        let names = self.groups.iter().map(|group| group.name.clone());
        let names = names.chain(self.published.iter().map(|one| published_name(one)));
        let geometry = Geometry::of(names.map(|name| width_of(&name, SIZE)), layout);
        let heads = lines(self.title, geometry.width - 24, 15);
        let legend = lines(&self.legend, geometry.width - 24, 12);
        let colours = if self.colours.is_empty() { 0 } else { 20 };
        let top = 44 + 20 * heads.len() as i32 + 17 * legend.len() as i32 + colours;
        let rows = self.groups.iter().map(|group| group.rows.len());
        let below = geometry.height(1) * self.published.len() as i32;
        let bottom = top + rows.map(|rows| geometry.height(rows)).sum::<i32>() + below;
        let mut svg = String::new();
        let canvas = Canvas::new(&mut svg, geometry.width, bottom + 34)?;
        let y = canvas.head(&heads, &legend)?;
        let mut x = 12;
        for (name, colour) in &self.colours {
            canvas.dot((x + 5, y + 1), 4, *colour)?;
            canvas.text((x + 15, y + 1), name, 12, INK, Hold::Left)?;
            x += 15 + width_of(name, 12) + 16;
        }
        let axis = Axis::new(self.range(), geometry.ends);
        self.behind(&canvas, &axis, (top, bottom))?;
        let mut y = top;
        for group in &self.groups {
            self.group(&canvas, &axis, &geometry, y, group)?;
            y += geometry.height(group.rows.len());
        }
        for published in &self.published {
            below_rows(&canvas, &axis, &geometry, y, published)?;
            y += geometry.height(1);
        }
        canvas.done()?;
        Ok(svg)
    }

    /// Bands, lines and the axis.
    fn behind(&self, canvas: &Canvas<'_>, axis: &Axis, (top, bottom): (i32, i32)) -> Result<()> {
        for published in &self.published {
            if let Some([lo, hi]) = published.range {
                canvas.bar((axis.at(lo), top), (axis.at(hi), bottom), PUBLISHED)?;
            }
        }
        let (lo, hi) = self.band;
        canvas.bar((axis.at(lo), top), (axis.at(hi), bottom), BAND)?;
        let marks = self.published.iter().flat_map(|one| one.marks());
        let marks = marks.map(|mark| (mark, PUBLISHED_EDGE));
        let own = self.lines.iter().map(|line| (*line, MUTED));
        for (mark, colour) in marks.chain(own).filter(|(mark, _)| axis.holds(*mark)) {
            canvas.line((axis.at(mark), top), (axis.at(mark), bottom), colour, 1)?;
        }
        let many = self.groups.len() > 12;
        for tick in axis.ticks(55) {
            let x = axis.at(tick);
            canvas.line((x, top), (x, bottom), GRID, 1)?;
            let text = percent_tick(tick);
            canvas.text((x, bottom + 16), &text, 12, MUTED, Hold::Middle)?;
            if many {
                canvas.text((x, top - 12), &text, 12, MUTED, Hold::Middle)?;
            }
        }
        canvas.line((axis.at(0.0), top), (axis.at(0.0), bottom), INK, 1)
    }

    fn group(
        &self,
        canvas: &Canvas<'_>,
        axis: &Axis,
        geometry: &Geometry,
        top: i32,
        group: &Group,
    ) -> Result<()> {
        let right = geometry.width - 12;
        let alone = group.rows.len() < 2;
        match geometry.layout {
            Layout::Wide => {
                let middle = top + geometry.height(group.rows.len()) / 2;
                let label = fitted(&group.name, geometry.label, SIZE);
                canvas.text((12, middle), &label, SIZE, INK, Hold::Left)?;
            }
            Layout::Narrow => {
                let mut room = right - 12;
                if let (true, Some(row)) = (alone, group.rows.first()) {
                    let change = row.change.map(|change| words::percent(change.mean) + " ");
                    let text = change.unwrap_or_default() + &row.word.0;
                    room -= width_of(&text, 12) + 8;
                    canvas.text((right, top + 12), &text, 12, row.word.1, Hold::Right)?;
                }
                let label = fitted(&group.name, room, 12);
                canvas.text((12, top + 12), &label, 12, INK, Hold::Left)?;
            }
        }
        for (at, row) in group.rows.iter().enumerate() {
            let y = top + geometry.middle(at, group.rows.len());
            if geometry.layout == Layout::Wide {
                let size = if alone { SIZE } else { 11 };
                let (word, colour) = &row.word;
                canvas.text((right, y), word, size, *colour, Hold::Right)?;
                if let Some(change) = &row.change {
                    let text = words::estimate(change);
                    let at = (right - 108, y);
                    canvas.text(at, &text, size.min(12), MUTED, Hold::Right)?;
                }
            }
            mark(canvas, axis, geometry, y, row, alone)?;
        }
        Ok(())
    }

    /// The range that the axis shows: everything, unless a few intervals are
    /// far wider than the others; those are cut off, and what is published goes
    /// on beyond the ends where it would leave no room for the rows.
    fn range(&self) -> (f64, f64) {
        let rows = || self.groups.iter().flat_map(|group| &group.rows);
        let changes: Vec<(f64, f64, f64)> = rows()
            .filter_map(|row| {
                let change = row.change?;
                let ends = change.ci95.map(|ends| (ends.lo, ends.hi));
                let (lo, hi) = ends.unwrap_or((change.mean, change.mean));
                Some((lo, change.mean, hi))
            })
            .collect();
        let reach: Vec<f64> = changes
            .iter()
            .map(|one| one.0.abs().max(one.2.abs()))
            .collect();
        let median = median(&reach).unwrap_or(0.0);
        let wanted = rows().filter_map(|row| row.wanted);
        let means = changes.iter().map(|change| change.1).chain(wanted.clone());
        let means = means.map(f64::abs).fold(0.0, f64::max);
        let least = 1.5 * self.band.1;
        let limit = (2.5 * median).max(1.75 * means).max(2.0 * least);
        let mut ends = (-least, least);
        let shown = wanted.map(|wanted| (wanted, wanted));
        let shown = shown.chain(self.lines.iter().map(|line| (*line, *line)));
        for (lo, hi) in changes.iter().map(|one| (one.0, one.2)).chain(shown) {
            ends.0 = ends.0.min(lo.max(-limit));
            ends.1 = ends.1.max(hi.min(limit));
        }
        let width = (ends.1 - ends.0).max(1e-6);
        let (mut lo, mut hi) = ends;
        for mark in self.published.iter().flat_map(|one| one.marks()) {
            lo = lo.min(mark.max(ends.0 - width));
            hi = hi.max(mark.min(ends.1 + width));
        }
        let space = (hi - lo) * 0.04;
        // Where intervals are cut off, their arrows are at the very end.
        let cut = |end: f64, rows: f64| end == rows && rows.abs() >= limit;
        (
            if cut(lo, ends.0) { lo } else { lo - space },
            if cut(hi, ends.1) { hi } else { hi + space },
        )
    }
}

/// A row's dot, interval and marks.
fn mark(
    canvas: &Canvas<'_>,
    axis: &Axis,
    geometry: &Geometry,
    y: i32,
    row: &Row,
    alone: bool,
) -> Result<()> {
    let Some(change) = &row.change else {
        return Ok(());
    };
    for boot in row.boots.iter().filter(|boot| axis.holds(**boot)) {
        let x = axis.at(*boot);
        canvas.line((x, y + 3), (x, y + 7), MUTED, 1)?;
    }
    if let Some(ci95) = &change.ci95 {
        let (lo, hi) = (axis.at(ci95.lo), axis.at(ci95.hi));
        canvas.line((lo, y), (hi, y), row.colour, 2)?;
        // An end that is off the sheet is an arrow.
        if lo == geometry.ends.0 {
            canvas.arrow((lo - 2, y), lo + 7, row.colour)?;
        }
        if hi == geometry.ends.1 {
            canvas.arrow((hi + 2, y), hi - 7, row.colour)?;
        }
    }
    let at = (axis.at(change.mean), y);
    canvas.dot(at, if alone { 5 } else { 3 }, row.colour)?;
    if row.ringed {
        canvas.ring(at, if alone { 8 } else { 6 }, INK)?;
    }
    match row.wanted {
        Some(wanted) => canvas.diamond((axis.at(wanted), y), 7, INK),
        None => Ok(()),
    }
}

/// What is published, named below the rows.
fn below_rows(
    canvas: &Canvas<'_>,
    axis: &Axis,
    geometry: &Geometry,
    top: i32,
    published: &Published,
) -> Result<()> {
    let y = top + geometry.middle(0, 1);
    for mark in published
        .marks()
        .into_iter()
        .filter(|mark| !axis.holds(*mark))
    {
        // It goes on beyond the sheet.
        let end = axis.at(mark);
        let out = if end == geometry.ends.0 { -2 } else { 2 };
        canvas.arrow((end + out, y), end - 4 * out, PUBLISHED_EDGE)?;
    }
    let right = geometry.width - 12;
    let name = published_name(published);
    match geometry.layout {
        Layout::Wide => {
            let name = fitted(&name, geometry.label, SIZE);
            canvas.text((12, top + 12), &name, SIZE, MUTED, Hold::Left)?;
            let figures = published.figures();
            canvas.text((right - 108, top + 12), &figures, 12, MUTED, Hold::Right)?;
            canvas.text((right, top + 12), "not measured", 12, MUTED, Hold::Right)
        }
        Layout::Narrow => {
            let name = fitted(&name, right - 12, 12);
            canvas.text((12, top + 14), &name, 12, MUTED, Hold::Left)?;
            let text = format!("{}, not measured here", published.figures());
            let text = fitted(&text, right - 12, 12);
            canvas.text((12, top + 32), &text, 12, MUTED, Hold::Left)
        }
    }
}

fn published_name(published: &Published) -> String {
    format!("published: {}", published.version)
}
