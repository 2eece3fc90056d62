//! `report --counts`: times of one run, instructions of another.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{copy, entries, refused, run, stderr, stdout, RUN};
use serde_json::Value;

fn recorded(name: &str) -> PathBuf {
    Path::new(RUN).with_file_name(name)
}

#[test]
fn counts_of_another_kernel_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let times = copy(folder.path(), "times", 1.0, "7.2.12+deb14-amd64");
    let before = entries(&times);
    let counts = recorded("nullblk-count0");
    let arguments = [
        "report",
        "times",
        "--counts",
        counts.to_str().expect("UTF-8"),
    ];
    refused(
        &run(folder.path(), &arguments),
        1,
        &[
            "ring 0 kernel is 7.3.4+deb13-amd64",
            "in times it is 7.2.12",
            "take both runs",
        ],
    );
    assert_eq!(entries(&times), before);
    refused(
        &run(folder.path(), &["report", "times", "--counts", "times"]),
        1,
        &["counted no instructions", "bench --count"],
    );
    refused(
        &run(folder.path(), &["report", "times", "--counts", "none"]),
        1,
        &["none: no such folder"],
    );
    assert_eq!(entries(&times), before);
}

#[test]
fn counts_of_the_same_kernel_are_joined() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "times", 1.0, "7.3.4+deb13-amd64");
    let counts = recorded("nullblk-count0");
    let arguments = [
        "report",
        "times",
        "--counts",
        counts.to_str().expect("UTF-8"),
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("what makes the difference in time:"));
}

#[test]
fn times_and_counts_of_ring_3_are_of_the_same_build() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = |more: &[&str]| {
        let case = ["bench", "--case", "randread-4k-qd1-j1-irq0"];
        run(folder.path(), &[&case, more].concat())
    };
    let few = ["--boots", "2", "--blocks", "1", "--no-controls"];
    let output = bench(&[&few[..], &["--out", "times"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = fs::read_to_string(folder.path().join("times/samples.jsonl")).expect("samples");
    for line in text.lines() {
        let sample: Value = serde_json::from_str(line).expect("a sample");
        assert!(sample["extra"]["context_switches"].is_number(), "{line}");
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return;
    }
    let output = bench(&["--count", "--out", "counts"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = run(folder.path(), &["report", "times", "--counts", "counts"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = fs::read(folder.path().join("times/summary.json")).expect("a summary");
    let summary: Value = serde_json::from_slice(&text).expect("JSON");
    let one = &summary["cases"][0]["attribution"];
    assert!(one["instructions"]["price"].as_f64().expect("a price") > 0.0);
    assert!(one["left_over"]["mean"].is_number());
    // Both told their sources, and they are the same.
    assert_eq!(one["notes"], Value::Null, "{one}");
}
