//! `ringfence doctor`: what this host can do, and what would make its numbers
//! better.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::failure::FAILED;
use crate::{host, output};

/// How a finding stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// It works, and something would make it better.
    Note,
    /// Ring 0 cannot run.
    NoRing0,
    /// Ring 3 cannot be built or run.
    NoRing3,
}

/// One line of the doctor's.
struct Finding {
    state: State,
    what: &'static str,
    /// How it is.
    is: String,
    /// What to do; empty if nothing.
    advice: String,
}

fn finding(state: State, what: &'static str, is: impl Into<String>, advice: &str) -> Finding {
    Finding {
        state,
        what,
        is: is.into(),
        advice: advice.into(),
    }
}

/// Prints all findings; fails if ring 3 cannot run.
pub fn doctor() -> Result<ExitCode> {
    let findings = [
        cc(),
        user(),
        debian(),
        mmdebstrap(),
        kvm(),
        memory(),
        disk(),
        cores(),
        governor(),
        turbo(),
        smt(),
        virtualisation(),
        mitigations(),
        aslr(),
    ];
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&draw(finding, output::width()));
    }
    let missing = |state| findings.iter().any(|finding| finding.state == state);
    let (ring3, ring0) = (missing(State::NoRing3), missing(State::NoRing0));
    text.push_str(match (ring3, ring0) {
        (true, _) => "\nRing 3 cannot run yet: see `need` above.\n",
        (false, true) => "\nReady for ring 3. Ring 0 needs what `ring 0` names above.\n",
        (false, false) => "\nReady for ring 3 and ring 0.\n",
    });
    output::print(&text)?;
    Ok(if ring3 {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// `note    governor   powersave; ...`, wrapped below its third column.
fn draw(finding: &Finding, width: usize) -> String {
    let word = match finding.state {
        State::Good => "ok",
        State::Note => "note",
        State::NoRing0 => "ring 0",
        State::NoRing3 => "need",
    };
    let mut sentence = finding.is.clone();
    if !finding.advice.is_empty() {
        sentence.push_str(": ");
        sentence.push_str(&finding.advice);
    }
    let mut text = String::new();
    for (number, line) in output::wrap(&sentence, width - 24).iter().enumerate() {
        if number == 0 {
            text.push_str(&format!("{word:<7} {:<15} {line}\n", finding.what));
        } else {
            text.push_str(&format!("{:24}{line}\n", ""));
        }
    }
    text
}

fn cc() -> Finding {
    let named = std::env::var("CC").ok().filter(|name| !name.is_empty());
    let candidates = named.as_deref().into_iter().chain(["cc", "gcc", "clang"]);
    for name in candidates {
        let Ok(output) = Command::new(name).arg("--version").output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        if let Some(first) = text.lines().next() {
            return finding(State::Good, "C compiler", format!("{name}: {first}"), "");
        }
    }
    finding(
        State::NoRing3,
        "C compiler",
        "none found",
        "the C twins of ring 3 need one; install gcc or clang",
    )
}

fn user() -> Finding {
    if host::is_root() {
        return finding(State::Good, "user", "root", "");
    }
    finding(
        State::NoRing0,
        "user",
        "not root",
        "ring 3 needs no more; run as root for the lab and ring 0",
    )
}

fn debian() -> Finding {
    let name = host::distribution().unwrap_or_else(|| "unknown".into());
    let id = host::os_release("ID").unwrap_or_default();
    let version = host::os_release("VERSION_ID").unwrap_or_default();
    match (id.as_str(), version.as_str()) {
        ("debian", "12" | "13") => finding(State::Good, "distribution", name, ""),
        _ => finding(
            State::Note,
            "distribution",
            name,
            "the lab was tried on Debian 12 and 13 only",
        ),
    }
}

fn mmdebstrap() -> Finding {
    match host::program("mmdebstrap") {
        Some(path) => finding(State::Good, "mmdebstrap", path.display().to_string(), ""),
        None => finding(
            State::NoRing0,
            "mmdebstrap",
            "not found",
            "the lab's root is made with it; `apt-get install mmdebstrap` (`lab up` tries that by itself)",
        ),
    }
}

fn kvm() -> Finding {
    let path = Path::new("/dev/kvm");
    let advice = "the lab then emulates (TCG), which says little about time";
    if !path.exists() {
        let why = "no /dev/kvm";
        return finding(
            State::Note,
            "KVM",
            why,
            &format!(
                "{advice}; load kvm_intel or kvm_amd, and allow virtualisation in the firmware"
            ),
        );
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => finding(
            State::Good,
            "KVM",
            "/dev/kvm opens",
            "the lab tries to boot a kernel in it, and emulates (TCG) where that fails",
        ),
        Err(error) => finding(
            State::Note,
            "KVM",
            format!("/dev/kvm does not open ({})", error.kind()),
            &format!("{advice}; run as root or join the group kvm"),
        ),
    }
}

fn memory() -> Finding {
    let Some((total, available)) = host::memory_mib() else {
        return finding(State::Note, "memory", "unknown", "the lab's VM wants 2 GiB");
    };
    let is = format!("{available} of {total} MiB available");
    if available >= 3072 {
        finding(State::Good, "memory", is, "")
    } else {
        finding(
            State::Note,
            "memory",
            is,
            "the lab's VM and the kernel's build want about 3 GiB; end something else",
        )
    }
}

fn disk() -> Finding {
    let Some(cache) = cache() else {
        return finding(
            State::Note,
            "disk",
            "no cache folder",
            "set RINGFENCE_CACHE or HOME",
        );
    };
    let existing = cache.ancestors().find(|folder| folder.exists());
    let free = existing.and_then(|folder| rustix::fs::statvfs(folder).ok());
    let Some(free) = free.map(|stat| stat.f_bavail * stat.f_frsize / (1 << 20)) else {
        return finding(
            State::Note,
            "disk",
            format!("{}: unknown", cache.display()),
            "",
        );
    };
    let is = format!("{} MiB free for {}", free, cache.display());
    if free >= 8 << 10 || fs::exists(cache.join("root")).unwrap_or(false) {
        finding(State::Good, "disk", is, "")
    } else {
        finding(
            State::NoRing0,
            "disk",
            is,
            "the lab takes 8 GiB; free some, or point RINGFENCE_CACHE elsewhere",
        )
    }
}

/// The lab's cache folder.
fn cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(cache) = variable("RINGFENCE_CACHE") {
        return Some(cache.into());
    }
    let base = match variable("XDG_CACHE_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(variable("HOME")?).join(".cache"),
    };
    Some(base.join("ringfence"))
}

fn cores() -> Finding {
    let model = host::cpu().unwrap_or_else(|| "unknown model".into());
    let is = format!("{} x {model}", host::cores());
    if host::cores() >= 2 {
        finding(State::Good, "processors", is, "")
    } else {
        finding(
            State::Note,
            "processors",
            is,
            "load and completions share it; two or more say more",
        )
    }
}

fn governor() -> Finding {
    match host::governor() {
        Some(name) if name == "performance" => finding(State::Good, "governor", name, ""),
        Some(name) => finding(
            State::Note,
            "governor",
            name,
            "`cpupower frequency-set -g performance` makes samples vary less",
        ),
        None => finding(
            State::Good,
            "governor",
            "none that this kernel could change",
            "",
        ),
    }
}

fn turbo() -> Finding {
    match host::turbo() {
        Some(false) => finding(State::Good, "turbo", "off", ""),
        Some(true) => finding(
            State::Note,
            "turbo",
            "on",
            "the clock then follows the heat; write 1 to intel_pstate/no_turbo or 0 to \
             cpufreq/boost below /sys/devices/system/cpu",
        ),
        None => finding(
            State::Good,
            "turbo",
            "none that this kernel could change",
            "",
        ),
    }
}

fn smt() -> Finding {
    match host::read("/sys/devices/system/cpu/smt/active").as_deref() {
        Some("0") => finding(State::Good, "SMT", "off", ""),
        Some(_) => finding(
            State::Note,
            "SMT",
            "on",
            "siblings share a core and disturb each other; write off to \
             /sys/devices/system/cpu/smt/control for the run",
        ),
        None => finding(State::Good, "SMT", "none", ""),
    }
}

fn virtualisation() -> Finding {
    match host::virtualisation() {
        None => finding(State::Good, "virtualisation", "none seen", ""),
        Some(what) => finding(
            State::Note,
            "virtualisation",
            what,
            "neighbours take time that no statistics give back; prefer bare metal for figures",
        ),
    }
}

fn mitigations() -> Finding {
    let folder = "/sys/devices/system/cpu/vulnerabilities";
    let active = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| host::read(entry.path()))
        .filter(|text| text.starts_with("Mitigation"))
        .count();
    finding(
        State::Good,
        "mitigations",
        format!("{active} in force"),
        "the same for every subject; keep them, and never compare across machines",
    )
}

fn aslr() -> Finding {
    match host::read("/proc/sys/kernel/randomize_va_space").as_deref() {
        Some("0") => finding(
            State::Note,
            "ASLR",
            "off",
            "every boot then has the same layout, whose luck no boot averages out; \
             write 2 to /proc/sys/kernel/randomize_va_space",
        ),
        Some(level) => finding(State::Good, "ASLR", format!("on ({level})"), ""),
        None => finding(State::Good, "ASLR", "unknown", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_keep_to_the_width_and_say_what_to_do() {
        let text = draw(&finding(State::Note, "SMT", "on", &"word ".repeat(40)), 80);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(
            text.starts_with("note    SMT             on: word"),
            "{text}"
        );
    }
}
