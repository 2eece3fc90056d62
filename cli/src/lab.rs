//! `ringfence lab`: the machine for ring 0.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use ringfence_lab::{Choice, Lab, Options};

use crate::args::{LabAction, LabArguments};
use crate::failure::{Interrupted, FAILED};
use crate::interrupt::{self, Children};
use crate::progress::LabProgress;
use crate::{host, output, source};

/// The lab of the checkout at `source`, or of the one around this program.
pub fn open(source: Option<&Path>) -> Result<Lab> {
    Lab::new(Options {
        cache: None,
        source: source::find(source)?,
        agent: std::env::current_exe().context("this program's own path is unknown")?,
    })
}

/// Does what was asked of the lab.
pub fn lab(arguments: &LabArguments) -> Result<ExitCode> {
    let lab = open(arguments.source.as_deref())?;
    match &arguments.action {
        LabAction::Up => {
            interruptible(|| lab.up(&LabProgress::new()))?;
            output::say("lab: everything is there; `ringfence bench --ring 0` uses it");
        }
        LabAction::Status => status(&lab)?,
        LabAction::Shell { command } => {
            need_root("lab shell")?;
            lab.up(&LabProgress::new())?;
            let code = lab.shell(command)?;
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(FAILED)));
        }
        LabAction::Test { name, long } => {
            let choice = Choice {
                name: name.clone(),
                long: *long,
            };
            let failures = interruptible(|| {
                lab.up(&LabProgress::new())?;
                lab.test(&choice, &LabProgress::new())
            })?;
            if failures > 0 {
                bail!("lab test: {failures} failed; each is named above");
            }
        }
        LabAction::Down => {
            need_root("lab down")?;
            lab.down()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn need_root(what: &str) -> Result<()> {
    if !host::is_root() {
        bail!("{what}: needs root; run it as root");
    }
    Ok(())
}

/// Does something that Ctrl-C ends, for root.
fn interruptible<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    need_root("lab")?;
    interrupt::watch(Children::End)?;
    let result = work();
    if result.is_err() && interrupt::wanted_soon() {
        return Err(Interrupted("interrupted; `lab up` goes on where it stopped").into());
    }
    result
}

fn status(lab: &Lab) -> Result<()> {
    let steps = lab.status();
    let column = steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for step in &steps {
        let lines = output::wrap(
            &step.state,
            output::width().saturating_sub(column + 2).max(20),
        );
        for (number, line) in lines.iter().enumerate() {
            let name = if number == 0 { step.name.as_str() } else { "" };
            text.push_str(&format!("{name:column$}  {line}\n"));
        }
    }
    output::print(&text)
}
