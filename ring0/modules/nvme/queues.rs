// SPDX-License-Identifier: GPL-2.0-only

//! The controller's queue pairs as hardware queues of the block layer.

use core::sync::atomic::{AtomicU32, Ordering};

use kernel::prelude::*;
use kernel::sync::Arc;
use kit::block::{Busy, DeviceRequest, InFlight, Status};
use nvme::{Completions, Namespace, Submissions};
use ring0::block::{Hardware, HardwareQueues};
use ring0::pci::{Function, Handled, Handler};
use ring0::worker::Worker;

use crate::keeper::Keeper;

/// The hardware queues of a controller.
pub(crate) type Queues = HardwareQueues<Pairs>;

/// What is kept with the queue pairs.
pub(crate) struct Pairs {
    /// For each pair, a request that is late.
    late: KVec<AtomicU32>,
    worker: Worker<Keeper>,
}

/// A request that the controller did not end in its time.
pub(crate) struct Late {
    /// The pair's number, 1 or more.
    pub(crate) pair: u16,
    /// Its name in the pair.
    pub(crate) identifier: u16,
    /// Whether it was late before.
    pub(crate) again: bool,
}

/// Above an identifier: there is one, and it was late before.
const LATE: u32 = 1 << 16;
const AGAIN: u32 = 1 << 17;

impl Pairs {
    /// For so many queue pairs; `worker` is told of late requests.
    pub(crate) fn new(count: u32, worker: Worker<Keeper>) -> Result<Arc<Pairs>> {
        let mut late = KVec::with_capacity(count as usize, GFP_KERNEL)?;
        for _ in 0..count {
            late.push(AtomicU32::new(0), GFP_KERNEL)?;
        }
        Ok(Arc::new(Pairs { late, worker }, GFP_KERNEL)?)
    }

    /// A request that became late since the last call; one of each pair at a
    /// time, others wait for their next time limit.
    pub(crate) fn take_late(&self) -> Option<Late> {
        (1..).zip(&self.late).find_map(|(pair, late)| {
            let late = late.swap(0, Ordering::Relaxed);
            (late & LATE != 0).then_some(Late {
                pair,
                identifier: late as u16,
                again: late & AGAIN != 0,
            })
        })
    }
}

impl Hardware for Pairs {
    type Submissions = Submissions<Function>;
    type Completions = Completions<Function>;
    type Namespace = Namespace;

    #[inline(always)]
    fn submit<R: DeviceRequest>(
        submissions: &mut Submissions<Function>,
        namespace: &Namespace,
        request: R,
    ) -> Result<(), Busy<R>> {
        submissions.submit(namespace, request)
    }

    #[inline(always)]
    fn commit(submissions: &mut Submissions<Function>) {
        submissions.commit();
    }

    #[inline(always)]
    fn process<F: InFlight>(
        completions: &mut Completions<Function>,
        requests: &F,
        end: impl FnMut(F::Request, Status),
    ) -> u32 {
        completions.process(requests, end)
    }

    fn late(&self, queue: u32, identifier: u16, again: bool) {
        if let Some(late) = self.late.get(queue as usize) {
            let again = if again { AGAIN } else { 0 };
            late.store(LATE | again | u32::from(identifier), Ordering::Relaxed);
            self.worker.kick();
        }
    }
}

/// What interrupts of a queue pair do.
pub(crate) struct Interrupts {
    pub(crate) queues: Arc<Queues>,
    /// The hardware queue, from 0.
    pub(crate) index: u32,
}

impl Handler for Interrupts {
    #[inline(always)]
    fn handle(&mut self) -> Handled {
        match self.queues.interrupt(self.index) {
            0 => Handled::NotMine,
            _ => Handled::Done,
        }
    }
}
