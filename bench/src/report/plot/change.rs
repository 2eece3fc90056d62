//! What changed from one run to another, a row a case.

use anyhow::Result;

use super::forest::{Forest, Group, Row};
use super::relative::verdict;
use super::{palette, stem_of, Layout, Plot};
use crate::across::{CaseChange, Judged};
use crate::report::across::{place_of, sentence, shown, subjects};
use crate::report::words;

/// The changes of a family's ratios; `margin` is that of equivalence.
pub fn ratios(family: &[&CaseChange], margin: f64, layout: Layout) -> Result<Plot> {
    let first = family[0];
    let pair: Vec<&str> = first.pair.iter().map(|name| words::subject(name)).collect();
    let title = format!(
        "Change of the ratio from run to run, {}: {}",
        pair.join(" against "),
        place_of(&first.key, &first.metric, &first.unit)
    );
    let groups = family.iter().map(|case| Group {
        name: case.key.case.clone(),
        rows: vec![Row {
            colour: palette::verdict(case.ratio.verdict),
            ..row(&case.ratio)
        }],
    });
    let forest = forest(family, &title, margin, groups.collect(), Vec::new());
    Ok(Plot {
        name: format!("{}-ratio", stem(first)),
        svg: forest.draw(layout)?,
        content: sentence(family.iter().map(|case| &case.ratio)),
        title,
    })
}

/// The changes of a family's subjects, each by itself; `None` if no subject is
/// in both runs.
pub fn levels(family: &[&CaseChange], margin: f64, layout: Layout) -> Result<Option<Plot>> {
    let first = family[0];
    let subjects = subjects(family);
    if subjects.is_empty() {
        return Ok(None);
    }
    let title = format!(
        "Change of each subject alone from run to run: {}",
        place_of(&first.key, &first.metric, &first.unit)
    );
    let groups = family.iter().map(|case| {
        let places = subjects.iter().enumerate();
        let rows = places.filter_map(|(place, subject)| {
            Some(Row {
                colour: palette::subject(place),
                ..row(&case.levels.get(*subject)?.change)
            })
        });
        Group {
            name: case.key.case.clone(),
            rows: rows.collect(),
        }
    });
    let colours = subjects.iter().enumerate();
    let colours = colours.map(|(place, name)| (words::subject(name), palette::subject(place)));
    let forest = forest(family, &title, margin, groups.collect(), colours.collect());
    let judged = family.iter().flat_map(|case| case.levels.values());
    Ok(Some(Plot {
        name: format!("{}-levels", stem(first)),
        svg: forest.draw(layout)?,
        content: sentence(judged.map(|level| &level.change)),
        title,
    }))
}

fn stem(case: &CaseChange) -> String {
    let stem = stem_of(case.key.ring, &case.key.driver, &case.metric);
    format!("compare-{stem}")
}

fn row(judged: &Judged) -> Row {
    Row {
        change: shown(judged),
        boots: Vec::new(),
        wanted: None,
        ringed: false,
        colour: palette::INK,
        word: verdict(judged.verdict),
    }
}

fn forest<'a>(
    family: &[&CaseChange],
    title: &'a str,
    margin: f64,
    groups: Vec<Group>,
    colours: Vec<(&'a str, palette::Colour)>,
) -> Forest<'a> {
    Forest {
        title,
        legend: format!(
            "Dot and line: change from the run before to the run after, with its 95% interval \
             (Welch, boots as replicates). Green band: margin of equivalence, {}. {}.",
            words::margin(margin),
            words::better_side(family[0].better)
        ),
        colours,
        groups,
        band: (1.0 / (1.0 + margin) - 1.0, margin),
        lines: Vec::new(),
        published: Vec::new(),
    }
}
