//! A small drawing for a page that may hold hundreds: paths with one decimal,
//! colours by class. The page's style sheet has the classes.

use std::fmt::Write;

use super::escape;
use crate::report::words;

/// Width of every small drawing, in its own units.
pub const WIDTH: f64 = 400.0;

/// A drawing that is being made.
pub struct Sheet {
    svg: String,
}

impl Sheet {
    /// An empty drawing with a name, and its content in words.
    pub fn new(id: &str, title: &str, content: &str, height: f64) -> Sheet {
        let svg = format!(
            "<svg class=\"small-plot\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" \
             aria-labelledby=\"{id}t {id}d\"><title id=\"{id}t\">{}</title>\
             <desc id=\"{id}d\">{}</desc>",
            short(height),
            escape(title),
            escape(content)
        );
        Sheet { svg }
    }

    /// A path, unless it is empty.
    pub fn path(&mut self, class: &str, data: &str) {
        if !data.is_empty() {
            let _ = write!(self.svg, "<path class=\"{class}\" d=\"{data}\"/>");
        }
    }

    /// A text; `class` may hold `e` (held by its end) or `c` (by its middle, or
    /// as near to there as the sheet is wide).
    pub fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let half = 3.6 * text.chars().count() as f64;
        let x = match class {
            "c" if 2.0 * half < WIDTH => x.clamp(half, WIDTH - half),
            _ => x,
        };
        let (x, y) = (short(x), short(y));
        let class = match class {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let text = escape(text);
        let _ = write!(self.svg, "<text{class} x=\"{x}\" y=\"{y}\">{text}</text>");
    }

    /// The subjects and their marks or line styles, in a line at the top.
    pub fn legend(&mut self, subjects: &[&str], lines: bool) {
        let mut x = 8.0;
        for (place, name) in subjects.iter().enumerate() {
            let name = words::subject(name);
            match lines {
                true => {
                    let class = format!("curve s{}", colour(place));
                    self.path(&class, &format!("M{} 11h14", short(x - 4.0)));
                    x += 14.0;
                }
                false => {
                    let data = mark(place, x, 11.0);
                    self.path(&mark_class(place), &data);
                    x += 8.0;
                }
            }
            self.text("", x, 15.0, name);
            x += 6.4 * name.chars().count() as f64 + 18.0;
        }
    }

    /// The finished drawing.
    pub fn done(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// A number with at most one decimal, `.3` and not `0.3`.
pub fn short(value: f64) -> String {
    let tenths = (value * 10.0).round();
    // Adding zero turns -0 into 0.
    let text = format!("{}", tenths / 10.0 + 0.0);
    match text.strip_prefix("-0.") {
        Some(tenth) => format!("-.{tenth}"),
        None if text.starts_with("0.") => text[1..].into(),
        None => text,
    }
}

/// Number of the class that gives a subject its colour.
pub fn colour(place: usize) -> usize {
    place % 4
}

/// The path of a subject's mark: dot, square, triangle, cross or diamond.
pub fn mark(place: usize, x: f64, y: f64) -> String {
    let at = |dx: f64, dy: f64| format!("M{} {}", short(x + dx), short(y + dy));
    match place % 5 {
        // A line of no length, which its ends make a dot or a square.
        0 | 1 => at(0.0, 0.0) + "h0",
        2 => at(0.0, -3.2) + "l3 5.4h-6z",
        3 => at(-2.4, -2.4) + "l4.8 4.8m0-4.8l-4.8 4.8",
        _ => at(0.0, -3.2) + "l3.2 3.2l-3.2 3.2l-3.2-3.2z",
    }
}

/// The classes of a subject's mark.
pub fn mark_class(place: usize) -> String {
    let shape = ["dot", "square", "full", "open", "open"][place % 5];
    format!("{shape} s{}", colour(place))
}

/// Maps values to places on a drawing.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The values at the ends, the smaller first.
    pub values: (f64, f64),
    /// Where the ends lie.
    pub places: (f64, f64),
}

impl Scale {
    /// Over all of `series` but for single values far outside of the rest,
    /// which would press everything else together: those further from the
    /// middle nine tenths of their series than these are wide.
    pub fn over(series: &[Vec<f64>], places: (f64, f64)) -> Scale {
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for values in series {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
                continue;
            };
            let out = sorted.len() / 20;
            let (low, high) = (sorted[out], sorted[sorted.len() - 1 - out]);
            let (below, above) = match high - low {
                0.0 => (*first, *last),
                reach => (low - reach, high + reach),
            };
            lo = lo.min(first.max(below));
            hi = hi.max(last.min(above));
        }
        Scale::around([lo, hi].into_iter().filter(|end| end.is_finite()), places)
    }

    /// Around all of some values.
    pub fn around(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Scale {
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (lo, hi) = (lo.min(value), hi.max(value));
        }
        if lo > hi {
            (lo, hi) = (0.0, 1.0);
        }
        let space = match hi - lo {
            0.0 => (lo.abs() * 0.01).max(1e-9),
            range => range * 0.06,
        };
        Scale {
            values: (lo - space, hi + space),
            places,
        }
    }

    /// Where `value` lies; outside values at the near end.
    pub fn at(&self, value: f64) -> f64 {
        let (lo, hi) = self.values;
        let share = ((value - lo) / (hi - lo)).clamp(0.0, 1.0);
        self.places.0 + share * (self.places.1 - self.places.0)
    }

    /// Whether `value` is on the axis.
    pub fn holds(&self, value: f64) -> bool {
        (self.values.0..=self.values.1).contains(&value)
    }

    /// Some three to seven round values with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let (lo, hi) = self.values;
        let rough = (hi - lo) / 4.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = match rough / power {
            ratio if ratio < 1.5 => power,
            ratio if ratio < 3.5 => 2.0 * power,
            ratio if ratio < 7.5 => 5.0 * power,
            _ => 10.0 * power,
        };
        let first = (lo / step).ceil() as i64;
        let last = (hi / step).floor() as i64;
        (first..=last)
            .map(|count| count as f64 * step)
            .map(|tick| (tick, label(tick, step, lo.abs().max(hi.abs()))))
            .collect()
    }
}

/// A tick's label: as many decimals as tell it from the next one.
fn label(tick: f64, step: f64, largest: f64) -> String {
    let thousands = (largest.log10() / 3.0).floor().clamp(0.0, 4.0);
    let unit = 1000f64.powf(thousands);
    let decimals = (unit / step).log10().ceil().clamp(0.0, 6.0) as usize;
    let suffix = ["", "k", "M", "G", "T"][thousands as usize];
    format!("{:.decimals$}{suffix}", tick / unit + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_far_outside_does_not_set_the_scale() {
        let mut values: Vec<f64> = (0..40).map(|at| 100.0 + f64::from(at % 7)).collect();
        let without = Scale::over(std::slice::from_ref(&values), (0.0, 10.0));
        values.push(1e9);
        let with = Scale::over(&[values], (0.0, 10.0));
        assert!(with.values.1 < 140.0, "{with:?}");
        assert!(without.holds(106.0) && !with.holds(1e9));
        assert_eq!(with.at(1e9), 10.0);
    }

    #[test]
    fn equal_values_and_none_have_a_scale() {
        for series in [vec![], vec![vec![]], vec![vec![7.0, 7.0]], vec![vec![0.0]]] {
            let scale = Scale::over(&series, (0.0, 10.0));
            assert!(scale.values.0 < scale.values.1, "{scale:?}");
            assert!(!scale.ticks().is_empty() && scale.ticks().len() < 9);
        }
    }

    #[test]
    fn labels_of_near_ticks_differ() {
        let scale = Scale {
            values: (219.41e6, 219.68e6),
            places: (0.0, 1.0),
        };
        let labels: Vec<String> = scale.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            labels,
            ["219.45M", "219.50M", "219.55M", "219.60M", "219.65M"]
        );
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (1.04, "1"),
            (-0.04, "0"),
            (2.25, "2.3"),
            (-0.3, "-.3"),
            (0.34, ".3"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
