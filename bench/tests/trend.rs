//! What many runs of the same cases say.

mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};

use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::report::trend::{table, write};
use ringfence_bench::statistics::verdict::{Direction, Verdict};
use ringfence_bench::trend::{of, read_below, Trend};
use synthetic::{grid, Shape};

/// A run under `kernel` that started at a time.
fn under(kernel: &str, started_ms: u64, shape: Shape) -> Recording {
    let mut recording = shape.recording();
    recording.path = PathBuf::from(format!("runs/{kernel}-{started_ms}"));
    recording.manifest.started_ms = started_ms;
    let guest = [("kernel", kernel), ("cpu", "a")];
    let guest = guest.map(|(name, value)| (name.to_string(), value.to_string()));
    recording.manifest.guest.insert(0, guest.into());
    recording
}

fn shape(seed: u64) -> Shape {
    Shape {
        seed,
        ..Shape::default()
    }
}

#[test]
fn runs_come_by_kernel_then_by_start_and_each_is_compared_with_the_one_before() {
    let faster = Shape {
        mean: |_, subject| {
            if subject == "rust" {
                51_500.0
            } else {
                50_000.0
            }
        },
        ..shape(3)
    };
    let trend = of(&[
        under("7.10.0", 5, faster),
        under("7.3.4", 9, shape(1)),
        under("7.3.4", 4, shape(2)),
    ]);
    let order: Vec<u64> = trend.runs.iter().map(|run| run.started_ms).collect();
    assert_eq!(order, [4, 9, 5]);
    assert_eq!(trend.cases.len(), 8);
    for case in &trend.cases {
        let verdicts: Vec<Option<Verdict>> = case
            .rows
            .iter()
            .map(|row| Some(row.since.as_ref()?.ratio.verdict))
            .collect();
        let expected = [None, Some(Verdict::Equivalent), Some(Verdict::Faster)];
        assert_eq!(verdicts, expected);
        let change = case.rows[2].since.as_ref().unwrap().ratio.change.unwrap();
        assert!((change.mean - 0.03).abs() < 0.004, "{change:?}");
        let row = &case.rows[0];
        assert_eq!(row.pair, ["rust", "c"]);
        assert_eq!(row.compiler.as_deref(), Some("rustc 1.85.1 (LLVM 19.1.7)"));
    }
    let names = |at: usize| -> Vec<&str> {
        let step = &trend.steps[at];
        step.environment.iter().map(|one| &one.name[..]).collect()
    };
    assert!(names(0).is_empty());
    assert_eq!(names(1), ["ring 0 kernel"]);
}

#[test]
fn a_case_that_a_run_lacks_is_compared_over_it() {
    let other = Shape {
        cases: grid("nullblk", 0, &[1])[1..].to_vec(),
        ..shape(2)
    };
    let trend = of(&[
        under("7.1", 1, shape(1)),
        under("7.2", 1, other),
        under("7.3", 1, shape(3)),
    ]);
    let first = &trend.cases[0];
    let runs: Vec<usize> = first.rows.iter().map(|row| row.run).collect();
    assert_eq!(runs, [0, 2]);
    assert!(first.rows[1].since.is_some());
    let steps: Vec<(usize, usize)> = trend.steps.iter().map(|step| step.runs).collect();
    assert_eq!(steps, [(0, 1), (0, 2), (1, 2)]);
}

#[test]
fn a_copy_of_a_run_is_no_second_one_and_the_table_says_so() {
    let trend = of(&[under("7.1", 1, shape(1)), under("7.2", 1, shape(1))]);
    assert!(trend.cases[0].rows[1].since.is_none());
    let text = table(&trend, 80, false);
    assert!(text.contains("1 and 2 hold the same samples"), "{text}");
}

#[test]
fn the_tables_keep_to_eighty_columns() {
    let mut runs = vec![under("7.1", 1, shape(1)), under("7.4.0-rc2", 1, shape(2))];
    let mut odd = synthetic::mixed();
    odd.path = PathBuf::from("mixed");
    runs.push(odd);
    let trend = of(&runs);
    let text = table(&trend, 80, false);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.contains("not all runs are known to be of one machine"));
    let titles = text.matches("Ring 0, nullblk: IOPS\n");
    assert_eq!(titles.count(), 1, "{text}");
    let json = serde_json::to_string(&trend).expect("JSON");
    let back: Trend = serde_json::from_str(&json).expect("the same data");
    assert_eq!(back.runs, trend.runs);
}

#[test]
fn the_page_rings_every_step_that_shows() {
    // Eight of its cases are in no other run.
    let slower = Shape {
        cases: grid("nullblk", 0, &[1, 8]),
        mean: |case, subject| match (case, subject) {
            (0, "rust") => 48_500.0,
            _ => 50_000.0,
        },
        ..shape(5)
    };
    let trend = of(&[
        under("7.1", 1, shape(1)),
        under("7.2", 1, shape(2)),
        under("7.3", 1, slower),
    ]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trend-page");
    let _ = fs::remove_dir_all(&folder);
    let page = write(&trend, &folder).unwrap();
    let html = fs::read_to_string(page).unwrap();
    assert_eq!(html.matches("<figure>").count(), 8);
    assert_eq!(trend.cases.len(), 16);
    assert_eq!(fs::read_dir(folder.join("plots")).unwrap().count(), 8);
    for case in trend.cases.iter().filter(|case| case.rows.len() > 1) {
        let name = format!("plots/trend-ring0-nullblk-{}.svg", case.key.case);
        let svg = fs::read_to_string(folder.join(name)).unwrap();
        let stepped = case.rows.iter().filter_map(|row| row.since.as_ref());
        let stepped = stepped.filter(|since| since.ratio.direction != Direction::None);
        assert_eq!(svg.matches("r=\"8\"").count(), stepped.count(), "{svg}");
        // Three runs of two subjects and their ratio.
        assert_eq!(
            svg.matches("<circle").count() - svg.matches("r=\"8\"").count(),
            9 + 3
        );
    }
    let first =
        fs::read_to_string(folder.join("plots/trend-ring0-nullblk-randread-4k-qd1-j1-irq0.svg"))
            .unwrap();
    assert!(first.contains("1 (to run 3)"), "{first}");
    for interval in [
        &trend.cases[0].rows[0].means[0],
        &trend.cases[0].rows[2].means[1],
    ] {
        let mean = interval.unwrap();
        assert!(mean.ci95.unwrap().contains(mean.mean));
    }
}

#[test]
fn what_does_not_read_is_named_and_the_rest_is_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trend");
    let _ = fs::remove_dir_all(&folder);
    let write = |name: &str, recording: &Recording, samples: bool| {
        let manifest = recording.manifest.clone();
        let mut run = RunFolder::create(&folder.join(name), &recording.plan, manifest).unwrap();
        for sample in recording.samples.iter().filter(|_| samples) {
            run.append(sample).unwrap();
        }
    };
    write("a", &under("7.1", 1, shape(1)), true);
    write("deep/b", &under("7.2", 1, shape(2)), true);
    write("empty", &under("7.2", 1, shape(2)), false);
    write("deep/er/c", &under("7.3", 1, shape(2)), true);
    fs::create_dir_all(folder.join("broken")).unwrap();
    fs::write(folder.join("broken/plan.json"), "{").unwrap();
    fs::write(folder.join("notes.txt"), "no folder").unwrap();
    let (runs, skipped) = read_below(&folder).unwrap();
    let names: Vec<_> = runs
        .iter()
        .map(|run| run.path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped[0].contains("broken") && skipped[1].contains("empty"));

    let error = |path: &str| format!("{:#}", read_below(&folder.join(path)).unwrap_err());
    assert!(error("a").contains("is a run folder itself"));
    assert!(error("broken/nowhere").contains("cannot be read"));
    assert!(error("deep/er/c/none").contains("cannot be read"));
    fs::create_dir_all(folder.join("nothing")).unwrap();
    assert!(error("nothing").contains("no run folder"));
}
