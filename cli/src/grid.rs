//! The cases that `bench` offers, and how `--case` selects from them.

use std::collections::BTreeMap;

use anyhow::Result;
use globset::{GlobBuilder, GlobMatcher};
use ringfence_bench::case::{BlockLoad, Case, Engine, Pattern, Workload, API, NVME};

use crate::args::BenchArguments;
use crate::failure::Usage;
use crate::operations;

/// Measured time of a sample and time under load before it, in milliseconds.
///
/// Ring 3: the default grid is 16 cases x 3 subjects x 40 samples = 1920, and
/// has to stay under two minutes. Ring 0: 1920 samples, under two hours in an
/// emulated VM, where starting fio alone takes more than a second.
fn times(driver: &str, ring: u8) -> (u64, u64) {
    match (driver, ring) {
        (_, 0) => (1000, 200),
        // A window of a controller model's operations is longer.
        (NVME, _) => (40, 8),
        _ => (24, 8),
    }
}

/// Seconds that a sample of a case takes, set-up and start of fio included.
pub fn seconds(case: &Case) -> f64 {
    let load = (case.runtime_ms + case.ramp_ms) as f64 / 1e3;
    if case.driver == API {
        return match (case.ring, case.operations) {
            (0, Some(_)) => 1.5,
            (_, Some(_)) => 0.3,
            _ => load + 0.005,
        };
    }
    match (case.ring, case.operations) {
        (0, Some(_)) => 20.0,
        // The controller changes hands once to read everything back, and once
        // for the sample.
        (0, None) if case.driver == NVME => load + 2.1,
        (0, None) => load + 1.1,
        (_, Some(_)) if case.driver == NVME => 1.5,
        (_, None) if case.driver == NVME => load + 0.05,
        (_, Some(_)) => 0.2,
        (_, None) => load + 0.025,
    }
}

/// Operations of the shorter run of `--count`.
/// Whatever differs between two starts of fio is spread over twice as many.
const OPERATIONS: u64 = 20_000;

/// The same for NVMe in ring 3, where a model is counted with them. A sample
/// counts one run, of any length.
const NVME_OPERATIONS: u64 = 8192;

/// The same in ring 0, where QEMU's controller takes its time for each.
const NVME0_OPERATIONS: u64 = 5000;

/// Size of a disk, in MiB; the NVMe namespace in the lab's VM is larger.
const DISK_MB: u64 = 4096;

/// Which of the cases are wanted where no glob says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The default grid.
    Whole,
    /// Two cases.
    Quick,
    /// The grid in which instructions are counted.
    Count,
}

impl From<&BenchArguments> for Extent {
    fn from(arguments: &BenchArguments) -> Extent {
        match arguments {
            BenchArguments { count: true, .. } => Extent::Count,
            BenchArguments { quick: true, .. } => Extent::Quick,
            _ => Extent::Whole,
        }
    }
}

/// Patterns, sizes, depths, jobs, modes: a grid is their product.
struct Grid {
    patterns: &'static [Pattern],
    sizes: &'static [u64],
    depths: &'static [(Engine, u32)],
    jobs: &'static [u32],
    modes: &'static [Mode],
    queues: &'static [u32],
}

/// How completions come.
#[derive(Clone, Copy)]
enum Mode {
    /// By the setting `irqmode`.
    Irq(u32),
    /// By asking for them.
    Poll,
    /// NVMe's.
    Nvme(Nvme),
}

/// How commands go to an NVMe controller and come back.
#[derive(Clone, Copy)]
struct Nvme {
    /// By asking for completions, in place of interrupts; ring 3 always asks.
    poll: bool,
    /// Whether doorbells are in memory, not in registers.
    shadow: bool,
    /// Whether as many commands as the depth go and come at once.
    batch: bool,
}

/// One by one, with interrupts, and with doorbells that are registers.
const PLAIN: Nvme = Nvme {
    poll: false,
    shadow: false,
    batch: false,
};
const POLLED: Nvme = Nvme {
    poll: true,
    ..PLAIN
};
const SHADOW: Nvme = Nvme {
    shadow: true,
    ..PLAIN
};
const BATCHED: Nvme = Nvme {
    batch: true,
    ..PLAIN
};

const RING3: Grid = Grid {
    patterns: &[Pattern::RandRead, Pattern::RandWrite],
    sizes: &[4 << 10],
    depths: &[(Engine::IoUring, 1), (Engine::IoUring, 32)],
    jobs: &[1],
    modes: &[Mode::Irq(0), Mode::Irq(1), Mode::Irq(2), Mode::Poll],
    queues: &[1],
};

const RING0: Grid = Grid {
    sizes: &[4 << 10, 256 << 10],
    modes: &[Mode::Irq(0), Mode::Irq(1)],
    ..RING3
};

/// Nothing that noise needs, so room for more ways through the block layer.
const COUNT0: Grid = Grid {
    depths: &[
        (Engine::Psync, 1),
        (Engine::IoUring, 1),
        (Engine::IoUring, 32),
    ],
    modes: &[Mode::Irq(0), Mode::Irq(1), Mode::Irq(2), Mode::Poll],
    queues: &[1, 2],
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
    depths: &[
        (Engine::IoUring, 1),
        (Engine::IoUring, 8),
        (Engine::IoUring, 32),
        (Engine::IoUring, 128),
    ],
    jobs: &[1, 2, 6],
    modes: &[Mode::Irq(0), Mode::Irq(1)],
    queues: &[1],
};

const NVME3: Grid = Grid {
    depths: &[
        (Engine::IoUring, 1),
        (Engine::IoUring, 8),
        (Engine::IoUring, 32),
        (Engine::IoUring, 128),
    ],
    modes: &[Mode::Nvme(PLAIN)],
    ..RING3
};

const NVME_LARGE: Grid = Grid {
    sizes: &[512, 4 << 10, 32 << 10, 128 << 10],
    depths: &[
        (Engine::IoUring, 1),
        (Engine::IoUring, 8),
        (Engine::IoUring, 32),
        (Engine::IoUring, 128),
        (Engine::IoUring, 1024),
    ],
    modes: &[Mode::Nvme(PLAIN), Mode::Nvme(SHADOW)],
    queues: &[1, 2, 8, 64],
    ..NVME3
};

const NVME0: Grid = Grid {
    sizes: &[4 << 10, 128 << 10],
    modes: &[Mode::Nvme(PLAIN), Mode::Nvme(POLLED)],
    ..RING3
};

const NVME0_COUNT: Grid = Grid {
    sizes: &[4 << 10],
    modes: &[
        Mode::Nvme(PLAIN),
        Mode::Nvme(POLLED),
        Mode::Nvme(BATCHED),
        Mode::Nvme(Nvme {
            batch: true,
            ..POLLED
        }),
        Mode::Nvme(SHADOW),
    ],
    ..NVME0
};

const NVME0_LARGE: Grid = Grid {
    sizes: &[512, 4 << 10, 32 << 10, 128 << 10, 256 << 10, 1 << 20],
    depths: NVME3.depths,
    jobs: &[1, 2],
    modes: &[
        Mode::Nvme(PLAIN),
        Mode::Nvme(POLLED),
        Mode::Nvme(BATCHED),
        Mode::Nvme(Nvme {
            batch: true,
            ..POLLED
        }),
        Mode::Nvme(SHADOW),
        Mode::Nvme(Nvme {
            shadow: true,
            ..POLLED
        }),
    ],
    ..NVME0
};

/// The two cases of `--quick`.
fn quick(driver: &str) -> [&'static str; 2] {
    match driver {
        NVME => ["randread-4k-qd1-j1", "randread-4k-qd32-j1"],
        _ => ["randread-4k-qd1-j1-irq0", "randread-4k-qd32-j1-irq1"],
    }
}

impl Grid {
    fn cases(&self, driver: &str, ring: u8) -> Vec<Case> {
        let mut cases = Vec::new();
        for &pattern in self.patterns {
            for &block_size in self.sizes {
                for &(engine, depth) in self.depths {
                    for &jobs in self.jobs {
                        for &mode in self.modes {
                            // fio polls through io_uring.
                            if matches!((mode, engine), (Mode::Poll, Engine::Psync)) {
                                continue;
                            }
                            // One operation is no batch.
                            if depth == 1 && matches!(mode, Mode::Nvme(Nvme { batch: true, .. })) {
                                continue;
                            }
                            for &queues in self.queues {
                                let workload = BlockLoad {
                                    pattern,
                                    block_size,
                                    depth,
                                    jobs,
                                    engine,
                                };
                                cases.push(case(driver, ring, workload, mode, queues));
                            }
                        }
                    }
                }
            }
        }
        cases
    }
}

fn case(driver: &str, ring: u8, workload: BlockLoad, mode: Mode, queues: u32) -> Case {
    let settings = match (mode, ring) {
        (Mode::Nvme(mode), 0) => nvme0_settings(&workload, mode),
        (Mode::Nvme(mode), _) => nvme_settings(&workload, mode, queues),
        _ => nullblk_settings(ring, mode, queues),
    };
    let (runtime_ms, ramp_ms) = times(driver, ring);
    Case {
        driver: driver.into(),
        ring,
        name: Case::name_of(&workload, &settings),
        workload: Workload::Block(workload),
        settings,
        runtime_ms,
        ramp_ms,
        operations: None,
    }
}

/// A queue depth of 256 is what the upstream Rust driver has; everything else
/// could be chosen, and is the same for all.
fn nullblk_settings(ring: u8, mode: Mode, queues: u32) -> BTreeMap<String, String> {
    let mut settings = named([
        ("irqmode", "0".into()),
        ("submit_queues", queues.to_string()),
        ("hw_queue_depth", "256".into()),
        ("blocksize", "4096".into()),
        ("size", DISK_MB.to_string()),
    ]);
    match mode {
        Mode::Irq(mode) => settings.insert("irqmode".into(), mode.to_string()),
        _ => settings.insert("poll_queues".into(), "1".into()),
    };
    if ring == 3 {
        // A timer that is due as soon as it is set: what is measured is the
        // way to the timer and back. Any longer time would be waited for, and
        // be the clock's, not the driver's.
        settings.insert("completion_nsec".into(), "0".into());
    }
    settings
}

/// The model keeps what is written, so that a namespace is small.
fn nvme_settings(load: &BlockLoad, mode: Nvme, queues: u32) -> BTreeMap<String, String> {
    named([
        ("submit_queues", queues.to_string()),
        ("hw_queue_depth", load.depth.max(128).to_string()),
        ("blocksize", load.block_size.min(4096).to_string()),
        ("size", "4".into()),
        ("shadow_doorbells", u8::from(mode.shadow).to_string()),
    ])
}

/// A queue for each processor, as drivers of devices have them, and one to poll
/// where that is done. The depth is the C driver's own default.
fn nvme0_settings(load: &BlockLoad, mode: Nvme) -> BTreeMap<String, String> {
    let mut settings = named([
        ("io_queue_depth", "1024".into()),
        ("poll_queues", u8::from(mode.poll).to_string()),
        ("shadow_doorbells", u8::from(mode.shadow).to_string()),
    ]);
    if mode.batch {
        settings.insert("batch".into(), load.depth.to_string());
    }
    settings
}

fn named<const N: usize>(settings: [(&str, String); N]) -> BTreeMap<String, String> {
    settings
        .map(|(name, value)| (name.to_string(), value))
        .into()
}

/// The default grid of a driver in a ring.
fn default_cases(driver: &str, ring: u8, extent: Extent) -> Vec<Case> {
    let grid = match (driver, ring, extent) {
        (NVME, 0, Extent::Count) => NVME0_COUNT,
        (NVME, 0, _) => NVME0,
        (NVME, ..) => NVME3,
        (_, 0, Extent::Count) => COUNT0,
        (_, 0, _) => RING0,
        _ => RING3,
    };
    grid.cases(driver, ring)
}

/// The cases to run: those that `glob` selects, else those of `extent`. A
/// glob that matches in the default grid means those cases only; else it
/// means the large grid.
///
/// Operations have one grid: all of them, but for those that cannot be counted.
pub fn select(driver: &str, ring: u8, glob: Option<&str>, extent: Extent) -> Result<Vec<Case>> {
    if driver == API {
        return select_operations(ring, glob, extent);
    }
    let mut cases = chosen(driver, ring, glob, extent)?;
    if extent == Extent::Count {
        for case in &mut cases {
            // The longer run takes three times as many, and ends where the
            // disk does.
            let fit = (DISK_MB << 20) / case.block()?.block_size / 3;
            case.operations = Some(match (driver, ring) {
                (NVME, 0) => NVME0_OPERATIONS.min(fit),
                (NVME, _) => NVME_OPERATIONS,
                _ => OPERATIONS.min(fit),
            });
        }
    }
    Ok(cases)
}

fn select_operations(ring: u8, glob: Option<&str>, extent: Extent) -> Result<Vec<Case>> {
    let all = operations::cases(ring, extent == Extent::Count);
    let contended = |case: &Case| case.operation().is_ok_and(|one| one.contended);
    let mut chosen = all.clone();
    if let Some(glob) = glob {
        let matcher = matcher(glob)?;
        chosen.retain(|case| matcher.is_match(&case.name));
        if chosen.is_empty() {
            let names: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
            return Err(Usage::error(format!(
                "--case {glob}: matches none of the operations of ring {ring}: {}",
                names.join(", ")
            )));
        }
    }
    if extent == Extent::Count {
        chosen.retain(|case| !contended(case));
        if chosen.is_empty() {
            return Err(Usage::error(
                "--count: only operations that two processors meet in were chosen, which are \
                 timed and not counted; choose others, or leave --count out",
            ));
        }
    }
    if extent == Extent::Quick && glob.is_none() {
        chosen.truncate(2);
    }
    Ok(chosen)
}

fn matcher(glob: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(glob)
        .build()
        .map_err(|error| Usage::error(format!("--case {}: {}", glob, error.kind())))?;
    Ok(glob.compile_matcher())
}

fn chosen(driver: &str, ring: u8, glob: Option<&str>, extent: Extent) -> Result<Vec<Case>> {
    let small = default_cases(driver, ring, extent);
    let Some(glob) = glob else {
        let wanted = |case: &Case| match extent {
            Extent::Whole | Extent::Count => true,
            Extent::Quick => quick(driver).contains(&case.name.as_str()),
        };
        return Ok(small.into_iter().filter(wanted).collect());
    };
    let matcher = matcher(glob)?;
    let large = match driver {
        NVME if ring == 0 => NVME0_LARGE.cases(driver, ring),
        NVME => NVME_LARGE.cases(driver, ring),
        _ => LARGE.cases(driver, ring),
    };
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
        quick(driver)[1],
        names[names.len() - 1],
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(ring: u8, glob: &str) -> Vec<String> {
        let cases = select("nullblk", ring, Some(glob), Extent::Whole).expect(glob);
        cases.into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn default_grids_have_the_sizes_that_the_time_limits_assume() {
        let count = |ring, extent| default_cases("nullblk", ring, extent).len();
        assert_eq!(count(3, Extent::Whole), 16);
        assert_eq!(count(0, Extent::Whole), 16);
        assert_eq!(count(3, Extent::Count), 16);
        assert_eq!(count(0, Extent::Count), 44);
        assert_eq!(LARGE.cases("nullblk", 0).len(), 480);
    }

    #[test]
    fn quick_is_two_cases_in_either_ring() {
        for ring in [0, 3] {
            let cases = select("nullblk", ring, None, Extent::Quick).expect("quick");
            assert_eq!(cases.len(), 2);
        }
    }

    #[test]
    fn counted_cases_have_operations_polled_queues_and_names_of_their_own() {
        let cases = select("nullblk", 0, Some("*"), Extent::Count).expect("count");
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        for name in [
            "randread-4k-psync-j1-irq2",
            "randwrite-4k-qd32-j1-irq0-poll-q2",
        ] {
            assert!(names.contains(name), "{name}");
        }
        assert!(cases.iter().all(|case| case.operations == Some(OPERATIONS)));
        let polled = cases
            .iter()
            .filter(|case| case.settings.contains_key("poll_queues"));
        assert_eq!(polled.count(), 8);
        let default = select("nullblk", 0, None, Extent::Count).expect("count");
        assert_eq!(default.len(), cases.len());
        let large = select("nullblk", 0, Some("read-16m-qd1-j1-irq0"), Extent::Count);
        assert_eq!(large.expect("large")[0].operations, Some(85));
    }

    #[test]
    fn a_glob_prefers_the_default_grid_and_falls_back_to_the_large_one() {
        assert_eq!(names(3, "randread-*").len(), 8);
        assert_eq!(names(3, "randread-16m-qd8-j6-irq1").len(), 1);
        assert_eq!(names(0, "read-32k-*").len(), 24);
        assert_eq!(names(0, "randread-{4k,256k}-qd1-j1-irq0").len(), 2);
    }

    #[test]
    fn nvme_has_a_grid_of_its_own_in_which_requests_fit_their_queues() {
        let choose = |glob, extent| select(NVME, 3, glob, extent).expect("cases");
        let default = choose(None, Extent::Whole);
        assert_eq!(default.len(), 8);
        assert_eq!(choose(None, Extent::Quick).len(), 2);
        let counted = choose(None, Extent::Count);
        assert!(counted
            .iter()
            .all(|case| case.operations == Some(NVME_OPERATIONS)));
        let large = choose(Some("randread-*-qd1024-j1-shadow-q64"), Extent::Whole);
        assert_eq!(large.len(), 4);
        for case in default.iter().chain(&large) {
            let load = case.block().expect("a load");
            let number = |name: &str| case.settings[name].parse::<u64>().expect("a number");
            assert!(u64::from(load.depth) <= number("hw_queue_depth"));
            assert!(load.block_size.is_multiple_of(number("blocksize")));
            assert!(load.block_size <= number("size") << 20);
        }
        let error = select(NVME, 3, Some("nothing*"), Extent::Whole).expect_err("no match");
        assert!(error.to_string().contains("randread-4k-qd32-j1"), "{error}");
    }

    #[test]
    fn nvme_in_ring_0_is_interrupted_or_polled_at_the_drivers_own_depth() {
        let names = |glob, extent| -> Vec<String> {
            let cases = select(NVME, 0, glob, extent).expect("cases");
            cases.into_iter().map(|case| case.name).collect()
        };
        let default = names(None, Extent::Whole);
        assert_eq!(default.len(), 16);
        assert!(default.contains(&"randwrite-128k-qd32-j1-poll".to_string()));
        assert_eq!(names(None, Extent::Quick).len(), 2);
        let counted = names(None, Extent::Count);
        assert_eq!(counted.len(), 16);
        assert!(counted.contains(&"randread-4k-qd32-j1-poll-batch32".to_string()));
        assert!(!counted.iter().any(|name| name.contains("batch1")));
        assert_eq!(
            names(Some("randread-1m-qd128-j2-poll"), Extent::Whole).len(),
            1
        );
        let large = select(NVME, 0, Some("*-1m-qd1-*"), Extent::Count).expect("cases");
        for case in large {
            assert_eq!(case.settings["io_queue_depth"], "1024");
            assert_eq!(case.operations, Some(1365));
        }
    }

    #[test]
    fn operations_are_chosen_by_name_and_contended_ones_are_not_counted() {
        for ring in [0, 3] {
            let choose = |glob, extent| select(API, ring, glob, extent);
            let all = choose(None, Extent::Whole).expect("all");
            let counted = choose(None, Extent::Count).expect("countable");
            let contended = |case: &&Case| case.operation().expect("one").contended;
            let left = all.iter().filter(contended).count();
            assert_eq!(all.len(), counted.len() + left);
            assert!(counted.iter().all(|case| case.operations.is_some()));
            assert!(!counted.iter().any(|case| contended(&case)));
            assert_eq!(choose(None, Extent::Quick).expect("quick").len(), 2);
            let one = choose(Some("mutex"), Extent::Whole).expect("mutex");
            assert_eq!((one.len(), &one[0].name[..]), (1, "mutex"));
            let error = choose(Some("nothing*"), Extent::Whole).expect_err("no match");
            assert!(error.to_string().contains("mutex"), "{error}");
            if let Some(case) = all.iter().find(contended) {
                let error = choose(Some(&case.name), Extent::Count).expect_err("contended");
                assert!(error.to_string().contains("not counted"), "{error}");
            }
        }
    }

    #[test]
    fn a_glob_without_a_match_names_a_few_cases() {
        let error = select("nullblk", 3, Some("nothing*"), Extent::Whole).expect_err("no match");
        let text = error.to_string();
        assert!(text.contains("nothing*") && text.contains("randread-4k-qd32-j1-irq1"));
        assert!(select("nullblk", 3, Some("a["), Extent::Whole).is_err());
    }
}
