//! What can be measured, and who implements it in which ring.

use anyhow::Result;
use ringfence_bench::case::{API, NVME};

use crate::failure::Usage;

/// Names of all drivers.
pub const DRIVERS: [&str; 2] = [NULLBLK, NVME];

/// The driver that `--ring 0` means where none is named.
pub const NULLBLK: &str = "nullblk";

/// Whether a known delay can be injected into a driver's first subject in a
/// ring: in ring 0 only null block's module has a control build.
pub fn can_delay(driver: &str, ring: u8) -> bool {
    ring == 3 || driver == NULLBLK
}

/// The subjects of a driver, or of [`API`], that are measured in a ring unless
/// others are asked for.
pub fn subjects(driver: &str, ring: u8) -> &'static [&'static str] {
    match (driver, ring) {
        (API, 0) => &["rust", "c", "wrapper"],
        (API, _) => &["rust", "c"],
        (NVME, 0) => &["rust", "c"],
        (_, 0) => &["rust", "c", "upstream"],
        _ => &["rust", "c", "empty"],
    }
}

/// Further subjects, measured only where they are asked for: each differs from
/// another one in a single way, to tell what makes a difference.
pub fn further_subjects(driver: &str, ring: u8) -> &'static [&'static str] {
    match (driver, ring) {
        (API, _) => &[],
        (NVME, 0) => &["user"],
        (_, 0) => &["rust-nochecks", "c-oot", "c-clang"],
        _ => &["rust-nochecks", "c-clang"],
    }
}

/// All subjects of a driver in a ring, in the order in which reports show them.
pub fn known_subjects(driver: &str, ring: u8) -> Vec<&'static str> {
    [subjects(driver, ring), further_subjects(driver, ring)].concat()
}

/// Refuses a name that nothing has.
pub fn check(name: &str) -> Result<()> {
    if name == API || DRIVERS.contains(&name) {
        return Ok(());
    }
    Err(Usage::error(format!(
        "{name}: no such driver; there are {}, and {API} for operations",
        DRIVERS.join(" and ")
    )))
}
