//! Our driver in user space, over VFIO, as a subject beside those in the kernel:
//! `ringfence nvme load` is for it what fio is for a disk.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::Measured;
use ringfence_bench::case::{Case, Engine, Pattern};
use serde_json::Value;

use super::count::{Counted, Counter, Window};
use super::events::Events;
use super::nvme::Subject;
use super::pci::Function;

/// Our driver in a process. What it has of the kernel is VFIO.
pub const USER: Subject = Subject {
    name: "user",
    driver: "vfio-pci",
    module: "vfio_pci",
    file: None,
    modules: &["vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "vfio"],
    parameters: &[],
};

/// What VFIO needs besides; the kernel loads it when it is first used.
pub const IOMMU_MODULE: &str = "vfio_iommu_type1";

/// The arguments for a case; `None` with the reason if there are none.
fn arguments(case: &Case) -> Result<std::result::Result<Vec<String>, &'static str>> {
    let load = case.block()?;
    if load.jobs != 1 {
        return Ok(Err("a load in user space has one job"));
    }
    if load.engine != Engine::IoUring {
        return Ok(Err(
            "without a system call there is no other way to make one",
        ));
    }
    let mut all = vec!["nvme".to_string(), "load".into()];
    all.extend([
        format!("--block-size={}", load.block_size),
        format!("--depth={}", load.depth),
    ]);
    if matches!(load.pattern, Pattern::Write | Pattern::RandWrite) {
        all.push("--write".into());
    }
    if matches!(load.pattern, Pattern::Read | Pattern::Write) {
        all.push("--sequential".into());
    }
    if polled(case) {
        all.push("--poll".into());
    }
    match case.operations {
        Some(number) => all.push(format!("--operations={number}")),
        None => all.extend([
            format!("--runtime={}", case.runtime_ms),
            format!("--ramp={}", case.ramp_ms),
        ]),
    }
    Ok(Ok(all))
}

fn polled(case: &Case) -> bool {
    case.settings.get("poll_queues").is_some_and(|n| n != "0")
}

/// Runs a case on a function that no driver has; what it says of it.
fn run(case: &Case, function: &Function) -> Result<Value> {
    let arguments = match arguments(case)? {
        Ok(arguments) => arguments,
        Err(why) => bail!("ring 0: user cannot run {}: {why}", case.name),
    };
    let program = env::current_exe().context("ring 0: where this program lies is unknown")?;
    let output = Command::new(program)
        .args(arguments)
        .args(["--pci", function.address()])
        .output()
        .context("ring 0: this program does not start")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("ring 0: user: {}", text.trim());
    }
    serde_json::from_slice(&output.stdout).context("ring 0: what the load says does not parse")
}

/// What can be told of the way it is set up for a case, from a short load; the
/// reason if it cannot run it.
pub fn read_back(
    case: &Case,
    function: &Function,
) -> Result<std::result::Result<BTreeMap<String, String>, String>> {
    let short = Case {
        operations: Some(64),
        ..case.clone()
    };
    let load = match (arguments(case)?, arguments(&short)?) {
        (Ok(arguments), Ok(_)) => arguments,
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why.into())),
    };
    let told = run(&short, function)?;
    let text = |name: &str| told[name].to_string();
    let size = told["size"].as_u64().unwrap_or(0) >> 20;
    Ok(Ok(BTreeMap::from(
        [
            ("interrupts", text("interrupts")),
            ("huge_pages", text("huge_pages")),
            ("logical_block_size", text("logical_block_size")),
            ("size", format!("{size} MiB")),
            ("poll_queues", u8::from(polled(case)).to_string()),
            ("load", format!("ringfence {}", load.join(" "))),
        ]
        .map(|(name, value)| (name.to_string(), value)),
    )))
}

/// Times a case.
pub fn timed(case: &Case, function: &Function) -> Result<Measured> {
    let before = Events::read(None);
    let done = run(case, function)?;
    let events = Events::read(None).since(&before);
    let number = |name: &str| done[name].as_f64().unwrap_or(0.0);
    if number("operations") <= 0.0 {
        bail!("ring 0: user completed no operation; give the case more time");
    }
    let rate = number("iops");
    let operations = rate * (case.ramp_ms + case.runtime_ms) as f64 / 1e3;
    let mut extra = BTreeMap::from([
        ("operations".to_string(), number("operations")),
        ("runtime_ms".to_string(), number("seconds") * 1e3),
    ]);
    extra.extend(events.each_of(operations));
    Ok(Measured {
        metric: "iops",
        value: rate,
        extra,
        functions: Vec::new(),
    })
}

/// Counts instructions of an operation: windows of `short` operations and of
/// three times as many, several times.
pub fn counted(
    case: &Case,
    short: u64,
    function: &Function,
    counter: &mut Option<Counter>,
    times: usize,
) -> Result<Measured> {
    let counter = match counter {
        Some(counter) => counter,
        None => {
            run(case, function)?;
            counter.insert(Counter::new()?)
        }
    };
    let long = Case {
        operations: Some(3 * short),
        ..case.clone()
    };
    let counted = Counted {
        user: "ringfence and its libraries",
        modules: USER.modules,
        operations: 2 * short,
        times,
    };
    let window = |case: &Case| -> Result<Window> {
        let (done, window) = Window::around(|| run(case, function))?;
        if done["operations"].as_u64() != case.operations {
            bail!("ring 0: user did {} operations", done["operations"]);
        }
        Ok(window)
    };
    counter.measure(&counted, || Ok([window(case)?, window(&long)?]))
}

#[cfg(test)]
mod tests {
    use ringfence_bench::case::{BlockLoad, Workload};

    use super::*;

    fn case(pattern: Pattern, jobs: u32, poll: &str, operations: Option<u64>) -> Case {
        Case {
            driver: "nvme".into(),
            ring: 0,
            name: "x".into(),
            workload: Workload::Block(BlockLoad {
                pattern,
                block_size: 4096,
                depth: 32,
                jobs,
                engine: Engine::IoUring,
            }),
            settings: BTreeMap::from([("poll_queues".to_string(), poll.to_string())]),
            runtime_ms: 7,
            ramp_ms: 3,
            operations,
        }
    }

    #[test]
    fn a_case_becomes_a_load() {
        let words = |case: &Case| arguments(case).unwrap().unwrap().join(" ");
        assert_eq!(
            words(&case(Pattern::RandWrite, 1, "1", Some(9))),
            "nvme load --block-size=4096 --depth=32 --write --poll --operations=9"
        );
        assert_eq!(
            words(&case(Pattern::Read, 1, "0", None)),
            "nvme load --block-size=4096 --depth=32 --sequential --runtime=7 --ramp=3"
        );
        assert!(arguments(&case(Pattern::Read, 2, "0", None))
            .unwrap()
            .is_err());
    }
}
