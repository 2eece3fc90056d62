//! The machine code of operations' loops, as a run keeps it: `asm.json`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::case::CaseKey;
use crate::folder::write_whole;

const FILE: &str = "asm.json";

/// The function that holds one subject's loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Which case.
    #[serde(flatten)]
    pub key: CaseKey,
    /// Whose loop.
    pub subject: String,
    /// The function's name, in its language's own spelling.
    pub symbol: String,
    /// An instruction a line, with its distance from the beginning.
    pub instructions: Vec<String>,
}

/// Writes the listings of a run into its folder.
pub fn write(folder: &Path, listings: &[Listing]) -> Result<()> {
    write_whole(&folder.join(FILE), &serde_json::to_vec_pretty(listings)?)
}

/// Those of a run folder; none if it was not asked for them.
pub fn read(folder: &Path) -> Result<Vec<Listing>> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read(&path).with_context(|| format!("{FILE} cannot be read"))?;
    serde_json::from_slice(&text).with_context(|| format!("{FILE} does not parse"))
}
