//! What two runs say of each other.

mod synthetic;

use std::fs;
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::across::{compare, Across, Change, Machine, Side};
use ringfence_bench::folder::Recording;
use ringfence_bench::report::across::{table, write};
use ringfence_bench::statistics::verdict::{Direction, Verdict};
use ringfence_bench::summary::{IOPS, MODULE_INSTRUCTIONS};
use synthetic::{grid, mixed, normal, set, Shape};

fn across(before: &Recording, after: &Recording) -> Across {
    compare(&Side::of(before), &Side::of(after)).expect("cases in common")
}

/// A recording that says on which machine it was made.
fn on(cpu: &str, shape: Shape) -> Recording {
    let mut recording = shape.recording();
    let cpu = [("cpu".to_string(), cpu.to_string())].into();
    recording.manifest.host.insert(shape.ring, cpu);
    recording
}

fn shape(seed: u64, mean: fn(usize, &str) -> f64) -> Shape {
    Shape {
        seed,
        mean,
        ..Shape::default()
    }
}

#[test]
fn a_machine_that_is_faster_as_a_whole_changes_levels_and_no_ratio() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let after = on("a", shape(2, |_, _| 65_000.0));
    for case in &across(&before, &after).cases {
        assert_eq!(case.ratio.verdict, Verdict::Equivalent, "{case:?}");
        for level in case.levels.values() {
            assert_eq!(level.change.verdict, Verdict::Faster);
            let change = level.change.change.expect("a change");
            assert!((change.mean - 0.3).abs() < 0.01, "{change:?}");
            let quotient = level.after.unwrap() / level.before.unwrap();
            assert!((quotient - 1.0 - change.mean).abs() < 1e-9);
        }
    }
}

#[test]
fn what_one_subject_gains_is_a_change_of_the_ratio() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let after = on(
        "a",
        shape(2, |_, subject| match subject {
            "rust" => 52_000.0,
            _ => 50_000.0,
        }),
    );
    let there = across(&before, &after);
    let back = across(&after, &before);
    for (there, back) in there.cases.iter().zip(&back.cases) {
        assert_eq!(there.ratio.verdict, Verdict::Faster);
        assert_eq!(back.ratio.verdict, Verdict::Slower);
        let (there_by, back_by) = (there.ratio.change.unwrap(), back.ratio.change.unwrap());
        assert!((there_by.mean - 0.04).abs() < 0.005, "{there_by:?}");
        assert!(((1.0 + there_by.mean) * (1.0 + back_by.mean) - 1.0).abs() < 1e-12);
        // The difference of the two headlines on the log scale.
        let headlines = (there.before.unwrap().mean, there.after.unwrap().mean);
        let by = headlines.1.ln_1p() - headlines.0.ln_1p();
        assert!((there_by.mean.ln_1p() - by).abs() < 1e-12);
        assert_eq!(there.levels["c"].change.verdict, Verdict::Equivalent);
        assert!(there.among_many.unwrap().holm < 0.05);
    }
}

#[test]
fn coverage_of_changes_is_what_they_claim_where_runs_vary_differently() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut logs = |boots: usize, deviation: f64| -> Vec<f64> {
        (0..boots).map(|_| deviation * normal(&mut rng)).collect()
    };
    let trials = 4000;
    let holds = (0..trials).filter(|_| {
        let change = Change::of_logs(&logs(10, 0.05), &logs(4, 0.005)).unwrap();
        change.ci95.unwrap().contains(0.0)
    });
    let share = holds.count() as f64 / f64::from(trials);
    assert!((0.94..0.96).contains(&share), "{share}");
}

#[test]
fn fewer_instructions_are_the_better_ones() {
    let counted = |module: f64, seed: u64| {
        let mut recording = shape(seed, |_, _| 6000.0).recording();
        for case in &mut recording.plan.cases {
            case.operations = Some(20_000);
        }
        for sample in &mut recording.samples {
            let own = if sample.subject == "rust" {
                module
            } else {
                96.0
            };
            sample.metric = "instructions".into();
            sample.extra.insert("module".into(), own);
        }
        recording
    };
    let across = across(&counted(31.0, 1), &counted(29.0, 2));
    let modules = across.cases.iter();
    let mut modules = modules.filter(|case| case.metric == MODULE_INSTRUCTIONS);
    assert!(modules.all(|case| case.ratio.verdict == Verdict::Faster));
    let change = across.cases[1].ratio.change.unwrap();
    assert!((change.mean - (29.0 / 31.0 - 1.0)).abs() < 1e-12);
    let ends = change.ci95.expect("ten boots each");
    assert!(ends.hi - ends.lo < 1e-12, "what does not vary is exact");
}

#[test]
fn on_another_machine_ratios_have_verdicts_and_levels_have_none() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    for (after, machine) in [
        (on("b", shape(2, |_, _| 50_000.0)), Machine::Other),
        (shape(2, |_, _| 50_000.0).recording(), Machine::Unknown),
    ] {
        let across = across(&before, &after);
        assert_eq!(across.machines[&0], machine);
        for case in &across.cases {
            assert_eq!(case.ratio.verdict, Verdict::Equivalent);
            for level in case.levels.values() {
                assert_eq!(level.change.verdict, Verdict::NotComparable);
                assert!(level.change.shown().is_none() && level.change.change.is_some());
            }
        }
        let text = table(&across, 80, false);
        assert!(text.contains("levels may not"), "{text}");
    }
}

#[test]
fn the_larger_margin_of_the_plans_decides() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let mut after = on(
        "a",
        shape(2, |_, subject| match subject {
            "rust" => 51_000.0,
            _ => 50_000.0,
        }),
    );
    assert_eq!(
        across(&before, &after).cases[0].ratio.verdict,
        Verdict::Faster
    );
    after.plan.margin = 0.05;
    let across = across(&before, &after);
    assert_eq!(across.margin, 0.05);
    let ratio = &across.cases[0].ratio;
    assert_eq!(
        (ratio.verdict, ratio.direction),
        (Verdict::Equivalent, Direction::Faster)
    );
}

#[test]
fn what_differs_is_named_before_anything_else() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let mut after = on("a", shape(2, |_, _| 50_000.0));
    let kernel = |recording: &mut Recording, value: &str| {
        let guest = recording.manifest.guest.entry(0).or_default();
        guest.insert("kernel".into(), value.into());
        guest.insert("memory".into(), value.into());
    };
    let mut before = before;
    kernel(&mut before, "7.2.1");
    kernel(&mut after, "7.3.4");
    set(&mut after, "rust", "scheduler", "bfq");
    set(&mut after, "c", "scheduler", "bfq");
    after.plan.cases[0].runtime_ms = 2000;
    let across = across(&before, &after);
    let named: Vec<String> = across
        .environment
        .iter()
        .map(|one| format!("{}: {} -> {}", one.name, one.before, one.after))
        .collect();
    assert_eq!(
        named,
        [
            "ring 0 kernel: 7.2.1 -> 7.3.4",
            "runtime in 1 case: 1000 ms -> 2000 ms",
            "scheduler of c in 8 cases: none -> bfq",
            "scheduler of rust in 8 cases: none -> bfq",
        ]
    );
    assert_eq!(across.machines[&0], Machine::Same);
}

#[test]
fn cases_of_one_run_alone_are_named() {
    let before = shape(1, |_, _| 50_000.0).recording();
    let after = Shape {
        cases: grid("nullblk", 0, &[1, 32])[2..].to_vec(),
        seed: 2,
        ..Shape::default()
    }
    .recording();
    let across = across(&before, &after);
    assert_eq!((across.only_before.len(), across.only_after.len()), (2, 8));
    let text = table(&across, 80, false);
    assert!(text.contains("only in the run before: randread-4k-qd1-j1-irq0, "));
    assert!(text.contains("only in the run after: "), "{text}");
}

#[test]
fn another_pair_and_a_case_that_is_not_comparable_have_no_change() {
    let before = shape(1, |_, _| 50_000.0).recording();
    let of = |subjects: &[&'static str]| {
        Shape {
            subjects: subjects.to_vec(),
            seed: 2,
            ..Shape::default()
        }
        .recording()
    };
    let other = across(&before, &of(&["rust", "upstream"]));
    let ratio = &other.cases[0].ratio;
    assert_eq!(ratio.verdict, Verdict::NotComparable);
    let why = ratio.reason.as_deref();
    let words = "the run before compares rust with c, the run after rust with upstream";
    assert_eq!(why, Some(words));
    assert!(other.cases[0].levels.contains_key("rust"));
    assert!(!other.cases[0].levels.contains_key("c"));

    let third = across(&before, &of(&["rust", "upstream", "c"]));
    assert_eq!(third.cases[0].ratio.verdict, Verdict::Equivalent);

    let mut unequal = of(&["rust", "c"]);
    set(&mut unequal, "rust", "scheduler", "bfq");
    let unequal = across(&before, &unequal);
    let ratio = &unequal.cases[0].ratio;
    assert_eq!(ratio.verdict, Verdict::NotComparable);
    assert!(ratio.reason.as_deref().unwrap().starts_with("after: "));
    assert!(ratio.change.is_none());
}

#[test]
fn one_boot_in_either_run_is_inconclusive() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let one = Shape {
        boots: 1,
        ..shape(2, |_, _| 60_000.0)
    };
    let across = across(&before, &on("a", one));
    let case = &across.cases[0];
    assert_eq!(case.ratio.verdict, Verdict::Inconclusive);
    assert_eq!(case.levels["c"].change.verdict, Verdict::Inconclusive);
    assert!(case.ratio.change.unwrap().ci95.is_none());
}

#[test]
fn a_run_is_not_compared_with_itself_nor_with_other_cases() {
    let run = shape(1, |_, _| 50_000.0).recording();
    let error = compare(&Side::of(&run), &Side::of(&run)).unwrap_err();
    assert!(error.contains("same samples"), "{error}");
    let other = Shape {
        cases: grid("nvme", 0, &[1]),
        ..Shape::default()
    };
    let error = compare(&Side::of(&run), &Side::of(&other.recording())).unwrap_err();
    assert!(error.contains("no case in common"), "{error}");
}

#[test]
fn the_tables_keep_to_eighty_columns() {
    let (before, mut after) = (mixed(), mixed());
    for (at, sample) in after.samples.iter_mut().enumerate() {
        sample.value *= 1.0 + 0.01 * ((at % 17) as f64 - 8.0);
    }
    let guest = after.manifest.guest.entry(0).or_default();
    guest.insert("kernel".into(), "7.2.1+deb13-amd64".into());
    let across = across(&before, &after);
    let text = table(&across, 80, false);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.contains(": IOPS, Rust against C"), "{text}");
    let json = serde_json::to_string(&across).expect("JSON");
    let back: Across = serde_json::from_str(&json).expect("the same data");
    assert_eq!(back.cases[0].metric, IOPS);
}

#[test]
fn the_page_has_every_change_and_withholds_what_may_not_be_told() {
    let before = on("a", shape(1, |_, _| 50_000.0));
    let mut after = on("b", shape(2, |_, _| 52_000.0));
    after.manifest.ringfence = "<b>".into();
    let across = across(&before, &after);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare-page");
    let _ = fs::remove_dir_all(&folder);
    let page = write(&across, &folder).unwrap();
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"));
    assert!(html.contains("ran on another machine"));
    for case in &across.cases {
        let change = case.ratio.change.expect("a change");
        let shown = format!("{:+.2}", change.mean * 100.0).replace('-', "\u{2212}");
        let shown = shown.trim_start_matches(['+', '\u{2212}']).to_string();
        assert!(html.contains(&shown), "{shown}");
    }
    // Levels of another machine: no dot, no number.
    assert!(!html.contains("+4.0"), "a level's change is told");
    let plot = |name: &str| {
        let path = folder.join(format!("plots/compare-ring0-nullblk-{name}.svg"));
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(plot("ratio").matches("<circle").count(), 8);
    let levels = plot("levels");
    assert_eq!(levels.matches("<circle").count(), 2, "of the legend alone");
    assert_eq!(levels.matches("\nnot-comparable\n").count(), 16);
}
