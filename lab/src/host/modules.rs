//! The modules under test: ours, and the in-tree Rust driver.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{bail, Context, Result};

use super::attribution;
use super::cache::Cache;
use super::kernel::{self, Kernel, TREE};
use super::root;
use super::sources::Sources;
use super::step::{Log, Stamp, Step};
use crate::guest::api::SUBJECTS;

/// Where modules go, in the root.
pub const MODULES: &str = "/lab/modules";

/// The drivers that have a module each, `rf_` and their name.
const DRIVERS: [&str; 2] = ["nullblk", "nvme"];

/// The step that builds the in-tree Rust null block driver.
pub fn upstream_step(cache: &Cache, before: &Step) -> Step {
    Step {
        name: "upstream",
        stamp: Stamp::of(&["upstream 1", before.stamp.as_str()]),
        product: cache.lab().join("modules/rnull_mod.ko"),
    }
}

/// Builds the in-tree Rust driver, which the stock image leaves out, from an
/// unchanged copy of its source.
pub fn upstream(cache: &Cache, kernel: &Kernel, log: &mut Log<'_>) -> Result<()> {
    let release = kernel::release(cache)?;
    let stage = cache.lab().join("upstream/rnull");
    root::remove(&stage)?;
    fs::create_dir_all(&stage).with_context(|| format!("{} cannot be made", stage.display()))?;
    let source = cache.lab().join("linux/drivers/block/rnull");
    let entries =
        fs::read_dir(&source).with_context(|| format!("{} cannot be read", source.display()))?;
    for entry in entries.flatten() {
        if entry.path().extension().is_some_and(|ext| ext == "rs") {
            fs::copy(entry.path(), stage.join(entry.file_name()))
                .with_context(|| format!("{} cannot be copied", entry.path().display()))?;
        }
    }
    let kbuild = "obj-m := rnull_mod.o\nrnull_mod-y := rnull.o\n";
    fs::write(stage.join("Kbuild"), kbuild).context("Kbuild cannot be written")?;
    log.run(
        root::command(cache, "make")
            .args(["-C", TREE])
            .args(kernel.make_variables(&release))
            .args(["M=/lab/upstream/rnull", "modules"]),
    )?;
    let modules = cache.lab().join("modules");
    fs::create_dir_all(&modules)
        .with_context(|| format!("{} cannot be made", modules.display()))?;
    fs::copy(stage.join("rnull_mod.ko"), modules.join("rnull_mod.ko"))
        .context("rnull_mod.ko cannot be copied")?;
    Ok(())
}

/// A `make` of a target of ours from that copy of the checkout into that folder,
/// both in the root.
pub fn make(
    cache: &Cache,
    kernel: &Kernel,
    release: &str,
    target: &str,
    source: &str,
    out: &str,
) -> Command {
    let mut command = root::command(cache, "make");
    command
        .args(["-C", &format!("{source}/ring0"), target])
        .arg(format!("KDIR={TREE}"))
        .arg(format!("OUT={out}"))
        .arg(format!(
            "KMAKE={}",
            kernel.make_variables(release).join(" ")
        ));
    command
}

/// The step that builds our modules.
pub fn ours_step(cache: &Cache, sources: &Sources, before: &Step) -> Step {
    Step {
        name: "modules",
        stamp: Stamp::of(&["modules 4", before.stamp.as_str(), sources.stamp().as_str()]),
        product: cache.lab().join("modules/rf_nvme.ko"),
    }
}

/// Stages our sources and builds them.
pub fn ours(cache: &Cache, kernel: &Kernel, sources: &Sources, log: &mut Log<'_>) -> Result<()> {
    let release = kernel::release(cache)?;
    sources.stage(cache)?;
    fs::create_dir_all(cache.lab().join("modules")).context("/lab/modules cannot be made")?;
    for driver in DRIVERS {
        log.run(
            make(cache, kernel, &release, "modules", "/lab/src", MODULES)
                .arg(format!("DRIVER={driver}")),
        )?;
        let module = cache.lab().join(format!("modules/rf_{driver}.ko"));
        if !module.is_file() {
            bail!("ring0/Makefile ended well but left no {}", module.display());
        }
    }
    let facts = build_facts(cache, &release)?;
    fs::write(
        cache.lab().join("modules/build.json"),
        serde_json::to_vec_pretty(&facts)?,
    )
    .context("build.json cannot be written")
}

/// The step that builds the modules of `api`.
pub fn api_step(cache: &Cache, sources: &Sources, before: &Step) -> Step {
    Step {
        name: "api",
        stamp: Stamp::of(&["api 1", before.stamp.as_str(), sources.stamp().as_str()]),
        product: cache.lab().join("modules/rf_api_wrapper.ko"),
    }
}

/// Builds them.
pub fn api(cache: &Cache, kernel: &Kernel, sources: &Sources, log: &mut Log<'_>) -> Result<()> {
    let release = kernel::release(cache)?;
    sources.stage(cache)?;
    log.run(&mut make(
        cache, kernel, &release, "api", "/lab/src", MODULES,
    ))?;
    for subject in SUBJECTS {
        let module = cache.lab().join(format!("modules/{}.ko", subject.module));
        if !module.is_file() {
            bail!(
                "`make -C ring0 api` ended well but left no {}",
                module.display()
            );
        }
    }
    Ok(())
}

/// The step that holds our modules to the strictest rules.
pub fn strict_step(cache: &Cache, sources: &Sources, before: &Step) -> Step {
    Step {
        name: "strict",
        stamp: Stamp::of(&["strict 3", before.stamp.as_str(), sources.stamp().as_str()]),
        product: cache.lab().join("strict/rf_nvme.ko"),
    }
}

/// Builds our modules once more with clippy and every warning denied, then
/// with an unsafe block in the module, which must be refused.
pub fn strict(cache: &Cache, kernel: &Kernel, sources: &Sources, log: &mut Log<'_>) -> Result<()> {
    sources.stage(cache)?;
    let release = kernel::release(cache)?;
    let strictly = |target: &str, source: &str| {
        let mut command = make(cache, kernel, &release, target, source, "/lab/strict");
        command.arg("CLIPPY=1");
        command
    };
    // kbuild runs clippy only where it would run rustc.
    root::remove(&cache.lab().join("strict"))?;
    for driver in DRIVERS {
        log.run(strictly("modules", "/lab/src").arg(format!("DRIVER={driver}")))?;
    }
    log.run(&mut strictly("api", "/lab/src"))?;

    let breached = cache.lab().join("breached");
    root::remove(&breached)?;
    log.run(root::command(cache, "cp").args(["-r", "/lab/src", "/lab/breached"]))?;
    let file = breached.join("ring0/modules/nullblk/configfs.rs");
    let shown = file.display();
    let text = fs::read_to_string(&file).with_context(|| format!("{shown} cannot be read"))?;
    fs::write(
        &file,
        format!("{text}\nfn breach() {{ unsafe {{ core::hint::unreachable_unchecked() }} }}\n"),
    )
    .with_context(|| format!("{shown} cannot be written"))?;
    let output = strictly("modules", "/lab/breached")
        .output()
        .context("make cannot be started in the root")?;
    root::remove(&breached)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("usage of an `unsafe` block") {
        bail!("a module with an unsafe block was not refused for it; see forbid(unsafe_code) in ring0/modules");
    }
    Ok(())
}

/// What the agent cannot find out in the guest: how modules were built.
fn build_facts(cache: &Cache, release: &str) -> Result<BTreeMap<&'static str, String>> {
    let config = kernel::configuration(cache)?;
    let yes = |name: &str| {
        if config.text(name) == Some("y") {
            "on"
        } else {
            "off"
        }
    };
    let llvm = config.text("CONFIG_RUSTC_LLVM_VERSION").unwrap_or("");
    let rustc = root::output(cache, "rustc", &["--version"])?;
    let clang = root::output(cache, &attribution::clang(cache, &config)?, &["--version"])?;
    Ok(BTreeMap::from([
        ("kernel", release.to_string()),
        (
            "rustc",
            format!("{rustc}, LLVM {}", version_of_number(llvm)),
        ),
        (
            "cc",
            config
                .text("CONFIG_CC_VERSION_TEXT")
                .unwrap_or("unknown")
                .to_string(),
        ),
        (
            "clang",
            clang.lines().next().unwrap_or_default().to_string(),
        ),
        (
            "overflow_checks",
            yes("CONFIG_RUST_OVERFLOW_CHECKS").to_string(),
        ),
        // The same for C and Rust: the kernel's Makefile.
        (
            "optimisation",
            match config.text("CONFIG_CC_OPTIMIZE_FOR_SIZE") {
                Some("y") => "for size",
                _ => "level 2",
            }
            .to_string(),
        ),
        (
            "debug_assertions",
            yes("CONFIG_RUST_DEBUG_ASSERTIONS").to_string(),
        ),
    ]))
}

/// `190107` is 19.1.7: how Kconfig writes versions.
fn version_of_number(number: &str) -> String {
    match number.parse::<u64>() {
        Ok(n) => format!("{}.{}.{}", n / 10000, n / 100 % 100, n % 100),
        Err(_) => "unknown".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kconfig_numbers_read_as_versions() {
        assert_eq!(version_of_number("190107"), "19.1.7");
        assert_eq!(version_of_number(""), "unknown");
    }
}
