//! What fio wrote, as a run folder.

mod common;

use std::fs;
use std::path::Path;

use common::{entries, refused, run, stderr, stdout};

/// A document as fio 3.39 writes it, shortened.
fn json(iops: f64) -> String {
    format!(
        r#"fio: a line before
{{ "fio version" : "fio-3.39", "timestamp" : 1763000000, "timestamp_ms" : 1763000000000,
  "global options" : {{ "ioengine" : "io_uring", "bs" : "4k" }},
  "jobs" : [ {{ "jobname" : "a", "error" : 0,
    "job options" : {{ "rw" : "randread", "iodepth" : "32", "filename" : "/dev/nullb0" }},
    "read" : {{ "iops" : {iops}, "total_ios" : 9, "runtime" : 1000 }},
    "write" : {{ "iops" : 0.0, "total_ios" : 0, "runtime" : 0 }} }} ] }}
"#
    )
}

fn files(folder: &Path) {
    for boot in 0..4 {
        let noise = 1.0 + 0.002 * f64::from(boot);
        let write = |subject: &str, iops: f64| {
            let name = format!("{subject}-randread-4k-{boot}-0.json");
            fs::write(folder.join(name), json(iops)).expect("written");
        };
        write("rust", 52_000.0 * noise);
        write("c", 50_000.0);
    }
}

const PATTERN: &str = "{subject}-{case}-{boot}-{block}.json";

#[test]
fn a_pattern_labels_files_and_the_report_says_what_is_not_known() {
    let folder = tempfile::tempdir().expect("a folder");
    files(folder.path());
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into())
        .collect();
    names.sort();
    let mut arguments = vec!["import", "--out", "run", "--subject", "rust,c"];
    arguments.extend(["--pattern", PATTERN]);
    arguments.extend(names.iter().map(String::as_str));
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("8 samples of 1 case"),
        "{}",
        stderr(&output)
    );
    let text = stdout(&output);
    for words in [
        "randread-4k-qd32-j1",
        "faster",
        "parity was not read back: imported",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let again = run(folder.path(), &["report", "run"]);
    assert_eq!(stdout(&again), text);
    let plan = run(folder.path(), &["bench", "--plan", "run/plan.json"]);
    refused(&plan, 1, &["imported"]);
}

#[test]
fn as_labels_the_files_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    files(path);
    let file = |subject: &str, boot: u32| format!("{subject}-randread-4k-{boot}-0.json");
    let mut arguments: Vec<String> = ["import", "--out", "run"].map(String::from).into();
    for boot in 0..2 {
        for subject in ["rust", "c"] {
            let label = format!("{subject}:{boot}");
            arguments.extend(["--as".into(), label, file(subject, boot)]);
            arguments.push(file(subject, boot + 2));
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(path, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let samples = fs::read_to_string(path.join("run/samples.jsonl")).expect("samples");
    let samples: Vec<serde_json::Value> = samples
        .lines()
        .map(|line| serde_json::from_str(line).expect("a sample"))
        .collect();
    assert_eq!(samples.len(), 8);
    let of = |subject: &str, boot: u32, block: u32| {
        let mut all = samples.iter();
        let sample =
            all.find(|s| s["subject"] == subject && s["boot"] == boot && s["block"] == block);
        sample.expect("a sample")["value"]
            .as_f64()
            .expect("a number")
    };
    assert_eq!(of("rust", 1, 1), 52_000.0 * 1.006);
    assert_eq!(of("c", 0, 1), 50_000.0);
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("good.json"), json(5.0)).expect("file");
    let cut = &json(5.0)[..200];
    fs::write(path.join("cut.json"), cut).expect("file");
    fs::write(path.join("odd.json"), [0xff, 0xfe, b'\n', b'{', b'x']).expect("file");
    fs::create_dir(path.join("full")).expect("folder");
    fs::write(path.join("full/x"), "").expect("file");
    let before = entries(path);
    for (arguments, code, words) in [
        (&["good.json"][..], 2, &["good.json", "--as"][..]),
        (&["good.json", "--as", "rust"], 2, &["good.json", "--as"]),
        (
            &["--as", "rust", "good.json", "cut.json"],
            1,
            &["cut.json", "stopped"],
        ),
        (&["--as", "rust", "odd.json"], 1, &["odd.json", "JSON"]),
        (
            &["--as", "rust", "none.json"],
            1,
            &["none.json", "cannot be read"],
        ),
        (&["--as", "rust", "full"], 1, &["full", "cannot be read"]),
        (&["--as", "rust:x", "good.json"], 2, &["rust:x", "boot"]),
        (
            &["--as", "a:b:c:d", "good.json"],
            2,
            &["SUBJECT[:BOOT[:BLOCK]]"],
        ),
        (&["--as", "empty", "good.json"], 2, &["empty"]),
        (&["--as", "rust", "good.json", "good.json"], 2, &["twice"]),
        (
            &["--pattern", "{subject}.txt", "good.json"],
            2,
            &["does not fit"],
        ),
        (&["--pattern", "x", "good.json"], 2, &["{subject}"]),
        (
            &["--pattern", "{subject}", "--as", "a", "good.json"],
            2,
            &["--as"],
        ),
        (
            &["--as", "rust", "good.json", "--subject", "go"],
            1,
            &["go"],
        ),
        (
            &["--as", "rust", "good.json", "--out", "full"],
            1,
            &["full", "--out"],
        ),
        (
            &["--as", "rust", "good.json", "--margin", "0"],
            2,
            &["--margin"],
        ),
        (
            &["--as", "rust", "good.json", "--driver", "a/b"],
            2,
            &["--driver"],
        ),
        (&[], 2, &["FILE"]),
    ] {
        let mut all = vec!["import"];
        all.extend(arguments);
        refused(&run(path, &all), code, words);
        assert_eq!(entries(path), before, "{arguments:?}");
    }
}
