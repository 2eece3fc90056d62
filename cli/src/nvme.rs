//! `ringfence nvme`: controllers in user space.

mod data;
mod health;
mod identity;
mod list;
mod load;
mod stream;

use std::process::ExitCode;

use anyhow::{ensure, Result};
use ring3::nvme::FunctionSession;
use ring3::vfio::Address;

use crate::args::NvmeAction;
use crate::failure::{Interrupted, Usage};
use crate::{interrupt, output};

/// Does what was asked of controllers.
pub fn nvme(action: &NvmeAction) -> Result<ExitCode> {
    match action {
        NvmeAction::List { json } => list::list(*json)?,
        NvmeAction::Identify(arguments) => {
            let session = open(arguments.pci)?;
            let text = identity::identify(&session, arguments.json)?;
            drop(session);
            output::print(&text)?;
        }
        NvmeAction::Smart(arguments) => {
            let mut session = open(arguments.pci)?;
            let text = health::smart(&mut session, arguments.json)?;
            drop(session);
            output::print(&text)?;
        }
        NvmeAction::Read(range) => {
            if range.controller.json && data::is_stream(range) {
                return Err(Usage::error(
                    "--json needs a file, since data goes to stdout",
                ));
            }
            let summary = data::read(&mut open(range.controller.pci)?, range)?;
            report(range.controller.json, &summary)?;
        }
        NvmeAction::Write { range, yes } => {
            if !yes {
                return Err(Usage::error(format!(
                    "this overwrites {} blocks of {}; add --yes if they may be lost",
                    range.count, range.controller.pci
                )));
            }
            let source = data::source(range)?;
            let summary = data::write(&mut open(range.controller.pci)?, range, source)?;
            report(range.controller.json, &summary)?;
        }
        NvmeAction::Load(arguments) => output::print(&load::load(arguments)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes a controller from its driver and brings it up. A signal from here on
/// ends the command once the controller was given back.
fn open(address: Address) -> Result<FunctionSession> {
    interrupt::watch_with_device()?;
    let session = FunctionSession::open(address, 1, false)?;
    go_on()?;
    Ok(session)
}

/// An error once the user wants the command to end.
fn go_on() -> Result<()> {
    ensure!(
        !interrupt::wanted(),
        Interrupted("interrupted; the controller was given back")
    );
    Ok(())
}

/// Says what was done.
fn report(json: bool, summary: &data::Summary) -> Result<()> {
    match json {
        true => output::print(&format!("{}\n", summary.json())),
        false => {
            output::say(&summary.line());
            Ok(())
        }
    }
}

/// Bytes as people say them: `512 B`, `64.0 MiB`.
fn size(bytes: u64) -> String {
    let mut number = bytes as f64;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut unit = "B";
    while number >= 1024.0 {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / 1024.0, next);
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{number:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size(1_000_204_886_016), "931.5 GiB");
        assert_eq!(size(u64::MAX), "16384.0 PiB");
    }
}
