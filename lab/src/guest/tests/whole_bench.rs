//! `ringfence bench --here`, as a user of this kernel would run it, with every
//! subject there is, side by side.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use ringfence_bench::summary::attribution::EVENTS;
use serde_json::Value;

/// Every subject, and a word of its compiler's name.
const SUBJECTS: [(&str, &str); 6] = [
    ("rust", "rustc"),
    ("c", "gcc"),
    ("upstream", "rustc"),
    ("rust-nochecks", "rustc"),
    ("c-oot", "gcc"),
    ("c-clang", "clang"),
];

pub fn here(modules: &Path) -> Result<()> {
    let out = std::env::temp_dir().join("ringfence-here");
    let _ = fs::remove_dir_all(&out);
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    let output = Command::new(program)
        .args(["bench", "nullblk", "--ring", "0", "--here", "--blocks", "1"])
        .args(["--subject", &SUBJECTS.map(|(name, _)| name).join(",")])
        .args(["--case", "randread-4k-qd1-j1-irq0", "--modules"])
        .arg(modules)
        .arg("--out")
        .arg(&out)
        .output()
        .context("bench cannot be started")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!(
            "bench ended with {}: {}",
            output.status,
            text.lines().last().unwrap_or("no message")
        );
    }
    for name in [
        "plan.json",
        "manifest.json",
        "samples.jsonl",
        "summary.json",
        "summary.md",
        "report.html",
    ] {
        let length = fs::metadata(out.join(name)).map_or(0, |file| file.len());
        ensure!(length > 0, "the run folder has no {name}");
    }
    let text = fs::read_to_string(out.join("summary.json")).context("summary.json")?;
    let summary: Value = serde_json::from_str(&text).context("summary.json does not parse")?;
    let case = &summary["cases"][0];
    let module = &summary["run"]["guest"]["0"]["module.rf_nullblk"];
    ensure!(
        module.is_string(),
        "which build of the module it was is not said"
    );
    for kind in EVENTS {
        let told = &case["attribution"]["events"][kind]["second"];
        ensure!(told.is_number(), "samples do not tell {kind}");
    }
    let parity = |attribute: &str, subject: &str| {
        let items = case["parity"].as_array().into_iter().flatten();
        items
            .filter(|item| item["attribute"] == attribute)
            .find_map(|item| item["values"][subject].as_str())
            .unwrap_or_default()
            .to_string()
    };
    for (subject, word) in SUBJECTS {
        let mean = case["subjects"][subject]["mean"].as_f64();
        ensure!(
            mean.is_some_and(|mean| mean > 0.0),
            "summary.json has no mean of {subject}"
        );
        let compiler = parity("compiler", subject);
        ensure!(
            compiler.contains(word),
            "{subject} is said to be made by {compiler:?}, not by {word}"
        );
    }
    ensure!(
        parity("overflow_checks", "rust-nochecks") == "off",
        "rust-nochecks is not said to be without overflow checks"
    );
    for module in [
        "rf_nullblk",
        "null_blk",
        "rnull_mod",
        "rf_nullblk_nochecks",
        "null_blk_oot",
        "null_blk_clang",
    ] {
        ensure!(
            !super::super::module::is_loaded(module),
            "bench left {module} loaded"
        );
    }
    fs::remove_dir_all(&out).context("the run folder cannot be removed")
}
