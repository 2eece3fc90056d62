//! What the machine under test says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fio;

/// What the lab wrote beside the modules; empty for modules built by hand.
pub fn build_facts(modules: &Path) -> BTreeMap<String, String> {
    fs::read(modules.join("build.json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<BTreeMap<String, Value>>(&text).ok())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_string())))
        .collect()
}

/// Kernel, processor, tools.
pub fn read(modules: &Path) -> BTreeMap<String, String> {
    let facts = build_facts(modules);
    let version = text("/proc/version");
    let cpuinfo = text("/proc/cpuinfo");
    let cpu = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let meminfo = text("/proc/meminfo");
    let memory = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .map_or("unknown", str::trim);
    let mut all = BTreeMap::from([
        ("kernel", text("/proc/sys/kernel/osrelease")),
        ("kernel_version", text("/proc/sys/kernel/version")),
        ("compiler.c", kernel_compiler(&version).to_string()),
        ("cpu", cpu.to_string()),
        (
            "cpus",
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .to_string(),
        ),
        ("memory", memory.to_string()),
        (
            "clocksource",
            text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ),
        ("cmdline", without_ours(&text("/proc/cmdline"))),
        ("mitigations", mitigations()),
        (
            "governor",
            text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        ),
        ("smt", text("/sys/devices/system/cpu/smt/control")),
        ("fio", fio::version().unwrap_or_default()),
    ]);
    for (name, fact) in [
        ("compiler.rust", "rustc"),
        ("overflow_checks", "overflow_checks"),
    ] {
        if let Some(value) = facts.get(fact) {
            all.insert(name, value.clone());
        }
    }
    let all = all.into_iter();
    all.map(|(name, value)| (name.to_string(), value.trim().to_string()))
        .filter(|(_, value)| !value.is_empty())
        .chain(built(modules))
        .collect()
}

/// The modules beside `build.json` by the start of their SHA-256, so that runs
/// with the same build can be told.
fn built(modules: &Path) -> Vec<(String, String)> {
    let files = fs::read_dir(modules).into_iter().flatten().flatten();
    let module = |entry: fs::DirEntry| {
        let path = entry.path();
        let name = path.file_name()?.to_str()?.strip_suffix(".ko")?.to_string();
        let digest = Sha256::digest(fs::read(&path).ok()?);
        let start: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some((format!("module.{name}"), start))
    };
    files.filter_map(module).collect()
}

/// The compiler in `/proc/version`: the second bracket, up to the linker.
pub fn kernel_compiler(version: &str) -> &str {
    let mut depth = 0;
    let mut start = 0;
    let mut groups = Vec::new();
    for (at, character) in version.char_indices() {
        match character {
            '(' => {
                if depth == 0 {
                    start = at + 1;
                }
                depth += 1;
            }
            ')' => {
                depth -= 1;
                if depth == 0 {
                    groups.push(&version[start..at]);
                }
            }
            _ => {}
        }
    }
    groups
        .get(1)
        .map_or("unknown", |group| group.split(", ").next().unwrap_or(group))
}

/// The kernel's command line without what only serves one boot.
fn without_ours(line: &str) -> String {
    line.split_whitespace()
        .filter(|word| !word.starts_with("ringfence."))
        .collect::<Vec<_>>()
        .join(" ")
}

fn mitigations() -> String {
    let mut all: Vec<String> = fs::read_dir("/sys/devices/system/cpu/vulnerabilities")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let value = fs::read_to_string(entry.path()).ok()?;
            let value = value.trim();
            (value != "Not affected")
                .then(|| format!("{}: {value}", entry.file_name().to_string_lossy()))
        })
        .collect();
    all.sort();
    all.join("; ")
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_compiler_stands_in_the_second_bracket() {
        let version = "Linux version 7.3.4+deb13-amd64 (debian-kernel@lists.debian.org) \
                       (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils \
                       for Debian) 2.44) #1 SMP";
        assert_eq!(
            kernel_compiler(version),
            "x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0"
        );
        assert_eq!(kernel_compiler("Linux"), "unknown");
    }

    #[test]
    fn what_serves_one_boot_is_left_out_of_the_command_line() {
        assert_eq!(
            without_ours("console=ttyS0 panic=-1 ringfence.mode=agent ringfence.run=7\n"),
            "console=ttyS0 panic=-1"
        );
    }
}
