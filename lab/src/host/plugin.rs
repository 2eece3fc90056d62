//! The plugin that counts the guest's instructions, built in the root for the
//! QEMU there.

use std::fs;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::root;
use super::step::{Log, Stamp, Step};

/// The plugin, in the root.
pub const PLUGIN: &str = "/lab/plugin/libcount.so";

/// Its source; see `lab/plugin`.
const SOURCES: [(&str, &str); 5] = [
    ("lib.rs", include_str!("../../plugin/src/lib.rs")),
    ("count.rs", include_str!("../../plugin/src/count.rs")),
    ("mark.rs", include_str!("../../plugin/src/mark.rs")),
    ("qemu.rs", include_str!("../../plugin/src/qemu.rs")),
    ("table.rs", include_str!("../../plugin/src/table.rs")),
];

/// The step that builds it.
pub fn step(cache: &Cache, before: &Step) -> Step {
    let mut inputs = vec!["plugin 1", before.stamp.as_str()];
    inputs.extend(SOURCES.iter().map(|(_, text)| *text));
    Step {
        name: "plugin",
        stamp: Stamp::of(&inputs),
        product: cache.lab().join("plugin/libcount.so"),
    }
}

/// Builds it.
pub fn make(cache: &Cache, log: &mut Log<'_>) -> Result<()> {
    let folder = cache.lab().join("plugin");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (name, text) in SOURCES {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let version = root::output(cache, "qemu-system-x86_64", &["--version"])?;
    log.line(&version);
    log.run(
        root::command(cache, "rustc")
            .args([
                "--edition=2021",
                "--crate-name=count",
                "--crate-type=cdylib",
            ])
            .args(["-O", "-C", "panic=abort", "--cfg"])
            .arg(format!("feature=\"{}\"", interface(&version)))
            .args(["-o", PLUGIN, "/lab/plugin/lib.rs"]),
    )
}

/// The plugin interface of a QEMU, by what it says of its version: from 11.1
/// on nothing older than 7 is taken, and before that everything from 4 on is.
fn interface(version: &str) -> &'static str {
    let mut numbers = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("")
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= (11, 1) => "api7",
        _ => "api4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_follows_the_version() {
        for (version, expected) in [
            ("QEMU emulator version 10.0.13 (Debian 1:10.0.13)", "api4"),
            ("QEMU emulator version 11.1.2 (Debian 1:11.1.2)", "api7"),
            ("QEMU emulator version 12.0.0", "api7"),
            ("QEMU emulator version 11.0.50", "api4"),
            ("", "api4"),
        ] {
            assert_eq!(interface(version), expected, "{version}");
        }
    }
}
