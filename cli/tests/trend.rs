//! All runs below a folder.

mod common;

use std::fs;

use common::{copy, refused, run, stderr, stdout};

#[test]
fn trend_follows_the_kernels_and_names_what_it_skips() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "runs/a", 1.0, "7.10.0");
    copy(folder.path(), "runs/deep/b", 1.5, "7.3.4+deb13-amd64");
    fs::create_dir(folder.path().join("runs/bad")).expect("folder");
    fs::write(folder.path().join("runs/bad/plan.json"), "{").expect("file");
    let output = run(folder.path(), &["trend", "runs"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("runs/bad") && said.contains("skipped"),
        "{said}"
    );
    let text = stdout(&output);
    assert!(
        text.contains("- 1: 7.3.4+deb13-amd64, runs/deep/b"),
        "{text}"
    );
    assert!(text.contains("-33.3%"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let output = run(folder.path(), &["trend", "--json", "runs"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let since = &json["cases"][0]["rows"][1]["since"];
    assert_eq!(since["verdict"], "slower", "{since}");
}

#[test]
fn a_folder_without_runs_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    refused(&run(path, &["trend", "."]), 1, &["no run folder"]);
    refused(&run(path, &["trend", "nowhere"]), 1, &["nowhere"]);
    refused(&run(path, &["trend", common::RUN]), 1, &["itself"]);
    refused(&run(path, &["trend"]), 2, &["<DIR>"]);
}
