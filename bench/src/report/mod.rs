//! Draws what a run says: `summary.json`, `summary.md`, `report.html` and
//! `plots/*.svg`, from the samples, as often as wanted.

pub mod across;
mod attribution;
mod calls;
mod counts;
mod density;
pub mod html;
pub mod markdown;
mod notes;
pub mod plot;
pub mod published;
mod taken;
pub mod terminal;
pub mod trend;
mod words;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::folder::{write_whole, Recording};
use crate::summary::attribution::join;
use crate::summary::{summarise, CaseSummary, Controls, Summary};

use plot::Plot;
use published::Published;

/// What stands beside a run in its report.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// A run that counted instructions of the same cases: they are joined to
    /// this one's times.
    pub counts: Option<&'a Recording>,
    /// What others published of the same drivers.
    pub published: &'a [Published],
}

/// Summarises `recording` and writes everything that is derived from it into
/// `folder`, over what an earlier call wrote there; beside it what others
/// published.
pub fn write(recording: &Recording, folder: &Path) -> Result<Summary> {
    let beside = Beside {
        counts: None,
        published: &published::all(),
    };
    write_beside(recording, beside, folder)
}

/// The same with something else beside it.
///
/// # Errors
/// Also as [`join`] says, before anything is written.
pub fn write_beside(recording: &Recording, beside: Beside<'_>, folder: &Path) -> Result<Summary> {
    let mut summary = summarise(recording);
    if let Some(counts) = beside.counts {
        join(&mut summary, recording, counts)?;
    }
    let published = beside.published;
    let mut json = serde_json::to_vec_pretty(&summary)?;
    json.push(b'\n');
    let mut plots = Vec::new();
    for section in sections(&summary) {
        plots.extend(plot::all(&section, &summary, published)?);
    }
    write_plots(&plots, folder)?;
    write_whole(&folder.join("summary.json"), &json)?;
    let name = folder.file_name().map(|name| name.to_string_lossy());
    write_whole(
        &folder.join("summary.md"),
        markdown::page(&summary, name.as_deref().unwrap_or("RUN")).as_bytes(),
    )?;
    write_whole(
        &folder.join("report.html"),
        html::page(&summary, recording, published)?.as_bytes(),
    )?;
    Ok(summary)
}

/// Writes plots as files of their own into the folder `plots` below `folder`.
fn write_plots(plots: &[Plot], folder: &Path) -> Result<()> {
    let below = folder.join("plots");
    fs::create_dir_all(&below).with_context(|| format!("{}: cannot be made", below.display()))?;
    for plot in plots {
        let path = below.join(format!("{}.svg", plot.name));
        write_whole(&path, plot.standalone().as_bytes())?;
    }
    Ok(())
}

/// What is told, tabled and plotted together: the cases of one ring, driver
/// and metric.
pub struct Section<'a> {
    /// 0 or 3.
    pub ring: u8,
    /// The driver.
    pub driver: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// Unit of the metric.
    pub unit: &'a str,
    /// Subjects that are compared, in the plan's order.
    pub subjects: Vec<&'a str>,
    /// Its cases, in the plan's order; never empty.
    pub cases: Vec<&'a CaseSummary>,
}

impl Section<'_> {
    /// The two subjects of the main comparison.
    pub fn pair(&self) -> (&str, &str) {
        let at = |index: usize| self.subjects.get(index).copied().unwrap_or("?");
        (at(0), at(1))
    }

    /// What its controls say, if it has some.
    pub fn controls<'a>(&self, summary: &'a Summary) -> Option<&'a Controls> {
        summary.run.controls.iter().find(|controls| {
            (controls.ring, &controls.driver[..], &controls.metric[..])
                == (self.ring, self.driver, self.metric)
        })
    }

    /// Whether our wrappers are compared with what they wrap.
    pub fn has_wrappers(&self) -> bool {
        self.cases.iter().any(|case| case.wrapper.is_some())
    }

    /// Further subjects that the first is compared with in some case.
    pub fn others(&self) -> Vec<&str> {
        let compared = |other: &&str| {
            self.cases
                .iter()
                .any(|case| case.against.contains_key(*other))
        };
        let further = self.subjects.iter().skip(2).copied();
        further.filter(compared).collect()
    }
}

/// The sections of a summary, in the order of its cases.
pub fn sections(summary: &Summary) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for case in &summary.cases {
        let same = sections.iter_mut().find(|section| {
            (section.ring, section.driver, section.metric)
                == (case.key.ring, &case.key.driver, &case.metric)
        });
        match same {
            Some(section) => section.cases.push(case),
            None => sections.push(Section {
                ring: case.key.ring,
                driver: &case.key.driver,
                metric: &case.metric,
                unit: &case.unit,
                subjects: words::compared(summary, case.key.ring),
                cases: vec![case],
            }),
        }
    }
    sections.sort_by_key(|section| (std::cmp::Reverse(section.ring), section.driver));
    sections
}
