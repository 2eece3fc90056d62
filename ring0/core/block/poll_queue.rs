// SPDX-License-Identifier: GPL-2.0-only

//! Requests that end when their hardware queue is polled.

use core::ptr;

use kernel::bindings;
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::SpinLock;

use super::command;
use crate::shim;

/// The requests of one hardware queue that wait for a poll, oldest first.
#[pin_data]
pub(super) struct PollQueue {
    #[pin]
    list: SpinLock<List>,
}

/// # Invariants
///
/// `head` is the first of a chain, by `Command::next`, of live requests that
/// nobody else may end; `tail` is its last if `head` is not null.
struct List {
    head: *mut bindings::request,
    tail: *mut bindings::request,
}

impl PollQueue {
    pub(super) fn new() -> impl PinInit<PollQueue> {
        pin_init!(PollQueue {
            list <- new_spinlock!(List {
                head: ptr::null_mut(),
                tail: ptr::null_mut(),
            }),
        })
    }

    /// Puts a request on the queue.
    ///
    /// # Safety
    ///
    /// The request is in flight, and the caller passes on the only permission
    /// to end it.
    pub(super) unsafe fn push(&self, rq: *mut bindings::request) {
        // SAFETY: By this function's contract.
        unsafe { (*command::of(rq)).next = ptr::null_mut() };
        let mut list = self.list.lock();
        if list.head.is_null() {
            list.head = rq;
        } else {
            // SAFETY: By the invariant `tail` is a live request.
            unsafe { (*command::of(list.tail)).next = rq };
        }
        // INVARIANT: `rq` is live and last.
        list.tail = rq;
    }

    /// Takes a request off again; false if it is not on the queue.
    pub(super) fn remove(&self, rq: *mut bindings::request) -> bool {
        let mut list = self.list.lock();
        let mut before: *mut bindings::request = ptr::null_mut();
        let mut at = list.head;
        while !at.is_null() {
            // SAFETY: By the invariant, here and below.
            let next = unsafe { (*command::of(at)).next };
            if at == rq {
                if before.is_null() {
                    list.head = next;
                } else {
                    // SAFETY: As above.
                    unsafe { (*command::of(before)).next = next };
                }
                if next.is_null() {
                    list.tail = before;
                }
                return true;
            }
            before = at;
            at = next;
        }
        false
    }

    /// Ends all that wait, as a batch where `batch` (may be null) takes them;
    /// how many there were.
    ///
    /// # Safety
    ///
    /// `batch` is null or what blk-mq handed to `poll`.
    pub(super) unsafe fn end_all(&self, batch: *mut bindings::io_comp_batch) -> i32 {
        let mut at = {
            let mut list = self.list.lock();
            // INVARIANT: The chain is this function's now.
            core::mem::replace(&mut list.head, ptr::null_mut())
        };
        let mut count = 0;
        while !at.is_null() {
            let rq = at;
            // SAFETY: The chain's requests are live until they are ended
            // here, each once.
            unsafe {
                let command = command::of(rq);
                at = (*command).next;
                let status = (*command).status;
                let failed = u8::from(status != shim::BLK_STS_OK);
                if shim::rf_add_to_batch(rq.cast(), batch.cast(), failed) == 0 {
                    bindings::blk_mq_end_request(rq, status);
                }
            }
            count += 1;
        }
        count
    }
}
