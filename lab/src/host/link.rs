//! Boots of the VM as `bench::run` sees them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::{Launcher, Link};
use ringfence_bench::plan::BootPlan;
use ringfence_bench::sample::Event;

use super::cache::{Cache, Lock};
use super::devices::Devices;
use super::machine::{Accelerator, Count, Machine, Mode, Run};

/// A guest that says nothing for this long, beyond the time it was asked to
/// measure, hangs.
const SILENCE: Duration = Duration::from_secs(120);

/// The same of a guest that counts. A sample is several windows there, of so
/// many operations each, and how long they take is the host's affair: a minute
/// and more on a host that does something else as well.
const COUNTING_SILENCE: Duration = Duration::from_secs(900);

/// What init writes once it holds the line.
const READY: &str = "ringfence: ready";

/// Boots the VM of one lab.
pub struct VmLauncher {
    cache: Arc<Cache>,
    accelerator: Accelerator,
    count: Option<Count>,
    devices: Devices,
    _lock: Lock,
}

impl VmLauncher {
    /// Keeps the lab for this process while it lives. `count` boots VMs whose
    /// instructions are counted.
    pub fn new(
        cache: Arc<Cache>,
        accelerator: Accelerator,
        count: Option<Count>,
        devices: Devices,
        lock: Lock,
    ) -> VmLauncher {
        VmLauncher {
            cache,
            accelerator,
            count,
            devices,
            _lock: lock,
        }
    }
}

impl Launcher for VmLauncher {
    fn name(&self) -> &str {
        "vm"
    }

    fn describe(&mut self) -> Result<BTreeMap<String, String>> {
        let machine = Machine {
            cache: &self.cache,
            accelerator: self.accelerator,
            count: self.count,
            devices: self.devices,
        };
        let mut all = machine.describe()?;
        if self.count.is_some() {
            all.insert("accelerator_why".into(), "it counts instructions".into());
        } else if let Ok(text) = std::fs::read_to_string(self.cache.path().join("accelerator")) {
            if let Some((_, why)) = text.split_once(": ") {
                all.insert("accelerator_why".into(), why.to_string());
            }
        }
        Ok(all)
    }

    fn boot(&mut self, number: u32) -> Result<Box<dyn Link>> {
        let machine = Machine {
            cache: &self.cache,
            accelerator: self.accelerator,
            count: self.count,
            devices: self.devices,
        };
        let vm = Vm::start(&machine, Mode::Agent, &format!("boot{number}"))?;
        Ok(Box::new(VmLink { vm, limit: SILENCE }))
    }
}

/// A running VM and the lines that come from it. Dropping it kills it.
pub struct Vm {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// Its folder.
    pub run: Run,
}

impl Vm {
    /// Starts it.
    pub fn start(machine: &Machine<'_>, mode: Mode, label: &str) -> Result<Vm> {
        let run = Run::new(machine.cache, label)?;
        let mut child = machine.start(mode, &run)?;
        let input = child.stdin.take().context("vm: QEMU has no input")?;
        let output = child.stdout.take().context("vm: QEMU has no output")?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_string();
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Vm {
            child,
            input,
            lines,
            run,
        })
    }

    /// Sends the guest a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}")
            .and_then(|()| self.input.flush())
            .context("vm: QEMU takes no input")
    }

    /// The next line; `None` once QEMU has ended. A guest that is silent for
    /// longer than `limit` is an error.
    pub fn line(&mut self, limit: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!(
                "vm: the guest has said nothing for {} seconds; {}\nthe whole of it is in {}",
                limit.as_secs(),
                self.run.last_lines(),
                self.run.console().display()
            ),
        }
    }

    /// Waits until init holds the line.
    pub fn ready(&mut self) -> Result<()> {
        while let Some(line) = self.line(SILENCE)? {
            if line == READY {
                return Ok(());
            }
        }
        Err(self.death())
    }

    /// The error of a VM that ended when it should not have.
    pub fn death(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "vm: the guest ended before its work was done{}; {}\nthe whole of it is in {}",
            self.run.complaint(),
            self.run.last_lines(),
            self.run.console().display()
        )
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Killing `unshare` kills QEMU, its namespace's first process.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.run.status();
    }
}

struct VmLink {
    vm: Vm,
    limit: Duration,
}

impl Link for VmLink {
    fn send(&mut self, plan: &BootPlan) -> Result<()> {
        self.vm.ready()?;
        let each = plan.cases.iter().map(|case| match case.operations {
            Some(_) => COUNTING_SILENCE,
            None => SILENCE + Duration::from_millis(case.runtime_ms + case.ramp_ms),
        });
        self.limit = each.max().unwrap_or(SILENCE);
        let mut line = serde_json::to_vec(plan)?;
        line.push(b'\n');
        self.vm
            .input
            .write_all(&line)
            .and_then(|()| self.vm.input.flush())
            .map_err(|_| self.vm.death())
    }

    fn next(&mut self) -> Result<Event> {
        loop {
            let Some(line) = self.vm.line(self.limit)? else {
                return Err(self.vm.death());
            };
            // Anything else on the line is not ours; the console has its own.
            if line.starts_with('{') {
                return serde_json::from_str(&line)
                    .with_context(|| format!("vm: the agent sent what does not parse: {line}"));
            }
        }
    }
}
