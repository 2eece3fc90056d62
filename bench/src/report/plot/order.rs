//! The samples of a case in the order in which they were taken.

use std::fmt::Write;

use super::sheet::{colour, mark, mark_class, short, Scale, Sheet, WIDTH};
use crate::report::taken::{by_boot, values, Point};
use crate::statistics::moments::Moments;

const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 300.0;

/// Draws it; `unit` is what a boot is called.
pub fn draw(id: &str, title: &str, subjects: &[&str], points: &[Point], unit: &str) -> String {
    let series: Vec<Vec<f64>> = (0..subjects.len())
        .map(|subject| values(points, subject))
        .collect();
    let scale = Scale::over(&series, (BOTTOM, TOP));
    let outside = points.iter().filter(|p| !scale.holds(p.value)).count();
    let boots = by_boot(points);
    let content = format!(
        "{} samples from left to right as they were taken in {} {unit}, {unit} apart by shading. \
         A mark is a sample, a line a subject's mean in one of the {unit}.{} The table below has \
         the numbers.",
        points.len(),
        boots.len(),
        match outside {
            0 => String::new(),
            count => format!(" {count} far outside, drawn at the edge."),
        }
    );
    let mut sheet = Sheet::new(id, title, &content, BOTTOM + 34.0);
    sheet.legend(subjects, false);
    let ticks = scale.ticks();
    let longest = ticks.iter().map(|(_, text)| text.chars().count()).max();
    let left = (6.4 * longest.unwrap_or(0) as f64 + 9.0).max(40.0).round();
    let width = (RIGHT - left) / points.len().max(1) as f64;
    let x = |index: usize| left + width * index as f64;

    // Boots as they follow each other: shading, name, means.
    let mut shading = String::new();
    let mut means = vec![String::new(); subjects.len()];
    let mut names = Vec::new();
    let mut start = 0;
    for (count, run) in points.chunk_by(|a, b| a.boot == b.boot).enumerate() {
        let (from, to) = (x(start), x(start + run.len()));
        if count % 2 == 0 {
            let (from, wide) = (short(from), short(to - from));
            let high = short(BOTTOM - TOP);
            let _ = write!(shading, "M{from} {TOP}h{wide}v{high}h-{wide}z");
        }
        names.push(((from + to) / 2.0, run[0].boot));
        for (subject, means) in means.iter_mut().enumerate() {
            if let Some(moments) = Moments::of(&values(run, subject)) {
                let y = short(scale.at(moments.mean));
                let _ = write!(means, "M{} {y}H{}", short(from), short(to));
            }
        }
        start += run.len();
    }
    sheet.path("shade", &shading);
    let mut grid = String::new();
    for (tick, text) in ticks {
        let y = scale.at(tick);
        let _ = write!(grid, "M{left} {}H{RIGHT}", short(y));
        sheet.text("e", left - 5.0, y + 3.5, &text);
    }
    sheet.path("grid", &grid);
    for (subject, data) in means.iter().enumerate() {
        sheet.path(&format!("mean s{}", colour(subject)), data);
    }
    for subject in 0..subjects.len() {
        let mut marks = String::new();
        for (index, point) in points.iter().enumerate() {
            if point.subject == subject {
                marks += &mark(subject, x(index) + width / 2.0, scale.at(point.value));
            }
        }
        sheet.path(&mark_class(subject), &marks);
    }
    let every = names.len().div_ceil(12).max(1);
    for (x, boot) in names.iter().step_by(every) {
        sheet.text("c", *x, BOTTOM + 14.0, &boot.to_string());
    }
    let axis = match outside {
        0 => format!("{unit} in the order taken"),
        count => format!("{unit} in the order taken; {count} far outside, at the edge"),
    };
    sheet.text("c", (left + RIGHT) / 2.0, BOTTOM + 29.0, &axis);
    sheet.done()
}
