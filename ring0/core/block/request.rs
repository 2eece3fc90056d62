// SPDX-License-Identifier: GPL-2.0-only

//! A started request as an owned token.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use kernel::bindings;
use kit::block::{Operation, Status};

use crate::shim;

/// A request that blk-mq has started and handed to the driver.
///
/// There is one token for a request at any time, and ending or completing it
/// consumes the token: a second end is a compile error, not a race. Dropping
/// the token ends the request with an I/O error; forgetting it leaves the
/// request in flight for good, which stops the disk from going away and
/// corrupts nothing.
///
/// The token is neither `Send` nor `Sync`, and a driver cannot name its type,
/// so it does not outlive the callback that it was made for.
///
/// # Invariants
///
/// `rq` points to a live `struct request` in state `MQ_RQ_IN_FLIGHT` (or
/// `MQ_RQ_COMPLETE`, in the completion callback), and this token is the only
/// permission to end it.
pub(super) struct Request {
    rq: NonNull<bindings::request>,
}

impl Request {
    /// Takes over a request from blk-mq.
    ///
    /// # Safety
    ///
    /// `rq` is a live request that was started, whose end is owed by the
    /// driver, and for which no other token exists.
    #[inline(always)]
    pub(super) unsafe fn from_raw(rq: *mut bindings::request) -> Request {
        // SAFETY: A live request is not at address zero.
        let rq = unsafe { NonNull::new_unchecked(rq) };
        // INVARIANT: The caller passes on the only permission to end it.
        Request { rq }
    }

    #[inline(always)]
    fn into_raw(self) -> *mut bindings::request {
        ManuallyDrop::new(self).rq.as_ptr()
    }

    #[inline(always)]
    fn get(&self) -> *const bindings::request {
        self.rq.as_ptr()
    }
}

impl kit::block::Request for Request {
    /// C: `req_op`.
    #[inline(always)]
    fn operation(&self) -> Operation {
        // SAFETY: By the type invariant the request is live; `cmd_flags` does
        // not change between start and end.
        let flags = unsafe { (*self.get()).cmd_flags };
        match flags & shim::REQ_OP_MASK {
            bindings::req_op_REQ_OP_READ => Operation::Read,
            bindings::req_op_REQ_OP_WRITE => Operation::Write,
            bindings::req_op_REQ_OP_FLUSH => Operation::Flush,
            bindings::req_op_REQ_OP_DISCARD => Operation::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Operation::WriteZeroes,
            _ => Operation::Other,
        }
    }

    /// C: `blk_rq_pos`.
    #[inline(always)]
    fn position(&self) -> u64 {
        // SAFETY: By the type invariant the request is live; only its end
        // moves `__sector`.
        unsafe { (*self.get()).__sector }
    }

    /// C: `blk_rq_bytes`.
    #[inline(always)]
    fn bytes(&self) -> u32 {
        // SAFETY: As for `__sector`.
        unsafe { (*self.get()).__data_len }
    }

    /// C: `blk_mq_end_request`.
    #[inline(always)]
    fn end(self, status: Status) {
        // SAFETY: By the type invariant the request is live, started and ours
        // to end; the token is consumed, so it is ended once.
        unsafe { bindings::blk_mq_end_request(self.into_raw(), code_of(status)) };
    }

    /// C: `blk_mq_complete_request`, which picks the CPU (`rq_affinity`) and
    /// calls `complete` there, in softirq context or at once.
    #[inline(always)]
    fn complete(self) {
        // SAFETY: By the type invariant the request is live and started. The
        // token is consumed here and made anew in the callback.
        unsafe { bindings::blk_mq_complete_request(self.into_raw()) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the request is live, started and ours
        // to end; `end` and `complete` do not drop the token.
        unsafe { bindings::blk_mq_end_request(self.rq.as_ptr(), code_of(Status::Io)) };
    }
}

/// `BLK_STS_*` are macros with a cast, which bindgen leaves out; `shim.c`
/// asserts that these are their values.
#[inline(always)]
fn code_of(status: Status) -> bindings::blk_status_t {
    match status {
        Status::Ok => 0,
        Status::NotSupported => shim::BLK_STS_NOTSUPP,
        Status::Timeout => shim::BLK_STS_TIMEOUT,
        Status::NoSpace => shim::BLK_STS_NOSPC,
        Status::Transport => shim::BLK_STS_TRANSPORT,
        Status::Target => shim::BLK_STS_TARGET,
        Status::Medium => shim::BLK_STS_MEDIUM,
        Status::Protection => shim::BLK_STS_PROTECTION,
        Status::Resource => shim::BLK_STS_RESOURCE,
        Status::Io => shim::BLK_STS_IOERR,
    }
}
