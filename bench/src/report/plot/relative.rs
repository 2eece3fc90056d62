//! Headlines with their intervals, a row a case.

use super::forest::{Forest, Group, Row};
use super::palette::{self, Colour};
use crate::report::published::Published;
use crate::report::words;
use crate::statistics::verdict::{Better, Verdict};
use crate::summary::{Comparison, Estimate};

/// What is drawn of some cases' comparisons; `published` stands beside them.
pub fn forest<'a>(
    title: &'a str,
    rows: &[(&str, &Comparison)],
    margin: f64,
    better: Better,
    published: Vec<&'a Published>,
) -> Forest<'a> {
    let mut legend = format!(
        "Dot and line: headline over boots with its 95% interval. Small ticks: single boots. \
         Green band: margin of equivalence, {}. {}.",
        words::margin(margin),
        words::better_side(better)
    );
    if !published.is_empty() {
        legend.push_str(
            " Sand-coloured, named below the cases: what others published, not measured here.",
        );
    }
    Forest {
        title,
        legend,
        colours: Vec::new(),
        groups: rows.iter().map(|(case, one)| group(case, one)).collect(),
        band: (1.0 / (1.0 + margin) - 1.0, margin),
        lines: Vec::new(),
        published,
    }
}

fn group(case: &str, comparison: &Comparison) -> Group {
    let headline = comparison.shown();
    let boots = headline.map(|headline| headline.each.iter().map(|boot| boot.relative).collect());
    Group {
        name: case.into(),
        rows: vec![Row {
            change: headline.map(Estimate::from),
            boots: boots.unwrap_or_default(),
            wanted: None,
            ringed: false,
            colour: palette::verdict(comparison.verdict),
            word: verdict(comparison.verdict),
        }],
    }
}

/// The word of a verdict, in its colour.
pub fn verdict(verdict: Verdict) -> (String, Colour) {
    (words::verdict(verdict).into(), palette::verdict(verdict))
}
