//! What a run says: verdicts, parity, completeness.

mod synthetic;

use ringfence_bench::folder::Recording;
use ringfence_bench::statistics::verdict::{Direction, Verdict};
use ringfence_bench::summary::{
    summarise, Summary, DRIVER_COST, INSTRUCTIONS, IOPS, MODULE_INSTRUCTIONS,
};
use synthetic::{grid, leave_out, set, Shape};

/// The verdicts of the main comparison, in the plan's order.
fn verdicts(recording: &Recording) -> Vec<(Verdict, Direction)> {
    let summary = summarise(recording);
    let main = summary.cases.iter().map(|case| &case.main);
    main.map(|main| (main.verdict, main.direction)).collect()
}

#[test]
fn each_verdict_comes_out_where_it_should() {
    let shape = Shape {
        mean: |case, subject| match (case % 4, subject) {
            (0, "rust") => 52_000.0,
            (1, "rust") => 48_000.0,
            (2, "rust") => 50_200.0,
            _ => 50_000.0,
        },
        ..Shape::default()
    };
    assert_eq!(
        verdicts(&shape.recording())[..4],
        [
            (Verdict::Faster, Direction::Faster),
            (Verdict::Slower, Direction::Slower),
            (Verdict::Equivalent, Direction::Faster),
            (Verdict::Equivalent, Direction::None),
        ]
    );
}

#[test]
fn noise_is_inconclusive() {
    let shape = Shape {
        by_boot: 0.05,
        ..Shape::default()
    };
    let verdicts = verdicts(&shape.recording());
    let inconclusive = |v: &&(Verdict, Direction)| v.0 == Verdict::Inconclusive;
    assert!(verdicts.iter().filter(inconclusive).count() >= 6);
}

#[test]
fn another_scheduler_forbids_a_verdict_and_says_why() {
    let mut recording = Shape::default().recording();
    set(&mut recording, "rust", "scheduler", "mq-deadline");
    let summary = summarise(&recording);
    for case in &summary.cases {
        assert_eq!(case.main.verdict, Verdict::NotComparable);
        assert_eq!(case.main.direction, Direction::None);
        assert_eq!(
            case.main.reason.as_deref(),
            Some("scheduler is none for c, mq-deadline for rust")
        );
        assert!(case.parity[0].blocks());
    }
}

#[test]
fn another_depth_in_one_boot_forbids_a_verdict() {
    let mut recording = Shape::default().recording();
    let record = &mut recording.manifest.attributes[0];
    record.boots.retain(|boot| *boot != 3);
    let mut odd = record.clone();
    odd.boots = vec![3];
    odd.values.insert("nr_requests".into(), "64".into());
    recording.manifest.attributes.push(odd);
    let summary = summarise(&recording);
    let main = &summary.cases[0].main;
    assert_eq!(main.verdict, Verdict::NotComparable);
    assert!(main.reason.as_ref().unwrap().contains("64 (boot 3)"));
    assert_ne!(summary.cases[1].main.verdict, Verdict::NotComparable);
}

#[test]
fn noted_differences_leave_the_verdict_alone() {
    let mut recording = Shape::default().recording();
    set(&mut recording, "rust", "max_segments", "64");
    set(&mut recording, "c", "poll_queues", "0");
    let summary = summarise(&recording);
    assert_eq!(summary.cases[0].main.verdict, Verdict::Equivalent);
    let different: Vec<&str> = summary.cases[0]
        .parity
        .iter()
        .filter(|item| !item.equal)
        .map(|item| item.attribute.as_str())
        .collect();
    assert_eq!(different, ["compiler", "max_segments", "poll_queues"]);
}

#[test]
fn what_differs_only_in_upstream_forbids_only_upstreams_verdict() {
    let mut recording = Shape {
        subjects: vec!["rust", "c", "upstream"],
        ..Shape::default()
    }
    .recording();
    set(&mut recording, "upstream", "nr_requests", "64");
    let summary = summarise(&recording);
    let case = &summary.cases[0];
    assert_eq!(case.main.verdict, Verdict::Equivalent);
    assert_eq!(case.against["upstream"].verdict, Verdict::NotComparable);
    assert_eq!(case.parity[0].differs, ["upstream"]);
}

#[test]
fn a_subject_that_was_left_out_is_not_expected_and_not_compared() {
    let mut recording = Shape {
        subjects: vec!["rust", "c", "upstream"],
        ..Shape::default()
    }
    .recording();
    let why = "it has one queue and depth 256";
    leave_out(&mut recording, "upstream", why, |case| {
        case.settings["irqmode"] == "1"
    });
    let summary = summarise(&recording);
    assert!(summary.run.complete, "{:?}", summary.run.samples);
    let with: Vec<bool> = summary
        .cases
        .iter()
        .map(|case| case.against.contains_key("upstream"))
        .collect();
    assert_eq!(with, [true, false, true, false, true, false, true, false]);
    assert_eq!(summary.cases[1].left_out[0].why, why);
    assert_eq!(summary.cases[1].main.verdict, Verdict::Equivalent);
}

#[test]
fn without_c_there_is_nothing_to_compare() {
    let mut recording = Shape::default().recording();
    leave_out(&mut recording, "c", "null_blk did not load", |_| true);
    let summary = summarise(&recording);
    assert_eq!(summary.cases[0].main.verdict, Verdict::NotComparable);
    let reason = summary.cases[0].main.reason.as_ref().unwrap();
    assert!(reason.contains("null_blk did not load"), "{reason}");
}

#[test]
fn one_boot_has_no_interval_and_no_verdict() {
    let shape = Shape {
        boots: 1,
        mean: |_, subject| if subject == "rust" { 2e4 } else { 1e4 },
        ..Shape::default()
    };
    let summary = summarise(&shape.recording());
    let main = &summary.cases[0].main;
    assert_eq!(main.verdict, Verdict::Inconclusive);
    assert!(main.reason.as_ref().unwrap().starts_with("one boot"));
    assert_eq!(main.headline.as_ref().unwrap().ci95, None);
    assert!(main.relative.as_ref().unwrap().ci95.is_some());
    let warned = |summary: &Summary| summary.run.warnings.join(" ").contains("one boot says");
    assert!(warned(&summary));
}

#[test]
fn blocks_that_lack_a_subject_do_not_count() {
    let mut recording = Shape::default().recording();
    // The run was killed in boot 9 after rust's first sample of a case.
    let key = recording.plan.cases[0].key();
    recording.samples.retain(|sample| {
        sample.boot < 9 || (sample.key == key && sample.subject == "rust" && sample.block == 0)
    });
    for sample in &mut recording.samples {
        if sample.boot == 9 {
            sample.value = 1.0;
        }
    }
    let summary = summarise(&recording);
    let headline = summary.cases[0].main.headline.as_ref().unwrap();
    assert_eq!(headline.boots, 9);
    assert!(headline.mean.abs() < 0.01);
    assert!(!summary.run.complete);
}

#[test]
fn without_what_was_read_back_equality_is_not_known() {
    let mut recording = Shape::default().recording();
    recording.manifest.attributes.clear();
    let summary = summarise(&recording);
    let main = &summary.cases[0].main;
    assert_eq!(main.verdict, Verdict::NotComparable);
    assert!(main.reason.as_ref().unwrap().contains("is not known"));
}

/// Ring 3: the load loop takes 100 ns an operation, c 20 more, rust 21 more.
fn ring3(rust: f64, noise: f64) -> Recording {
    let mut shape = Shape {
        ring: 3,
        subjects: vec!["rust", "c", "empty"],
        cases: grid("nullblk", 3, &[8]),
        by_boot: noise,
        by_block: noise,
        mean: |_, subject| match subject {
            "rust" => 1e9 / 121.0,
            "c" => 1e9 / 120.0,
            _ => 1e9 / 100.0,
        },
        ..Shape::default()
    };
    if rust < 21.0 {
        shape.mean = |_, subject| match subject {
            "rust" => 1e9 / 99.0,
            "c" => 1e9 / 120.0,
            _ => 1e9 / 100.0,
        };
    }
    shape.recording()
}

#[test]
fn the_drivers_cost_is_what_the_empty_table_does_not_take() {
    let summary = summarise(&ring3(21.0, 1e-5));
    let (iops, cost) = (&summary.cases[0], &summary.cases[1]);
    assert_eq!((&*iops.metric, &*cost.metric), (IOPS, DRIVER_COST));
    assert!(iops.against.is_empty(), "empty is no rival");
    assert!(iops.subjects.contains_key("empty"));
    assert!(!cost.subjects.contains_key("empty"));
    assert_eq!(cost.subjects["rust"].n, 10, "boots, not samples");
    assert!((cost.subjects["rust"].mean - 21.0).abs() < 0.01);
    let headline = cost.main.headline.as_ref().unwrap();
    assert!((headline.mean - 0.05).abs() < 0.001, "21 of 20 is 5% more");
    assert_eq!(cost.main.verdict, Verdict::Slower, "less is better");
    assert_eq!(iops.main.verdict, Verdict::Equivalent);
}

#[test]
fn a_cost_below_zero_has_no_ratio_and_no_verdict() {
    let summary = summarise(&ring3(-1.0, 1e-5));
    let cost = &summary.cases[1].main;
    assert_eq!(cost.verdict, Verdict::Inconclusive);
    assert!(cost.headline.is_none());
    assert!(cost.difference.is_some());
    assert!(cost.reason.as_ref().unwrap().contains("two positive means"));
}

#[test]
fn warnings_name_few_boots_tcg_and_what_is_unequal_on_purpose() {
    let mut recording = Shape {
        boots: 4,
        blocks: 2,
        ..Shape::default()
    }
    .recording();
    recording
        .manifest
        .host
        .entry(0)
        .or_default()
        .insert("accelerator".into(), "tcg".into());
    recording.plan.overrides = [(
        "rust".to_string(),
        [("scheduler".to_string(), "bfq".to_string())].into(),
    )]
    .into();
    let warnings = summarise(&recording).run.warnings.join("\n");
    assert!(warnings.contains("4 boots say little"), "{warnings}");
    assert!(warnings.contains("those of four cover 87%"), "{warnings}");
    assert!(warnings.contains("never hardware's"), "{warnings}");
    assert!(warnings.contains("scheduler was set to bfq for rust alone"));
}

#[test]
fn ten_whole_boots_need_no_warning() {
    let summary = summarise(&Shape::default().recording());
    assert_eq!(summary.run.warnings, Vec::<String>::new());
    assert!(summary.run.complete);
}

#[test]
fn samples_of_unknown_metrics_and_subjects_are_named_and_not_used() {
    let mut recording = Shape::default().recording();
    recording.samples[0].metric = "bogomips".into();
    recording.samples[1].subject = "stranger".into();
    let summary = summarise(&recording);
    let complaints = summary.run.complaints.join("\n");
    assert!(complaints.contains("bogomips") && complaints.contains("stranger"));
    assert!(!summary.run.complete);
}

/// A run that counted instructions: as many in every boot.
fn counted(rust: f64, c: f64) -> Recording {
    let mut recording = Shape {
        boots: 2,
        blocks: 1,
        ..Shape::default()
    }
    .recording();
    for case in &mut recording.plan.cases {
        case.operations = Some(1000);
    }
    for sample in &mut recording.samples {
        let module = if sample.subject == "rust" { rust } else { c };
        sample.metric = INSTRUCTIONS.into();
        sample.value = 5000.0 + module;
        sample.extra = [("user", 1500.0), ("kernel", 3500.0), ("module", module)]
            .map(|(name, value)| (name.to_string(), value))
            .into();
    }
    recording
}

#[test]
fn counts_that_do_not_vary_have_intervals_of_no_width_and_verdicts() {
    let summary = summarise(&counted(21.0, 96.0));
    let (total, module) = (&summary.cases[0], &summary.cases[1]);
    assert_eq!(
        (&*total.metric, &*module.metric),
        (INSTRUCTIONS, MODULE_INSTRUCTIONS)
    );
    assert_eq!(module.main.verdict, Verdict::Faster, "less is better");
    let ends = module.main.headline.as_ref().unwrap().ci95.unwrap();
    assert_eq!(ends.lo, ends.hi);
    assert!((ends.lo - (21.0 / 96.0 - 1.0)).abs() < 1e-12);
    assert_eq!(module.subjects["rust"].sd, Some(0.0));
    // 5021 of 5096 is 1.5% less.
    assert_eq!(total.main.verdict, Verdict::Faster);
    let counts = &total.counts["c"];
    assert_eq!(
        (counts.user, counts.kernel, counts.module),
        (1500.0, 3500.0, 96.0)
    );
    assert!(module.counts.is_empty(), "told once");
    assert!(
        summary.run.warnings.is_empty(),
        "{:?}",
        summary.run.warnings
    );
}

#[test]
fn equal_counts_are_equivalent_and_point_nowhere() {
    let summary = summarise(&counted(50.0, 50.0));
    for case in &summary.cases {
        assert_eq!(case.main.verdict, Verdict::Equivalent);
        assert_eq!(case.main.direction, Direction::None);
    }
}

#[test]
fn a_time_in_a_plan_of_counts_is_of_no_use() {
    let mut recording = counted(21.0, 96.0);
    recording.samples[0].metric = IOPS.into();
    let summary = summarise(&recording);
    assert_eq!(summary.run.samples.taken + 1, summary.run.samples.expected);
    assert!(summary.run.complaints[0].contains("metric iops"));
}

#[test]
fn a_run_that_is_looked_at_has_wider_intervals_and_no_list_of_many() {
    let shape = |target| Shape {
        target,
        by_boot: 0.01,
        ..Shape::default()
    };
    let planned = summarise(&shape(None).recording());
    let looked = summarise(&shape(Some(0.01)).recording());
    for (planned, looked) in planned.cases.iter().zip(&looked.cases) {
        let width = |case: &ringfence_bench::summary::CaseSummary| {
            let ends = case
                .main
                .headline
                .as_ref()
                .and_then(|headline| headline.ci95);
            ends.map(|ends| ends.hi - ends.lo).expect("ten boots")
        };
        let ratio = width(looked) / width(planned);
        assert!((1.2..1.6).contains(&ratio), "{ratio}");
        assert!(planned.main.among_many.is_some() && planned.main.robust.is_some());
        assert!(looked.main.among_many.is_none() && looked.main.robust.is_none());
    }
    let recording = shape(Some(0.5)).recording();
    assert!(summarise(&recording).reached(&recording.plan, 0));
    let recording = shape(Some(0.0001)).recording();
    assert!(!summarise(&recording).reached(&recording.plan, 0));
    assert!(!summarise(&recording).reached(&recording.plan, 3));
}
