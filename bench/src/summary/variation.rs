//! How the samples of a comparison vary, and in what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::statistics::autocorrelation::{effective_size, lag_one};
use crate::statistics::components::Components;
use crate::statistics::modes::several;

/// The shape of one subject's samples, in the order in which they were taken.
/// Nothing is dropped for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Correlation of a sample with the next; `None` where it has no value.
    pub lag_one: Option<f64>,
    /// How many independent samples would know the mean as well.
    pub effective: f64,
    /// Whether they have several modes; `None` for fewer than ten samples.
    pub several_modes: Option<bool>,
}

impl Shape {
    /// Of samples in order.
    pub fn of(samples: &[f64]) -> Shape {
        Shape {
            lag_one: lag_one(samples),
            effective: effective_size(samples),
            several_modes: several(samples),
        }
    }
}

/// Where the variation of a comparison's log ratios comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variation {
    /// Standard deviation of boots: 0.01 is 1%.
    pub by_boot: f64,
    /// Standard deviation of blocks within a boot.
    pub by_block: f64,
    /// Boots whose interval is expected to be half as wide; `None` if ten
    /// thousand are too few.
    pub boots_to_halve: Option<usize>,
}

impl Variation {
    /// Of the blocks' log ratios by boot, each with its block's number. `None`
    /// where boots and blocks cannot be told apart.
    pub fn of(boots: &BTreeMap<u32, Vec<(u32, f64)>>) -> Option<Variation> {
        let logs = |blocks: &Vec<(u32, f64)>| blocks.iter().map(|(_, log)| *log).collect();
        let boots: Vec<Vec<f64>> = boots.values().map(logs).collect();
        let components = Components::of(&boots)?;
        let blocks = boots.iter().map(Vec::len).max()?;
        Some(Variation {
            by_boot: components.by_boot.sqrt(),
            by_block: components.by_block.sqrt(),
            boots_to_halve: components.boots_to_halve(boots.len(), blocks),
        })
    }
}
