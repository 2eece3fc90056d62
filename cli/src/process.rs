//! Boots that are processes on this machine: every boot of ring 3, and the
//! one boot of ring 0 with `--here`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::{Launcher, Link};
use ringfence_bench::plan::BootPlan;
use ringfence_bench::sample::Event;
use rustix::process::Signal;

use crate::callgrind::Callgrind;
use crate::{host, interrupt};

/// Silence that a boot is allowed beyond the time of its longest block.
const SILENCE: Duration = Duration::from_secs(60);
/// Time that a process has to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// The same in ring 0, where devices and modules have to be given back.
const GRACE_RING0: Duration = Duration::from_secs(15);
/// How often [`interrupt::wanted`] is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Starts this program anew as the agent of each boot.
pub struct ProcessLauncher {
    program: PathBuf,
    ring: u8,
    modules: Option<PathBuf>,
    pci: Option<String>,
    /// Where callgrind writes, if the agents run under it.
    callgrind: Option<Callgrind>,
}

impl ProcessLauncher {
    /// Boots of `ring`; `modules` holds the kernel modules of ring 0, and `pci`
    /// is the function that drivers of devices get there.
    pub fn new(ring: u8, modules: Option<PathBuf>, pci: Option<String>) -> Result<ProcessLauncher> {
        Ok(ProcessLauncher {
            program: std::env::current_exe().context("this program's own path is unknown")?,
            ring,
            modules,
            pci,
            callgrind: None,
        })
    }

    /// The same with the agents under callgrind.
    pub fn counting(self) -> Result<ProcessLauncher> {
        Ok(ProcessLauncher {
            callgrind: Some(Callgrind::new()?),
            ..self
        })
    }

    fn command(&self) -> Command {
        let mut command = match &self.callgrind {
            Some(callgrind) => callgrind.command(&self.program),
            None => Command::new(&self.program),
        };
        command.args(["agent", "--ring", &self.ring.to_string()]);
        if let Some(modules) = &self.modules {
            command.arg("--modules").arg(modules);
        }
        if let Some(pci) = &self.pci {
            command.args(["--pci", pci]);
        }
        if let Some(callgrind) = &self.callgrind {
            command.arg("--counts").arg(callgrind.file());
        }
        command
    }
}

impl Launcher for ProcessLauncher {
    fn name(&self) -> &str {
        "process"
    }

    fn describe(&mut self) -> Result<BTreeMap<String, String>> {
        let mut about = host::describe();
        about.insert("agent".into(), words(&self.command()));
        Ok(about)
    }

    fn boot(&mut self, number: u32) -> Result<Box<dyn Link>> {
        let name = format!("boot {} of ring {}", number + 1, self.ring);
        Ok(Box::new(ProcessLink::start(
            self.command(),
            name,
            self.ring,
        )?))
    }
}

/// The command line, the program by its name alone: a recorded run goes to
/// other machines.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    std::iter::once(program.file_name().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A running agent. Dropping it ends the process.
struct ProcessLink {
    name: String,
    ring: u8,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
    last_words: Option<JoinHandle<String>>,
    silence: Duration,
    over: bool,
}

impl ProcessLink {
    fn start(mut command: Command, name: String, ring: u8) -> Result<ProcessLink> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The error's line is ours to write; frames would hide it.
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            // A Ctrl-C at the terminal is ours to handle.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name}: {} does not start", words(&command)))?;
        let stdout = child.stdout.take().context("piped above")?;
        let stderr = child.stderr.take().context("piped above")?;
        Ok(ProcessLink {
            name,
            ring,
            stdin: child.stdin.take(),
            child,
            lines: read_lines(stdout),
            last_words: Some(thread::spawn(|| last_words(stderr))),
            silence: SILENCE,
            over: false,
        })
    }

    /// What to say of a process that ended too early.
    fn died(&mut self) -> Result<anyhow::Error> {
        let status = wait(&mut self.child, GRACE)?
            .with_context(|| format!("{}: closed its output, but did not end", self.name))?;
        self.over = true;
        let words = self.last_words.take().map(JoinHandle::join);
        let words = match words {
            Some(Ok(words)) if !words.is_empty() => format!(": {words}"),
            _ => String::new(),
        };
        let how = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("was killed by signal {signal}"),
            (None, code) => format!("ended with code {}", code.unwrap_or_default()),
        };
        Ok(anyhow::anyhow!(
            "{} {how} before its work was done{words}",
            self.name
        ))
    }
}

impl Link for ProcessLink {
    fn send(&mut self, plan: &BootPlan) -> Result<()> {
        let longest = plan.cases.iter().map(|case| case.runtime_ms + case.ramp_ms);
        // A block may report all its samples at its end.
        let block = longest.max().unwrap_or(0) * plan.load_order.len() as u64;
        self.silence = SILENCE + Duration::from_millis(block);
        let mut line = serde_json::to_vec(plan)?;
        line.push(b'\n');
        let stdin = self.stdin.as_mut().context("the plan is sent once")?;
        // An agent that died before it read the plan is noticed by `next`,
        // which can say why.
        let _ = stdin.write_all(&line).and_then(|()| stdin.flush());
        Ok(())
    }

    fn next(&mut self) -> Result<Event> {
        let since = Instant::now();
        loop {
            match self.lines.recv_timeout(POLL) {
                Ok(line) => {
                    let line = line.with_context(|| format!("{}: cannot be read", self.name))?;
                    let event = serde_json::from_str(&line)
                        .with_context(|| format!("{}: {line:?} is no event", self.name))?;
                    self.over = matches!(event, Event::Done | Event::Error { .. });
                    return Ok(event);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.died()?),
                Err(RecvTimeoutError::Timeout) if interrupt::wanted() => bail!("interrupted"),
                Err(RecvTimeoutError::Timeout) if since.elapsed() > self.silence => bail!(
                    "{}: silent for {} s, given up",
                    self.name,
                    self.silence.as_secs()
                ),
                Err(RecvTimeoutError::Timeout) => (),
            }
        }
    }
}

impl Drop for ProcessLink {
    fn drop(&mut self) {
        self.stdin = None;
        let grace = match (self.over, self.ring) {
            (_, 0) => {
                interrupt::signal(self.child.id(), Signal::TERM);
                GRACE_RING0 + self.silence.saturating_sub(SILENCE)
            }
            (true, _) => GRACE,
            (false, _) => Duration::ZERO,
        };
        if !matches!(wait(&mut self.child, grace), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits for a process to end, for at most `limit`.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if since.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The lines of an agent, read in a thread of their own so that waiting for
/// one can have a limit.
fn read_lines(stdout: ChildStdout) -> Receiver<std::io::Result<String>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The last line of an agent's stderr that says something.
fn last_words(stderr: ChildStderr) -> String {
    BufReader::new(stderr)
        .lines()
        .map_while(Result::ok)
        .filter(|line| !line.trim().is_empty() && !line.starts_with("note: run with"))
        .last()
        .map(|line| line.trim_start_matches("ringfence: ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ProcessLink {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        ProcessLink::start(command, "boot 1 of ring 3".into(), 3).expect("sh")
    }

    fn error(link: &mut ProcessLink) -> String {
        format!("{:#}", link.next().expect_err("an error"))
    }

    #[test]
    fn an_event_is_read_and_a_death_is_told_with_the_last_line_of_stderr() {
        let mut link =
            shell("echo '{\"event\":\"hello\",\"environment\":{}}'; echo lost >&2; exit 7");
        assert!(matches!(link.next(), Ok(Event::Hello { .. })));
        let text = error(&mut link);
        assert!(
            text.contains("code 7") && text.ends_with(": lost"),
            "{text}"
        );
    }

    #[test]
    fn a_kill_is_told_by_its_signal() {
        let text = error(&mut shell("kill -9 $$"));
        assert!(text.contains("signal 9"), "{text}");
    }

    #[test]
    fn what_is_no_event_is_shown() {
        let text = error(&mut shell("echo hello"));
        assert!(text.contains("\"hello\" is no event"), "{text}");
    }

    #[test]
    fn silence_has_a_limit_and_a_drop_kills() {
        let mut link = shell("exec sleep 60");
        link.silence = Duration::from_millis(200);
        assert!(error(&mut link).contains("silent"));
        let pid = link.child.id();
        let since = Instant::now();
        drop(link);
        assert!(since.elapsed() < Duration::from_secs(2));
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
