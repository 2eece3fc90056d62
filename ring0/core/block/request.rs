// SPDX-License-Identifier: GPL-2.0-only

//! A started request as an owned token.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use kernel::bindings;
use kit::block::{Operation, Status};

use super::command::{self, Command};
use super::data::{Allowed, Data};
use super::poll_queue::PollQueue;
use crate::shim;

/// A live request.
///
/// # Invariants
///
/// It points to a live `struct request` in state `MQ_RQ_IN_FLIGHT` of a tag
/// set of this crate, which nobody but its holder ends.
pub(super) struct Live(NonNull<bindings::request>);

impl Live {
    /// # Safety
    ///
    /// `rq` is as the type says, and its end becomes the holder's business.
    #[inline(always)]
    pub(super) unsafe fn new(rq: *mut bindings::request) -> Live {
        // SAFETY: A live request is not at address zero.
        // INVARIANT: By this function's contract.
        Live(unsafe { NonNull::new_unchecked(rq) })
    }

    #[inline(always)]
    pub(super) fn get(&self) -> *mut bindings::request {
        self.0.as_ptr()
    }

    /// The hardware queue that it came by.
    #[inline(always)]
    pub(super) fn hardware_queue(&self) -> *mut bindings::blk_mq_hw_ctx {
        // SAFETY: By the type invariant the request is live; its queue does
        // not change between start and end.
        unsafe { (*self.get()).mq_hctx }
    }

    /// C: `req_op`.
    #[inline(always)]
    pub(super) fn operation(&self) -> Operation {
        // SAFETY: By the type invariant the request is live; `cmd_flags` does
        // not change between start and end.
        let flags = unsafe { (*self.get()).cmd_flags };
        match flags & shim::REQ_OP_MASK {
            bindings::req_op_REQ_OP_READ => Operation::Read,
            bindings::req_op_REQ_OP_WRITE => Operation::Write,
            bindings::req_op_REQ_OP_FLUSH => Operation::Flush,
            bindings::req_op_REQ_OP_DISCARD => Operation::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Operation::WriteZeroes,
            bindings::req_op_REQ_OP_ZONE_OPEN => Operation::ZoneOpen,
            bindings::req_op_REQ_OP_ZONE_CLOSE => Operation::ZoneClose,
            bindings::req_op_REQ_OP_ZONE_FINISH => Operation::ZoneFinish,
            bindings::req_op_REQ_OP_ZONE_APPEND => Operation::ZoneAppend,
            bindings::req_op_REQ_OP_ZONE_RESET => Operation::ZoneReset,
            bindings::req_op_REQ_OP_ZONE_RESET_ALL => Operation::ZoneResetAll,
            _ => Operation::Other,
        }
    }

    /// C: `blk_rq_pos`.
    #[inline(always)]
    pub(super) fn position(&self) -> u64 {
        // SAFETY: By the type invariant the request is live; only its holder
        // moves `__sector`.
        unsafe { (*self.get()).__sector }
    }

    /// C: `blk_rq_bytes`.
    #[inline(always)]
    pub(super) fn bytes(&self) -> u32 {
        // SAFETY: As for `__sector`.
        unsafe { (*self.get()).__data_len }
    }

    /// C: `REQ_FUA`.
    #[inline(always)]
    pub(super) fn fua(&self) -> bool {
        // SAFETY: As for `operation`.
        unsafe { (*self.get()).cmd_flags & shim::REQ_FUA != 0 }
    }

    #[inline(always)]
    pub(super) fn polled(&self) -> bool {
        // SAFETY: The queue is live as long as the request, and its type does
        // not change while it has requests.
        let kind = unsafe { (*self.hardware_queue()).type_ };
        u32::from(kind) == bindings::hctx_type_HCTX_TYPE_POLL
    }
}

/// A request that blk-mq has started and handed to the driver.
///
/// There is one token for a request at any time, and giving the request back
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
/// This token is the only permission to end its request.
pub(super) struct Request {
    rq: Live,
}

impl Request {
    /// Takes over a request from blk-mq.
    ///
    /// # Safety
    ///
    /// `rq` is a live request that was started, whose end is owed by the
    /// driver, and for which no other token exists. Its tag set is one of
    /// this crate.
    #[inline(always)]
    pub(super) unsafe fn from_raw(rq: *mut bindings::request) -> Request {
        // SAFETY: By this function's contract.
        let rq = unsafe { Live::new(rq) };
        // INVARIANT: The caller passes on the only permission to end it.
        Request { rq }
    }

    /// The request, whose end is then the caller's business.
    #[inline(always)]
    pub(super) fn into_raw(self) -> *mut bindings::request {
        ManuallyDrop::new(self).get()
    }

    #[inline(always)]
    fn get(&self) -> *mut bindings::request {
        self.rq.get()
    }

    /// The request, with the status that it will end with written down.
    #[inline(always)]
    fn into_raw_with(self, status: Status) -> *mut bindings::request {
        let rq = self.into_raw();
        // SAFETY: By the type invariant; nobody else writes the status of a
        // request that has a token.
        unsafe { (*command::of(rq)).status = code_of(status) };
        rq
    }

    /// The hardware queue that it came by.
    #[inline(always)]
    pub(super) fn hardware_queue(&self) -> *mut bindings::blk_mq_hw_ctx {
        self.rq.hardware_queue()
    }
}

impl kit::block::Request for Request {
    type Data<'a> = Data<'a>;

    #[inline(always)]
    fn operation(&self) -> Operation {
        self.rq.operation()
    }

    #[inline(always)]
    fn position(&self) -> u64 {
        self.rq.position()
    }

    #[inline(always)]
    fn bytes(&self) -> u32 {
        self.rq.bytes()
    }

    #[inline(always)]
    fn fua(&self) -> bool {
        self.rq.fua()
    }

    #[inline(always)]
    fn polled(&self) -> bool {
        self.rq.polled()
    }

    /// C: `rq_for_each_segment`.
    #[inline]
    fn data(&mut self) -> Data<'_> {
        let allowed = match self.operation() {
            Operation::Read => Allowed::Put,
            Operation::Write | Operation::ZoneAppend => Allowed::Get,
            // A discard has one bio vector, which is no data.
            _ => Allowed::Nothing,
        };
        // SAFETY: By the type invariant the request is live; it cannot be
        // ended while the walk borrows the token.
        unsafe { Data::new(self.get(), allowed) }
    }

    /// C: `rq->__sector`, from which `blk_zone_append_update_request_bio`
    /// takes what the submitter learns.
    #[inline]
    fn set_position(&mut self, sector: u64) {
        if self.operation() == Operation::ZoneAppend {
            // SAFETY: By the type invariant the request is live.
            unsafe { (*self.get()).__sector = sector };
        }
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
    fn complete(self, status: Status) {
        // SAFETY: By the type invariant the request is live and started; the
        // callback ends it.
        unsafe { bindings::blk_mq_complete_request(self.into_raw_with(status)) };
    }

    /// C: `hrtimer_start`.
    #[inline(always)]
    fn complete_after(self, nanoseconds: u64, status: Status) {
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { Command::give_to_timer(self.into_raw_with(status), nanoseconds) };
    }

    #[inline(always)]
    fn complete_on_poll(self, status: Status) {
        if !self.polled() {
            return self.end(status);
        }
        // SAFETY: `init_hctx` put a poll queue there, which is there as long
        // as the hardware queue.
        let queue = unsafe { &*(*self.hardware_queue()).driver_data.cast::<PollQueue>() };
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { queue.push(self.into_raw_with(status)) };
    }

    #[inline]
    fn lose(self) {
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { Command::lose(self.into_raw()) };
    }

    /// C: `blk_mq_requeue_request`.
    #[inline]
    fn requeue(self) {
        // SAFETY: By the type invariant; the token is consumed, and another
        // is made when the request comes again.
        unsafe { bindings::blk_mq_requeue_request(self.into_raw(), true) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the request is live, started and ours
        // to end; what consumes the token does not drop it.
        unsafe { bindings::blk_mq_end_request(self.get(), code_of(Status::Io)) };
    }
}

/// `BLK_STS_*` are macros with a cast, which bindgen leaves out; `shim.c`
/// asserts that these are their values.
#[inline(always)]
pub(super) fn code_of(status: Status) -> bindings::blk_status_t {
    match status {
        Status::Ok => shim::BLK_STS_OK,
        Status::NotSupported => shim::BLK_STS_NOTSUPP,
        Status::Timeout => shim::BLK_STS_TIMEOUT,
        Status::NoSpace => shim::BLK_STS_NOSPC,
        Status::Transport => shim::BLK_STS_TRANSPORT,
        Status::Target => shim::BLK_STS_TARGET,
        Status::Medium => shim::BLK_STS_MEDIUM,
        Status::Protection => shim::BLK_STS_PROTECTION,
        Status::Resource => shim::BLK_STS_RESOURCE,
        Status::Io => shim::BLK_STS_IOERR,
        Status::ZoneOpenResource => shim::BLK_STS_ZONE_OPEN_RESOURCE,
        Status::ZoneActiveResource => shim::BLK_STS_ZONE_ACTIVE_RESOURCE,
    }
}
