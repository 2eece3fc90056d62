//! The modules that run the kernel's API in loops.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{bail, ensure, Context, Result};
use ringfence_bench::agent::{Prepared, Workbench};
use ringfence_bench::case::{self, Case, Workload, API};

use super::super::api::{fewest, ApiBench, SUBJECTS};
use super::super::module;
use crate::operations::{self, Operation, EMPTY};

/// All modules loaded, each with a PCI device.
fn loaded(modules: &Path) -> Result<ApiBench> {
    let mut bench = ApiBench::new(modules.to_path_buf(), true)?;
    for subject in &SUBJECTS {
        bench.load(subject.name)?;
    }
    Ok(bench)
}

/// A short case of an operation.
fn case_of(operation: &Operation) -> Case {
    Case {
        driver: API.into(),
        ring: 0,
        name: operation.name.into(),
        workload: Workload::Operation(case::Operation {
            operation: operation.name.into(),
            calls: BTreeMap::new(),
            contended: operation.contended,
            device: operation.device,
        }),
        settings: BTreeMap::new(),
        runtime_ms: 1,
        ramp_ms: 0,
        operations: None,
    }
}

/// Every loop does what it is asked for; a subject lacks no more than the table
/// and a kernel without the operation say.
pub fn effects(modules: &Path) -> Result<()> {
    let mut bench = loaded(modules)?;
    let mut with_rust = 0;
    for operation in operations::all() {
        for subject in &SUBJECTS {
            if operation.call(subject.name).is_none() {
                let lacks = bench.run(subject.name, &operation, 1)?;
                ensure!(
                    lacks.is_err(),
                    "{}: the table says that {} has no {0}, but it runs",
                    operation.name,
                    subject.module
                );
                continue;
            }
            for iterations in [1, 7, 20].map(|number| number * fewest(&operation)) {
                match bench.run(subject.name, &operation, iterations)? {
                    Ok(looped) => ensure!(
                        looped.effect == iterations,
                        "{} in {}: {} of {iterations} iterations had an effect",
                        operation.name,
                        subject.module,
                        looped.effect
                    ),
                    Err(why) if subject.name == "rust" && why == "absent from this kernel" => break,
                    Err(why) => bail!("{} in {} is {why}", operation.name, subject.module),
                }
                let first = iterations == 1;
                with_rust += usize::from(first && subject.name == "rust");
            }
        }
    }
    ensure!(
        with_rust >= 40,
        "only {with_rust} operations can be counted in C and Rust"
    );
    bench.finish()
}

/// The empty loop is no operation, and no sample is taken of it.
pub fn empty(modules: &Path) -> Result<()> {
    let mut bench = loaded(modules)?;
    let operation = operations::find(EMPTY).context("the table has no empty loop")?;
    let case = case_of(&operation);
    for subject in &SUBJECTS {
        let refused = bench.prepare(subject.name, &case, &BTreeMap::new());
        let Err(error) = refused.and_then(|prepared| match prepared {
            Prepared::Ready(_) => bench.measure(&[subject.name], &case, &mut |_| Ok(())),
            Prepared::LeftOut(why) => bail!("it is left out: {why}"),
        }) else {
            bail!(
                "{} gave a sample of a loop that does nothing",
                subject.module
            );
        };
        ensure!(
            error.to_string().contains("the loop did nothing"),
            "{}: {error:#}",
            subject.module
        );
    }
    bench.finish()
}

/// What no module can be asked for is refused.
pub fn invalid(modules: &Path) -> Result<()> {
    let mut bench = loaded(modules)?;
    let good = operations::all().remove(0);
    let beyond = Operation {
        index: operations::all().len() as u32 + 1,
        ..good.clone()
    };
    for subject in &SUBJECTS {
        for (operation, iterations) in [(&beyond, 1), (&good, 0), (&good, (1 << 32) + 1)] {
            let Err(error) = bench.run(subject.name, operation, iterations) else {
                bail!(
                    "{} takes operation {} and {iterations} iterations",
                    subject.module,
                    operation.index
                );
            };
            let invalid = error.root_cause().to_string();
            ensure!(invalid.contains("Invalid argument"), "{invalid}");
        }
    }
    bench.finish()?;
    for subject in &SUBJECTS {
        ensure!(
            !module::is_loaded(subject.module),
            "{} stays loaded",
            subject.module
        );
    }
    Ok(())
}
