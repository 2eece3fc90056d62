// SPDX-License-Identifier: GPL-2.0-only

//! A PCI function that is given to the driver.

use core::time::Duration;

use kernel::prelude::*;
use kernel::sync::Arc;
use kit::device::Device as _;
use nvme::{line, Quirks, Settings};
use ring0::pci::{self, Context, Function, Handled, Handler};
use ring0::worker::Worker;

use crate::disks::Disks;
use crate::instance::Instance;
use crate::keeper::Keeper;

/// How long an admin command may take (C: `admin_timeout`).
const ADMIN_TIMEOUT: Duration = Duration::from_secs(60);

/// What there is of a function.
pub(crate) struct Nvme {
    function: Function,
    disks: Arc<Disks>,
    keeper: Arc<Keeper>,
    _instance: Instance,
}

impl pci::Driver for Nvme {
    const NAME: &'static CStr = c"rf_nvme";

    fn probe(function: Function) -> Result<Arc<Nvme>> {
        let mut settings = settings(&function)?;
        let instance = Instance::take()?;
        let number = instance.number();
        let vectors = function.take_vectors(settings.queues)?;
        // The first is the admin queue's, unless there is no other.
        settings.queues = settings.queues.min((vectors - 1).max(1));
        let disks = Disks::new(function.clone(), number)?;
        let disks_worker = function.worker(fmt!("rfnvme{number}d"), disks.clone())?;
        let keeper = Keeper::new(
            function.clone(),
            number,
            disks.clone(),
            disks_worker,
            settings,
        )?;
        let worker = function.worker(fmt!("rfnvme{number}"), keeper.clone())?;
        let admin = Admin {
            line: function.interrupts_by_line().then(|| function.clone()),
            worker: worker.clone(),
        };
        function.interrupt(0, fmt!("rfnvme{number}q0"), Context::Interrupt, admin)?;
        let nvme = Nvme {
            function,
            disks,
            keeper,
            _instance: instance,
        };
        let nvme = Arc::new(nvme, GFP_KERNEL)?;
        nvme.keeper.begin(worker);
        Ok(nvme)
    }

    fn remove(&self) {
        if self.function.is_gone() {
            self.keeper.lose();
        }
        // Waits for requests, which the controller ends, or does not and is
        // given up.
        self.disks.close();
        self.keeper.shut_down();
    }

    fn shutdown(&self) {
        self.keeper.shut_down();
    }
}

/// What the module's parameters say; EINVAL, and a line, for what cannot be.
fn settings(function: &Function) -> Result<Settings> {
    let cpus = u16::try_from(kernel::cpu::nr_cpu_ids()).unwrap_or(u16::MAX);
    let (entries, polled) = (
        ring0::parameter!(io_queue_depth),
        ring0::parameter!(poll_queues),
    );
    if !(2..=4096).contains(&entries) || polled > cpus.into() {
        dev_err!(
            function,
            "io_queue_depth={entries} must be 2 to 4096, poll_queues={polled} at most {cpus}\n"
        );
        return Err(EINVAL);
    }
    let (vendor, device) = function.identity();
    Ok(Settings {
        queues: cpus,
        poll_queues: polled as u16,
        // One entry stays empty.
        depth: entries as u16 - 1,
        admin_timeout: ADMIN_TIMEOUT,
        doorbell_buffers: true,
        sgl: true,
        quirks: Quirks::of(vendor, device),
    })
}

/// What interrupts of the admin queue do.
struct Admin {
    /// The function, if its interrupt is a line.
    line: Option<Function>,
    worker: Worker<Keeper>,
}

impl Handler for Admin {
    fn handle(&mut self) -> Handled {
        if let Some(function) = &self.line {
            // Until the worker has looked, which it does elsewhere.
            line::mask(function.registers());
        }
        self.worker.kick();
        Handled::Done
    }
}
