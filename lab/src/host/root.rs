//! The Debian root: made by mmdebstrap, entered by a namespace of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::kernel::Kernel;
use super::needs;
use super::step::{Log, Stamp, Step};

/// Run in a mount and a PID namespace of its own, so that nothing stays
/// mounted and nothing stays alive once its caller is gone. `$0` is the root.
pub const INNER: &str = "mount -t proc proc \"$0/proc\"; mount --rbind /dev \"$0/dev\"; \
                         exec chroot \"$0\" \"$@\"";

/// Packages of the root besides the compiler: the guest's userland, what
/// builds modules, what runs the VM.
const PACKAGES: &[&str] = &[
    "mount",
    "kmod",
    "iproute2",
    "procps",
    "util-linux",
    "busybox-static",
    "fio",
    "qemu-system-x86",
    "cpio",
    "xz-utils",
    "make",
    "gcc",
    "libc6-dev",
    "flex",
    "bison",
    "bc",
    "libelf-dev",
    "libdw-dev",
    "libssl-dev",
    "pahole",
    "perl",
    "python3-minimal",
    "rustc",
    "rust-src",
    "rust-clippy",
    "rustfmt",
    "bindgen",
    "clang",
    "llvm",
    "lld",
    "ca-certificates",
];

/// The step that makes the root.
pub fn step(cache: &Cache, kernel: &Kernel) -> Step {
    let arguments = arguments(kernel);
    let mut inputs: Vec<&str> = vec!["root 1"];
    inputs.extend(arguments.iter().map(String::as_str));
    Step {
        name: "root",
        stamp: Stamp::of(&inputs),
        product: cache.root().join("usr/bin/rustc"),
    }
}

/// Makes the root anew.
pub fn make(cache: &Cache, kernel: &Kernel, log: &mut Log<'_>) -> Result<()> {
    needs::install(log)?;
    let part = cache.path().join("root.part");
    for old in [&part, &cache.root()] {
        remove(old)?;
    }
    needs::room(cache.path())?;
    log.run(
        // The namespace takes mmdebstrap's mounts along when it is killed.
        namespace()
            .arg("mmdebstrap")
            .args(arguments(kernel))
            .arg(format!("--keyring={}", needs::KEYRING))
            .arg(kernel.suite)
            .arg(&part),
    )?;
    fs::rename(&part, cache.root()).with_context(|| format!("{} cannot be renamed", part.display()))
}

/// Removes a root or a part of one, if it is there.
pub fn remove(path: &PathBuf) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

fn arguments(kernel: &Kernel) -> Vec<String> {
    let mut packages = PACKAGES.to_vec();
    packages.push(kernel.gcc);
    let mut arguments = vec![
        "--variant=apt".to_string(),
        // A mirror's snapshot may be older than its own expiry date.
        "--aptopt=Acquire::Check-Valid-Until \"false\"".into(),
        "--aptopt=APT::Install-Recommends \"false\"".into(),
        format!("--include={}", packages.join(",")),
        // The kernel step looks for packages in these lists.
        "--skip=cleanup/apt/lists".into(),
    ];
    if kernel.backports {
        let suite = kernel.suite;
        arguments.push(format!(
            "--customize-hook=sed -n 's/ {suite} / {suite}-backports /p' \
             \"$1\"/etc/apt/sources.list > \"$1\"/etc/apt/sources.list.d/backports.list"
        ));
        arguments.push("--customize-hook=chroot \"$1\" apt-get update".into());
    }
    arguments
}

/// A command that runs in the root. Killing it kills everything it started,
/// and so does the end of this process.
pub fn command(cache: &Cache, program: impl AsRef<OsStr>) -> Command {
    let mut command = namespace();
    command
        .args(["sh", "-ec", INNER])
        .arg(cache.root())
        .arg(program)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env_remove("TMPDIR");
    // Variables of the cargo that runs this process would reach rustc.
    for name in ["RUSTFLAGS", "RUSTC", "CARGO", "MAKEFLAGS", "MAKELEVEL"] {
        command.env_remove(name);
    }
    command
}

/// What a command in the root prints.
pub fn output(cache: &Cache, program: &str, arguments: &[&str]) -> Result<String> {
    let output = command(cache, program)
        .args(arguments)
        .output()
        .with_context(|| format!("lab: {program} cannot be started in the root"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!(
            "lab: {program} in the root ended with {}: {}",
            output.status,
            text.lines().last().unwrap_or("no message")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Names are resolved in the root as they are on the host, now.
pub fn share_resolver(cache: &Cache) {
    if let Ok(text) = fs::read("/etc/resolv.conf") {
        let target = cache.root().join("etc/resolv.conf");
        let _ = fs::remove_file(&target);
        let _ = fs::write(target, text);
    }
}

fn namespace() -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig=KILL",
        "unshare",
        "--mount-proc",
        "--pid",
        "--fork",
        "--kill-child=KILL",
    ]);
    command
}
