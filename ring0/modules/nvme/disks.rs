// SPDX-License-Identifier: GPL-2.0-only

//! A disk for each namespace. They come and go apart from the worker that
//! keeps the controller, since that waits for I/O, which may wait for the
//! controller.

use core::time::Duration;

use kernel::new_mutex;
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::{Arc, Mutex};
use kit::block::Limits;
use nvme::Namespace;
use ring0::pci::Function;
use ring0::worker::Work;

use crate::queues::Queues;

/// When a disk is tried again that cannot be added now.
const AGAIN: Duration = Duration::from_millis(100);

/// The disks of a controller.
#[pin_data]
pub(crate) struct Disks {
    function: Function,
    /// The controller's number.
    instance: u32,
    #[pin]
    wanted: Mutex<Wanted>,
}

struct Wanted {
    queues: Option<Arc<Queues>>,
    namespaces: KVec<Wish>,
    /// Whether no disk is to come any more.
    closed: bool,
}

/// A namespace that is to have a disk.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) namespace: Namespace,
    pub(crate) limits: Limits,
}

impl Disks {
    pub(crate) fn new(function: Function, instance: u32) -> Result<Arc<Disks>> {
        Arc::pin_init(
            pin_init!(Disks {
                function,
                instance,
                wanted <- new_mutex!(Wanted {
                    queues: None,
                    namespaces: KVec::new(),
                    closed: false,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// These namespaces are there, and no others. Disks follow when the worker
    /// is kicked.
    pub(crate) fn want(&self, queues: Arc<Queues>, namespaces: KVec<Wish>) {
        let mut wanted = self.wanted.lock();
        wanted.queues = Some(queues);
        wanted.namespaces = namespaces;
    }

    /// No disk is added from here on, and all are taken away, once their
    /// requests have ended.
    pub(crate) fn close(&self) {
        let queues = {
            let mut wanted = self.wanted.lock();
            wanted.closed = true;
            wanted.queues.clone()
        };
        if let Some(queues) = queues {
            queues.close();
        }
    }

    /// A namespace that is wanted, as it is to be.
    fn wish(&self, number: u32) -> Option<Wish> {
        let wanted = self.wanted.lock();
        let mut wishes = wanted.namespaces.iter();
        wishes.find(|wish| wish.namespace.number == number).copied()
    }

    /// The lowest number above this one.
    fn next(&self, above: u32) -> Option<Wish> {
        let wanted = self.wanted.lock();
        let open = !wanted.closed;
        let later = wanted
            .namespaces
            .iter()
            .filter(|wish| open && wish.namespace.number > above);
        later.min_by_key(|wish| wish.namespace.number).copied()
    }

    /// Adds a disk, or gives it its new size. False: to be tried again.
    fn add(&self, queues: &Queues, wish: Wish) -> bool {
        let Wish { namespace, limits } = wish;
        let (instance, number) = (self.instance, namespace.number);
        let sectors = namespace.blocks << (namespace.block_shift - 9);
        let added = CString::try_from_fmt(fmt!("rfnvme{instance}n{number}"))
            .and_then(|name| queues.add_disk(number, &name, sectors, limits, namespace));
        match added {
            Err(error) if error == EAGAIN => return false,
            Err(error) if error == EEXIST => {
                if let Err(error) = queues.set_capacity(number, sectors) {
                    dev_warn!(
                        self.function.as_ref(),
                        "rfnvme{instance}n{number}: {error:?}\n"
                    );
                }
            }
            // The controller was given up.
            Err(error) if error == ENODEV => {}
            Err(error) => {
                dev_err!(
                    self.function.as_ref(),
                    "rfnvme{instance}n{number} cannot be added: {error:?}\n"
                );
            }
            Ok(()) => {
                dev_info!(
                    self.function.as_ref(),
                    "rfnvme{instance}n{number}: {} blocks of {} bytes\n",
                    namespace.blocks,
                    namespace.block_size()
                );
            }
        }
        true
    }
}

impl Work for Disks {
    fn work(&self) -> Option<Duration> {
        let queues = self.wanted.lock().queues.clone()?;
        // Those that are not there any more, or of another format.
        while let Some(number) = queues.find_disk(|number, namespace: &Namespace| {
            let wish = self.wish(number);
            wish.is_none_or(|wish| wish.namespace.block_shift != namespace.block_shift)
        }) {
            queues.remove_disk(number);
        }
        let mut last = 0;
        while let Some(wish) = self.next(last) {
            if !self.add(&queues, wish) {
                return Some(AGAIN);
            }
            last = wish.namespace.number;
        }
        None
    }
}
