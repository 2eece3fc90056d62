//! The modules of the further subjects, each of which differs from another
//! subject in one way: `c-oot` from `c` in where it is built, `c-clang` from
//! `c-oot` in its compiler, `rust-nochecks` from `rust` in overflow checks; and
//! the control build of our module, which can delay.

use std::fs;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::config::Config;
use super::kernel::{self, Kernel, TREE};
use super::modules::{self, MODULES};
use super::root;
use super::sources::Sources;
use super::step::{Log, Stamp, Step};

/// Gives C null_blk's configfs group another name.
const NAME_HEADER: &str = include_str!("null_blk_name.h");

/// The step that builds `c-oot` and `c-clang`.
pub fn c_step(cache: &Cache, before: &Step) -> Step {
    Step {
        name: "c-subjects",
        stamp: Stamp::of(&["c-subjects 1", NAME_HEADER, before.stamp.as_str()]),
        product: cache.lab().join("modules/null_blk_clang.ko"),
    }
}

/// Builds `c-oot` and `c-clang`.
pub fn c(cache: &Cache, kernel: &Kernel, log: &mut Log<'_>) -> Result<()> {
    let config = kernel::configuration(cache)?;
    let clang = clang(cache, &config)?;
    let gcc = kernel.make_variables(&kernel::release(cache)?).to_vec();
    let mut with_clang = gcc.clone();
    with_clang.extend(clang_variables(&clang, &config));
    null_blk(cache, "null_blk_oot", &gcc, log)?;
    null_blk(cache, "null_blk_clang", &with_clang, log)
}

/// Our module's further builds: name, and flags for rustc.
const VARIANTS: [(&str, &str); 2] = [
    ("rf_nullblk_nochecks", "-Coverflow-checks=off"),
    ("rf_nullblk_control", "--cfg=rf_control"),
];

/// The step that builds `rust-nochecks` and the control build.
pub fn variants_step(cache: &Cache, sources: &Sources, before: &Step) -> Step {
    Step {
        name: "rust-variants",
        stamp: Stamp::of(&[
            "rust-variants 1",
            before.stamp.as_str(),
            sources.stamp().as_str(),
        ]),
        product: cache.lab().join("modules/rf_nullblk_control.ko"),
    }
}

/// Builds `rust-nochecks` and the control build.
pub fn variants(
    cache: &Cache,
    kernel: &Kernel,
    sources: &Sources,
    log: &mut Log<'_>,
) -> Result<()> {
    sources.stage(cache)?;
    let release = kernel::release(cache)?;
    for (name, flags) in VARIANTS {
        log.run(
            modules::make(
                cache,
                kernel,
                &release,
                "modules",
                "/lab/src",
                &format!("/lab/{name}"),
            )
            .args([format!("NAME={name}"), format!("FLAGS={flags}")]),
        )?;
        install(cache, &format!("{name}/{name}.ko"))?;
    }
    Ok(())
}

/// Builds the kernel's C null_blk from an unchanged copy of its source, as a
/// module of that name.
fn null_blk(cache: &Cache, name: &str, variables: &[String], log: &mut Log<'_>) -> Result<()> {
    let stage = cache.lab().join(name);
    root::remove(&stage)?;
    fs::create_dir_all(&stage).with_context(|| format!("{} cannot be made", stage.display()))?;
    let source = cache.lab().join("linux/drivers/block/null_blk");
    let entries =
        fs::read_dir(&source).with_context(|| format!("{} cannot be read", source.display()))?;
    for entry in entries.flatten() {
        if entry
            .path()
            .extension()
            .is_some_and(|e| e == "c" || e == "h")
        {
            fs::copy(entry.path(), stage.join(entry.file_name()))
                .with_context(|| format!("{} cannot be copied", entry.path().display()))?;
        }
    }
    // As in its Makefile, but for the name.
    let kbuild = format!(
        "obj-m := {name}.o\n\
         {name}-y := main.o\n\
         ifeq ($(CONFIG_BLK_DEV_ZONED),y)\n\
         {name}-$(CONFIG_TRACING) += trace.o\n\
         endif\n\
         {name}-$(CONFIG_BLK_DEV_ZONED) += zoned.o\n\
         ccflags-y := -I$(src) -include $(src)/null_blk_name.h\n"
    );
    fs::write(stage.join("Kbuild"), kbuild).context("Kbuild cannot be written")?;
    fs::write(stage.join("null_blk_name.h"), NAME_HEADER)
        .context("null_blk_name.h cannot be written")?;
    log.run(
        root::command(cache, "make")
            .args(["-C", TREE])
            .args(variables)
            .arg(format!("M=/lab/{name}"))
            .arg("modules"),
    )?;
    install(cache, &format!("{name}/{name}.ko"))
}

/// Copies a built module to the others.
fn install(cache: &Cache, module: &str) -> Result<()> {
    let built = cache.lab().join(module);
    let name = built.file_name().unwrap_or_default();
    fs::create_dir_all(cache.lab().join("modules"))
        .with_context(|| format!("{MODULES} cannot be made"))?;
    fs::copy(&built, cache.lab().join("modules").join(name))
        .with_context(|| format!("{} cannot be copied to {MODULES}", built.display()))?;
    Ok(())
}

/// The root's clang whose LLVM is nearest to that of rustc.
pub fn clang(cache: &Cache, config: &Config) -> Result<String> {
    let wanted = config
        .text("CONFIG_RUSTC_LLVM_MAJOR_VERSION")
        .and_then(|text| text.parse().ok())
        .context("the kernel's configuration names no CONFIG_RUSTC_LLVM_MAJOR_VERSION")?;
    let programs =
        fs::read_dir(cache.root().join("usr/bin")).context("the root has no /usr/bin")?;
    let versions = programs.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix("clang-")?.parse().ok()
    });
    let version = nearest(versions, wanted)
        .context("the root has no clang-N; run `ringfence lab down` and `ringfence lab up`")?;
    Ok(format!("clang-{version}"))
}

fn nearest(versions: impl Iterator<Item = u32>, wanted: u32) -> Option<u32> {
    versions.min_by_key(|version| version.abs_diff(wanted))
}

/// What makes a tree that was configured for gcc build a module with clang:
/// kbuild's own choices where the compilers differ, made for clang. Nothing
/// else of the configuration changes, so layouts stay as they are, and so do
/// mitigations, tracing hooks and sanitizers.
fn clang_variables(clang: &str, config: &Config) -> Vec<String> {
    let major = clang.trim_start_matches("clang-");
    let mut variables = vec![
        format!("CC={clang}"),
        "CONFIG_CC_IS_GCC=".into(),
        "CONFIG_CC_IS_CLANG=y".into(),
        "CONFIG_GCC_VERSION=0".into(),
        format!("CONFIG_CLANG_VERSION={major}0000"),
        "CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough".into(),
        // -falign-functions instead.
        "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=".into(),
        // clang's -mfentry has no -mrecord-mcount: objtool does that.
        "CONFIG_FTRACE_MCOUNT_USE_CC=".into(),
        "CONFIG_FTRACE_MCOUNT_USE_OBJTOOL=y".into(),
        // The kernel was built without: it turns the calls into no-ops itself
        // and gives up on tracing where it finds none.
        "CONFIG_HAVE_OBJTOOL_NOP_MCOUNT=".into(),
        // The per-CPU address space is declared twice over in headers.
        "KCFLAGS=-Wno-duplicate-decl-specifier".into(),
    ];
    if config.text("CONFIG_UBSAN_BOUNDS_STRICT") == Some("y") {
        // The name of the same check in clang.
        variables.push("CONFIG_UBSAN_BOUNDS_STRICT=".into());
        variables.push("CONFIG_UBSAN_ARRAY_BOUNDS=y".into());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_clang_is_chosen() {
        assert_eq!(nearest([17, 19, 22].into_iter(), 19), Some(19));
        assert_eq!(nearest([14, 21].into_iter(), 22), Some(21));
        assert_eq!(nearest([].into_iter(), 22), None);
    }

    #[test]
    fn clang_takes_the_place_of_gcc_and_of_gccs_checks() {
        let config = Config::parse("CONFIG_UBSAN_BOUNDS_STRICT=y\n");
        let variables = clang_variables("clang-19", &config);
        assert!(variables.contains(&"CONFIG_CLANG_VERSION=190000".to_string()));
        assert!(variables.contains(&"CONFIG_UBSAN_ARRAY_BOUNDS=y".to_string()));
        let without = clang_variables("clang-19", &Config::parse(""));
        assert_eq!(without.len(), variables.len() - 2);
    }
}
