// SPDX-License-Identifier: GPL-2.0-only

//! A PCI function that is given to the driver.

use core::time::Duration;

use kernel::prelude::*;
use kernel::sync::Arc;
use kit::device::Device as _;
use nvme::Settings;
use ring0::pci::{self, Function, Handled, Handler};
use ring0::worker::Worker;

use crate::instance::Instance;
use crate::keeper::Keeper;

/// How long an admin command may take (C: `admin_timeout`).
const ADMIN_TIMEOUT: Duration = Duration::from_secs(60);

/// What there is of a function.
pub(crate) struct Nvme {
    keeper: Arc<Keeper>,
    _instance: Instance,
}

impl pci::Driver for Nvme {
    const NAME: &'static CStr = c"rf_nvme";

    fn probe(function: Function) -> Result<Arc<Nvme>> {
        let instance = Instance::take()?;
        let name = instance.number();
        let cpus = u16::try_from(kernel::cpu::nr_cpu_ids()).unwrap_or(u16::MAX);
        function.take_vectors(cpus)?;
        if function.interrupts_by_line() {
            dev_err!(
                function,
                "it has no MSI or MSI-X, which this driver needs\n"
            );
            return Err(ENODEV);
        }
        let settings = Settings {
            queues: cpus,
            poll_queues: 0,
            depth: 1023,
            admin_timeout: ADMIN_TIMEOUT,
            doorbell_buffers: true,
        };
        let keeper = Keeper::new(function.clone(), settings)?;
        let worker = function.worker(fmt!("rfnvme{name}"), keeper.clone())?;
        let admin = Admin {
            worker: worker.clone(),
        };
        function.interrupt(0, fmt!("rfnvme{name}q0"), admin)?;
        dev_info!(function, "rfnvme{name}: {} vectors\n", function.vectors());
        worker.kick();
        Ok(Arc::new(
            Nvme {
                keeper,
                _instance: instance,
            },
            GFP_KERNEL,
        )?)
    }

    fn remove(&self) {
        self.keeper.shut_down();
    }

    fn shutdown(&self) {
        self.keeper.shut_down();
    }
}

/// What interrupts of the admin queue do.
struct Admin {
    worker: Worker<Keeper>,
}

impl Handler for Admin {
    fn handle(&mut self) -> Handled {
        self.worker.kick();
        Handled::Done
    }
}
