//! `bench api` in ring 3: operations in place of drivers.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{refused, run, stderr, stdout};
use serde_json::Value;

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file of lines");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn operations_are_timed_against_themselves_too_and_reported_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = "bench api --case {mutex,copy-64} --boots 2 --blocks 2 --seed 1 --asm --out run";
    let output = run(folder.path(), &bench.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let samples = lines(&path.join("samples.jsonl"));
    // Two operations, two subjects and both again, two boots of two blocks.
    assert_eq!(samples.len(), 2 * 4 * 4);
    let mut iterations: BTreeMap<(String, u64), Vec<f64>> = BTreeMap::new();
    for sample in &samples {
        assert_eq!(sample["metric"], "ns");
        assert!(sample["value"].as_f64().expect("a time") > 0.0);
        let place = (
            sample["case"].to_string(),
            sample["boot"].as_u64().expect("a boot"),
        );
        let number = sample["extra"]["iterations"].as_f64().expect("a number");
        iterations.entry(place).or_default().push(number);
    }
    for (place, all) in iterations {
        assert!(all.iter().all(|one| *one == all[0]), "{place:?}: {all:?}");
    }
    let summary = fs::read_to_string(path.join("summary.json")).expect("summary.json");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let mutex = &summary["cases"][0];
    assert_eq!(
        (&mutex["metric"], &mutex["unit"], &mutex["better"]),
        (&"ns".into(), &"ns".into(), &"lower".into())
    );
    let call = mutex["calls"]["c"].as_str().expect("C's functions");
    assert!(call.contains("pthread_mutex_lock"), "{call}");
    assert!(!mutex["headline"].is_null() && mutex["controls"].as_array().is_some());
    let page = fs::read_to_string(path.join("summary.md")).expect("summary.md");
    assert!(
        page.contains("ns an operation") && !page.contains("an I/O"),
        "{page}"
    );
    assert!(page.contains("`std::sync::Mutex::lock`"));

    let listings = fs::read_to_string(path.join("asm.json")).expect("asm.json");
    let listings: Value = serde_json::from_str(&listings).expect("JSON");
    let of = |subject: &str| {
        let mut all = listings.as_array().into_iter().flatten();
        let found = all.find(|one| one["case"] == "mutex" && one["subject"] == subject);
        found.map(|one| one["instructions"].to_string())
    };
    let c = of("c").expect("C's loop");
    assert!(c.contains("pthread_mutex_lock"), "{c}");
    assert!(of("rust").is_some_and(|rust| rust.contains("+0 ")));
    let html = fs::read_to_string(path.join("report.html")).expect("report.html");
    assert!(html.contains("Disassembly") && html.contains("rf_api_mutex_c"));

    let again = run(folder.path(), &["report", "run"]);
    assert_eq!(
        stdout(&again),
        stdout(&output),
        "the same samples say the same"
    );
    let html_again = fs::read_to_string(path.join("report.html")).expect("report.html");
    assert_eq!(html, html_again);
}

#[test]
fn two_processes_count_the_same_and_the_loop_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = "bench api --count --case {mutex,format-integer} --out run";
    let output = run(folder.path(), &bench.split(' ').collect::<Vec<_>>());
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert_eq!(output.status.code(), Some(1), "it needs valgrind");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = folder.path().join("run");
    let mut counts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for sample in lines(&path.join("samples.jsonl")) {
        assert_eq!(sample["metric"], "instructions");
        let number = |value: &Value| value.as_f64().expect("a number");
        let extra = &sample["extra"];
        let module = number(&extra["module"]);
        assert!(module > 0.0 && number(&extra["user"]) > 0.0);
        let series = format!("{} {}", sample["case"], sample["subject"]);
        counts
            .entry(series)
            .or_default()
            .push(number(&sample["value"]));
    }
    assert_eq!(counts.len(), 4);
    for (series, boots) in counts {
        let [first, second] = boots[..] else {
            panic!("{series}: {boots:?}")
        };
        assert!((first / second - 1.0).abs() < 0.001, "{series}: {boots:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, words) in [
        ("bench api nullblk", ["api", "two runs"]),
        ("bench api --case nothing", ["nothing", "mutex"]),
        ("bench api --subject empty", ["empty", "rust"]),
        (
            "bench api --count --case mutex-contended",
            ["--count", "timed"],
        ),
        ("bench api --set c.x=1", ["--set", "no settings"]),
        ("bench --asm", ["--asm", "bench api"]),
        ("bench api --here", ["--here", "--ring 0"]),
    ] {
        let output = run(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        refused(&output, 2, &words);
    }
    assert_eq!(common::entries(folder.path()), 0);
}
