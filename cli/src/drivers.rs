//! The drivers there are, and who implements them in which ring.

use anyhow::Result;

use crate::failure::Usage;

/// Names of all drivers.
pub const DRIVERS: [&str; 1] = ["nullblk"];

/// The subjects of a ring that are measured unless others are asked for.
pub fn subjects(ring: u8) -> &'static [&'static str] {
    match ring {
        0 => &["rust", "c", "upstream"],
        _ => &["rust", "c", "empty"],
    }
}

/// Further subjects of a ring, measured only where they are asked for: each
/// differs from another one in a single way, to tell what makes a difference.
pub fn further_subjects(ring: u8) -> &'static [&'static str] {
    match ring {
        0 => &["rust-nochecks", "c-oot", "c-clang"],
        _ => &["rust-nochecks", "c-clang"],
    }
}

/// All subjects of a ring, in the order in which reports show them.
pub fn known_subjects(ring: u8) -> Vec<&'static str> {
    [subjects(ring), further_subjects(ring)].concat()
}

/// Refuses a name that no driver has.
pub fn check(name: &str) -> Result<()> {
    if DRIVERS.contains(&name) {
        return Ok(());
    }
    Err(Usage::error(format!(
        "{name}: no such driver; there is {}",
        DRIVERS.join(", ")
    )))
}
