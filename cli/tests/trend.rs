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
fn trend_draws_a_page_with_a_plot_for_each_case() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "runs/a", 1.0, "7.3.4+deb13-amd64");
    copy(folder.path(), "runs/b", 1.5, "7.10.0");
    let output = run(folder.path(), &["trend", "runs", "--out", "page"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("page: page/trend.html\n"));
    let html = fs::read_to_string(folder.path().join("page/trend.html")).expect("a page");
    assert!(html.contains("7.10.0, runs/b") && html.contains("+50.0%"));
    let plots = fs::read_dir(folder.path().join("page/plots")).expect("plots");
    let names: Vec<String> = plots
        .map(|plot| {
            plot.expect("a file")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let name = "trend-ring0-nullblk-randread-4k-qd1-j1-irq0.svg".to_string();
    assert!(names.contains(&name), "{names:?}");
    let again = run(folder.path(), &["trend", "runs", "--out", "page"]);
    refused(&again, 1, &["page", "--out"]);
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
