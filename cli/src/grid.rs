//! The cases that `bench` offers, and how `--case` selects from them.

use std::collections::BTreeMap;

use anyhow::Result;
use globset::GlobBuilder;
use ringfence_bench::case::{Case, Pattern, Workload};

use crate::failure::Usage;

/// Measured time of a sample and time under load before it, in milliseconds.
///
/// Ring 3: the default grid is 16 cases x 3 subjects x 40 samples = 1920, and
/// has to stay under two minutes. Ring 0: 1920 samples, under two hours in an
/// emulated VM, where starting fio alone takes more than a second.
fn times(ring: u8) -> (u64, u64) {
    match ring {
        0 => (1000, 200),
        _ => (24, 8),
    }
}

/// Seconds that a sample takes beyond its load: set-up, start of fio.
pub fn overhead(ring: u8) -> f64 {
    match ring {
        0 => 1.1,
        _ => 0.025,
    }
}

/// Patterns, sizes, depths, jobs, modes: a grid is their product.
struct Grid {
    patterns: &'static [Pattern],
    sizes: &'static [u64],
    depths: &'static [u32],
    jobs: &'static [u32],
    modes: &'static [Mode],
}

/// How completions come.
#[derive(Clone, Copy)]
enum Mode {
    /// By the setting `irqmode`.
    Irq(u32),
    /// By asking for them.
    Poll,
}

const RING3: Grid = Grid {
    patterns: &[Pattern::RandRead, Pattern::RandWrite],
    sizes: &[4 << 10],
    depths: &[1, 32],
    jobs: &[1],
    modes: &[Mode::Irq(0), Mode::Irq(1), Mode::Irq(2), Mode::Poll],
};

const RING0: Grid = Grid {
    sizes: &[4 << 10, 256 << 10],
    modes: &[Mode::Irq(0), Mode::Irq(1)],
    ..RING3
};

const LARGE: Grid = Grid {
    patterns: &[
        Pattern::Read,
        Pattern::Write,
        Pattern::RandRead,
        Pattern::RandWrite,
    ],
    sizes: &[4 << 10, 32 << 10, 256 << 10, 1 << 20, 16 << 20],
    depths: &[1, 8, 32, 128],
    jobs: &[1, 2, 6],
    modes: &[Mode::Irq(0), Mode::Irq(1)],
};

/// The two cases of `--quick`.
const QUICK: [&str; 2] = ["randread-4k-qd1-j1-irq0", "randread-4k-qd32-j1-irq1"];

impl Grid {
    fn cases(&self, driver: &str, ring: u8) -> Vec<Case> {
        let mut cases = Vec::new();
        for &pattern in self.patterns {
            for &block_size in self.sizes {
                for &depth in self.depths {
                    for &jobs in self.jobs {
                        for &mode in self.modes {
                            let workload = Workload {
                                pattern,
                                block_size,
                                depth,
                                jobs,
                            };
                            cases.push(case(driver, ring, workload, mode));
                        }
                    }
                }
            }
        }
        cases
    }
}

/// One queue of depth 256 is what the upstream Rust driver has; everything
/// else could be chosen, and is the same for all.
fn case(driver: &str, ring: u8, workload: Workload, mode: Mode) -> Case {
    let mut settings: BTreeMap<String, String> = [
        ("irqmode", "0".into()),
        ("submit_queues", "1".into()),
        ("hw_queue_depth", "256".into()),
        ("blocksize", "4096".into()),
        ("size", "4096".into()),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into();
    match mode {
        Mode::Irq(mode) => settings.insert("irqmode".into(), mode.to_string()),
        Mode::Poll => settings.insert("poll_queues".into(), "1".into()),
    };
    if ring == 3 {
        // A timer that is due as soon as it is set: what is measured is the
        // way to the timer and back. Any longer time would be waited for, and
        // be the clock's, not the driver's.
        settings.insert("completion_nsec".into(), "0".into());
    }
    let (runtime_ms, ramp_ms) = times(ring);
    Case {
        driver: driver.into(),
        ring,
        name: Case::name_of(&workload, &settings),
        workload,
        settings,
        runtime_ms,
        ramp_ms,
    }
}

/// The default grid of a driver in a ring.
fn default_cases(driver: &str, ring: u8) -> Vec<Case> {
    let grid = if ring == 0 { RING0 } else { RING3 };
    grid.cases(driver, ring)
}

/// The cases to run: those that `glob` selects, else the two of `quick`, else
/// the default grid. A glob that matches in the default grid means those
/// cases only; else it means the large grid.
pub fn select(driver: &str, ring: u8, glob: Option<&str>, quick: bool) -> Result<Vec<Case>> {
    let small = default_cases(driver, ring);
    let Some(glob) = glob else {
        return Ok(small
            .into_iter()
            .filter(|case| !quick || QUICK.contains(&case.name.as_str()))
            .collect());
    };
    let matcher = GlobBuilder::new(glob)
        .build()
        .map_err(|error| Usage::error(format!("--case {}: {}", glob, error.kind())))?
        .compile_matcher();
    let large = LARGE.cases(driver, ring);
    let names: Vec<String> = large.iter().map(|case| case.name.clone()).collect();
    for grid in [small, large] {
        let chosen: Vec<Case> = grid
            .into_iter()
            .filter(|case| matcher.is_match(&case.name))
            .collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
    }
    Err(Usage::error(format!(
        "--case {glob}: matches none of the {} cases of {driver}, such as {}, {}, {}",
        names.len(),
        names[0],
        QUICK[1],
        names[names.len() - 1],
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ring: u8, glob: &str) -> Vec<String> {
        let cases = select("nullblk", ring, Some(glob), false).expect(glob);
        cases.into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn default_grids_have_the_sizes_that_the_time_limits_assume() {
        assert_eq!(default_cases("nullblk", 3).len(), 16);
        assert_eq!(default_cases("nullblk", 0).len(), 16);
        assert_eq!(LARGE.cases("nullblk", 0).len(), 480);
    }

    #[test]
    fn quick_is_two_cases_in_either_ring() {
        for ring in [0, 3] {
            let cases = select("nullblk", ring, None, true).expect("quick");
            assert_eq!(cases.len(), 2);
        }
    }

    #[test]
    fn a_glob_prefers_the_default_grid_and_falls_back_to_the_large_one() {
        assert_eq!(names(3, "randread-*").len(), 8);
        assert_eq!(names(3, "randread-16m-qd8-j6-irq1").len(), 1);
        assert_eq!(names(0, "read-32k-*").len(), 24);
        assert_eq!(names(0, "randread-{4k,256k}-qd1-j1-irq0").len(), 2);
    }

    #[test]
    fn a_glob_without_a_match_names_a_few_cases() {
        let error = select("nullblk", 3, Some("nothing*"), false).expect_err("no match");
        let text = error.to_string();
        assert!(text.contains("nothing*") && text.contains("randread-4k-qd32-j1-irq1"));
        assert!(select("nullblk", 3, Some("a["), false).is_err());
    }
}
