//! Two run folders beside each other.

mod common;

use common::{copy, entries, refused, run, stderr, stdout, RUN};

#[test]
fn compare_prints_tables_of_eighty_columns_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "after", 1.5, "7.3.4+deb13-amd64");
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
fn compare_draws_a_page_into_a_new_folder_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let after = copy(folder.path(), "after", 1.5, "7.4.0");
    let output = run(
        folder.path(),
        &["compare", RUN, "after", "--out", "new/page"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("page: new/page/compare.html\n"));
    let page = folder.path().join("new/page");
    let html = std::fs::read_to_string(page.join("compare.html")).expect("a page");
    assert!(html.contains("+50.0%") && html.contains("7.4.0"));
    for plot in ["ratio", "levels"] {
        let plot = format!("plots/compare-ring0-nullblk-{plot}.svg");
        let svg = std::fs::read_to_string(page.join(plot)).expect("a plot");
        assert!(svg.contains("randread-4k-qd1-j1-irq0"));
    }
    assert_eq!(entries(&page), 2);
    assert_eq!(entries(&after), 3, "runs stay as they are");
    // What holds something is left alone, and JSON stays JSON.
    let before = std::fs::read(after.join("plan.json")).expect("a plan");
    let again = run(folder.path(), &["compare", RUN, "after", "--out", "after"]);
    refused(&again, 1, &["after", "--out"]);
    assert_eq!(
        std::fs::read(after.join("plan.json")).expect("a plan"),
        before
    );
    let output = run(
        folder.path(),
        &["compare", RUN, "after", "--json", "--out", "json"],
    );
    serde_json::from_str::<serde_json::Value>(&stdout(&output)).expect("JSON alone");
    // Nor is anything made of what is no pair of runs.
    refused(
        &run(folder.path(), &["compare", RUN, "none", "--out", "x"]),
        1,
        &["none"],
    );
    assert!(!folder.path().join("x").exists());
}

#[test]
fn compare_prints_json() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(folder.path(), "after", 1.5, "7.3.4+deb13-amd64");
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
    copy(folder.path(), "same", 1.0, "7.3.4+deb13-amd64");
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
