//! What a run's controls say: false alarms, and delays that must be found.

mod synthetic;

use ringfence_bench::summary::{summarise, Controls, Summary};
use synthetic::{controlled, set, Shape};

fn controls(summary: &Summary) -> &Controls {
    assert_eq!(summary.run.controls.len(), 1);
    &summary.run.controls[0]
}

#[test]
fn sound_controls_raise_few_alarms_and_find_every_delay() {
    let summary = summarise(&controlled().recording());
    let controls = controls(&summary);
    assert_eq!(controls.comparisons, 24 * 2);
    assert!(controls.sound(), "{} alarms", controls.alarms);
    assert_eq!(controls.allowed, (0, 6));
    assert!(controls.floor < 0.003, "{}", controls.floor);
    let changes: Vec<f64> = controls.injected.iter().map(|one| one.change).collect();
    assert_eq!(
        changes,
        [1, 2, 5].map(|p| 1.0 / (1.0 + f64::from(p) / 100.0) - 1.0)
    );
    for injected in &controls.injected {
        assert!(injected.found, "{injected:?}");
        assert!((injected.seen - injected.change).abs() < 0.003);
    }
    // The deviation of a boot's log ratio is 0.15% or so.
    let visible = controls.visible.expect("ten boots");
    assert!((0.001..0.003).contains(&visible), "{visible}");
    assert!(
        summary.run.warnings.is_empty(),
        "{:?}",
        summary.run.warnings
    );
}

#[test]
fn a_subject_that_differs_from_itself_is_an_alarm_and_a_warning() {
    let recording = Shape {
        mean: |_, label| match label {
            "rust:again" => 51_000.0,
            _ => 50_000.0,
        },
        ..controlled()
    }
    .recording();
    let summary = summarise(&recording);
    let controls = controls(&summary);
    assert!(controls.alarms >= 24 && !controls.sound());
    assert!((controls.floor - 0.02).abs() < 0.003);
    let warning = summary.run.warnings.iter();
    assert!(warning.clone().any(|text| text.contains("too narrow")));
    // Its delays are not there.
    assert!(warning.clone().any(|text| text.contains("was not found")));
}

#[test]
fn controls_are_no_subjects_and_change_no_verdict() {
    let with = summarise(&controlled().recording());
    for case in &with.cases {
        assert_eq!(case.subjects.keys().collect::<Vec<_>>(), ["c", "rust"]);
        assert!(case.against.is_empty());
        assert!(case.main.headline.is_some());
    }
    assert_eq!(with.cases[0].controls.len(), 2 + 3);
    assert_eq!(with.cases[1].controls.len(), 2);
    assert!(with.run.complete);
    let without = summarise(
        &Shape {
            controls: false,
            ..controlled()
        }
        .recording(),
    );
    assert!(without.run.controls.is_empty());
    assert!(without.cases[0].controls.is_empty());
}

#[test]
fn a_control_that_was_not_made_equal_says_nothing() {
    let mut recording = controlled().recording();
    set(&mut recording, "c:again", "scheduler", "bfq");
    let summary = summarise(&recording);
    assert_eq!(controls(&summary).comparisons, 24);
}

#[test]
fn the_number_of_comparisons_is_counted_in() {
    let recording = Shape {
        mean: |case, subject| match (case, subject) {
            (0, "rust") => 51_000.0,
            _ => 50_000.0,
        },
        controls: false,
        ..controlled()
    }
    .recording();
    let summary = summarise(&recording);
    let among: Vec<_> = summary
        .cases
        .iter()
        .filter_map(|case| case.main.among_many)
        .collect();
    assert_eq!(among.len(), 24);
    for one in &among {
        assert_eq!(one.comparisons, 24);
        assert!(one.p <= one.listed && one.listed <= one.holm);
    }
    assert!(among[0].holm < 0.05);
    let claims = among.iter().filter(|one| one.holm < 0.05).count();
    assert_eq!(claims, 1);
}
