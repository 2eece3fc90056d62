//! Makes a plan from the command line or from a file, and refuses one that
//! cannot be run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{bail, Context, Error, Result};
use ringfence_bench::case::{BlockLoad, Case, CaseKey, Engine, Operation, Workload, API, NVME};
use ringfence_bench::operation;
use ringfence_bench::plan::{Controls, Plan, WarmUp, FIRST_LOOK};

use crate::args::{BenchArguments, RingChoice};
use crate::drivers;
use crate::failure::Usage;
use crate::{grid, operations, output};

type Overrides = BTreeMap<String, BTreeMap<String, String>>;

/// The plan that `arguments` ask for.
pub fn plan(arguments: &BenchArguments) -> Result<Plan> {
    let plan = match &arguments.plan {
        Some(path) => read(path)?,
        None => from_arguments(arguments)?,
    };
    if arguments.here {
        if plan.rings() != [0] {
            return Err(Usage::error("--here is for ring 0; add --ring 0"));
        }
        let nvme = plan.cases.iter().any(|case| case.driver == NVME);
        if nvme != arguments.pci.is_some() {
            return Err(Usage::error(match nvme {
                true => {
                    "--here: nvme needs a controller of its own, whose contents are lost; name \
                         its PCI function by --pci"
                }
                false => "--pci: only nvme takes a PCI function; leave it out",
            }));
        }
        if plan.counts() {
            return Err(Usage::error(
                "--here cannot count instructions, the lab's VM can; leave --here out",
            ));
        }
        if plan.boots > 1 {
            return Err(Usage::error(format!(
                "--here runs on this kernel, which is one boot; {} were asked for",
                plan.boots
            )));
        }
    }
    Ok(plan)
}

fn from_arguments(arguments: &BenchArguments) -> Result<Plan> {
    for driver in &arguments.drivers {
        drivers::check(driver)?;
    }
    let api = arguments.drivers.iter().any(|driver| driver == API);
    if api && arguments.drivers.iter().any(|driver| driver != API) {
        return Err(Usage::error(format!(
            "{API} has subjects of its own, so it is a run of its own; make two runs"
        )));
    }
    let wanted: Vec<&str> = match api {
        true => vec![API],
        false => drivers::DRIVERS
            .into_iter()
            .filter(|name| {
                arguments.drivers.is_empty() || arguments.drivers.iter().any(|d| d == name)
            })
            .collect(),
    };
    let rings: &[u8] = match arguments.ring {
        RingChoice::Three => &[3],
        RingChoice::Zero => &[0],
        RingChoice::Both => &[3, 0],
    };
    let mut subjects = BTreeMap::new();
    let mut cases = Vec::new();
    for &ring in rings {
        let mut none = None;
        let before = cases.len();
        // In ring 0 subjects are a driver's own, so that it is a run of its own.
        let wanted: Vec<&str> = match wanted[..] {
            [_] => wanted.clone(),
            _ if ring == 3 => wanted.clone(),
            _ if arguments.drivers.is_empty() => vec![drivers::NULLBLK],
            _ => {
                return Err(Usage::error(format!(
                    "{}: in ring 0 a run has one driver; make a run of each",
                    wanted.join(", ")
                )))
            }
        };
        for driver in &wanted {
            let chosen = chosen_subjects(driver, ring, &arguments.subject)?;
            subjects.insert(ring, chosen);
            let glob = arguments.case.as_deref();
            match grid::select(driver, ring, glob, arguments.into()) {
                Ok(chosen) => cases.extend(chosen),
                // A glob may mean the cases of one driver.
                Err(error) => none = none.or(Some(error)),
            }
        }
        if let Some(error) = none.filter(|_| cases.len() == before) {
            return Err(error);
        }
    }
    check_subjects(&wanted, &arguments.subject, rings)?;
    if api && !arguments.set.is_empty() {
        return Err(Usage::error("--set: operations have no settings"));
    }
    let (boots, blocks) = replication(arguments);
    let percent = arguments.margin;
    if !(percent > 0.0 && percent < 100.0) {
        return Err(Usage::error(format!(
            "--margin {percent}: must be above 0 and below 100 percent"
        )));
    }
    let overrides = overrides(&arguments.set, &subjects)?;
    let controls = match arguments.count || arguments.no_controls {
        true => Controls::default(),
        false => Controls {
            again: true,
            slow: slowed(&cases, &subjects),
        },
    };
    Ok(Plan {
        version: 1,
        seed: arguments.seed.unwrap_or_else(clock_seed),
        subjects,
        cases,
        boots,
        blocks,
        warm_up: WarmUp {
            blocks: arguments.warm_up,
        },
        margin: percent / 100.0,
        target: target(arguments, boots)?,
        overrides,
        quick: arguments.quick,
        imported: false,
        controls,
    })
}

/// The width at which the run ends, if it is to.
fn target(arguments: &BenchArguments, boots: u32) -> Result<Option<f64>> {
    let Some(percent) = arguments.target_ci else {
        return Ok(None);
    };
    if !(percent > 0.0 && percent < 100.0) {
        return Err(Usage::error(format!(
            "--target-ci {percent}: must be above 0 and below 100 percent"
        )));
    }
    if boots < FIRST_LOOK {
        return Err(Usage::error(format!(
            "--target-ci looks at the run after {FIRST_LOOK} boots first; {boots} were asked for"
        )));
    }
    Ok(Some(percent / 100.0))
}

/// Boots and blocks. `--samples` keeps the boots and sets the blocks.
fn replication(arguments: &BenchArguments) -> (u32, u32) {
    let boots = arguments.boots.unwrap_or(match arguments {
        BenchArguments { here: true, .. } => 1,
        BenchArguments { quick: true, .. } => 4,
        BenchArguments { count: true, .. } => 2,
        BenchArguments {
            target_ci: Some(_), ..
        } => 40,
        _ => 10,
    });
    let blocks = arguments.blocks.unwrap_or(match arguments {
        BenchArguments { quick: true, .. } => 2,
        BenchArguments { count: true, .. } => 1,
        _ => 4,
    });
    let Some(samples) = arguments.samples else {
        return (boots, blocks);
    };
    let blocks = samples.div_ceil(boots);
    if blocks * boots != samples {
        output::complain(&format!(
            "--samples {samples} is rounded up to {}: {} of {}",
            blocks * boots,
            output::count(boots.into(), "boot"),
            output::count(blocks.into(), "block"),
        ));
    }
    (boots, blocks)
}

/// The cases in which a delay is injected: the first of each ring. In ring 0
/// only our driver can, and no operation.
fn slowed(cases: &[Case], subjects: &BTreeMap<u8, Vec<String>>) -> Vec<CaseKey> {
    if cases.iter().any(|case| case.driver == API) {
        return Vec::new();
    }
    let first = |ring: &u8| cases.iter().find(|case| case.ring == *ring);
    let can = |case: &&Case| {
        let ring = case.ring;
        drivers::can_delay(&case.driver, ring) && (ring == 3 || subjects[&ring][0] == "rust")
    };
    let cases = subjects.keys().filter_map(first).filter(can);
    cases.map(Case::key).collect()
}

fn clock_seed() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |time| time.as_micros() as u64)
}

/// The subjects of a ring that were asked for, in the order of reports.
fn chosen_subjects(driver: &str, ring: u8, asked: &[String]) -> Result<Vec<String>> {
    let known = drivers::known_subjects(driver, ring);
    let default = drivers::subjects(driver, ring);
    let chosen: Vec<String> = known
        .iter()
        .filter(|name| match asked {
            [] => default.contains(name),
            _ => asked.iter().any(|one| one == *name),
        })
        .map(|name| name.to_string())
        .collect();
    if chosen.is_empty() {
        return Err(Usage::error(format!(
            "--subject {}: ring {ring} has none of them, but {}",
            asked.join(","),
            known.join(", ")
        )));
    }
    Ok(chosen)
}

fn check_subjects(wanted: &[&str], asked: &[String], rings: &[u8]) -> Result<()> {
    let known = |ring: &u8| {
        let each = wanted.iter();
        each.flat_map(|driver| drivers::known_subjects(driver, *ring))
            .collect::<Vec<_>>()
    };
    for name in asked {
        let known: BTreeSet<&str> = rings.iter().flat_map(known).collect();
        if !known.contains(name.as_str()) {
            return Err(Usage::error(format!(
                "{name}: no such subject; there is {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            )));
        }
    }
    Ok(())
}

/// `rust.scheduler=none` and the like.
fn overrides(asked: &[String], subjects: &BTreeMap<u8, Vec<String>>) -> Result<Overrides> {
    let mut overrides = Overrides::new();
    for text in asked {
        let parts = text
            .split_once('=')
            .and_then(|(left, value)| Some((left.split_once('.')?, value)));
        let Some(((subject, name), value)) = parts.filter(|((_, name), _)| !name.is_empty()) else {
            return Err(Usage::error(format!(
                "--set {text}: must be SUBJECT.NAME=VALUE, such as rust.scheduler=mq-deadline"
            )));
        };
        if !subjects.values().flatten().any(|one| one == subject) {
            return Err(Usage::error(format!(
                "--set {text}: {subject} is no subject of this run"
            )));
        }
        overrides
            .entry(subject.to_string())
            .or_default()
            .insert(name.to_string(), value.to_string());
    }
    Ok(overrides)
}

/// Reads a plan file.
fn read(path: &Path) -> Result<Plan> {
    let shown = path.display();
    let text = fs::read(path).with_context(|| format!("{shown}: cannot be read"))?;
    let plan: Plan = serde_json::from_slice(&text)
        .with_context(|| format!("{shown}: is no plan; copy the plan.json of a run"))?;
    check(&plan).with_context(|| format!("{shown}: cannot be run"))?;
    Ok(plan)
}

/// Refuses a plan that could not be run to its end, or not be judged.
fn check(plan: &Plan) -> Result<()> {
    plan.check().map_err(Error::msg)?;
    if plan.imported {
        bail!("it was imported, so what it measured is not known in full; make a plan with `plan`");
    }
    if plan.cases.is_empty() {
        bail!("it has no cases");
    }
    if plan.counts() && plan.cases.iter().any(|case| case.operations.is_none()) {
        bail!("some cases have operations to count and some have not; make two plans");
    }
    let mut keys = BTreeSet::new();
    for case in &plan.cases {
        check_case(case).with_context(|| format!("case {:?}", case.name))?;
        if !keys.insert(case.key()) {
            bail!("case {:?} is there twice", case.name);
        }
    }
    let first = &plan.cases[0].driver;
    let api = |case: &&Case| case.driver == API;
    if plan.cases.iter().any(|case| api(&case)) && !plan.cases.iter().all(|case| api(&case)) {
        bail!("it has cases of {API} and of drivers; make two plans");
    }
    if first == API && !plan.controls.slow.is_empty() {
        bail!("operations cannot be delayed; leave controls.slow empty");
    }
    for ring in plan.rings() {
        let of_ring: Vec<&Case> = plan.cases.iter().filter(|case| case.ring == ring).collect();
        let driver = &of_ring[0].driver;
        if ring == 0 && of_ring.iter().any(|case| case.driver != *driver) {
            bail!("it has cases of several drivers in ring 0; make a plan of each");
        }
        let known = drivers::known_subjects(driver, ring);
        let subjects = plan.subjects.get(&ring).map_or(&[][..], Vec::as_slice);
        if subjects.is_empty() {
            bail!("it has cases of ring {ring}, but no subjects for it");
        }
        let mut seen = BTreeSet::new();
        for subject in subjects {
            if !known.contains(&subject.as_str()) {
                bail!(
                    "{subject:?} is no subject of ring {ring}, which has {}",
                    known.join(", ")
                );
            }
            if !seen.insert(subject) {
                bail!("subject {subject:?} is there twice");
            }
        }
    }
    for subject in plan.overrides.keys() {
        if !plan.subjects.values().flatten().any(|one| one == subject) {
            bail!("overrides name {subject:?}, which is no subject of it");
        }
    }
    Ok(())
}

fn check_case(case: &Case) -> Result<()> {
    drivers::check(&case.driver)?;
    if case.ring != 0 && case.ring != 3 {
        bail!("ring is {}, must be 0 or 3", case.ring);
    }
    if case.name.is_empty() {
        bail!("it has no name");
    }
    match &case.workload {
        Workload::Block(load) => check_block(case, load)?,
        Workload::Operation(operation) => check_operation(case, operation)?,
    }
    if case.operations == Some(0) {
        bail!("operations is 0, must be 1 or more");
    }
    if case.runtime_ms == 0 {
        bail!("runtime_ms is 0, must be 1 or more");
    }
    Ok(())
}

fn check_operation(case: &Case, operation: &Operation) -> Result<()> {
    if case.driver != API {
        bail!("it is an operation, whose driver is {API}");
    }
    let known = operations::cases(case.ring, false);
    let about = |one: &Operation| (one.operation.clone(), one.contended, one.device);
    let same = |known: &Case| {
        known
            .operation()
            .is_ok_and(|one| about(one) == about(operation))
    };
    if !known.iter().any(same) {
        bail!(
            "ring {} has no operation {} as it says; make a plan with `ringfence plan {API}`",
            case.ring,
            operation.operation
        );
    }
    if case.operations.is_some() && operation.contended {
        bail!("two processors meet in it, so it is timed and not counted; leave operations out");
    }
    if case
        .operations
        .is_some_and(|number| number > operation::MOST / 3)
    {
        bail!("operations must be {} or less", operation::MOST / 3);
    }
    Ok(())
}

fn check_block(case: &Case, workload: &BlockLoad) -> Result<()> {
    if case.driver == API {
        bail!("it names no operation");
    }
    if workload.engine == Engine::Libaio {
        bail!("its engine is libaio, which only imported runs have; choose io_uring or psync");
    }
    if workload.block_size == 0 || !workload.block_size.is_multiple_of(512) {
        bail!(
            "block_size is {}, must be a multiple of 512",
            workload.block_size
        );
    }
    let logical = case
        .settings
        .get("blocksize")
        .and_then(|size| size.parse().ok());
    if logical.is_some_and(|size: u64| !workload.block_size.is_multiple_of(size)) {
        bail!("block_size is no multiple of the setting blocksize");
    }
    for (name, value) in [("depth", workload.depth), ("jobs", workload.jobs)] {
        if value == 0 {
            bail!("{name} is 0, must be 1 or more");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Plan> {
        let words = ["ringfence", "bench"].into_iter().chain(line.split(' '));
        let words = words.filter(|word| !word.is_empty());
        match Arguments::try_parse_from(words)?.command {
            Command::Bench(arguments) => plan(&arguments),
            _ => unreachable!("bench was asked for"),
        }
    }

    #[test]
    fn the_default_is_ring_3_with_ten_boots_of_four_blocks() {
        let plan = parse("nullblk").expect("default");
        assert_eq!((plan.rings(), plan.boots, plan.blocks), (vec![3], 10, 4));
        // Two subjects again in each case, and four delays in one.
        assert_eq!(plan.samples(), 1920 + (16 * 2 + 4) * 40);
        check(&plan).expect("a made plan passes its own check");
        let load: u64 = plan.cases.iter().map(|c| c.runtime_ms + c.ramp_ms).sum();
        assert!(load * 5 * 40 < 170_000, "under three minutes with a margin");
    }

    #[test]
    fn without_names_every_driver_runs_where_it_can() {
        let drivers = |line: &str, ring: u8| -> BTreeSet<String> {
            let plan = parse(line).expect(line);
            check(&plan).expect("a made plan passes its own check");
            let cases = plan.cases.into_iter().filter(|case| case.ring == ring);
            cases.map(|case| case.driver).collect()
        };
        let both = BTreeSet::from(["nullblk".to_string(), "nvme".to_string()]);
        assert_eq!(drivers("", 3), both);
        assert_eq!(drivers("--quick", 3), both);
        assert_eq!(drivers("--count", 3), both);
        assert_eq!(drivers("nvme", 3).len(), 1);
        assert_eq!(drivers("--ring both", 0), ["nullblk".to_string()].into());
        // A glob means the cases that it matches, of whichever driver.
        assert_eq!(drivers("--case *-irq1", 3), ["nullblk".to_string()].into());
        assert_eq!(drivers("--case *-shadow", 3), ["nvme".to_string()].into());
        assert_eq!(drivers("nvme --ring 0", 0), ["nvme".to_string()].into());
        let error = parse("nvme nullblk --ring 0").expect_err("two drivers");
        assert!(error.to_string().contains("a run of each"), "{error}");
    }

    #[test]
    fn ring_0_has_1920_samples_and_controls() {
        let samples = |line| parse(line).expect(line).samples();
        assert_eq!(samples("--ring 0 --no-controls"), 1920);
        assert_eq!(samples("nullblk --ring both --no-controls"), 3840);
        assert_eq!(samples("--ring 0"), 1920 + (16 * 3 + 4) * 40);
        assert_eq!(samples("--ring 0 --subject c,upstream"), 16 * 4 * 40);
        assert!(parse("--count").expect("counts").controls == Controls::default());
    }

    #[test]
    fn nvme_in_ring_0_has_two_subjects_and_no_delay() {
        let plan = parse("nvme --ring 0").expect("nvme");
        assert_eq!(plan.subjects[&0], ["rust", "c"]);
        assert!(plan.controls.again && plan.controls.slow.is_empty());
        check(&plan).expect("a made plan passes its own check");
        let mut plan = parse("nvme --ring both").expect("both rings");
        assert_eq!(plan.controls.slow.len(), 1);
        check(&plan).expect("a made plan passes its own check");
        plan.cases
            .extend(parse("--ring 0 --quick").expect("quick").cases);
        let error = check(&plan).expect_err("two drivers in ring 0");
        assert!(format!("{error:#}").contains("a plan of each"), "{error:#}");
        assert!(parse("nvme --ring 0 --subject upstream").is_err());
    }

    #[test]
    fn samples_keep_the_boots_and_round_up_to_whole_blocks() {
        let counts = |line| {
            parse(line)
                .map(|plan| (plan.boots, plan.blocks))
                .expect(line)
        };
        assert_eq!(counts("--samples 40"), (10, 4));
        assert_eq!(counts("--samples 41"), (10, 5));
        assert_eq!(counts("--samples 3 --boots 2"), (2, 2));
        assert_eq!(counts("--quick"), (4, 2));
        assert_eq!(counts("--quick --boots 6"), (6, 2));
        assert_eq!(counts("--ring 0 --here"), (1, 4));
        assert_eq!(counts("--count"), (2, 1));
        assert_eq!(counts("--count --boots 3 --blocks 2"), (3, 2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "nvmf",
            "--samples 0",
            "--boots 0",
            "--blocks 0",
            "--case nothing",
            "--subject rust,go",
            "--subject upstream",
            "--set scheduler=none",
            "--set upstream.scheduler=none",
            "--margin 0",
            "--margin nan",
            "--here",
            "--ring 0 --here --boots 2",
            "--samples 4 --blocks 4",
            "--ring 0 --here --count",
            "--count --quick",
            "api nullblk",
            "api --subject upstream",
            "api --subject empty",
            "api --set rust.scheduler=none",
            "api --case nothing",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn subjects_keep_the_order_of_reports() {
        let plan = parse("--subject c,rust").expect("subjects");
        assert_eq!(plan.subjects[&3], ["rust", "c"]);
    }

    #[test]
    fn further_subjects_are_measured_only_where_they_are_asked_for() {
        let subjects = |line| parse(line).expect(line).subjects[&0].clone();
        assert_eq!(subjects("--ring 0"), ["rust", "c", "upstream"]);
        assert_eq!(
            subjects("--ring 0 --subject c-clang,rust"),
            ["rust", "c-clang"]
        );
        let plan = parse("--subject c-clang,empty").expect("ring 3");
        assert_eq!(plan.subjects[&3], ["empty", "c-clang"]);
        assert!(parse("--subject c-oot").is_err(), "of ring 0 only");
    }

    #[test]
    fn overrides_reach_the_plan() {
        let plan = parse("--set rust.scheduler=mq-deadline --set rust.a=b=c").expect("set");
        assert_eq!(plan.overrides["rust"]["scheduler"], "mq-deadline");
        assert_eq!(plan.overrides["rust"]["a"], "b=c");
    }

    #[test]
    fn operations_are_a_run_of_their_own_with_subjects_of_their_own() {
        let plan = parse("api --ring both").expect("api");
        assert_eq!(plan.subjects[&0], ["rust", "c", "wrapper"]);
        assert_eq!(plan.subjects[&3], ["rust", "c"]);
        assert!(plan.cases.iter().all(|case| case.driver == API));
        assert!(plan.controls.again && plan.controls.slow.is_empty());
        check(&plan).expect("a made plan passes its own check");
        assert!(parse("")
            .expect("drivers")
            .cases
            .iter()
            .all(|case| case.driver != API));
        let counted = parse("api --count").expect("counts");
        check(&counted).expect("a made plan passes its own check");

        type Break = (&'static str, fn(&mut Plan));
        let broken: [Break; 4] = [
            ("no operation nope", |plan| {
                if let Workload::Operation(one) = &mut plan.cases[0].workload {
                    one.operation = "nope".into();
                }
            }),
            ("driver is api", |plan| {
                plan.cases[0].driver = "nullblk".into()
            }),
            ("delayed", |plan| {
                plan.controls.slow.push(plan.cases[0].key())
            }),
            ("two plans", |plan| {
                plan.cases.extend(parse("--quick").expect("quick").cases)
            }),
        ];
        for (word, change) in broken {
            let mut plan = plan.clone();
            change(&mut plan);
            let text = format!("{:#}", check(&plan).expect_err(word));
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_plan_that_cannot_run_is_refused_with_a_reason() {
        let good = parse("--quick").expect("quick");
        type Break = (&'static str, fn(&mut Plan));
        let broken: [Break; 11] = [
            ("version", |plan| plan.version = 2),
            ("boots", |plan| plan.boots = 0),
            ("blocks", |plan| plan.blocks = 1 << 31),
            ("margin", |plan| plan.margin = f64::NAN),
            ("no cases", |plan| plan.cases.clear()),
            ("twice", |plan| plan.cases[1] = plan.cases[0].clone()),
            ("depth", |plan| {
                if let Workload::Block(load) = &mut plan.cases[0].workload {
                    load.depth = 0;
                }
            }),
            ("operations", |plan| plan.cases[0].operations = Some(0)),
            ("two plans", |plan| plan.cases[1].operations = Some(9)),
            ("no subjects", |plan| plan.subjects.clear()),
            ("go", |plan| {
                plan.subjects.get_mut(&3).expect("ring 3").push("go".into())
            }),
        ];
        for (word, change) in broken {
            let mut plan = good.clone();
            change(&mut plan);
            let text = format!("{:#}", check(&plan).expect_err(word));
            assert!(text.contains(word), "{text}");
        }
    }
}
