// SPDX-License-Identifier: GPL-2.0-only

//! Work that is done for a driver by a thread: soon, or at a time.
//!
//! C header: `include/linux/workqueue.h`.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::time::Duration;

use kernel::bindings;
use kernel::ffi::c_void;
use kernel::fmt;
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;
use kernel::types::Opaque;

use crate::pci::{Callback, Function};
use crate::pci_shim;

/// What a worker does.
pub trait Work: Send + Sync + 'static {
    /// Does what is to be done now, and answers how long until there is more
    /// at the latest; `None` to be called after a kick only. Never runs twice
    /// at once. May sleep.
    fn work(&self) -> Option<Duration>;
}

/// A worker of a function (`struct delayed_work`, on a workqueue of its own
/// that makes progress when memory is short); a handle to it.
pub struct Worker<W>(Arc<Item<W>>);

impl<W> Clone for Worker<W> {
    fn clone(&self) -> Worker<W> {
        Worker(self.0.clone())
    }
}

/// # Invariants
///
/// `queue` is there until the work is disabled, for good. `target` is changed
/// after that only.
#[pin_data]
struct Item<W> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    queue: NonNull<c_void>,
    target: UnsafeCell<Option<Arc<W>>>,
}

// SAFETY: Work items and queues are not bound to a thread; the target is used
// by one thread at a time, and is `Sync` besides.
unsafe impl<W: Send + Sync> Send for Item<W> {}
// SAFETY: As above.
unsafe impl<W: Send + Sync> Sync for Item<W> {}

impl<W: Work> Worker<W> {
    /// A worker that has not been kicked yet.
    pub(crate) fn start(
        function: &Function,
        name: fmt::Arguments<'_>,
        target: Arc<W>,
    ) -> Result<Worker<W>> {
        let name = CString::try_from_fmt(name)?;
        // SAFETY: The name is copied.
        let queue = unsafe { pci_shim::rf_queue_alloc(name.as_char_ptr()) };
        let queue = NonNull::new(queue).ok_or(ENOMEM)?;
        let begin = || -> Result<Worker<W>> {
            // INVARIANT: The queue is destroyed below, if nobody gets the work,
            // else by `stop`.
            let item = Arc::pin_init(
                pin_init!(Item {
                    // SAFETY: The slot is a `struct delayed_work` that stays
                    // where it is; the function is a `work_func_t`.
                    work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| unsafe {
                        let function: unsafe extern "C" fn(*mut bindings::work_struct) = run::<W>;
                        pci_shim::rf_work_init(slot.cast(), function as *mut c_void);
                    }),
                    queue,
                    target: UnsafeCell::new(Some(target)),
                }),
                GFP_KERNEL,
            )?;
            function.register(item.clone(), || Ok(()))?;
            Ok(Worker(item))
        };
        begin().inspect_err(|_| {
            // SAFETY: Allocated above; nothing was queued.
            unsafe { bindings::destroy_workqueue(queue.as_ptr().cast()) };
        })
    }

    /// Has the work done as soon as a thread gets to it; nothing happens if the
    /// driver is being unbound. From any context but an NMI.
    pub fn kick(&self) {
        // SAFETY: Set up by `start`. The queue is there or the work disabled,
        // and then the queue is not looked at.
        unsafe { pci_shim::rf_work_now(self.0.queue.as_ptr(), self.0.work.get().cast()) };
    }
}

impl<W: Work> Callback for Item<W> {
    fn stop(&self) {
        // SAFETY: Set up by `start`. Waits for work that is running; none is
        // queued from here on.
        unsafe { bindings::disable_delayed_work_sync(self.work.get()) };
        // SAFETY: By the type invariant; this is called once.
        unsafe { bindings::destroy_workqueue(self.queue.as_ptr().cast()) };
    }

    fn release(&self) {
        // SAFETY: The work is disabled, so nobody uses the target.
        drop(unsafe { (*self.target.get()).take() });
    }
}

/// # Safety
///
/// Called by the kernel for the work of an [`Item`].
unsafe extern "C" fn run<W: Work>(work: *mut bindings::work_struct) {
    // SAFETY: The work struct is the first member of the delayed work, which is
    // the item's: the function's record has it until it is stopped.
    let item = unsafe {
        &*work
            .byte_sub(core::mem::offset_of!(Item<W>, work))
            .cast::<Item<W>>()
    };
    // SAFETY: Changed only once this is disabled.
    let Some(target) = (unsafe { &*item.target.get() }) else {
        return;
    };
    if let Some(time) = target.work() {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: As in `kick`. If it was kicked meanwhile, it stays so.
        unsafe {
            pci_shim::rf_work_after(item.queue.as_ptr(), item.work.get().cast(), nanoseconds);
        }
    }
}

const _: () = assert!(core::mem::offset_of!(bindings::delayed_work, work) == 0);
