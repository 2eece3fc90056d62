//! Reading commands: what they print, at which width, into which pipe.

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use common::{ringfence, run, stderr, stdout};

fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn help_tells_the_exit_codes_and_hides_the_agent() {
    let output = run(checkout(), &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("130") && text.contains("NO_COLOR"), "{text}");
    assert!(
        !text.contains("agent") && !text.contains("guest-tests"),
        "{text}"
    );
}

#[test]
fn audit_prints_a_row_for_every_folder_and_the_shares() {
    let output = run(checkout(), &["audit"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for folder in [
        "kit ",
        "drivers ",
        "ring3 ",
        "ring0/core ",
        "ring0/modules ",
        "cli ",
        "all ",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(folder)),
            "{folder}: {text}"
        );
    }
    assert!(text.contains("nullblk, ring 3:"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn audit_counts_any_source_without_a_checkout() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "// unsafe {}\nfn a() {\n    unsafe { b() }\n}\nunsafe impl Send for C {}\n";
    fs::write(folder.path().join("driver.rs"), source).expect("file");
    let output = run(
        checkout(),
        &[
            "audit",
            folder.path().join("driver.rs").to_str().expect("path"),
        ],
    );
    let text = stdout(&output);
    let row = text
        .lines()
        .find(|line| line.contains("driver.rs"))
        .expect("a row");
    let numbers: Vec<&str> = row.split_whitespace().skip(1).collect();
    assert_eq!(numbers, ["4", "1", "0", "1", "2", "0", "0"], "{text}");
    assert!(text.contains("beside it"), "{text}");
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    for arguments in [
        &["audit"][..],
        &["doctor"],
        &["--help"],
        &["bench", "--help"],
    ] {
        let mut child = ringfence(checkout())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let mut errors = String::new();
        child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut errors)
            .expect("text");
        assert_eq!(errors, "", "{arguments:?}");
        assert_eq!(
            child.wait().expect("an end").code(),
            Some(0),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_full_disk_behind_stdout_is_told() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let output = ringfence(checkout())
        .arg("audit")
        .stdout(full)
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("stdout cannot be written"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn doctor_names_everything_in_80_columns() {
    let output = run(checkout(), &["doctor"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for what in [
        "C compiler",
        "KVM",
        "governor",
        "SMT",
        "mitigations",
        "mmdebstrap",
        "memory",
        "disk",
    ] {
        assert!(text.contains(what), "{what}: {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn doctor_fails_without_a_c_compiler() {
    let mut command = ringfence(checkout());
    let output = command
        .arg("doctor")
        .env("PATH", "")
        .env_remove("CC")
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("install gcc"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn lab_status_names_its_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = ringfence(checkout());
    let cache = folder.path().join("cache");
    let output = command
        .args(["lab", "status"])
        .env("RINGFENCE_CACHE", &cache)
        .output();
    let output = output.expect("starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("root") && stdout(&output).contains("missing"));
    assert!(!cache.exists(), "status makes nothing");
}
