//! `ringfence bench`: everything is checked before anything is made; then
//! boots, samples, report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::Launcher;
use ringfence_bench::case::{Case, NVME};
use ringfence_bench::disassembly;
use ringfence_bench::folder::{Manifest, RunFolder};
use ringfence_bench::plan::Plan;
use ringfence_bench::run::{now_ms, run_ring};
use ringfence_lab::Devices;

use crate::args::BenchArguments;
use crate::asm::{self, Modules};
use crate::failure::{Interrupted, Usage};
use crate::interrupt::{self, Children};
use crate::process::ProcessLauncher;
use crate::progress::{LabProgress, RunProgress};
use crate::{count, folder, grid, host, lab, output, planning, report};

/// Runs the comparison that was asked for.
pub fn bench(arguments: &BenchArguments) -> Result<ExitCode> {
    let plan = planning::plan(arguments)?;
    let rings = plan.rings();
    if arguments.asm {
        asm::check(&plan)?;
    }
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => folder::default(&rings),
    };
    folder::check(&path)?;
    let modules = check_ring0(arguments, &rings)?;
    output::say(announcement(&plan).trim_end());
    output::say(&format!("run folder: {}", path.display()));

    let in_vm = rings.contains(&0) && !arguments.here;
    interrupt::watch(if in_vm {
        Children::End
    } else {
        Children::Leave
    })?;
    let mut launchers = Vec::new();
    let mut listings = Vec::new();
    for &ring in &rings {
        let launcher: Box<dyn Launcher> = if ring == 0 && in_vm {
            let lab = lab::open(arguments.source.as_deref())?;
            let made = lab
                .up(&LabProgress::new())
                .and_then(|()| lab.launcher(count::vm(&plan), devices(&plan)));
            if made.is_err() && interrupt::wanted_soon() {
                return Err(Interrupted(
                    "interrupted while the lab was made; the next run goes on there",
                )
                .into());
            }
            let launcher = made?;
            if arguments.asm {
                let modules = Modules::Lab(&lab);
                listings.extend(asm::listings(&plan, ring, Some(&modules))?);
            }
            launcher
        } else {
            if arguments.asm {
                let modules = modules.as_deref().map(Modules::Folder);
                listings.extend(asm::listings(&plan, ring, modules.as_ref())?);
            }
            let launcher = ProcessLauncher::new(ring, modules.clone(), arguments.pci.clone())?;
            Box::new(match plan.counts() {
                true => launcher.counting()?,
                false => launcher,
            })
        };
        launchers.push((ring, launcher));
    }

    interrupt::hurry();
    let manifest = Manifest {
        ringfence: env!("CARGO_PKG_VERSION").into(),
        command: std::env::args().collect(),
        started_ms: now_ms(),
        ..Manifest::default()
    };
    let mut folder = RunFolder::create(&path, &plan, manifest)?;
    if arguments.asm {
        disassembly::write(&path, &listings)?;
    }
    let outcome = run(&plan, launchers, &mut folder);
    if outcome.is_ok() && !interrupt::wanted() {
        folder.update(|manifest| manifest.ended_ms = Some(now_ms()))?;
    }
    finish(&path, outcome)
}

fn run(plan: &Plan, launchers: Vec<(u8, Box<dyn Launcher>)>, folder: &mut RunFolder) -> Result<()> {
    for (ring, mut launcher) in launchers {
        let mut progress = RunProgress::new(plan, ring);
        let outcome = run_ring(
            plan,
            ring,
            launcher.as_mut(),
            folder,
            &mut progress,
            &interrupt::STOP,
        );
        progress.end();
        if outcome.is_err() && interrupt::wanted_soon() {
            folder.update(|manifest| manifest.interrupted = Some("by the user".into()))?;
        } else {
            outcome?;
        }
        if interrupt::wanted() {
            folder.update(|manifest| manifest.interrupted = Some("by the user".into()))?;
            break;
        }
    }
    Ok(())
}

/// Reports on what was sampled, then says how the run ended.
fn finish(path: &Path, outcome: Result<()>) -> Result<ExitCode> {
    let reported = report::report(path, None, true);
    if interrupt::wanted() {
        return Err(Interrupted(match reported {
            Ok(_) => "interrupted; what was sampled is kept and reported",
            Err(_) => "interrupted; too little was sampled for a report",
        })
        .into());
    }
    outcome.with_context(|| match &reported {
        Ok(_) => format!(
            "{}: ended early, what was sampled is reported",
            path.display()
        ),
        Err(_) => format!("{}: ended early", path.display()),
    })?;
    reported
}

/// The PCI devices that ring 0 takes.
fn devices(plan: &Plan) -> Devices {
    let operation = |case: &Case| case.operation().is_ok_and(|one| one.device);
    let nvme = |case: &Case| case.ring == 0 && case.driver == NVME;
    if plan.cases.iter().any(nvme) {
        Devices::Nvme
    } else if plan.cases.iter().any(operation) {
        Devices::Operations
    } else {
        Devices::None
    }
}

/// What ring 0 needs; the modules' folder if it runs here.
fn check_ring0(arguments: &BenchArguments, rings: &[u8]) -> Result<Option<PathBuf>> {
    if !rings.contains(&0) {
        return Ok(None);
    }
    if !host::is_root() {
        bail!(
            "ring 0 needs root, for the lab's VM as for modules here; run as root, or use --ring 3"
        );
    }
    if !arguments.here {
        lab::open(arguments.source.as_deref())?;
        return Ok(None);
    }
    let Some(modules) = &arguments.modules else {
        return Err(Usage::error(
            "--here needs the folder of the kernel modules; name it with --modules",
        ));
    };
    if !modules.is_dir() {
        bail!(
            "{}: no such folder; --modules names that of the kernel modules",
            modules.display()
        );
    }
    Ok(Some(std::path::absolute(modules)?))
}

/// `4 blocks`, `(1 of warm-up + 4 blocks)`.
fn blocks(plan: &Plan) -> String {
    let counted = output::count(plan.blocks.into(), "block");
    match plan.warm_up.blocks {
        0 => counted,
        warm_up => format!("({warm_up} of warm-up + {counted})"),
    }
}

/// What a plan's rings do, and how long that may take, a line each.
pub fn announcement(plan: &Plan) -> String {
    let mut text = String::new();
    for ring in plan.rings() {
        let cases: Vec<_> = plan.cases.iter().filter(|case| case.ring == ring).collect();
        let subjects = plan.subjects.get(&ring).map_or(&[][..], Vec::as_slice);
        let labels = |case: &Case| plan.labels(case).len() as u64;
        let all: u64 = cases.iter().map(|case| labels(case)).sum();
        let controls = all - (cases.len() * subjects.len()) as u64;
        let seconds: f64 = cases
            .iter()
            .map(|case| grid::seconds(case) * labels(case) as f64)
            .sum();
        let most = if plan.target.is_some() {
            "at most "
        } else {
            ""
        };
        text.push_str(&format!(
            "ring {ring}: {most}({} x {} ({}) + {}) x {} x {} = {} samples, about {}\n",
            output::count(cases.len() as u64, "case"),
            subjects.len(),
            subjects.join(", "),
            output::count(controls, "control"),
            output::count(plan.boots.into(), "boot"),
            blocks(plan),
            all * plan.each(),
            output::duration(seconds * plan.each() as f64),
        ));
    }
    text
}
