//! The drivers there are, and who implements them in which ring.

use anyhow::Result;

use crate::failure::Usage;

/// Names of all drivers.
pub const DRIVERS: [&str; 1] = ["nullblk"];

/// The subjects of a ring, in the order in which reports show them.
pub fn subjects(ring: u8) -> &'static [&'static str] {
    match ring {
        0 => &["rust", "c", "upstream"],
        _ => &["rust", "c", "empty"],
    }
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
