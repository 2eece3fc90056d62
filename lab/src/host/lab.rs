//! The lab as a whole: its steps in order, and what is done with it.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use super::accelerator;
use super::attribution;
use super::boot;
use super::cache::Cache;
use super::devices::Devices;
use super::kernel::Kernel;
use super::link::{Vm, VmLauncher};
use super::machine::{forget_status, Accelerator, Count, Machine, Mode, Run};
use super::modules;
use super::needs;
use super::plugin;
use super::root;
use super::sources::Sources;
use super::step::{Step, StepStatus, Steps};
use crate::{Choice, Options, Progress};

/// No guest test takes longer than this under TCG.
const TEST_SILENCE: Duration = Duration::from_secs(600);

/// A lab.
pub struct Lab {
    options: Options,
    cache: Arc<Cache>,
    kernel: &'static Kernel,
}

/// Every step but those of our own sources, in order.
struct Fixed {
    root: Step,
    packages: Step,
    source: Step,
    tree: Step,
    upstream: Step,
    c_subjects: Step,
    boot: Step,
    accelerator: Step,
    plugin: Step,
}

impl Lab {
    /// Opens a lab; makes nothing yet.
    pub fn new(options: Options) -> Result<Lab> {
        let cache = Arc::new(Cache::find(options.cache.as_deref())?);
        Ok(Lab {
            options,
            cache,
            kernel: Kernel::chosen()?,
        })
    }

    fn fixed(&self) -> Fixed {
        let (cache, kernel) = (&*self.cache, self.kernel);
        let root = root::step(cache, kernel);
        let packages = kernel.packages_step(cache, &root);
        let source = kernel.source_step(cache, &packages);
        let tree = kernel.tree_step(cache, &source);
        let upstream = modules::upstream_step(cache, &tree);
        let c_subjects = attribution::c_step(cache, &tree);
        let boot = boot::step(cache, &packages);
        let accelerator = accelerator::step(cache, &boot);
        let plugin = plugin::step(cache, &root);
        Fixed {
            root,
            packages,
            source,
            tree,
            upstream,
            c_subjects,
            boot,
            accelerator,
            plugin,
        }
    }

    /// Makes everything that is missing or stale.
    pub fn up(&self, progress: &dyn Progress) -> Result<()> {
        needs::root_user()?;
        let sources = Sources::read(&self.options.source)?;
        let _lock = self.cache.lock()?;
        let (cache, kernel) = (&*self.cache, self.kernel);
        let steps = Steps { cache, progress };
        let fixed = self.fixed();
        steps.run(&fixed.root, |log| root::make(cache, kernel, log))?;
        steps.run(&fixed.packages, |log| kernel.packages(cache, log))?;
        steps.run(&fixed.source, |log| kernel.source(cache, log))?;
        steps.run(&fixed.tree, |log| kernel.tree(cache, log))?;
        steps.run(&fixed.upstream, |log| modules::upstream(cache, kernel, log))?;
        let ours = modules::ours_step(cache, &sources, &fixed.tree);
        steps.run(&ours, |log| modules::ours(cache, kernel, &sources, log))?;
        let api = modules::api_step(cache, &sources, &fixed.tree);
        steps.run(&api, |log| modules::api(cache, kernel, &sources, log))?;
        steps.run(&fixed.c_subjects, |log| attribution::c(cache, kernel, log))?;
        let variants = attribution::variants_step(cache, &sources, &fixed.tree);
        steps.run(&variants, |log| {
            attribution::variants(cache, kernel, &sources, log)
        })?;
        steps.run(&fixed.boot, |log| boot::make(cache, log))?;
        steps.run(&fixed.accelerator, |log| {
            log.line(&accelerator::probe(cache)?);
            Ok(())
        })?;
        steps.run(&fixed.plugin, |log| plugin::make(cache, log))?;
        let start = Instant::now();
        progress.start("agent");
        let fresh = boot::agent(cache, &self.options.agent)?;
        progress.end("agent", start.elapsed().as_secs_f64(), fresh);
        Ok(())
    }

    /// The root's objdump, for the modules in [`MODULES`](modules::MODULES).
    pub fn objdump(&self) -> Command {
        root::command(&self.cache, "objdump")
    }

    /// What is there.
    pub fn status(&self) -> Vec<StepStatus> {
        let cache = &*self.cache;
        let fixed = self.fixed();
        let sources = Sources::read(&self.options.source);
        let mut all: Vec<StepStatus> = [
            &fixed.root,
            &fixed.packages,
            &fixed.source,
            &fixed.tree,
            &fixed.upstream,
            &fixed.c_subjects,
        ]
        .into_iter()
        .map(|step| self.step_status(step))
        .collect();
        match sources {
            Ok(sources) => {
                let ours = modules::ours_step(cache, &sources, &fixed.tree);
                let variants = attribution::variants_step(cache, &sources, &fixed.tree);
                let api = modules::api_step(cache, &sources, &fixed.tree);
                all.extend([&ours, &api, &variants].map(|step| self.step_status(step)));
            }
            Err(error) => all.push(StepStatus {
                name: "modules".into(),
                state: format!("missing: {error}"),
            }),
        }
        all.push(self.step_status(&fixed.boot));
        all.push(self.step_status(&fixed.accelerator));
        all.push(self.step_status(&fixed.plugin));
        let agent = cache.lab().join("bin/ringfence");
        let same = fs::read(&agent)
            .ok()
            .map(|old| fs::read(&self.options.agent).is_ok_and(|new| new == old));
        all.push(StepStatus {
            name: "agent".into(),
            state: match same {
                Some(true) => "done",
                Some(false) => "stale: this binary is another one",
                None => "missing",
            }
            .into(),
        });
        all
    }

    fn step_status(&self, step: &Step) -> StepStatus {
        StepStatus {
            name: step.name.into(),
            state: match step.check(&self.cache) {
                Ok(()) => "done".into(),
                Err(why) => why.into(),
            },
        }
    }

    /// Boots the VM with a shell on this terminal, or runs `command` in it
    /// and gives its exit status.
    pub fn shell(&self, command: &[String]) -> Result<i32> {
        self.usable()?;
        let _lock = self.cache.lock()?;
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if command.is_empty() && !terminal {
            bail!("lab: a shell needs a terminal; give a command to run without one");
        }
        let run = Run::new(&self.cache, "shell")?;
        let mode = if command.is_empty() {
            Mode::Shell
        } else {
            let script = run.folder.join("command");
            fs::write(&script, script_of(command))
                .with_context(|| format!("lab: {} cannot be written", script.display()))?;
            Mode::Command
        };
        let machine = self.machine();
        machine.devices.make(&self.cache)?;
        let status = machine
            .command(mode, &run, &terminal_settings(terminal))
            .status()
            .context("vm: QEMU cannot be started")?;
        let Some(code) = run.status() else {
            bail!(
                "vm: the guest ended early ({status}); {}\nthe whole of it is in {}",
                run.last_lines(),
                run.console().display()
            );
        };
        Ok(code)
    }

    /// Builds the modules under the strictest rules, boots the VM and runs the
    /// guest tests; the number of failures. Each guest test's line goes to
    /// standard output.
    pub fn test(&self, choice: &Choice, progress: &dyn Progress) -> Result<usize> {
        self.usable()?;
        let _lock = self.cache.lock()?;
        let sources = Sources::read(&self.options.source)?;
        let steps = Steps {
            cache: &self.cache,
            progress,
        };
        let strict = modules::strict_step(&self.cache, &sources, &self.fixed().tree);
        steps.run(&strict, |log| {
            modules::strict(&self.cache, self.kernel, &sources, log)
        })?;
        let mut vm = Vm::start(&self.machine(), Mode::Tests, "tests")?;
        vm.ready()?;
        vm.send(&serde_json::to_string(choice)?)?;
        let mut failures = 0;
        while let Some(line) = vm.line(TEST_SILENCE)? {
            if line.starts_with("FAILED ") {
                failures += 1;
            }
            writeln!(io::stdout(), "{line}").context("lab: standard output is gone")?;
        }
        match vm.run.status() {
            Some(0) => Ok(failures),
            Some(_) if failures > 0 => Ok(failures),
            _ => Err(vm.death()),
        }
    }

    /// Removes everything that `up` made.
    pub fn down(&self) -> Result<()> {
        if !self.cache.path().exists() {
            return Ok(());
        }
        needs::root_user()?;
        let lock = self.cache.lock()?;
        let path = self.cache.path();
        for name in ["stamps", "root.part", "root", "logs"] {
            root::remove(&path.join(name))?;
        }
        for name in ["accelerator", "lock"] {
            let _ = fs::remove_file(path.join(name));
        }
        drop(lock);
        // Stays if somebody else keeps something in it.
        let _ = fs::remove_dir(path);
        Ok(())
    }

    /// Boots of this lab.
    pub(crate) fn vm_launcher(&self, count: Option<Count>, devices: Devices) -> Result<VmLauncher> {
        self.usable()?;
        let lock = self.cache.lock()?;
        forget_status(&self.cache.lab().join("out"));
        // Only QEMU's translator can count.
        let accelerator = match count {
            Some(_) => Accelerator::Tcg,
            None => accelerator::known(&self.cache),
        };
        Ok(VmLauncher::new(
            self.cache.clone(),
            accelerator,
            count,
            devices,
            lock,
        ))
    }

    fn machine(&self) -> Machine<'_> {
        Machine {
            cache: &self.cache,
            accelerator: accelerator::known(&self.cache),
            count: None,
            devices: Devices::Tests,
        }
    }

    /// Refuses a lab that is not up.
    fn usable(&self) -> Result<()> {
        needs::root_user()?;
        for status in self.status() {
            if status.state.starts_with("missing") {
                bail!(
                    "lab: step `{}` is missing; run `ringfence lab up`",
                    status.name
                );
            }
        }
        Ok(())
    }
}

/// A shell script that runs exactly these words.
fn script_of(command: &[String]) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect();
    // One word may be a whole script, as with `sh -c`.
    match command {
        [script] => format!("{script}\n"),
        _ => format!("{}\n", words.join(" ")),
    }
}

/// Size and kind of the terminal, for the guest's side of the line.
fn terminal_settings(terminal: bool) -> String {
    if !terminal {
        return String::new();
    }
    let (rows, columns) = rustix::termios::tcgetwinsize(io::stdout())
        .map_or((24, 80), |size| (size.ws_row, size.ws_col));
    let term = std::env::var("TERM").unwrap_or_default();
    // The guest's terminfo knows few names.
    let term = match term.as_str() {
        "linux" | "xterm" | "xterm-256color" | "screen" | "screen-256color" | "tmux"
        | "tmux-256color" => term.as_str(),
        _ => "vt100",
    };
    format!(" ringfence.tty=1 ringfence.rows={rows} ringfence.cols={columns} ringfence.term={term}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_guest_as_they_are() {
        let words = ["echo", "it's", "a b", "$HOME"].map(String::from);
        assert_eq!(script_of(&words), "'echo' 'it'\\''s' 'a b' '$HOME'\n");
        assert_eq!(
            script_of(&["echo $HOME; exit 3".to_string()]),
            "echo $HOME; exit 3\n"
        );
    }
}
