//! Finds the checkout that this program belongs to.

use std::path::{Path, PathBuf};

use anyhow::{bail, Result};

/// The checkout: `given` (`--source` or `RINGFENCE_SOURCE`), else the first
/// parent of this program or of the current folder that looks like one.
pub fn find(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        if is_checkout(given) {
            return Ok(std::path::absolute(given)?);
        }
        bail!(
            "{}: is no checkout of ringfence (no kit/ and ring0/ in it)",
            given.display()
        );
    }
    let places = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    for place in places.iter().flatten() {
        if let Some(found) = place.ancestors().find(|folder| is_checkout(folder)) {
            return Ok(found.to_path_buf());
        }
    }
    bail!("no checkout of ringfence around this program or here; name it with --source")
}

fn is_checkout(folder: &Path) -> bool {
    folder.join("kit").is_dir() && folder.join("ring0").join("core").is_dir()
}
