//! What all tests of the command need.
#![allow(dead_code)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The command, in `folder`, asked for backtraces that it must not print.
pub fn ringfence(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command
        .current_dir(folder)
        .env("RUST_BACKTRACE", "1")
        .env_remove("RINGFENCE_MODULES")
        .env("RINGFENCE_CACHE", folder.join("no-cache"))
        .stdin(Stdio::null());
    command
}

/// Runs it with `arguments`.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    ringfence(folder)
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// Stderr as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Stdout as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The output must be a failure with `code` that says one line, which holds
/// every one of `words`, and nothing on stdout.
#[track_caller]
pub fn refused(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.starts_with("ringfence: "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for never in ["panicked", "Stack backtrace", "internal error"] {
        assert!(!text.contains(never), "{text}");
    }
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    assert_eq!(stdout(output), "");
}

/// Entries of a folder, to show that nothing was made.
pub fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

/// Waits until `ready`, for at most half a minute.
#[track_caller]
pub fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let since = Instant::now();
    while !ready() {
        assert!(since.elapsed() < Duration::from_secs(30), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The end of a child that we started: its code, and what it said.
#[track_caller]
pub fn end(mut child: Child, limit: Duration) -> (Option<i32>, String, String) {
    let since = Instant::now();
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let reader = std::thread::spawn(move || {
        stdout.read_to_string(&mut out).expect("text");
        out
    });
    stderr.read_to_string(&mut err).expect("text");
    let status = child.wait().expect("an end");
    assert!(since.elapsed() < limit, "took {:?}: {err}", since.elapsed());
    (status.code(), reader.join().expect("read"), err)
}

/// Sends a signal to a process that this test started.
pub fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status()
        .expect("kill");
    assert!(status.success());
}

/// A user without rights, if this test may become one: `None` with a word on
/// stderr if not.
pub fn as_nobody(command: &Command) -> Option<Command> {
    let is_root = rustix::process::geteuid().is_root();
    let mut changed = if is_root {
        let can = Command::new("setpriv").arg("--version").output();
        if !can.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: this test runs as root and there is no setpriv");
            return None;
        }
        let mut changed = Command::new("setpriv");
        changed
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(command.get_program());
        changed
    } else {
        Command::new(command.get_program())
    };
    changed.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => changed.env(name, value),
            None => changed.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        changed.current_dir(folder);
    }
    Some(changed)
}

/// A recorded run of ring 0.
pub const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runs/nullblk-ring0");

/// A copy of that run, each Rust sample times `factor`, under another kernel.
pub fn copy(folder: &Path, name: &str, factor: f64, kernel: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(&path).expect("folder");
    let old = |file: &str| fs::read_to_string(Path::new(RUN).join(file)).expect("a file");
    fs::write(path.join("plan.json"), old("plan.json")).expect("written");
    let manifest = old("manifest.json").replace("7.3.4+deb13-amd64", kernel);
    fs::write(path.join("manifest.json"), manifest).expect("written");
    let samples = old("samples.jsonl");
    let lines = samples.lines().map(|line| {
        let mut sample: serde_json::Value = serde_json::from_str(line).expect("a sample");
        if sample["subject"] == "rust" {
            sample["value"] = (sample["value"].as_f64().expect("number") * factor).into();
        }
        format!("{sample}\n")
    });
    fs::write(path.join("samples.jsonl"), lines.collect::<String>()).expect("written");
    path
}
