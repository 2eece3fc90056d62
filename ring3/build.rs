//! Compiles the C twins with the host's C compiler (`CC` chooses another) and,
//! if it is there, with clang (`CLANG`), and records which ones they were, and
//! a fingerprint of the sources.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a subject of ring 3 is made of.
const SOURCES: [&str; 5] = [
    "src",
    "models/nvme/src",
    "../kit/src",
    "../drivers/nullblk/src",
    "../drivers/nvme/src",
];

fn main() {
    let build = twins();
    let compiler = build.get_compiler();
    build.compile("ringfence_twins");
    operations();
    let version = version(compiler.path()).unwrap_or_else(|| "unknown".into());
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();

    // The same source by clang, under other names.
    println!("cargo:rustc-check-cfg=cfg(ringfence_clang)");
    println!("cargo:rerun-if-env-changed=CLANG");
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    if let Some(version) = self::version(Path::new(&clang)) {
        twins()
            .compiler(&clang)
            .define("rf_nullblk_twin", "rf_nullblk_twin_clang")
            .define("rf_empty", "rf_empty_clang")
            .define("rf_nvme_twin", "rf_nvme_twin_clang")
            .define("rf_nvme_empty", "rf_nvme_empty_clang")
            .define("rf_nvme_build", "rf_nvme_build_clang")
            .compile("ringfence_twins_clang");
        println!("cargo:rustc-cfg=ringfence_clang");
        println!("cargo:rustc-env=RINGFENCE_CLANG={version}, -O{level}");
    }

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
    println!("cargo:rustc-env=RINGFENCE_CC={version}, -O{level}");
    println!("cargo:rustc-env=RINGFENCE_RUSTC={rustc}, opt-level {level}");
    println!("cargo:rustc-env=RINGFENCE_SOURCES={}", fingerprint());
    for folder in SOURCES {
        println!("cargo:rerun-if-changed={folder}");
    }
    println!("cargo:rerun-if-env-changed=CC");
}

fn twins() -> cc::Build {
    let mut build = cc::Build::new();
    build
        .file("src/nullblk/twin.c")
        .file("src/nvme/twin.c")
        .include("src")
        .std("c11")
        // As rustc: debug information alone asks for no frame pointer.
        .force_frame_pointer(false)
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true);
    build
}

/// The C half of `api`, a file for each facility.
fn operations() {
    let mut build = cc::Build::new();
    let mut files: Vec<_> = std::fs::read_dir("src/api")
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .expect("src/api can be read");
    files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    // Addresses must not depend on the order of a folder.
    files.sort();
    println!("cargo:rerun-if-changed=src/api");
    build
        .files(files)
        .define("_GNU_SOURCE", None)
        .std("c11")
        .force_frame_pointer(false)
        // As rustc: calls of libraries go through the GOT, not the PLT.
        .flag_if_supported("-fno-plt")
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .compile("ringfence_api");
}

/// The first line of what a compiler says of itself.
fn version(compiler: &Path) -> Option<String> {
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

/// Names and contents of all sources as a number (FNV-1a, 64 bits).
fn fingerprint() -> String {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders: Vec<PathBuf> = SOURCES.map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let name = file.to_string_lossy().into_owned().into_bytes();
        for byte in name
            .into_iter()
            .chain(std::fs::read(&file).unwrap_or_default())
        {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}
