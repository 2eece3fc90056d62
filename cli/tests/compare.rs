//! Two run folders beside each other.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{entries, refused, run, stderr, stdout};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runs/nullblk-ring0");

/// A copy of a recorded run, each Rust sample times `factor`.
fn copy(folder: &Path, name: &str, factor: f64) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir(&path).expect("folder");
    for file in ["plan.json", "manifest.json"] {
        fs::copy(Path::new(RUN).join(file), path.join(file)).expect("copied");
    }
    let samples = fs::read_to_string(Path::new(RUN).join("samples.jsonl")).expect("samples");
    let lines = samples.lines().map(|line| {
        let mut sample: serde_json::Value = serde_json::from_str(line).expect("a sample");
        if sample["subject"] == "rust" {
            sample["value"] = (sample["value"].as_f64().expect("number") * factor).into();
        }
        format!("{sample}\n")
    });
    fs::write(path.join("samples.jsonl"), lines.collect::<String>()).expect("written");
    path
}

#[test]
fn compare_prints_tables_of_eighty_columns_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "after", 1.5);
    let output = run(folder.path(), &["compare", RUN, "after"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("Nothing that was recorded differs."),
        "{text}"
    );
    assert!(text.contains("+50.0%") && text.contains("faster"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(entries(&folder.path().join("after")), 3);
}

#[test]
fn compare_prints_json() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "after", 1.5);
    let output = run(folder.path(), &["compare", "--json", RUN, "after"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let case = &json["cases"][0];
    let change = case["change"]["mean"].as_f64().expect("a change");
    assert!((change - 0.5).abs() < 1e-9, "{case}");
    assert_eq!(case["verdict"], "faster");
    assert_eq!(json["environment"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_is_no_pair_of_runs_is_refused_in_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "same", 1.0);
    let counted = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runs/nullblk-count0");
    for (arguments, code, word) in [
        (&[RUN][..], 2, "RUN"),
        (&[RUN, "same"], 1, "same samples"),
        (&[RUN, counted], 1, "no case in common"),
        (&[RUN, "nowhere"], 1, "nowhere"),
        (&[RUN, "."], 1, "plan.json"),
    ] {
        let mut all = vec!["compare"];
        all.extend(arguments);
        refused(&run(folder.path(), &all), code, &[word]);
    }
}
