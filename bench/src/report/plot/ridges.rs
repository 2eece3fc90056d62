//! The density of a case's values, a ridge a boot and one for all.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::sheet::{colour, short, Scale, Sheet, WIDTH};
use crate::report::density::{bandwidth, density};
use crate::report::taken::{by_boot, values, Point};
use crate::report::words;

const LEFT: f64 = 34.0;
const RIGHT: f64 = WIDTH - 6.0;
/// Height of the ridge of all boots.
const ALL: f64 = 38.0;
/// Steps of a curve: 5 units wide each.
const STEPS: usize = 72;

/// Draws it; `unit` is what a boot is called.
pub fn draw(id: &str, title: &str, subjects: &[&str], points: &[Point], unit: &str) -> String {
    let series: Vec<Vec<f64>> = (0..subjects.len())
        .map(|subject| values(points, subject))
        .collect();
    let scale = Scale::over(&series, (LEFT, RIGHT));
    let boots = by_boot(points);
    // Narrower curves than two steps would fall between them.
    let least = (scale.values.1 - scale.values.0) / STEPS as f64 * 1.5;
    let bandwidths: Vec<f64> = (0..subjects.len())
        .map(|subject| {
            let groups: Vec<Vec<f64>> = boots.values().map(|own| values(own, subject)).collect();
            bandwidth(&groups).max(least)
        })
        .collect();
    let said: Vec<String> = subjects
        .iter()
        .zip(&bandwidths)
        .map(|(name, bandwidth)| format!("{} {}", words::subject(name), words::si(*bandwidth)))
        .collect();
    let content = format!(
        "A row for each of the {unit} and one for all of them together; in each the density of \
         every subject's samples (Gaussian kernel, bandwidth {}), with a tick under it for each \
         sample. The table below has means and deviations.",
        said.join(", ")
    );
    let pitch = (240.0 / boots.len().max(1) as f64).clamp(8.0, 24.0);
    let top = 26.0 + ALL;
    let bottom = top + 8.0 + pitch * boots.len() as f64;
    let outside = points.iter().filter(|p| !scale.holds(p.value)).count();
    let under = if outside > 0 { 16.0 } else { 0.0 };
    let mut sheet = Sheet::new(id, title, &content, bottom + 22.0 + under);
    if outside > 0 {
        let text = format!("{outside} far outside, not drawn");
        sheet.text("c", (LEFT + RIGHT) / 2.0, bottom + 31.0, &text);
    }
    sheet.legend(subjects, true);
    let mut grid = String::new();
    for (tick, text) in scale.ticks() {
        let x = scale.at(tick);
        let _ = write!(grid, "M{} 26V{}", short(x), short(bottom + 2.0));
        sheet.text("c", x, bottom + 15.0, &text);
    }
    sheet.path("grid", &grid);

    let mut curves: BTreeMap<usize, (String, String)> = BTreeMap::new();
    let whole: Vec<Vec<f64>> = series.clone();
    let mut rows = vec![(top, ALL - 4.0, whole)];
    let each = boots.values().enumerate().map(|(row, own)| {
        let baseline = top + 8.0 + pitch * (row + 1) as f64 - 5.0;
        let own = (0..subjects.len()).map(|subject| values(own, subject));
        (baseline, pitch * 1.1, own.collect())
    });
    rows.extend(each);
    // One height for all boots, so that they compare.
    let highest = |rows: &[(f64, f64, Vec<Vec<f64>>)]| {
        let peaks = rows.iter().flat_map(|(_, _, row)| {
            let curves = row.iter().zip(&bandwidths);
            curves.flat_map(|(values, h)| values.iter().map(|value| density(values, *h, *value)))
        });
        peaks.fold(0.0, f64::max)
    };
    let (all, boot) = (highest(&rows[..1]), highest(&rows[1..]));
    for (row, (baseline, height, by_subject)) in rows.iter().enumerate() {
        let peak = if row == 0 { all } else { boot };
        for (subject, values) in by_subject.iter().enumerate() {
            let (curve, rug) = curves.entry(subject).or_default();
            let y =
                |value: f64| baseline - height * density(values, bandwidths[subject], value) / peak;
            curve.push_str(&ridge(&scale, *baseline, y));
            for value in values.iter().filter(|value| scale.holds(**value)) {
                let x = short(scale.at(*value));
                let _ = write!(rug, "M{x} {}v3", short(baseline + 1.0));
            }
        }
    }
    for (subject, (curve, rug)) in &curves {
        let colour = colour(*subject);
        sheet.path(&format!("curve s{colour}"), curve);
        sheet.path(&format!("rug s{colour}"), rug);
    }
    sheet.text("e", LEFT - 6.0, top + 3.0, "all");
    let every = (11.0 / pitch).ceil() as usize;
    for (row, boot) in boots.keys().enumerate().step_by(every) {
        let y = rows[row + 1].0 + 3.0;
        sheet.text("e", LEFT - 6.0, y, &boot.to_string());
    }
    sheet.done()
}

/// A curve where it is above its baseline, in relative tenths, each part of it
/// closed by the baseline.
fn ridge(scale: &Scale, baseline: f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut last: Option<(f64, f64)> = None;
    let base = short(baseline);
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    for step in 0..=STEPS {
        let share = step as f64 / STEPS as f64;
        let value = scale.values.0 + share * (scale.values.1 - scale.values.0);
        let here = (tenths(scale.at(value)), tenths(y(value)));
        let above = baseline - here.1 > 0.15;
        match (last, above) {
            (None, false) => {}
            (None, true) => {
                let _ = write!(path, "M{} {base}V{}l", short(here.0), short(here.1));
            }
            (Some(_), false) => {
                let _ = write!(path, "V{base}");
            }
            (Some(before), true) => {
                for change in [here.0 - before.0, here.1 - before.1] {
                    let text = short(change);
                    if !path.ends_with('l') && !text.starts_with('-') {
                        path.push(' ');
                    }
                    path.push_str(&text);
                }
            }
        }
        last = above.then_some(here);
    }
    if last.is_some() {
        let _ = write!(path, "V{base}");
    }
    // A lone point leaves a line command without numbers.
    path.replace("lV", "V")
}
