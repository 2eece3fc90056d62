//! What the VM boots: kernel, initramfs, the guest's init, the agent.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{bail, Context, Result};

use super::cache::Cache;
use super::kernel;
use super::root;
use super::step::{Log, Stamp, Step};

const INITRAMFS: &str = include_str!("initramfs.sh");
const INIT: &str = include_str!("init.sh");
const PACK: &str = include_str!("pack.sh");

/// The step that makes kernel and initramfs ready.
pub fn step(cache: &Cache, before: &Step) -> Step {
    Step {
        name: "boot",
        stamp: Stamp::of(&["boot 1", before.stamp.as_str(), INITRAMFS, INIT, PACK]),
        product: cache.lab().join("boot/initramfs"),
    }
}

/// Packs the initramfs and puts kernel and init beside it.
pub fn make(cache: &Cache, log: &mut Log<'_>) -> Result<()> {
    let release = kernel::release(cache)?;
    let boot = cache.lab().join("boot");
    for folder in [&boot, &cache.lab().join("out"), &cache.lab().join("run")] {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    for (name, text) in [
        ("initramfs.sh", INITRAMFS),
        ("init", INIT),
        ("pack.sh", PACK),
    ] {
        let path = boot.join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    log.run(root::command(cache, "/lab/boot/pack.sh").arg(&release))
}

/// The step that brings the agent into the root. It is compared, not stamped:
/// the binary changes with every build.
pub fn agent(cache: &Cache, binary: &std::path::Path) -> Result<bool> {
    let target = cache.lab().join("bin/ringfence");
    let new = fs::read(binary)
        .with_context(|| format!("lab: the agent {} cannot be read", binary.display()))?;
    if fs::read(&target).is_ok_and(|old| old == new) {
        return Ok(true);
    }
    let part = cache.lab().join("bin/ringfence.part");
    fs::create_dir_all(cache.lab().join("bin"))
        .and_then(|()| fs::write(&part, new))
        .and_then(|()| fs::set_permissions(&part, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("lab: {} cannot be written", part.display()))?;
    let check = root::command(cache, "/lab/bin/ringfence.part")
        .arg("--version")
        .output()
        .context("lab: the agent cannot be started in the root")?;
    if !check.status.success() {
        let text = String::from_utf8_lossy(&check.stderr);
        bail!(
            "lab: the agent does not run in the root ({}); build ringfence on Debian 12 or 13",
            text.lines().last().unwrap_or("no message")
        );
    }
    fs::rename(&part, &target)
        .with_context(|| format!("lab: {} cannot be written", target.display()))?;
    Ok(false)
}
