//! Steps that are done once, resume where they stopped, and keep a log.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{bail, Context, Result};
use ringfence_bench::folder::write_whole;
use sha2::{Digest, Sha256};

use super::cache::Cache;
use crate::Progress;

/// How many of the last log lines an error shows.
const SHOWN_LINES: usize = 15;

/// State of one step, for `lab status`.
pub struct StepStatus {
    /// Its name.
    pub name: String,
    /// `done`, `stale` or `missing`, and why in a few words.
    pub state: String,
}

/// A hash of everything that a step depended on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(String);

impl Stamp {
    /// The stamp of the named inputs. Neighbours cannot run into each other.
    pub fn of(inputs: &[&str]) -> Stamp {
        let mut hash = Sha256::new();
        for input in inputs {
            hash.update((input.len() as u64).to_le_bytes());
            hash.update(input.as_bytes());
        }
        Stamp(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A step: what it is called, what it depends on, what it leaves behind.
pub struct Step {
    /// Its name, also of its stamp and log.
    pub name: &'static str,
    /// What it depends on.
    pub stamp: Stamp,
    /// A file or folder that is there once it is done.
    pub product: PathBuf,
}

impl Step {
    /// Whether it was done with the same inputs, and if not, why.
    pub fn check(&self, cache: &Cache) -> Result<(), &'static str> {
        match fs::read_to_string(cache.stamp(self.name)) {
            Err(_) if self.product.exists() => Err("missing: did not finish"),
            Err(_) => Err("missing"),
            Ok(_) if !self.product.exists() => Err("missing: its result is gone"),
            Ok(text) if text == self.stamp.as_str() => Ok(()),
            Ok(_) => Err("stale: what it depends on has changed"),
        }
    }
}

/// Does steps.
pub struct Steps<'a> {
    /// Whose steps.
    pub cache: &'a Cache,
    /// Told of them.
    pub progress: &'a dyn Progress,
}

impl Steps<'_> {
    /// Does `work` unless it was done before with the same inputs.
    pub fn run(&self, step: &Step, work: impl FnOnce(&mut Log<'_>) -> Result<()>) -> Result<()> {
        let start = Instant::now();
        self.progress.start(step.name);
        if step.check(self.cache).is_ok() {
            self.progress.end(step.name, 0.0, true);
            return Ok(());
        }
        let stamp = self.cache.stamp(step.name);
        let _ = fs::remove_file(&stamp);
        let path = self.cache.log(step.name);
        for folder in [stamp.parent(), path.parent()].into_iter().flatten() {
            fs::create_dir_all(folder)
                .with_context(|| format!("lab: {} cannot be made", folder.display()))?;
        }
        let file = File::create(&path)
            .with_context(|| format!("lab: {} cannot be written", path.display()))?;
        let mut log = Log {
            progress: self.progress,
            file,
            path,
        };
        work(&mut log).with_context(|| format!("lab: step `{}` failed", step.name))?;
        write_whole(&stamp, step.stamp.as_str().as_bytes())?;
        self.progress
            .end(step.name, start.elapsed().as_secs_f64(), false);
        Ok(())
    }
}

/// The log of a running step.
pub struct Log<'a> {
    progress: &'a dyn Progress,
    file: File,
    path: PathBuf,
}

impl Log<'_> {
    /// Writes a line of our own.
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.file, "{text}");
        self.progress.line(text);
    }

    /// Runs a command to its end; its output goes to the log, the last line
    /// to the progress. The error shows the end of the log and names the rest.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        let name = what(command);
        let _ = writeln!(self.file, "+ {command:?}");
        let mut last = VecDeque::new();
        let (read, write) = std::io::pipe().context("lab: no pipe")?;
        let spawned = command
            .stdin(Stdio::null())
            .stdout(write.try_clone().context("lab: no pipe")?)
            .stderr(write)
            .spawn();
        // The command keeps the pipe's other ends; only without them does
        // reading come to an end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = spawned.with_context(|| format!("{name} cannot be started"))?;
        for_each_line(read, |line| {
            let _ = writeln!(self.file, "{line}");
            if !line.trim().is_empty() {
                self.progress.line(line);
                if last.len() == SHOWN_LINES {
                    last.pop_front();
                }
                last.push_back(line.to_string());
            }
        });
        let status = child
            .wait()
            .with_context(|| format!("{name} cannot be waited for"))?;
        if status.success() {
            return Ok(());
        }
        let mut text = format!("{name} ended with {status}; the end of its log:\n");
        for line in last {
            text.push_str(&format!("    {line}\n"));
        }
        text.push_str(&format!("the rest is in {}", self.path.display()));
        bail!("{text}")
    }
}

/// The program that a command runs, for messages.
fn what(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let inner = command
        .get_args()
        .skip_while(|arg| *arg != super::root::INNER)
        .nth(2);
    inner.map_or(program, |arg| arg.to_string_lossy().into_owned())
}

/// Lines end with `\n` or, where a tool draws its progress, with `\r`.
fn for_each_line(input: impl Read, mut each: impl FnMut(&str)) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count) = input.read(&mut chunk) {
        if count == 0 {
            break;
        }
        for byte in &chunk[..count] {
            if matches!(byte, b'\n' | b'\r') {
                each(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        each(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Quiet;
    impl Progress for Quiet {
        fn start(&self, _: &str) {}
        fn line(&self, _: &str) {}
        fn end(&self, _: &str, _: f64, _: bool) {}
    }

    struct Scratch(PathBuf);
    impl Scratch {
        fn new(name: &str) -> (Scratch, Cache) {
            let path =
                std::env::temp_dir().join(format!("ringfence-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            let cache = Cache::find(Some(&path)).unwrap();
            (Scratch(path), cache)
        }
    }
    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn step(cache: &Cache, input: &str) -> Step {
        Step {
            name: "tree",
            stamp: Stamp::of(&[input]),
            product: cache.path().join("product"),
        }
    }

    #[test]
    fn a_step_is_done_once_and_again_when_an_input_changes() {
        let (_scratch, cache) = Scratch::new("once");
        let steps = Steps {
            cache: &cache,
            progress: &Quiet,
        };
        let runs = Cell::new(0);
        let work = |_: &mut Log<'_>| {
            runs.set(runs.get() + 1);
            fs::write(cache.path().join("product"), "x")?;
            Ok(())
        };
        steps.run(&step(&cache, "7.3"), work).unwrap();
        steps.run(&step(&cache, "7.3"), work).unwrap();
        assert_eq!(runs.get(), 1);
        assert_eq!(
            step(&cache, "7.2").check(&cache),
            Err("stale: what it depends on has changed")
        );
        steps.run(&step(&cache, "7.2"), work).unwrap();
        assert_eq!(runs.get(), 2);
    }

    #[test]
    fn a_step_whose_result_is_gone_is_done_again() {
        let (_scratch, cache) = Scratch::new("gone");
        let steps = Steps {
            cache: &cache,
            progress: &Quiet,
        };
        let make = |_: &mut Log<'_>| Ok(fs::write(cache.path().join("product"), "x")?);
        steps.run(&step(&cache, "a"), make).unwrap();
        fs::remove_file(cache.path().join("product")).unwrap();
        assert_eq!(
            step(&cache, "a").check(&cache),
            Err("missing: its result is gone")
        );
    }

    #[test]
    fn a_failed_step_leaves_no_stamp_and_shows_the_end_of_its_log() {
        let (_scratch, cache) = Scratch::new("failed");
        let steps = Steps {
            cache: &cache,
            progress: &Quiet,
        };
        let error = steps
            .run(&step(&cache, "a"), |log| {
                log.run(
                    Command::new("sh").args(["-c", "seq 1 40; echo 'no such tree' >&2; exit 3"]),
                )
            })
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("lab: step `tree` failed: sh ended with exit status: 3"));
        assert!(text.contains("no such tree") && text.contains("    27\n"));
        assert!(!text.contains("    26\n"), "only the end: {text}");
        assert!(text.contains("logs/tree.log"));
        assert_eq!(step(&cache, "a").check(&cache), Err("missing"));
    }

    #[test]
    fn inputs_of_a_stamp_cannot_run_into_each_other() {
        assert_ne!(Stamp::of(&["ab", "c"]), Stamp::of(&["a", "bc"]));
        assert_ne!(Stamp::of(&["a"]), Stamp::of(&["a", ""]));
    }

    #[test]
    fn progress_drawn_with_carriage_returns_comes_as_lines() {
        let mut lines = Vec::new();
        for_each_line(&b"10%\r20%\rdone\nlast"[..], |line| {
            lines.push(line.to_string())
        });
        assert_eq!(lines, ["10%", "20%", "done", "last"]);
    }
}
