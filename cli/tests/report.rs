//! A run folder, drawn again.

mod common;

use std::fs;

use common::{copy, run, stderr};

#[test]
fn what_others_published_can_be_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = copy(folder.path(), "run", 1.0, "7.3.4+deb13-amd64");
    let drawn = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let read = |name: &str| fs::read_to_string(path.join(name)).expect("drawn");
        let plot = read("plots/ring0-nullblk-relative.svg");
        (read("report.html"), plot, read("summary.json"))
    };
    let (page, plot, summary) = drawn(&["report", "run"]);
    assert!(page.contains("Published by others") && plot.contains("published: 6.19-rc5"));
    let (page, plot, without) = drawn(&["report", "run", "--no-published"]);
    assert!(!page.contains("Published by others") && !plot.contains("published"));
    assert_eq!(summary, without, "no verdict knows of them");
}
