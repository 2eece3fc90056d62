// SPDX-License-Identifier: GPL-2.0-only

//! The tags and hardware queues of a device.

use core::marker::PhantomData;
use core::ops::BitOr;

use kernel::bindings;
use kernel::error::{
    code::{EINVAL, ENOMEM},
    to_result,
};
use kernel::ffi::{c_int, c_void};
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Mutex;
use kernel::types::Opaque;
use kit::block::{Driver, Queues, MAX_DEPTH};

use super::command;
use super::operations::Operations;

/// How a tag set behaves (`BLK_MQ_F_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// None of them.
    pub const NONE: Flags = Flags(0);
    /// Start without an I/O scheduler (`BLK_MQ_F_NO_SCHED_BY_DEFAULT`).
    pub const NO_SCHED_BY_DEFAULT: Flags = Flags(bindings::BLK_MQ_F_NO_SCHED_BY_DEFAULT);
    /// All hardware queues share one set of tags (`BLK_MQ_F_TAG_HCTX_SHARED`).
    pub const TAG_HCTX_SHARED: Flags = Flags(bindings::BLK_MQ_F_TAG_HCTX_SHARED);
    /// The driver's `queue` may sleep (`BLK_MQ_F_BLOCKING`).
    pub const BLOCKING: Flags = Flags(bindings::BLK_MQ_F_BLOCKING);
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// The tags of devices driven by `D` (`struct blk_mq_tag_set`).
///
/// # Invariants
///
/// `inner` was set up by `blk_mq_alloc_tag_set` with the function table of
/// `D` and is freed once, by drop.
#[pin_data(PinnedDrop)]
pub struct TagSet<D: Driver> {
    #[pin]
    inner: Opaque<bindings::blk_mq_tag_set>,
    /// Held while the number of queues changes.
    #[pin]
    changing: Mutex<()>,
    _driver: PhantomData<D>,
}

impl<D: Driver> TagSet<D> {
    /// Allocates the tags. `EINVAL` for no queue, more queues of a kind than
    /// possible CPUs, no depth or a depth above [`MAX_DEPTH`] (which C would
    /// clamp), no time or more than `u32::MAX` milliseconds of it; `ENOMEM` if
    /// memory is short.
    pub fn new(queues: Queues, flags: Flags) -> impl PinInit<Self, Error> {
        // INVARIANT: `inner` holds what `blk_mq_alloc_tag_set` set up.
        try_pin_init!(Self {
            inner <- Opaque::try_ffi_init(move |slot: *mut bindings::blk_mq_tag_set| {
                let cpus = kernel::cpu::nr_cpu_ids();
                let timeout = u32::try_from(queues.timeout.as_millis()).map_err(|_| EINVAL)?;
                if !(1..=cpus).contains(&queues.submit)
                    || queues.poll > cpus
                    || !(1..=MAX_DEPTH).contains(&queues.depth)
                    || timeout == 0
                {
                    return Err(EINVAL);
                }
                let set = bindings::blk_mq_tag_set {
                    ops: &Operations::<D>::TABLE,
                    nr_hw_queues: queues.submit + queues.poll,
                    queue_depth: queues.depth,
                    // Default, read and poll; without poll queues the first.
                    nr_maps: if queues.poll > 0 { 3 } else { 1 },
                    numa_node: bindings::NUMA_NO_NODE,
                    timeout: kernel::time::msecs_to_jiffies(timeout) as u32,
                    cmd_size: command::SIZE,
                    driver_data: queues.poll as usize as *mut c_void,
                    flags: flags.0,
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes; the set is plain data.
                unsafe { slot.write(set) };
                // SAFETY: `slot` holds a set with table, queues and depth,
                // the rest zeroed, and stays where it is (it is pinned).
                to_result(unsafe { bindings::blk_mq_alloc_tag_set(slot) })
            }),
            changing <- new_mutex!(()),
            _driver: PhantomData,
        })
    }

    /// Changes how many hardware queues are not polled, for every disk that
    /// uses the tags. Waits for their requests, so it must not be called by
    /// the driver's own calls. `EINVAL` for none, or more than possible CPUs;
    /// `ENOMEM` if memory is short: the queues are then as they were.
    pub fn set_submit_queues(&self, submit: u32) -> Result {
        if !(1..=kernel::cpu::nr_cpu_ids()).contains(&submit) {
            return Err(EINVAL);
        }
        let _changing = self.changing.lock();
        let set = self.inner.get();
        // SAFETY: By the type invariant the set was allocated. Its number of
        // queues changes here only, one caller at a time; `driver_data`, which
        // is the number of poll queues, never does. `map_queues` goes by the
        // set's number of queues, so it maps what there is also when blk-mq
        // goes back to the old one.
        unsafe {
            let queues = (submit + (*set).driver_data as usize as u32) as c_int;
            bindings::blk_mq_update_nr_hw_queues(set, queues);
            if (*set).nr_hw_queues != queues as u32 {
                return Err(ENOMEM);
            }
        }
        Ok(())
    }

    /// The C structure, valid as long as `self`.
    pub(super) fn as_ptr(&self) -> *mut bindings::blk_mq_tag_set {
        self.inner.get()
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for TagSet<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant the set was allocated, and no queue
        // uses it: a `Disk` holds its tag set and lets it go last.
        unsafe { bindings::blk_mq_free_tag_set(self.inner.get()) };
    }
}

// SAFETY: The set is not bound to the thread that allocated it, and shared
// references give no access to what changes.
unsafe impl<D: Driver> Send for TagSet<D> {}
// SAFETY: As for `Send`.
unsafe impl<D: Driver> Sync for TagSet<D> {}
