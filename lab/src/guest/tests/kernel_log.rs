//! The kernel's own opinion.

use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

/// Words that the kernel only uses when something is wrong.
const TROUBLE: [&str; 22] = [
    "WARNING:",
    "BUG:",
    "kernel BUG",
    "Oops",
    "Call Trace",
    "general protection",
    "stalls on",
    "detected stall",
    "hung_task",
    "blocked for more than",
    "lockdep",
    "possible recursive locking",
    "circular locking",
    "inconsistent lock state",
    "suspicious RCU",
    "sleeping function called",
    "refcount_t",
    "use-after-free",
    "UBSAN",
    "KASAN",
    "panicked at",
    "soft lockup",
];

/// What every module of ours brings: it is out of tree, and unsigned.
const EXCUSED: [&str; 2] = [
    "loading out-of-tree module taints kernel",
    "module verification failed: signature and/or required key missing",
];

pub fn clean(_modules: &Path) -> Result<()> {
    let output = Command::new("dmesg").output().context("dmesg")?;
    ensure!(
        output.status.success(),
        "dmesg ended with {}",
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        EXCUSED.iter().any(|line| text.contains(line)),
        "the log does not even show that a module was loaded"
    );
    if let Some(line) = trouble(&text) {
        bail!("{line}");
    }
    Ok(())
}

fn trouble(log: &str) -> Option<&str> {
    log.lines().find(|line| {
        !EXCUSED.iter().any(|excused| line.contains(excused))
            && TROUBLE.iter().any(|word| line.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taint_is_excused_and_trouble_is_not() {
        let log = "[ 1.0] rf_nullblk: loading out-of-tree module taints kernel.\n";
        assert_eq!(trouble(log), None);
        let warning = "[ 2.0] WARNING: CPU: 1 PID: 2 at block/blk-mq.c:1";
        assert_eq!(trouble(&format!("{log}{warning}\n")), Some(warning));
        assert_eq!(trouble("[ 4.0] 9pnet: Installing 9P2000 support"), None);
        assert!(trouble("[ 3.0] rcu: INFO: rcu_preempt detected stalls on CPUs").is_some());
    }
}
