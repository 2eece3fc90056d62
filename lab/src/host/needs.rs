//! What the host must have, and how it gets it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, Context, Result};

use super::step::Log;

/// Programs the lab calls on the host, and the Debian package of each.
const PROGRAMS: [(&str, &str); 5] = [
    ("mmdebstrap", "mmdebstrap"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("chroot", "coreutils"),
];

/// The keys that the Debian archive is checked against.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Room that the root, the source tree and what is built need.
const GIGABYTES: u64 = 8;

/// Refuses whoever cannot mount and load.
pub fn root_user() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("lab: needs root, for mounts and the Debian root; run it again under sudo");
    }
    Ok(())
}

/// Packages that are missing on this host.
pub fn missing() -> Vec<&'static str> {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !in_path(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new(KEYRING).exists() {
        missing.push("debian-archive-keyring");
    }
    missing.dedup();
    missing
}

/// Installs what is missing, or says in one line what that is.
pub fn install(log: &mut Log<'_>) -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !debian() || !in_path("apt-get") {
        bail!("this host lacks {names}; install it by hand (only Debian is done by itself)");
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    log.run(apt().arg("update"))?;
    log.run(
        apt()
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing),
    )
    .with_context(|| format!("this host lacks {names}"))
}

/// Refuses a disk that the lab would fill.
pub fn room(folder: &Path) -> Result<()> {
    let stat = rustix::fs::statvfs(folder)
        .with_context(|| format!("{} cannot be examined", folder.display()))?;
    let free = stat.f_bavail * stat.f_frsize / (1 << 30);
    if free < GIGABYTES {
        bail!(
            "{} has {free} GiB free, the lab needs {GIGABYTES}; make room, or set \
             RINGFENCE_CACHE to a folder on another disk",
            folder.display()
        );
    }
    Ok(())
}

fn debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| is_debian(&text))
}

fn is_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID="))
        .any(|id| id.trim_matches('"') == "debian")
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_told_from_what_is_like_it() {
        assert!(is_debian("PRETTY_NAME=\"x\"\nID=debian\n"));
        assert!(is_debian("ID=\"debian\""));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
    }
}
