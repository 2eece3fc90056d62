//! What a run's controls show: subjects against themselves, and delays that
//! were injected.

use anyhow::Result;

use super::forest::{Forest, Group, Row};
use super::palette::{self, ALARM};
use super::{stem, Layout, Plot};
use crate::control::Label;
use crate::report::{notes, words, Section};
use crate::statistics::headline::Headline;
use crate::statistics::verdict::{Direction, Verdict};
use crate::summary::controls::Injected;
use crate::summary::{CaseSummary, ControlSummary, Controls, Estimate};

/// Both plots, as far as there is something to draw.
pub fn plots(section: &Section<'_>, controls: &Controls, layout: Layout) -> Result<Vec<Plot>> {
    let mut plots = Vec::new();
    if controls.comparisons > 0 {
        plots.push(again(section, controls, layout)?);
    }
    if !controls.injected.is_empty() {
        plots.push(injected(section, controls, layout)?);
    }
    Ok(plots)
}

/// The comparisons of a case in which nothing differs, with their headlines.
pub fn same_code(case: &CaseSummary) -> impl Iterator<Item = (&ControlSummary, &Headline)> {
    let same = case.controls.iter().filter(|one| one.injected.is_none());
    same.filter_map(|control| Some((control, control.comparison.shown()?)))
}

/// Every subject against itself in every case.
fn again(section: &Section<'_>, controls: &Controls, layout: Layout) -> Result<Plot> {
    let title = format!(
        "Subjects against themselves: relative change of {}, {}",
        words::metric(section.metric),
        words::place(section)
    );
    let groups = section.cases.iter().filter_map(|case| {
        let rows: Vec<Row> = same_code(case)
            .map(|(control, headline)| {
                let subject = Label::subject_of(&control.label);
                let place = section.subjects.iter().position(|one| *one == subject);
                let alarm = control.comparison.direction != Direction::None;
                Row {
                    change: Some(headline.into()),
                    boots: Vec::new(),
                    wanted: None,
                    ringed: alarm,
                    colour: palette::subject(place.unwrap_or(0)),
                    word: (if alarm { "alarm" } else { "" }.into(), ALARM),
                }
            })
            .collect();
        let name = case.key.case.clone();
        (!rows.is_empty()).then_some(Group { name, rows })
    });
    let subjects = section.subjects.iter().enumerate();
    let forest = Forest {
        title: &title,
        legend: format!(
            "Dot and line: the same code twice, headline over boots with its 95% interval; what \
             differs is noise. Ringed: an alarm, its interval excludes zero. {}",
            behind(controls)
        ),
        colours: subjects
            .map(|(place, name)| (words::subject(name), palette::subject(place)))
            .collect(),
        groups: groups.collect(),
        band: (-controls.floor, controls.floor),
        lines: visible(controls),
        published: Vec::new(),
    };
    Ok(Plot {
        name: format!("{}-controls-again", stem(section)),
        svg: forest.draw(layout)?,
        content: notes::again(controls),
        title,
    })
}

/// The known delays.
fn injected(section: &Section<'_>, controls: &Controls, layout: Layout) -> Result<Plot> {
    let title = format!(
        "Injected delays: change of {} wanted and seen, {}",
        words::metric(section.metric),
        words::place(section)
    );
    let colour = |one: &Injected| match one.found {
        true => palette::verdict(Verdict::Equivalent),
        false => ALARM,
    };
    let group = |one: &Injected| Group {
        name: notes::delay(one),
        rows: vec![Row {
            change: Some(Estimate {
                mean: one.seen,
                ci95: one.ci95,
            }),
            boots: Vec::new(),
            wanted: Some(one.change),
            ringed: false,
            colour: colour(one),
            word: (notes::found(one).into(), colour(one)),
        }],
    };
    let forest = Forest {
        title: &title,
        legend: format!(
            "Diamond: the change that was injected. Dot and line: the change that was seen, with \
             its 95% interval. {}",
            behind(controls)
        ),
        colours: Vec::new(),
        groups: controls.injected.iter().map(group).collect(),
        band: (-controls.floor, controls.floor),
        lines: visible(controls),
        published: Vec::new(),
    };
    Ok(Plot {
        name: format!("{}-controls-injected", stem(section)),
        svg: forest.draw(layout)?,
        content: notes::injected(controls).unwrap_or_default(),
        title,
    })
}

/// What stands behind the rows, in words.
fn behind(controls: &Controls) -> String {
    let floor = format!(
        "Green band: the noise floor, {} to either side",
        notes::size(controls.floor)
    );
    match controls.visible {
        None => format!("{floor}."),
        Some(visible) => format!(
            "{floor}. Grey lines: the smallest visible effect, {}.",
            notes::size(visible)
        ),
    }
}

/// Lines at the smallest effect that nine of ten such runs would find.
fn visible(controls: &Controls) -> Vec<f64> {
    let visible = controls.visible.into_iter();
    visible.flat_map(|visible| [-visible, visible]).collect()
}
