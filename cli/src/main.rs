//! The `ringfence` command: parses, dispatches, and turns every outcome into
//! at most one line on stderr and an exit code.
#![forbid(unsafe_code)]

mod agent;
mod api;
mod api_map;
mod args;
mod asm;
mod audit;
mod bench;
mod callgrind;
mod compare;
mod count;
mod doctor;
mod drivers;
mod failure;
mod folder;
mod grid;
mod host;
mod import;
mod interrupt;
mod lab;
mod nvme;
mod operations;
mod output;
mod plan;
mod planning;
mod process;
mod progress;
mod report;
mod ring3;
mod source;
mod trend;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    panic::set_hook(Box::new(|bug| {
        let place = bug.location().map(ToString::to_string).unwrap_or_default();
        let payload = bug.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = text.unwrap_or("no message");
        output::complain(&format!(
            "internal error at {place}: {what}; please report it"
        ));
    }));
    panic::catch_unwind(command).unwrap_or(ExitCode::from(failure::FAILED))
}

fn command() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(&error),
    };
    let result = match arguments.command {
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Compare {
            before,
            after,
            json,
            out,
        } => compare::compare(&before, &after, json, out.as_deref()),
        Command::Import(arguments) => import::import(&arguments),
        Command::Trend { dir, json, out } => trend::trend(&dir, json, out.as_deref()),
        Command::Report {
            run,
            counts,
            no_published,
        } => report::report(&run, counts.as_deref(), !no_published),
        Command::Lab(arguments) => lab::lab(&arguments),
        Command::Nvme(arguments) => nvme::nvme(&arguments.action),
        Command::Audit { dirs, source } => audit::audit(&dirs, source.as_deref()),
        Command::ApiMap(arguments) => api_map::api_map(&arguments),
        Command::Doctor => doctor::doctor(),
        Command::Agent {
            ring,
            modules,
            pci,
            counts,
        } => agent::agent(ring, modules, pci.as_deref(), counts),
        Command::Mark { end } => Ok(agent::mark(end)),
        Command::GuestTests { modules } => agent::guest_tests(modules),
    };
    match result {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
