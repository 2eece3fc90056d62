//! `ringfence bench --here`, as a user of this kernel would run it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{bail, ensure, Context, Result};
use ringfence_bench::summary::attribution::EVENTS;
use rustix::fs::OFlags;
use serde_json::{json, Value};

use super::nvme::{Driver, Slots};

/// Every subject, and a word of its compiler's name.
const SUBJECTS: [(&str, &str); 6] = [
    ("rust", "rustc"),
    ("c", "gcc"),
    ("upstream", "rustc"),
    ("rust-nochecks", "rustc"),
    ("c-oot", "gcc"),
    ("c-clang", "clang"),
];

/// Starts `bench` on this kernel, to put its run into that folder.
fn start(modules: &Path, arguments: &[&str], out: &Path) -> Result<Output> {
    let _ = fs::remove_dir_all(out);
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    Command::new(program)
        .arg("bench")
        .args(arguments)
        .args(["--ring", "0", "--here", "--blocks", "1", "--modules"])
        .arg(modules)
        .arg("--out")
        .arg(out)
        .output()
        .context("bench cannot be started")
}

/// Runs `bench` on this kernel; its folder.
fn bench(modules: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let out = std::env::temp_dir().join("ringfence-here");
    let output = start(modules, arguments, &out)?;
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
    Ok(out)
}

fn summary(run: &Path) -> Result<Value> {
    let text = fs::read_to_string(run.join("summary.json")).context("summary.json")?;
    serde_json::from_str(&text).context("summary.json does not parse")
}

/// Operations, two that meet on two processors and one on a device among them.
pub fn operations(modules: &Path) -> Result<()> {
    let wanted = ["spinlock", "spinlock_contended", "mmio_read", "page"];
    let cases = format!("{{{}}}", wanted.join(","));
    let out = bench(modules, &["api", "--case", &cases])?;
    let summary = summary(&out)?;
    let cases = summary["cases"].as_array().context("no cases")?;
    ensure!(cases.len() == wanted.len(), "{} cases", cases.len());
    for case in cases {
        for (subject, word) in [("rust", "rustc"), ("c", "gcc")] {
            let mean = case["subjects"][subject]["mean"].as_f64();
            ensure!(
                mean.is_some_and(|mean| mean > 0.0),
                "{}: no mean of {subject}",
                case["case"]
            );
            let items = case["parity"].as_array().into_iter().flatten();
            let compiler = items
                .filter(|item| item["attribute"] == "compiler")
                .find_map(|item| item["values"][subject].as_str());
            ensure!(
                compiler.is_some_and(|compiler| compiler.contains(word)),
                "{subject} is said to be made by {compiler:?}, not by {word}"
            );
        }
    }
    fs::remove_dir_all(&out).context("the run folder cannot be removed")
}

/// Every subject of null block.
pub fn here(modules: &Path) -> Result<()> {
    let subjects = SUBJECTS.map(|(name, _)| name).join(",");
    let case = "randread-4k-qd1-j1-irq0";
    let arguments = ["nullblk", "--subject", &subjects, "--case", case];
    let out = bench(modules, &arguments)?;
    let summary = summary(&out)?;
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
    let parity = |attribute: &str, subject: &str| parity(case, attribute, subject);
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

/// Both NVMe drivers, on a controller that is named; one whose disk somebody
/// uses is refused, and stays as it is.
pub fn controller(modules: &Path) -> Result<()> {
    let mut slots = Slots::new()?;
    let controller = slots.plug(json!({}))?;
    let function = &controller.function;
    let case = "randread-4k-qd32-j1-poll";
    let address = function.address();
    let arguments = ["nvme", "--pci", address, "--case", case, "--no-controls"];
    let driver = Driver::load(modules, "")?;
    let disk = driver.disk(function)?;
    let used = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::EXCL.bits() as i32)
        .open(disk.node())
        .context("the disk cannot be used")?;
    let refused = start(
        modules,
        &arguments,
        &std::env::temp_dir().join("ringfence-used"),
    )?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        !refused.status.success() && said.contains("is in use"),
        "a disk that is in use is not refused: {said}"
    );
    ensure!(!function.disks().is_empty(), "the disk in use is gone");
    drop(used);
    function.unbind()?;
    driver.unload()?;

    let out = bench(modules, &arguments)?;
    let summary = summary(&out)?;
    let case = &summary["cases"][0];
    for (subject, word) in [("rust", "rustc"), ("c", "gcc")] {
        let mean = case["subjects"][subject]["mean"].as_f64();
        ensure!(mean.is_some_and(|mean| mean > 0.0), "no mean of {subject}");
        let read = |attribute: &str| parity(case, attribute, subject);
        let compiler = read("compiler");
        ensure!(
            compiler.contains(word),
            "{subject} is said to be made by {compiler:?}, not by {word}"
        );
        for (attribute, value) in [
            ("poll_queues", "1"),
            ("io_poll", "1"),
            ("queue_entries", "1024"),
            ("shadow_doorbells", "1"),
            ("write_cache", "write back"),
            ("wbt_lat_usec", "0"),
        ] {
            let read = read(attribute);
            ensure!(
                read == value,
                "{subject}: {attribute} is {read}, not {value}"
            );
        }
    }
    ensure!(
        case["verdict"] != "not-comparable",
        "the drivers are not comparable: {}",
        case["parity"]
    );
    for module in ["rf_nvme", "nvme", "nvme_core"] {
        ensure!(
            !super::super::module::is_loaded(module),
            "bench left {module} loaded"
        );
    }
    ensure!(
        function.driver().is_none(),
        "bench left a driver to {}",
        function.address()
    );
    slots.unplug(controller)?;
    fs::remove_dir_all(&out).context("the run folder cannot be removed")
}

/// What a summary's case says was read back from a subject.
fn parity(case: &Value, attribute: &str, subject: &str) -> String {
    let items = case["parity"].as_array().into_iter().flatten();
    items
        .filter(|item| item["attribute"] == attribute)
        .find_map(|item| item["values"][subject].as_str())
        .unwrap_or_default()
        .to_string()
}
