//! What a plan is said to see, by an earlier run.

mod synthetic;

use ringfence_bench::foresight;
use ringfence_bench::statistics::power::power;
use ringfence_bench::summary::summarise;
use synthetic::{grid, Shape};

#[test]
fn a_plan_sees_what_the_power_of_its_boots_says() {
    let recording = Shape {
        by_boot: 0.01,
        by_block: 0.002,
        boots: 40,
        ..Shape::default()
    }
    .recording();
    let before = summarise(&recording);
    let mut plan = recording.plan.clone();
    plan.boots = 10;
    let cases = foresight::of(&plan, &before, 0.02);
    assert_eq!(cases.len(), plan.cases.len());
    for case in &cases {
        // Two subjects, each with 1% of its own from boot to boot.
        assert!((0.009..0.022).contains(&case.deviation), "{case:?}");
        let seen = power(case.visible, case.deviation, 10).expect("ten boots");
        assert!((seen - 0.9).abs() < 1e-6);
        // With a reserve for ratios that are not normal.
        let boots = case.boots.expect("few boots");
        assert!(power(0.02, case.deviation, boots).expect("power") >= 0.93);
        assert!(power(0.02, case.deviation, boots - 1).is_none_or(|less| less < 0.93));
    }
}

#[test]
fn more_blocks_help_only_against_what_varies_within_boots() {
    let of = |by_boot, by_block| {
        let recording = Shape {
            by_boot,
            by_block,
            boots: 60,
            ..Shape::default()
        }
        .recording();
        let mut plan = recording.plan.clone();
        plan.blocks = 64;
        foresight::of(&plan, &summarise(&recording), 0.02)[0].deviation
    };
    assert!(of(0.02, 0.001) > 0.015);
    assert!(of(0.0, 0.02) < 0.012);
}

#[test]
fn other_cases_say_nothing_of_a_plan() {
    let recording = Shape::default().recording();
    let mut plan = recording.plan.clone();
    plan.cases = grid("nullblk", 0, &[77]);
    assert!(foresight::of(&plan, &summarise(&recording), 0.02).is_empty());
}
