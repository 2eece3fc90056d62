// SPDX-License-Identifier: GPL-2.0-only

//! Requests on their way to a device and back, as owned tokens.

use core::mem::ManuallyDrop;

use kernel::bindings;
use kernel::ffi::c_void;
use kit::block::{DeviceRequest, NoData, Operation, Resource, Status};
use kit::dma;

use super::slots::Slot;
use crate::block::request::{code_of, Live};
use crate::shim;

/// The device that a request's data is mapped for.
///
/// # Invariants
///
/// A live `struct device` that may do DMA, as long as there are requests.
#[derive(Clone, Copy)]
pub(super) struct Target(*mut bindings::device);

// SAFETY: A device is used by any thread.
unsafe impl Send for Target {}
// SAFETY: As for `Send`.
unsafe impl Sync for Target {}

impl Target {
    /// # Safety
    ///
    /// `device` is as the type says.
    pub(super) unsafe fn new(device: *mut bindings::device) -> Target {
        // INVARIANT: By this function's contract.
        Target(device)
    }

    #[inline(always)]
    pub(super) fn get(self) -> *mut bindings::device {
        self.0
    }
}

/// The private data of a request (`blk_mq_rq_to_pdu`).
///
/// # Safety
///
/// `rq` is a request of a tag set of [`HardwareQueues`](super::HardwareQueues).
#[inline(always)]
pub(super) unsafe fn command_of(rq: *mut bindings::request) -> *mut shim::Command {
    // SAFETY: blk-mq allocates `cmd_size` bytes behind each request.
    unsafe { rq.add(1).cast() }
}

/// A request that the driver has: `S` is where its segments go, for one on its
/// way to the device, or nothing, for one that comes back.
///
/// There is one token for a request at a time, or the device has it; giving
/// the request back consumes the token. Dropping it ends the request with an
/// error; forgetting it leaves the request in flight for good, mapped, which
/// stops its disk from going away and corrupts nothing.
///
/// # Invariants
///
/// This token is the only permission to end its request, whose private data
/// was initialised; `target` is what its data is mapped for, if it is.
pub(super) struct Request<'q, S> {
    rq: Live,
    target: Target,
    slot: &'q Slot,
    room: S,
}

/// Where the segments of a request go.
pub(super) type Room<'q> = &'q mut [shim::Segment];

impl<'q, S> Request<'q, S> {
    /// # Safety
    ///
    /// `rq` is a live request that was started, whose end is owed by the
    /// caller and for which there is no other token. Its tag's slot is `slot`,
    /// and its data is mapped for `target` if it is mapped.
    #[inline(always)]
    pub(super) unsafe fn new(
        rq: *mut bindings::request,
        target: Target,
        slot: &'q Slot,
        room: S,
    ) -> Request<'q, S> {
        // SAFETY: By this function's contract.
        let rq = unsafe { Live::new(rq) };
        // INVARIANT: By this function's contract.
        Request {
            rq,
            target,
            slot,
            room,
        }
    }

    /// The request without its mapping; its end is then the caller's business.
    #[inline(always)]
    pub(super) fn into_raw(self) -> *mut bindings::request {
        let request = ManuallyDrop::new(self);
        let rq = request.rq.get();
        // SAFETY: By the type invariant.
        unsafe {
            shim::rf_unmap(rq.cast(), request.target.get().cast());
            (*command_of(rq)).overdue = 0;
        }
        rq
    }

    /// How often the device was reset while it had the request.
    pub(super) fn attempts(&self) -> u8 {
        // SAFETY: By the type invariant; only who has the token uses it.
        unsafe { (*command_of(self.rq.get())).attempts }
    }

    pub(super) fn set_attempts(&self, attempts: u8) {
        // SAFETY: As for `attempts`.
        unsafe { (*command_of(self.rq.get())).attempts = attempts };
    }

    /// Ends it, in `batch` if that takes it (may be null), on a CPU that suits
    /// its submitter.
    ///
    /// # Safety
    ///
    /// `batch` is null or a `struct io_comp_batch`, which is ended afterwards.
    #[inline(always)]
    pub(super) unsafe fn end_in(self, batch: *mut bindings::io_comp_batch, status: Status) {
        let request = ManuallyDrop::new(self);
        let (rq, target): (_, *mut c_void) = (request.rq.get(), request.target.get().cast());
        // SAFETY: By the type invariant the request is ours to end; the token
        // is consumed, so it is ended once.
        unsafe { shim::rf_end(rq.cast(), target, batch.cast(), code_of(status)) };
    }
}

impl<S> kit::block::Request for Request<'_, S> {
    type Data<'a>
        = NoData
    where
        Self: 'a;

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

    /// The device moves it.
    fn data(&mut self) -> NoData {
        NoData
    }

    fn set_position(&mut self, _sector: u64) {}

    #[inline(always)]
    fn end(self, status: Status) {
        self.set_attempts(0);
        let rq = self.into_raw();
        // SAFETY: By the type invariant the request was ours to end.
        unsafe { bindings::blk_mq_end_request(rq, code_of(status)) };
    }

    #[inline(always)]
    fn complete(self, status: Status) {
        // SAFETY: There is no batch.
        unsafe { self.end_in(core::ptr::null_mut(), status) };
    }

    /// At once: what a device ends needs no timer.
    fn complete_after(self, _nanoseconds: u64, status: Status) {
        self.end(status);
    }

    /// At once: the device's completions are what is polled.
    fn complete_on_poll(self, status: Status) {
        self.end(status);
    }

    fn lose(self) {
        self.end(Status::Timeout);
    }

    /// C: `blk_mq_requeue_request`.
    fn requeue(self) {
        let rq = self.into_raw();
        // SAFETY: By the type invariant the request was ours; another token is
        // made when it comes again.
        unsafe { bindings::blk_mq_requeue_request(rq, true) };
    }
}

impl<'q> DeviceRequest for Request<'q, Room<'q>> {
    type Segment = Segment;
    type Segments<'a>
        = Segments<'a>
    where
        Self: 'a;

    /// C: `blk_rq_dma_map_iter_start`, `blk_rq_dma_map_iter_next`.
    #[inline(always)]
    fn segments(&mut self) -> Result<Segments<'_>, Resource> {
        let (rq, target) = (self.rq.get().cast(), self.target.get().cast());
        let (room, most) = (self.room.as_mut_ptr(), self.room.len() as u32);
        // SAFETY: By the type invariant the request is live; `room` is
        // writable for `most` segments, and the function writes as many as it
        // answers.
        let count = unsafe { shim::rf_map(rq, target, room.cast(), most) };
        match self.room.get(..count as usize) {
            Some(segments) if count > 0 => Ok(Segments(segments.iter())),
            _ => Err(Resource::Memory),
        }
    }

    #[inline(always)]
    fn identifier(&self) -> u16 {
        self.slot.identifier()
    }

    #[inline(always)]
    fn launch(self) {
        let request = ManuallyDrop::new(self);
        // SAFETY: By the type invariant the request was started, is ours to
        // end and has this slot's tag; the token is consumed.
        unsafe { request.slot.launch(request.rq.get()) };
    }
}

impl<S> Drop for Request<'_, S> {
    fn drop(&mut self) {
        self.set_attempts(0);
        let rq = self.rq.get();
        // SAFETY: By the type invariant the request is ours to end; what
        // consumes the token does not drop it.
        unsafe {
            shim::rf_unmap(rq.cast(), self.target.get().cast());
            bindings::blk_mq_end_request(rq, code_of(Status::Io));
        }
    }
}

/// A piece of a request's data, mapped for the device as long as the request
/// lasts.
pub(super) struct Segment(shim::Segment);

impl dma::Segment for Segment {
    #[inline(always)]
    fn address(&self) -> u64 {
        self.0.address
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.0.length
    }
}

/// The pieces of a request's data, in order.
pub(super) struct Segments<'a>(core::slice::Iter<'a, shim::Segment>);

impl Iterator for Segments<'_> {
    type Item = Segment;

    #[inline(always)]
    fn next(&mut self) -> Option<Segment> {
        self.0.next().map(|segment| Segment(*segment))
    }

    #[inline(always)]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
