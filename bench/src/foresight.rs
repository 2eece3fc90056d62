//! What a plan will be able to see, by a run that was made before.

use crate::case::CaseKey;
use crate::plan::Plan;
use crate::statistics::components::Components;
use crate::statistics::moments::Moments;
use crate::statistics::power::{boots_to_plan, smallest_effect};
use crate::summary::controls::POWER;
use crate::summary::{CaseSummary, Comparison, Summary};

/// One case of a plan in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Foresight {
    /// The case.
    pub key: CaseKey,
    /// The metric.
    pub metric: String,
    /// Standard deviation of the log ratios of boots with as many blocks as
    /// the plan has.
    pub deviation: f64,
    /// The smallest relative change that nine of ten such runs find.
    pub visible: f64,
    /// Boots with which nine of ten runs find the effect that was asked for;
    /// `None` if ten thousand are too few.
    pub boots: Option<usize>,
}

/// The cases of `plan` that a run made before has too, with two boots or more.
/// `effect` is the relative change that is to be found.
pub fn of(plan: &Plan, before: &Summary, effect: f64) -> Vec<Foresight> {
    let planned = |case: &&CaseSummary| plan.case(&case.key).is_some();
    let each = before.cases.iter().filter(planned);
    each.filter_map(|case| {
        let deviation = deviation(&case.main, plan.blocks)?;
        Some(Foresight {
            key: case.key.clone(),
            metric: case.metric.clone(),
            deviation,
            visible: smallest_effect(deviation, plan.boots as usize, POWER)?,
            boots: boots_to_plan(effect, deviation),
        })
    })
    .collect()
}

/// Of boots with so many blocks: from the components where boots and blocks
/// could be told apart, else as boots were.
fn deviation(comparison: &Comparison, blocks: u32) -> Option<f64> {
    if let Some(variation) = comparison.variation {
        let components = Components {
            by_boot: variation.by_boot.powi(2),
            by_block: variation.by_block.powi(2),
        };
        return Some(components.sd_of_boots(blocks as usize));
    }
    Moments::of(&comparison.headline.as_ref()?.logs())?.sd
}
