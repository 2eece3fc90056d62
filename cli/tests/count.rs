//! `bench --count` in ring 3, where valgrind counts.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{ringfence, run, stderr};
use serde_json::Value;

const BENCH: [&str; 6] = [
    "bench",
    "--count",
    "--case",
    "randread-4k-qd1-j1-irq0",
    "--out",
    "run",
];

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file of lines");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn without_valgrind_one_line_names_the_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = ringfence(folder.path())
        .args(BENCH)
        .env("PATH", "")
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("install the package valgrind"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn two_processes_count_the_same_and_the_driver_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &BENCH);
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert_eq!(output.status.code(), Some(1), "it needs valgrind");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let mut counts: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in lines(&path.join("samples.jsonl")) {
        assert_eq!(sample["metric"], "instructions");
        let subject = sample["subject"].as_str().expect("a name").to_string();
        let number = |value: &Value| value.as_f64().expect("a number");
        let pair = (number(&sample["value"]), number(&sample["extra"]["module"]));
        counts.entry(subject).or_default().push(pair);
    }
    for (subject, boots) in &counts {
        assert_eq!(boots.len(), 2, "{subject}");
        assert_eq!(boots[0], boots[1], "{subject}");
    }
    let module = |subject: &str| counts[subject][0].1;
    assert!(module("rust") > module("empty") && module("c") > module("empty"));
    let profiles = lines(&path.join("profiles.jsonl"));
    assert_eq!(profiles.len(), 6);
    for profile in &profiles {
        let functions = profile["functions"].as_array().expect("functions");
        let sum = |space: &str| -> f64 {
            functions
                .iter()
                .filter(|function| function["space"] == space)
                .map(|function| function["instructions"].as_f64().expect("a number"))
                .sum()
        };
        let subject = profile["subject"].as_str().expect("a name");
        assert!((sum("module") - module(subject)).abs() < 1e-6);
        assert!(sum("user") > 0.0 && sum("kernel") == 0.0);
        let twin = |function: &Value| function["symbol"] == "nullblk_queue";
        assert_eq!(functions.iter().any(twin), subject == "c");
    }
    let page = fs::read_to_string(path.join("summary.md")).expect("summary.md");
    assert!(page.contains("| case | subject | total | user | kernel | module |"));
    assert!(page.contains("`nullblk_queue`"));
}

#[test]
fn a_controller_models_instructions_are_told_apart_from_its_drivers() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let case = [
        "--case",
        "randread-4k-qd8-j1",
        "--boots",
        "1",
        "--out",
        "run",
    ];
    let bench = ["bench", "nvme", "--count"];
    let output = run(folder.path(), &[&bench[..], &case[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let profiles = lines(&path.join("profiles.jsonl"));
    assert_eq!(profiles.len(), 3);
    for profile in &profiles {
        let functions = profile["functions"].as_array().expect("functions");
        let of = |space: &str| -> Vec<&str> {
            let of = functions.iter().filter(|one| one["space"] == space);
            of.map(|one| one["symbol"].as_str().expect("a name"))
                .collect()
        };
        assert!(of("model").iter().any(|name| name.contains("nvme_model::")));
        assert!(!of("module")
            .iter()
            .any(|name| name.contains("nvme_model::")));
        let (driver, others) = match profile["subject"].as_str() {
            Some("rust") => ("bench::rust::queue", "nvme_queue"),
            Some("c") => ("nvme_queue", "bench::rust::queue"),
            _ => ("nvme_empty_queue", "nvme_queue"),
        };
        assert!(
            of("module").iter().any(|name| name.ends_with(driver)),
            "{profile}"
        );
        assert!(!of("module").contains(&others), "{profile}");
    }
    let page = fs::read_to_string(path.join("summary.md")).expect("summary.md");
    assert!(page.contains("| case | subject | total | user | kernel | module | model |"));
    let attributes = fs::read_to_string(path.join("manifest.json")).expect("manifest");
    for name in [
        "queue_entries",
        "shadow_doorbells",
        "max_transfer",
        "hw_queue_depth",
    ] {
        assert!(attributes.contains(name), "{name}");
    }
}
