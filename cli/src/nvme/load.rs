//! `ringfence nvme load`: what fio is for the kernel's disks.

use std::time::Duration;

use anyhow::Result;
use kit::device::Device;
use ring3::nvme::load::{load as drive, Extent, Marks};
use ring3::nvme::FunctionSession;
use serde_json::json;

use super::go_on;
use crate::args::LoadArguments;
use crate::interrupt;

/// Runs a load; what it did and how the controller was set up, as JSON.
pub fn load(arguments: &LoadArguments) -> Result<String> {
    interrupt::watch_with_device()?;
    let memory = (arguments.depth as usize).saturating_mul(arguments.block_size as usize);
    // One pair is left to the session.
    let mut session = FunctionSession::open_with(arguments.pci, 2, arguments.poll, memory)?;
    go_on()?;
    let wanted = ring3::load::Load {
        write: arguments.write,
        random: !arguments.sequential,
        block_size: arguments.block_size,
        depth: arguments.depth,
        jobs: 1,
        runtime: Duration::from_millis(arguments.runtime),
        ramp: Duration::from_millis(arguments.ramp),
    };
    let (extent, marks) = match arguments.operations {
        Some(operations) => (
            Extent::Operations(operations),
            Marks {
                begin: ringfence_lab::mark::begin,
                end: ringfence_lab::mark::end,
            },
        ),
        None => (
            Extent::Time,
            Marks {
                begin: || {},
                end: || {},
            },
        ),
    };
    let done = drive(&mut session, 1, &wanted, extent, &marks)?;
    let namespace = session.namespace(1)?;
    let device = session.controller().device();
    let seconds = done.elapsed.as_secs_f64();
    let value = json!({
        "operations": done.operations,
        "seconds": seconds,
        "iops": done.operations as f64 / seconds.max(1e-9),
        "interrupts": device.vectors(),
        "huge_pages": device.huge_pages(),
        "logical_block_size": namespace.block_size(),
        "size": namespace.blocks << namespace.block_shift,
        "resets": session.disk().resets(),
    });
    drop(session);
    Ok(format!("{value}\n"))
}
