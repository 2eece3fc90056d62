//! Ctrl-C: the first one asks the run to end with what it has, the second
//! ends the program at once.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{kill_process, Pid, Signal};

use crate::failure::INTERRUPTED;
use crate::output;

/// True once the user wants the run to end.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the user wants the run to end.
pub fn wanted() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// Like [`wanted`], after a moment: a child in the terminal's process group
/// gets the same Ctrl-C, and its death may be seen before ours is handled.
pub fn wanted_soon() -> bool {
    if !wanted() {
        thread::sleep(Duration::from_millis(250));
    }
    wanted()
}

/// What happens to our children on the first Ctrl-C.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// Nothing: whoever waits for them watches [`STOP`].
    Leave,
    /// They and theirs are asked to end, and killed if they do not: whoever
    /// waits for them then sees them gone.
    End,
}

/// Starts to watch for Ctrl-C, SIGTERM and SIGHUP. Called once.
pub fn watch(children: Children) -> Result<()> {
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        output::say("interrupted: keeping what there is (once more ends at once)");
        if children == Children::End {
            thread::spawn(end_children);
        }
    })
    .context("Ctrl-C cannot be watched")
}

/// Starts to watch for Ctrl-C, SIGTERM and SIGHUP while a device is used, which
/// is given back first, however often that is asked for. Called once.
pub fn watch_with_device() -> Result<()> {
    ctrlc::set_handler(|| {
        if !STOP.swap(true, Ordering::SeqCst) {
            output::say("interrupted: the device is given back first");
        }
    })
    .context("Ctrl-C cannot be watched")
}

/// Whether children that were asked to end get little time to do so.
static HURRY: AtomicBool = AtomicBool::new(false);

/// From now on our children have nothing to clean up: a VM, unlike the tools
/// that make a lab.
pub fn hurry() {
    HURRY.store(true, Ordering::SeqCst);
}

/// Sends SIGTERM to all our descendants, again to those that start within a
/// second, and later SIGKILL to those of them that are still there. Ones that
/// start after that are left alone: they clean up.
fn end_children() {
    let mut asked = Vec::new();
    for pause in [0, 300, 700] {
        thread::sleep(Duration::from_millis(pause));
        for pid in descendants() {
            if !asked.contains(&pid) {
                asked.push(pid);
                signal(pid, Signal::TERM);
            }
        }
    }
    let patience = if HURRY.load(Ordering::SeqCst) { 1 } else { 10 };
    thread::sleep(Duration::from_secs(patience));
    for pid in descendants() {
        if asked.contains(&pid) {
            signal(pid, Signal::KILL);
        }
    }
}

/// Sends a signal; a process that is gone needs none.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Ids of our children, their children, and so on, parents first.
fn descendants() -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((
                pid,
                parent(&fs::read_to_string(entry.path().join("stat")).ok()?)?,
            ))
        })
        .collect();
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while next < found.len() {
        let of = found[next];
        found.extend(
            parents
                .iter()
                .filter(|(_, ppid)| *ppid == of)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.remove(0);
    found
}

/// The parent's id in a line of `/proc/PID/stat`: two fields after the name,
/// which may itself hold spaces and parentheses.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_parent_is_found_behind_an_odd_name() {
        assert_eq!(parent("12 (a) b) S 34 12 12"), Some(34));
        assert_eq!(parent("nothing"), None);
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = Command::new("sleep").arg("5").spawn().expect("sleep");
        assert!(descendants().contains(&child.id()));
        child.kill().expect("kill");
        child.wait().expect("wait");
    }
}
