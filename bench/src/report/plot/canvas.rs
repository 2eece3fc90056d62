//! A sheet to draw on, in pixels.

use anyhow::Result;
use plotters::backend::SVGBackend;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, ShapeStyle, TextStyle};

use super::palette::{Colour, INK, MUTED, PAPER};

/// Where a text is held.
#[derive(Clone, Copy)]
pub enum Hold {
    /// By its left end.
    Left,
    /// By its middle.
    Middle,
    /// By its right end.
    Right,
}

/// Size of most text, in pixels.
pub const SIZE: i32 = 13;

/// The plotting library takes a font's size as its line height.
const LINE_HEIGHT: f64 = 1.24;

/// A sheet.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    /// An empty sheet that writes into `svg`.
    pub fn new(svg: &'a mut String, width: i32, height: i32) -> Result<Canvas<'a>> {
        let size = (width.max(1) as u32, height.max(1) as u32);
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&PAPER.rgb())?;
        Ok(Canvas { area })
    }

    /// A line of text whose middle is at height `y`.
    pub fn text(
        &self,
        at: (i32, i32),
        text: &str,
        size: i32,
        colour: Colour,
        hold: Hold,
    ) -> Result<()> {
        self.styled(at, text, size, colour, hold, FontStyle::Normal)
    }

    /// The same, bold.
    pub fn bold(&self, at: (i32, i32), text: &str, size: i32, colour: Colour) -> Result<()> {
        self.styled(at, text, size, colour, Hold::Left, FontStyle::Bold)
    }

    /// A title and a legend in lines, at the top left; answers the height
    /// below them.
    pub fn head(&self, title: &[String], legend: &[String]) -> Result<i32> {
        let mut y = 20;
        for line in title {
            self.bold((12, y), line, 15, INK)?;
            y += 20;
        }
        for line in legend {
            self.text((12, y), line, 12, MUTED, Hold::Left)?;
            y += 17;
        }
        Ok(y)
    }

    fn styled(
        &self,
        at: (i32, i32),
        text: &str,
        size: i32,
        colour: Colour,
        hold: Hold,
        font: FontStyle,
    ) -> Result<()> {
        let horizontal = match hold {
            Hold::Left => HPos::Left,
            Hold::Middle => HPos::Center,
            Hold::Right => HPos::Right,
        };
        let font = ("sans-serif", f64::from(size) * LINE_HEIGHT, font).into_font();
        let colour = colour.rgb();
        let style = TextStyle::from(font)
            .color(&colour)
            .pos(Pos::new(horizontal, VPos::Center));
        let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
        Ok(self.area.draw(&Text::new(text, at, style))?)
    }

    /// A line.
    pub fn line(&self, from: (i32, i32), to: (i32, i32), colour: Colour, width: u32) -> Result<()> {
        self.path(&[from, to], colour, width)
    }

    /// A filled rectangle.
    pub fn bar(&self, from: (i32, i32), to: (i32, i32), colour: Colour) -> Result<()> {
        let corners = [
            (from.0.min(to.0), from.1.min(to.1)),
            (from.0.max(to.0), from.1.max(to.1)),
        ];
        Ok(self
            .area
            .draw(&Rectangle::new(corners, colour.rgb().filled()))?)
    }

    /// A filled circle.
    pub fn dot(&self, at: (i32, i32), radius: i32, colour: Colour) -> Result<()> {
        Ok(self
            .area
            .draw(&Circle::new(at, radius, colour.rgb().filled()))?)
    }

    /// A circle that is not filled.
    pub fn ring(&self, at: (i32, i32), radius: i32, colour: Colour) -> Result<()> {
        let style = ShapeStyle::from(&colour.rgb()).stroke_width(2);
        Ok(self.area.draw(&Circle::new(at, radius, style))?)
    }

    /// A square on its corner that is not filled; `radius` from its middle.
    pub fn diamond(&self, (x, y): (i32, i32), radius: i32, colour: Colour) -> Result<()> {
        let corners = [
            (x, y - radius),
            (x + radius, y),
            (x, y + radius),
            (x - radius, y),
        ];
        self.path(&[&corners[..], &corners[..1]].concat(), colour, 2)
    }

    /// A line through several points.
    pub fn path(&self, points: &[(i32, i32)], colour: Colour, width: u32) -> Result<()> {
        let style = ShapeStyle::from(&colour.rgb()).stroke_width(width);
        Ok(self.area.draw(&PathElement::new(points.to_vec(), style))?)
    }

    /// A filled triangle that points to `tip` from the side of `base`.
    pub fn arrow(&self, tip: (i32, i32), base: i32, colour: Colour) -> Result<()> {
        let corners = vec![tip, (base, tip.1 - 4), (base, tip.1 + 4)];
        Ok(self
            .area
            .draw(&Polygon::new(corners, colour.rgb().filled()))?)
    }

    /// Ends the drawing.
    pub fn done(self) -> Result<()> {
        Ok(self.area.present()?)
    }
}

/// A horizontal axis.
pub struct Axis {
    coordinate: RangedCoordf64,
    pixels: (i32, i32),
}

impl Axis {
    /// Maps `values` to `pixels`.
    pub fn new(values: (f64, f64), pixels: (i32, i32)) -> Axis {
        Axis {
            coordinate: (values.0..values.1).into(),
            pixels,
        }
    }

    /// Where `value` lies; outside values at the near end.
    pub fn at(&self, value: f64) -> i32 {
        let range = self.coordinate.range();
        // plotters multiplies before it looks, and overflows far outside.
        let value = value.max(range.start).min(range.end);
        let place = self.coordinate.map(&value, self.pixels);
        place.clamp(self.pixels.0, self.pixels.1)
    }

    /// Whether `value` is on the axis.
    pub fn holds(&self, value: f64) -> bool {
        self.coordinate.range().contains(&value)
    }

    /// Round values to label, about one in `spacing` pixels.
    pub fn ticks(&self, spacing: i32) -> Vec<f64> {
        let count = ((self.pixels.1 - self.pixels.0) / spacing).max(2) as usize;
        self.coordinate.key_points(count)
    }
}

/// Pixels that `text` takes at `size`, roughly and rather more than less.
pub fn width_of(text: &str, size: i32) -> i32 {
    let letters = text.chars().count() as i32;
    letters * size * 11 / 20 + 2
}

/// Lines of at most `width` pixels.
pub fn lines(text: &str, width: i32, size: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_of(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// The longest start of `text` that takes at most `width` pixels.
pub fn fitted(text: &str, width: i32, size: i32) -> String {
    if width_of(text, size) <= width {
        return text.into();
    }
    let mut short: String = text.into();
    while !short.is_empty() && width_of(&short, size) + size > width {
        short.pop();
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_far_outside_lie_at_the_near_end_of_the_axis() {
        let axis = Axis::new((-0.1, 0.1), (10, 110));
        for (value, place) in [(1e300, 110), (f64::INFINITY, 110), (-1e300, 10), (0.0, 60)] {
            assert_eq!(axis.at(value), place, "{value}");
        }
    }
}
