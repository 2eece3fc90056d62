//! Samples that the plan takes as warm-up: kept, marked, told, not counted.

mod synthetic;

use std::fs;
use std::path::Path;

use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::report::{self, terminal};
use ringfence_bench::sample::Sample;
use ringfence_bench::statistics::verdict::Verdict;
use ringfence_bench::summary::summarise;
use synthetic::Shape;

/// A run whose first subject is a tenth slower in the first block of each boot.
fn slow_at_first(warm_up: u32) -> Shape {
    Shape {
        warm_up: (warm_up, 0.1),
        ..Shape::default()
    }
}

#[test]
fn warm_up_is_kept_and_marked_and_nothing_is_worked_out_from_it() {
    let recording = slow_at_first(1).recording();
    let (counted, warm_up) = (recording.samples.len(), recording.warm_up.len());
    assert_eq!(counted, 4 * warm_up, "one block beside four");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warm-up");
    let _ = fs::remove_dir_all(&path);
    let mut run = RunFolder::create(&path, &recording.plan, recording.manifest.clone()).unwrap();
    for sample in recording.warm_up.iter().chain(&recording.samples) {
        run.append(sample).unwrap();
    }
    let lines = fs::read_to_string(path.join("samples.jsonl")).unwrap();
    let marked = lines
        .lines()
        .filter(|line| line.contains("\"warm_up\":true"));
    assert_eq!(marked.count(), warm_up);
    let plan = fs::read_to_string(path.join("plan.json")).unwrap();
    assert!(plan.contains("\"warm_up\": {\n    \"blocks\": 1"), "{plan}");

    let read = Recording::read(&path).unwrap();
    let at = |samples: &[Sample]| Vec::from_iter(samples.iter().map(|one| one.at_ms));
    assert_eq!(at(&read.samples), at(&recording.samples));
    assert_eq!(at(&read.warm_up), at(&recording.warm_up));
    assert_eq!(read.complaints, Vec::<String>::new());
    let summary = report::write(&read, &path).unwrap();
    assert!(summary.run.complete);
    assert_eq!(summary.run.samples.taken, counted as u64);
    assert_eq!(summary.run.samples.warm_up, warm_up as u64);
    for case in &summary.cases {
        assert_eq!(case.subjects["rust"].n, 40);
        assert_eq!(case.main.verdict, Verdict::Equivalent);
        // A fifth of the blocks is a tenth slower.
        let with = case.main.with_warm_up.expect("warm-up");
        assert!((with.headline.mean + 0.02).abs() < 0.002, "{with:?}");
        assert_eq!(with.verdict, Verdict::Slower);
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        words(&fs::read_to_string(path.join("summary.md")).unwrap()),
        words(&fs::read_to_string(path.join("report.html")).unwrap()),
        words(&terminal::table(&summary, 80, false)),
    ] {
        let told = format!("warm-up by the plan: {warm_up} samples of this run are kept");
        assert!(text.contains(&told), "{text}");
        assert!(
            text.contains("the verdict would be another one in"),
            "{text}"
        );
    }
}

#[test]
fn a_mark_that_is_not_the_plans_is_no_sample() {
    let recording = slow_at_first(1).recording();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("marks");
    let _ = fs::remove_dir_all(&path);
    let mut run = RunFolder::create(&path, &recording.plan, recording.manifest.clone()).unwrap();
    let mut counted = recording.warm_up[0].clone();
    counted.warm_up = false;
    run.append(&counted).unwrap();
    let mut left_out = recording.samples[0].clone();
    left_out.warm_up = true;
    run.append(&left_out).unwrap();
    let read = Recording::read(&path).unwrap();
    assert!(read.samples.is_empty() && read.warm_up.is_empty());
    assert_eq!(read.complaints.len(), 2, "{:?}", read.complaints);
    assert!(
        read.complaints[0].contains("warm-up"),
        "{:?}",
        read.complaints
    );
}

#[test]
fn a_first_block_that_is_unlike_the_later_ones_is_told() {
    let first_blocks = |recording: &Recording| {
        let summary = summarise(recording);
        let differs = |ends: ringfence_bench::statistics::interval::Interval| !ends.contains(0.0);
        let cases = summary.cases.iter();
        let found = cases
            .filter(|case| differs(case.main.first_block.unwrap().ci95.unwrap()))
            .count();
        let text = terminal::table(&summary, 200, false);
        let told = format!("ratio differs from the later ones' in {found} of 8 cases");
        assert!(text.contains(&told), "{text}");
        found
    };
    // The same blocks, under a plan that counts them all.
    let warmed = slow_at_first(1).recording();
    assert!(first_blocks(&warmed) <= 2);
    let mut counted = warmed.with_warm_up();
    counted.plan.blocks += counted.plan.warm_up.blocks;
    counted.plan.warm_up.blocks = 0;
    assert_eq!(first_blocks(&counted), 8);
}
