//! Compiles the C twins with the host's C compiler (`CC` chooses another)
//! and records which one it was.

use std::process::Command;

fn main() {
    let mut build = cc::Build::new();
    build
        .file("src/nullblk/twin.c")
        .include("src")
        .std("c11")
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true);
    let compiler = build.get_compiler();
    build.compile("ringfence_twins");

    let version = Command::new(compiler.path())
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into());
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--version", "--verbose"])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| {
            let first = text.lines().next().unwrap_or("unknown").to_owned();
            match text.lines().find(|line| line.starts_with("LLVM")) {
                Some(llvm) => format!("{first}, {llvm}"),
                None => first,
            }
        })
        .unwrap_or_else(|| "unknown".into());
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo:rustc-env=RINGFENCE_CC={version}, -O{level}");
    println!("cargo:rustc-env=RINGFENCE_RUSTC={rustc}, opt-level {level}");
    println!("cargo:rerun-if-changed=src/ring.h");
    println!("cargo:rerun-if-changed=src/nullblk/twin.c");
    println!("cargo:rerun-if-changed=src/nullblk/twin.h");
    println!("cargo:rerun-if-env-changed=CC");
}
