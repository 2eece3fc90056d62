//! A case through many runs: both subjects, and their ratio.

use anyhow::Result;

use super::canvas::{fitted, lines, width_of, Canvas, Hold};
use super::palette::{self, Colour, GRID, INK, MUTED};
use super::sheet::Scale;
use super::{file_name, percent_tick, stem_of, Layout, Plot};
use crate::report::trend::{first_word, kernel, pair, short, stepped, summary};
use crate::report::words;
use crate::statistics::median::median;
use crate::statistics::verdict::Better;
use crate::summary::Estimate;
use crate::trend::{CaseTrend, Trend};

/// Height of a panel's drawing, and of what is written below it.
const HEIGHT: i32 = 210;
const BELOW: i32 = 66;
/// Room for the labels of a panel's vertical axis.
const LABELS: i32 = 56;

/// One value in one run.
struct Point {
    /// Place of the row in the case.
    at: usize,
    value: Estimate,
    colour: Colour,
    ringed: bool,
}

/// Points that a line may join: of one subject, or of one pair.
struct Series {
    name: String,
    colour: Colour,
    points: Vec<Point>,
}

/// The plot of a case.
pub fn plot(trend: &Trend, case: &CaseTrend, layout: Layout) -> Result<Plot> {
    let title = format!(
        "{} from run to run: {}, ring {}, {}",
        case.key.case,
        words::metric_and_unit(&case.key.driver, &case.metric, &case.unit),
        case.key.ring,
        case.key.driver
    );
    let stem = stem_of(case.key.ring, &case.key.driver, &case.metric);
    Ok(Plot {
        name: format!("trend-{stem}-{}", file_name(&case.key.case)),
        svg: draw(&title, trend, case, layout)?,
        content: summary(case),
        title,
    })
}

fn draw(title: &str, trend: &Trend, case: &CaseTrend, layout: Layout) -> Result<String> {
    let (width, columns) = match layout {
        Layout::Wide => (960, 2),
        Layout::Narrow => (360, 1),
    };
    let heads = lines(title, width - 24, 15);
    let legend =
        lines(
            &format!(
            "Dot and line: mean over boots with its 95% interval. Ringed: the ratio is not what \
             it was in the run before, by a 95% interval. {} is better. Below: run, kernel, \
             compiler of {}.",
            match case.better {
                Better::Higher => "More",
                Better::Lower => "Less",
            },
            case.rows[0].pair.first().map_or("-", |name| words::subject(name))
        ),
            width - 24,
            12,
        );
    let top = 16 + 20 * heads.len() as i32 + 17 * legend.len() as i32 + 34;
    let rows = 2 / columns;
    let bottom = top + rows * (HEIGHT + BELOW) + (rows - 1) * 34;
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, width, bottom)?;
    canvas.head(&heads, &legend)?;
    let each = (width - 24 - (columns - 1) * 24) / columns;
    for (index, (series, percent)) in [(levels(case), false), (ratios(case), true)]
        .into_iter()
        .enumerate()
    {
        let index = index as i32;
        let panel = Panel {
            left: 12 + (index % columns) * (each + 24) + LABELS,
            right: 12 + (index % columns) * (each + 24) + each,
            top: top + (index / columns) * (HEIGHT + BELOW + 34),
            runs: case.rows.len(),
            percent,
        };
        panel.draw(&canvas, &series)?;
        panel.below(&canvas, trend, case)?;
    }
    canvas.done()?;
    Ok(svg)
}

/// A series for each subject.
fn levels(case: &CaseTrend) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (at, row) in case.rows.iter().enumerate() {
        for (subject, mean) in row.pair.iter().zip(&row.means) {
            let Some(value) = *mean else {
                continue;
            };
            let name = words::subject(subject);
            let place = all.iter().position(|series| series.name == name);
            let place = place.unwrap_or(all.len());
            let colour = palette::subject(place);
            if place == all.len() {
                all.push(Series {
                    name: name.into(),
                    colour,
                    points: Vec::new(),
                });
            }
            all[place].points.push(Point {
                at,
                value,
                colour,
                ringed: false,
            });
        }
    }
    all
}

/// A series for each pair of subjects, coloured by the verdicts.
fn ratios(case: &CaseTrend) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (at, row) in case.rows.iter().enumerate() {
        let Some(value) = row.headline else {
            continue;
        };
        let name = pair(row);
        let place = all.iter().position(|series| series.name == name);
        let place = place.unwrap_or(all.len());
        if place == all.len() {
            all.push(Series {
                name,
                colour: MUTED,
                points: Vec::new(),
            });
        }
        all[place].points.push(Point {
            at,
            value,
            colour: palette::verdict(row.verdict),
            ringed: stepped(row),
        });
    }
    all
}

/// A drawing with its axes, in pixels.
struct Panel {
    left: i32,
    right: i32,
    top: i32,
    /// How many runs there are.
    runs: usize,
    /// Whether values are relative changes.
    percent: bool,
}

impl Panel {
    /// The middle of a run's place.
    fn x(&self, at: f64) -> i32 {
        let each = f64::from(self.right - self.left) / self.runs.max(1) as f64;
        self.left + (each * (at + 0.5)).round() as i32
    }

    fn draw(&self, canvas: &Canvas<'_>, series: &[Series]) -> Result<()> {
        let bottom = self.top + HEIGHT;
        let scale = self.scale(series);
        let y = |value: f64| scale.at(value * self.unit()).round() as i32;
        for (tick, label) in scale.ticks() {
            let y = scale.at(tick).round() as i32;
            canvas.line((self.left, y), (self.right, y), GRID, 1)?;
            let label = match self.percent {
                true => percent_tick(tick / 100.0),
                false => label,
            };
            canvas.text((self.left - 6, y), &label, 12, MUTED, Hold::Right)?;
        }
        if self.percent {
            canvas.line((self.left, y(0.0)), (self.right, y(0.0)), INK, 1)?;
        }
        let mut x = self.left;
        for one in series {
            canvas.dot((x + 4, self.top - 16), 4, one.colour)?;
            canvas.text((x + 13, self.top - 16), &one.name, 12, INK, Hold::Left)?;
            x += 13 + width_of(&one.name, 12) + 14;
        }
        if series.is_empty() {
            let at = (self.left + 8, (self.top + bottom) / 2);
            canvas.text(at, "nothing that may be compared", 12, MUTED, Hold::Left)?;
        }
        for (place, one) in series.iter().enumerate() {
            // Beside each other, so that intervals do not hide intervals.
            let aside = 7 * place as i32 - 7 * (series.len() as i32 - 1) / 2;
            let place = |point: &Point| (self.x(point.at as f64) + aside, y(point.value.mean));
            let line: Vec<(i32, i32)> = one.points.iter().map(place).collect();
            if line.len() > 1 {
                canvas.path(&line, one.colour, 1)?;
            }
            for point in &one.points {
                let at = place(point);
                if let Some(ci95) = &point.value.ci95 {
                    let (lo, hi) = (y(ci95.lo), y(ci95.hi));
                    canvas.line((at.0, lo), (at.0, hi), point.colour, 2)?;
                }
                canvas.dot(at, 4, point.colour)?;
                if point.ringed {
                    canvas.ring(at, 8, INK)?;
                }
            }
        }
        Ok(())
    }

    /// Number, kernel and compiler of each run; what several in a row have in
    /// common once for all of them.
    fn below(&self, canvas: &Canvas<'_>, trend: &Trend, case: &CaseTrend) -> Result<()> {
        let bottom = self.top + HEIGHT;
        let each = (self.right - self.left) / self.runs.max(1) as i32;
        let every = (20 / each.max(1) + 1) as usize;
        for (at, row) in case.rows.iter().enumerate().step_by(every) {
            let number = (row.run + 1).to_string();
            let place = (self.x(at as f64), bottom + 14);
            canvas.text(place, &number, 12, INK, Hold::Middle)?;
        }
        let kernels = case.rows.iter().map(|row| {
            let kernel = kernel(trend, case, row);
            kernel.map_or("-".into(), short)
        });
        let compilers = case.rows.iter().map(|row| {
            let compiler = row.compiler.as_deref();
            compiler.map_or("-".into(), |compiler| first_word(compiler).to_string())
        });
        self.named(canvas, bottom + 32, kernels.collect())?;
        self.named(canvas, bottom + 50, compilers.collect())
    }

    /// A line of names, equal ones next to each other as one.
    fn named(&self, canvas: &Canvas<'_>, y: i32, names: Vec<String>) -> Result<()> {
        let mut start = 0;
        for group in names.chunk_by(|a, b| a == b) {
            let end = start + group.len();
            let (from, to) = (self.x(start as f64 - 0.5), self.x(end as f64 - 0.5));
            if start > 0 {
                canvas.line((from, y - 8), (from, y + 7), GRID, 1)?;
            }
            // Where there is no room for `rustc 1.85.1`, the number.
            let whole = &group[0][..];
            let number = whole.split_whitespace().last().unwrap_or(whole);
            let room = to - from - 4;
            let name = match width_of(whole, 11) <= room {
                true => whole,
                false => number,
            };
            let name = fitted(name, room, 11);
            canvas.text(((from + to) / 2, y), &name, 11, MUTED, Hold::Middle)?;
            start = end;
        }
        Ok(())
    }

    fn unit(&self) -> f64 {
        if self.percent {
            100.0
        } else {
            1.0
        }
    }

    /// From the lowest to the highest value; an interval far wider than the
    /// others is cut off.
    fn scale(&self, series: &[Series]) -> Scale {
        let values: Vec<&Estimate> = series
            .iter()
            .flat_map(|series| series.points.iter().map(|point| &point.value))
            .collect();
        let halves: Vec<f64> = values
            .iter()
            .filter_map(|value| value.ci95.map(|ends| (ends.hi - ends.lo) / 2.0))
            .collect();
        let half = median(&halves).unwrap_or(0.0);
        let means = || values.iter().map(|value| value.mean);
        let (low, high) = (
            means().fold(f64::INFINITY, f64::min),
            means().fold(f64::NEG_INFINITY, f64::max),
        );
        let reach = (3.0 * half).max(high - low);
        let mut ends: Vec<f64> = values
            .iter()
            .flat_map(|value| {
                let ci95 = value
                    .ci95
                    .map_or([value.mean; 2], |ends| [ends.lo, ends.hi]);
                ci95.map(|end| end.clamp(low - reach, high + reach))
            })
            .collect();
        if self.percent {
            ends.push(0.0);
        }
        let ends = ends.into_iter().map(|end| end * self.unit());
        let places = (f64::from(self.top + HEIGHT), f64::from(self.top));
        Scale::around(ends, places)
    }
}
