//! A small run in ring 3, from the command line to the report, and what
//! happens when it is cut short.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{end, ringfence, run, signal, stderr, stdout, wait_until};

/// A plan of ring 3 with one case of `runtime_ms`.
fn write_plan(path: &Path, boots: u32, blocks: u32, runtime_ms: u32) {
    let text = format!(
        r#"{{"version": 1, "seed": 7, "boots": {boots}, "blocks": {blocks}, "margin": 0.01,
            "subjects": {{"3": ["rust", "c", "empty"]}},
            "cases": [{{"driver": "nullblk", "ring": 3, "name": "mine",
                "workload": {{"pattern": "randread", "block_size": 4096, "depth": 8, "jobs": 1}},
                "settings": {{"irqmode": "0"}}, "runtime_ms": {runtime_ms}, "ramp_ms": 1}}]}}"#
    );
    fs::write(path, text).expect("plan");
}

fn samples(run: &Path) -> usize {
    fs::read_to_string(run.join("samples.jsonl")).map_or(0, |text| text.lines().count())
}

fn start(folder: &Path) -> Child {
    write_plan(&folder.join("my.json"), 3, 500, 10);
    let mut command = ringfence(folder);
    command
        .args(["bench", "--plan", "my.json", "--out", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("starts");
    wait_until("samples", || samples(&folder.join("run")) >= 6);
    child
}

#[test]
fn a_small_run_fills_its_folder_and_can_be_reported_again() {
    let folder = tempfile::tempdir().expect("a folder");
    write_plan(&folder.path().join("my.json"), 2, 1, 5);
    let bench = ["bench", "--plan", "my.json", "--out", "run"];
    let output = run(folder.path(), &bench);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    assert_eq!(samples(&path), 6);
    for name in [
        "plan.json",
        "manifest.json",
        "summary.json",
        "summary.md",
        "report.html",
    ] {
        assert!(path.join(name).is_file(), "{name}");
    }
    assert!(common::entries(&path.join("plots")) > 0);
    assert!(stdout(&output).contains("mine") && stdout(&output).contains("run/report.html"));
    assert!(stdout(&output)
        .lines()
        .all(|line| line.chars().count() <= 80));
    assert!(!stdout(&output).contains('\x1b') && !stderr(&output).contains('\x1b'));
    let manifest = fs::read_to_string(path.join("manifest.json")).expect("manifest");
    assert!(manifest.contains("\"kernel\"") && !manifest.contains("\"ended_ms\": null"));

    let again = run(folder.path(), &["report", "run"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(
        stdout(&again),
        stdout(&output),
        "the same samples say the same"
    );
    let second = run(folder.path(), &bench);
    common::refused(&second, 1, &["run", "holds something"]);
}

#[test]
fn warm_up_is_run_first_marked_and_not_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let case = ["--case", "randread-4k-qd1-j1-irq0", "--no-controls"];
    let size = ["--boots", "2", "--blocks", "1", "--warm-up", "2"];
    let rest = ["--subject", "rust,c,empty", "--seed", "1", "--out", "run"];
    let bench = ["bench", "nullblk", "--ring", "3"];
    let output = run(folder.path(), &[&bench[..], &case, &size, &rest].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let lines = fs::read_to_string(path.join("samples.jsonl")).expect("samples");
    let marked: Vec<bool> = lines
        .lines()
        .map(|line| line.contains("\"warm_up\":true"))
        .collect();
    let boot = [[true; 6].as_slice(), &[false; 3]].concat();
    assert_eq!(marked, [&boot[..], &boot].concat());
    let said = stdout(&output)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(said.contains("12 samples of this run are kept"), "{said}");
    let text = fs::read_to_string(path.join("summary.md")).expect("summary");
    assert!(text.contains("6 of 6 samples"), "{text}");
}

#[test]
fn the_grid_is_sampled_as_often_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(
        folder.path(),
        &[
            "bench",
            "nullblk",
            "--case",
            "randwrite-4k-qd1-*-irq0",
            "--subject",
            "c,rust",
            "--samples",
            "3",
            "--boots",
            "2",
            "--seed",
            "1",
            "--no-controls",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("rounded up to 4"),
        "{}",
        stderr(&output)
    );
    let runs = folder.path().join("runs");
    let made = fs::read_dir(runs)
        .expect("runs")
        .next()
        .expect("a run")
        .expect("a run");
    assert_eq!(samples(&made.path()), 8);
    assert!(made.file_name().to_string_lossy().ends_with("-ring3"));
}

#[test]
fn ctrl_c_keeps_the_samples_and_reports_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = start(folder.path());
    signal(child.id(), "INT");
    let (code, out, err) = end(child, Duration::from_secs(5));
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("ringfence: interrupted"), "{err}");
    assert!(
        out.contains("report.html") && out.contains("incomplete"),
        "{out}"
    );
    let path = folder.path().join("run");
    assert!(samples(&path) >= 6 && path.join("report.html").is_file());
    let report = run(folder.path(), &["report", "run"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
}

#[test]
fn a_killed_boot_keeps_the_samples_and_fails_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = start(folder.path());
    let task = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(task).expect("children");
    let agent = children.split_whitespace().next().expect("an agent");
    signal(agent.parse().expect("an id"), "KILL");
    let (code, out, err) = end(child, Duration::from_secs(5));
    assert_eq!(code, Some(1), "{err}");
    let errors: Vec<_> = err
        .lines()
        .filter(|line| line.starts_with("ringfence: "))
        .collect();
    assert_eq!(errors.len(), 1, "{err}");
    assert!(errors[0].contains("signal 9"), "{err}");
    assert!(out.contains("report.html"), "{out}");
    assert!(samples(&folder.path().join("run")) >= 6);
}

#[test]
fn a_run_that_lost_its_manifest_and_half_a_line_is_still_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    write_plan(&folder.path().join("my.json"), 2, 2, 5);
    let bench = ["bench", "--plan", "my.json", "--out", "run"];
    let output = run(folder.path(), &bench);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let text = fs::read_to_string(path.join("samples.jsonl")).expect("samples");
    fs::write(path.join("samples.jsonl"), &text[..text.len() - 20]).expect("cut");
    fs::remove_file(path.join("manifest.json")).expect("remove");
    let report = run(folder.path(), &["report", "run"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    assert!(
        stdout(&report).contains("11 of 12 samples"),
        "{}",
        stdout(&report)
    );
    let errors = stderr(&report);
    assert!(
        errors.contains("manifest.json") && errors.contains("line 12"),
        "{errors}"
    );
}

#[test]
fn an_agent_answers_a_broken_plan_with_an_error_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &["agent", "--ring", "3"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).starts_with("{\"event\":\"error\""),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_run_with_a_target_ends_when_it_is_reached_and_is_complete() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = |target, boots, out| {
        let case = ["--case", "randread-4k-qd1-j1-irq0", "--no-controls"];
        let size = ["--blocks", "1", "--target-ci", target, "--boots", boots];
        let rest = ["--seed", "1", "--out", out];
        let words = [&["bench", "nullblk"][..], &case, &size, &rest].concat();
        run(folder.path(), &words)
    };
    let output = bench("90", "12", "wide");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(stdout(&output));
    assert!(text.contains("target of 90% reached: ring 3"), "{text}");
    assert!(
        text.contains("complete:") && !text.contains("incomplete"),
        "{text}"
    );
    let taken = samples(&folder.path().join("wide"));
    assert!(
        (15..36).contains(&taken) && taken.is_multiple_of(3),
        "{taken}"
    );

    let output = bench("0.000001", "5", "narrow");
    let text = words(stdout(&output));
    assert!(text.contains("was not reached"), "{text}");
    assert_eq!(samples(&folder.path().join("narrow")), 15);

    common::refused(&bench("1", "4", "few"), 2, &["--target-ci", "5 boots"]);
}
