//! What this machine says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What belongs beside every number that was taken here. What this machine
/// does not say is left out.
pub fn describe() -> BTreeMap<String, String> {
    let found = [
        ("kernel", kernel()),
        ("distribution", distribution()),
        ("cpu", cpu()),
        ("cores", Some(cores().to_string())),
        ("governor", governor()),
        ("smt", read("/sys/devices/system/cpu/smt/control")),
        (
            "turbo",
            turbo().map(|on| if on { "on" } else { "off" }.into()),
        ),
        ("aslr", read("/proc/sys/kernel/randomize_va_space")),
        ("virtualisation", virtualisation()),
        (
            "memory",
            memory_mib().map(|(total, _)| format!("{total} MiB")),
        ),
    ];
    found
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_string(), value?)))
        .collect()
}

/// The content of a file in one trimmed line; `None` if there is none.
pub fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_string())
}

/// Release and version of the running kernel.
pub fn kernel() -> Option<String> {
    let release = read("/proc/sys/kernel/osrelease")?;
    Some(match read("/proc/sys/kernel/version") {
        Some(version) => format!("{release} {version}"),
        None => release,
    })
}

/// `PRETTY_NAME` of the distribution.
pub fn distribution() -> Option<String> {
    os_release("PRETTY_NAME")
}

/// A field of `/etc/os-release`, without quotes.
pub fn os_release(field: &str) -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_string())
}

/// The first processor's model.
pub fn cpu() -> Option<String> {
    cpuinfo("model name")
}

/// Whether the first processor has a flag.
pub fn cpu_flag(flag: &str) -> bool {
    cpuinfo("flags").is_some_and(|flags| flags.split(' ').any(|one| one == flag))
}

fn cpuinfo(field: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Processors that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The first processor's frequency governor.
pub fn governor() -> Option<String> {
    read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
}

/// Whether the processor may exceed its nominal frequency.
pub fn turbo() -> Option<bool> {
    if let Some(off) = read("/sys/devices/system/cpu/intel_pstate/no_turbo") {
        return Some(off == "0");
    }
    read("/sys/devices/system/cpu/cpufreq/boost").map(|on| on == "1")
}

/// What this machine is a guest of; `None` if nothing hints at one.
pub fn virtualisation() -> Option<String> {
    if !cpu_flag("hypervisor") {
        return None;
    }
    let maker = [
        "/sys/hypervisor/type",
        "/sys/class/dmi/id/product_name",
        "/sys/class/dmi/id/sys_vendor",
    ]
    .into_iter()
    .find_map(read);
    Some(maker.map_or("a virtual machine".into(), |maker| {
        format!("a virtual machine ({maker})")
    }))
}

/// Memory in MiB: all of it, and what is available.
pub fn memory_mib() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024)
    };
    Some((field("MemTotal")?, field("MemAvailable")?))
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The path of a program in `PATH`.
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linux_machine_knows_its_kernel_and_its_memory() {
        let about = describe();
        assert!(
            about.contains_key("kernel") && about.contains_key("memory"),
            "{about:?}"
        );
        assert!(program("sh").is_some());
        assert!(program("no such program").is_none());
    }
}
