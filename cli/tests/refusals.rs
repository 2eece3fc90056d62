//! What cannot be done is refused in one line, before anything is made.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{as_nobody, entries, refused, ringfence, run};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[track_caller]
fn refuses(arguments: &[&str], code: i32, words: &[&str]) {
    let folder = folder();
    refused(&run(folder.path(), arguments), code, words);
    assert_eq!(entries(folder.path()), 0, "something was made");
}

#[test]
fn an_unknown_driver() {
    refuses(&["bench", "nvmf"], 2, &["nvmf", "nullblk"]);
}

#[test]
fn a_glob_without_a_match() {
    let words = ["rread*", "randread-4k-qd32-j1-irq1"];
    refuses(&["bench", "--case", "rread*"], 2, &words);
    refuses(&["bench", "--case", "a["], 2, &["a["]);
}

#[test]
fn no_samples_no_boots_no_blocks() {
    for option in ["--samples", "--boots", "--blocks"] {
        refuses(&["bench", option, "0"], 2, &[option, "'0'"]);
        refuses(&["bench", option, "-1"], 2, &[]);
        refuses(&["bench", option, "99999999999"], 2, &[option]);
    }
}

#[test]
fn an_unknown_subject_or_setting_of_one() {
    refuses(&["bench", "--subject", "rust,go"], 2, &["go", "rust"]);
    refuses(&["bench", "--set", "go.scheduler=none"], 2, &["go"]);
    refuses(&["bench", "--set", "scheduler"], 2, &["SUBJECT.NAME=VALUE"]);
}

#[test]
fn no_command_and_an_unknown_one() {
    refuses(&[], 2, &["--help"]);
    refuses(&["lab"], 2, &["--help"]);
    refuses(&["bnch"], 2, &["bnch"]);
    refuses(&["report"], 2, &["<RUN>"]);
}

#[test]
fn here_is_one_boot_of_ring_0() {
    refuses(&["bench", "--here"], 2, &["--ring 0"]);
    let two = ["bench", "--ring", "0", "--here", "--boots", "2"];
    refuses(&two, 2, &["one boot", "2"]);
}

#[test]
fn here_a_controller_is_named_for_nvme_and_for_nothing_else() {
    let here = ["--ring", "0", "--here"];
    refuses(
        &[&["bench", "nvme"], &here[..]].concat(),
        2,
        &["--pci", "lost"],
    );
    let pci = ["--pci", "0000:01:00.0"];
    refuses(
        &[&["bench", "nullblk"], &here[..], &pci].concat(),
        2,
        &["--pci"],
    );
    refuses(
        &[&["bench", "nvme", "--ring", "0"], &pci[..]].concat(),
        2,
        &["--here"],
    );
}

#[test]
fn an_out_folder_that_holds_something_and_one_that_is_a_file() {
    let folder = folder();
    let old = folder.path().join("old");
    fs::create_dir(&old).expect("folder");
    fs::write(old.join("plan.json"), "{}").expect("file");
    refused(
        &run(folder.path(), &["bench", "--out", "old"]),
        1,
        &["old", "--out"],
    );
    let below = ["bench", "--out", "old/plan.json/run"];
    refused(
        &run(folder.path(), &below),
        1,
        &["old/plan.json/run", "--out"],
    );
    assert_eq!(entries(&old), 1);
}

#[test]
fn an_unwritable_out_folder() {
    // Not even root makes folders here.
    refuses(&["bench", "--out", "/proc/run"], 1, &["/proc/run", "--out"]);
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).expect("mode");
    let mut command = ringfence(Path::new("/"));
    command
        .args(["bench", "--out"])
        .arg(folder.path().join("run"));
    if let Some(mut command) = as_nobody(&command) {
        let output = command.output().expect("starts");
        refused(&output, 1, &["not writable", "--out"]);
    }
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn ring_0_without_root() {
    for arguments in [
        &["bench", "--ring", "0"][..],
        &["bench", "--ring", "0", "--here", "--modules", "/"],
        &["lab", "up"],
        &["lab", "test"],
        &["lab", "shell"],
    ] {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("mode");
        let mut command = ringfence(folder.path());
        command.args(arguments);
        if let Some(mut command) = as_nobody(&command) {
            refused(&command.output().expect("starts"), 1, &["root"]);
        }
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn a_lab_without_its_tools() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: making a lab needs root");
        return;
    }
    let folder = folder();
    let mut command = ringfence(folder.path());
    command
        .args(["bench", "--ring", "0", "--quick"])
        .env("PATH", "");
    let output = command.output().expect("starts");
    let text = common::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("ringfence: "))
        .collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(errors[0].contains("mmdebstrap"), "{text}");
    assert!(
        !text.contains("panicked") && !text.contains("backtrace"),
        "{text}"
    );
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn a_checkout_that_is_none() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: looking for a lab's sources comes after the check for root");
        return;
    }
    refuses(&["bench", "--ring", "0", "--source", "/"], 1, &["checkout"]);
}

#[test]
fn plans_that_cannot_be_run() {
    let folder = folder();
    let plan = folder.path().join("plan.json");
    let bench = ["bench", "--plan", "plan.json"];
    refused(&run(folder.path(), &bench), 1, &["plan.json"]);
    for (text, word) in [
        ("", "plan"),
        ("{}", "plan"),
        ("[1, 2", "plan"),
        (
            "{\"version\":1,\"seed\":1,\"subjects\":{},\"cases\":[],\"boots\":0,\"blocks\":1,\
             \"margin\":0.01}",
            "boots",
        ),
        (
            "{\"version\":1,\"seed\":1,\"subjects\":{},\"cases\":[],\"boots\":1,\"blocks\":1,\
             \"margin\":0.01}",
            "no cases",
        ),
    ] {
        fs::write(&plan, text).expect("file");
        refused(&run(folder.path(), &bench), 1, &["plan.json", word]);
    }
    let both = ["bench", "--plan", "plan.json", "--boots", "3"];
    refused(&run(folder.path(), &both), 2, &["--boots", "--plan"]);
    assert_eq!(entries(folder.path()), 1);
}

#[test]
fn reports_on_nothing_and_on_half_a_run_folder() {
    let folder = folder();
    let report = ["report", "run"];
    refused(&run(folder.path(), &report), 1, &["run", "no such folder"]);
    let path = folder.path().join("run");
    fs::create_dir(&path).expect("folder");
    refused(&run(folder.path(), &report), 1, &["no plan.json"]);
    fs::write(path.join("samples.jsonl"), "{}\n").expect("file");
    refused(&run(folder.path(), &report), 1, &["no plan.json"]);
    fs::write(path.join("plan.json"), "{\"version\": 1").expect("file");
    refused(&run(folder.path(), &report), 1, &["plan.json", "parse"]);
}

#[test]
fn audits_of_nothing() {
    refuses(&["audit", "nothing"], 1, &["nothing"]);
    refuses(&["audit", "--source", "/"], 1, &["checkout"]);
}

#[test]
fn agents_of_no_ring() {
    refuses(&["agent", "--ring", "1"], 2, &["ring 1"]);
    refuses(&["agent", "--ring", "0"], 2, &["--modules"]);
}

#[test]
fn nvme_without_what_it_needs() {
    refuses(&["nvme"], 2, &["--help"]);
    refuses(&["nvme", "identify"], 2, &["--pci"]);
    refuses(
        &["nvme", "smart", "--pci", "nvme0"],
        2,
        &["nvme0", "0000:00:04.0"],
    );
    let read = [
        "nvme",
        "read",
        "--pci",
        "ffff:ff:1f.7",
        "--block",
        "0",
        "--count",
    ];
    let with = |more: &[&'static str]| [&read[..], more].concat();
    refuses(&with(&["0"]), 2, &["--count", "'0'"]);
    refuses(&with(&["-1"]), 2, &[]);
    refuses(&with(&["1", "--json"]), 2, &["--json", "stdout"]);
    refuses(
        &with(&["1", "file"]),
        1,
        &["ffff:ff:1f.7", "no such PCI function"],
    );
}

#[test]
fn nvme_writes_are_meant() {
    let write = [
        "nvme",
        "write",
        "--pci",
        "ffff:ff:1f.7",
        "--block",
        "0",
        "--count",
        "1",
    ];
    let with = |more: &[&'static str]| [&write[..], more].concat();
    refuses(&with(&["file"]), 2, &["overwrites", "--yes"]);
    refuses(
        &with(&["--yes", "no-file"]),
        1,
        &["no-file", "cannot be read"],
    );
    refuses(&with(&["--yes", "/"]), 1, &["is a folder"]);
    refuses(&with(&["--yes", "-"]), 1, &["no such PCI function"]);
}
