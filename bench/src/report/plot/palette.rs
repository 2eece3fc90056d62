//! Colours of the plots. A drawing names the light ones; a style sheet that
//! selects elements by those names replaces them in the dark.

use plotters::style::RGBColor;

use crate::statistics::verdict::Verdict;

/// A colour: on light paper, and on dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    light: u32,
    dark: u32,
}

/// The background.
pub const PAPER: Colour = colour(0xFFFFFF, 0x161B22);
/// Text and lines that matter.
pub const INK: Colour = colour(0x1F2328, 0xE6EDF3);
/// Text and lines that matter less.
pub const MUTED: Colour = colour(0x59636E, 0x9DA7B3);
/// Lines behind everything.
pub const GRID: Colour = colour(0xE3E7EC, 0x2B323B);
/// The margin of equivalence.
pub const BAND: Colour = colour(0xDDEFEA, 0x15332F);
/// A range that others published.
pub const PUBLISHED: Colour = colour(0xF5EFDC, 0x2B2617);
/// Its ends, and single numbers that others published.
pub const PUBLISHED_EDGE: Colour = colour(0xB89B4A, 0x8F7A3C);
/// A false alarm, and what was injected and not found.
pub const ALARM: Colour = colour(0xB4232C, 0xFF8A80);

const FASTER: Colour = colour(0x0A5EB0, 0x58A6FF);
const SLOWER: Colour = colour(0xB03A06, 0xF0883E);
const EQUIVALENT: Colour = colour(0x0F766E, 0x3FBFAE);
const INCONCLUSIVE: Colour = colour(0x6A737D, 0x8F99A4);
const NOT_COMPARABLE: Colour = colour(0x7A3FC9, 0xBC8CFF);

/// Of the subjects, in the plan's order; beyond the last they repeat.
const SUBJECTS: [Colour; 6] = [
    colour(0xC2541D, 0xF08A5B),
    colour(0x2F5F9E, 0x79B0F2),
    colour(0x7B8794, 0xA3ACB9),
    colour(0x8A5CB8, 0xC4A0F0),
    colour(0x3F8F3A, 0x86C97F),
    colour(0xA8871C, 0xD9BC5A),
];

const fn colour(light: u32, dark: u32) -> Colour {
    Colour { light, dark }
}

impl Colour {
    /// As the plotting library wants it.
    pub fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// The colour of a verdict.
pub fn verdict(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Faster => FASTER,
        Verdict::Slower => SLOWER,
        Verdict::Equivalent => EQUIVALENT,
        Verdict::Inconclusive => INCONCLUSIVE,
        Verdict::NotComparable => NOT_COMPARABLE,
    }
}

/// The colour of a subject by its place in the plan.
pub fn subject(place: usize) -> Colour {
    SUBJECTS[place % SUBJECTS.len()]
}

/// Rules that give the subjects' colours to a page as `--s0`, `--s1`, ...
pub fn subject_variables() -> String {
    let list = |pick: fn(&Colour) -> u32| -> String {
        let each = SUBJECTS.iter().enumerate();
        each.map(|(place, colour)| format!("--s{place}:#{:06X};", pick(colour)))
            .collect()
    };
    format!(
        ":root{{{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        list(|colour| colour.light),
        list(|colour| colour.dark)
    )
}

/// A style sheet that turns every plot dark where the reader wants that.
pub fn dark_rules() -> String {
    let own = [
        PAPER,
        INK,
        MUTED,
        GRID,
        BAND,
        PUBLISHED,
        PUBLISHED_EDGE,
        ALARM,
        FASTER,
        SLOWER,
        EQUIVALENT,
        INCONCLUSIVE,
        NOT_COMPARABLE,
    ];
    let rules: String = own
        .iter()
        .chain(&SUBJECTS)
        .map(|Colour { light, dark }| {
            format!(
                "svg [fill=\"#{light:06X}\"]{{fill:#{dark:06X}}}\
                 svg [stroke=\"#{light:06X}\"]{{stroke:#{dark:06X}}}"
            )
        })
        .collect();
    format!("@media (prefers-color-scheme:dark){{{rules}}}")
}
