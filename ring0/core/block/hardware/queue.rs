// SPDX-License-Identifier: GPL-2.0-only

//! A hardware queue: its driver's two halves, and the requests that its device
//! has.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use kernel::bindings;
use kernel::prelude::*;
use kit::block::{tag, Busy, InFlight, Request as _, Resource, Status};

use super::request::{command_of, Request, Room, Target};
use super::slots::Slots;
use super::turn::Turn;
use super::Hardware;
use crate::lock::SpinLock;
use crate::shim;

/// How often a request is given to the device when that was reset meanwhile.
const ATTEMPTS: u8 = 3;

/// A hardware queue. `struct blk_mq_hw_ctx` has it as its `driver_data`.
#[pin_data]
pub(super) struct Queue<H: Hardware> {
    #[pin]
    submissions: SpinLock<Submitting<H>>,
    completions: Turn<Option<H::Completions>>,
    requests: Requests,
    /// Whether the device will not come back.
    dead: AtomicBool,
}

/// What is used under the lock.
pub(super) struct Submitting<H: Hardware> {
    half: Option<H::Submissions>,
    /// Where the segments go of the request that is being submitted.
    room: KVec<shim::Segment>,
}

/// The requests of a queue.
pub(super) struct Requests {
    slots: Slots,
    target: Target,
}

impl Requests {
    /// The token of a request that the device has had.
    ///
    /// # Safety
    ///
    /// As for [`Slots::take`].
    #[inline(always)]
    unsafe fn take(&self, identifier: u16) -> Option<Request<'_, ()>> {
        // SAFETY: By this function's contract.
        let rq = unsafe { self.slots.take(identifier)? };
        let slot = self.slots.get(usize::from(tag(identifier)))?;
        // SAFETY: It was launched from a token, with this slot, and its end is
        // ours now.
        Some(unsafe { Request::new(rq, self.target, slot, ()) })
    }
}

/// The requests of a queue, for whose turn it is.
struct Turned<'q>(&'q Requests);

impl<'q> InFlight for Turned<'q> {
    type Request = Request<'q, ()>;

    #[inline(always)]
    fn take(&self, identifier: u16) -> Option<Request<'q, ()>> {
        // SAFETY: There is one of this type at a time: by whose turn it is with
        // the completions.
        unsafe { self.0.take(identifier) }
    }
}

/// Room for so many segments.
fn room_for(segments: u32) -> Result<KVec<shim::Segment>> {
    let mut room = KVec::with_capacity(segments as usize, GFP_KERNEL)?;
    for _ in 0..segments {
        let empty = shim::Segment {
            address: 0,
            length: 0,
        };
        room.push(empty, GFP_KERNEL)?;
    }
    Ok(room)
}

impl<H: Hardware> Queue<H> {
    /// A queue for tags below `depth` and requests of at most `segments`
    /// segments.
    pub(super) fn new(target: Target, depth: u32, segments: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Queue {
            submissions <- SpinLock::new(
                Submitting { half: None, room: room_for(segments)? },
                c"rf_submissions",
                kernel::static_lock_class!(),
            ),
            completions: Turn::new(None),
            requests: Requests { slots: Slots::new(depth)?, target },
            dead: AtomicBool::new(false),
        }? Error)
    }

    /// Gives the queue its halves; the device may be told of requests from
    /// here on. May sleep.
    pub(super) fn attach(&self, submissions: H::Submissions, completions: H::Completions) {
        let old = self.completions.wait(|half| half.replace(completions));
        let older = self.submissions.lock().half.replace(submissions);
        drop((old, older));
    }

    /// Takes the halves away from a device that has surely stopped. What it
    /// had is offered again, a few times, or ends. May sleep.
    pub(super) fn stopped(&self) {
        // Dropped once the lock is not held: that gives memory back.
        let submissions = self.submissions.lock().half.take();
        let again = !self.dead.load(Ordering::Acquire);
        let completions = self.completions.wait(|half| {
            for tag in 0..self.requests.slots.len() {
                let Some(identifier) = self.requests.slots.in_flight(tag) else {
                    continue;
                };
                // SAFETY: It is this caller's turn.
                if let Some(request) = unsafe { self.requests.take(identifier) } {
                    Self::give_back(request, again);
                }
            }
            half.take()
        });
        drop((submissions, completions));
    }

    fn give_back(request: Request<'_, ()>, again: bool) {
        let attempts = request.attempts();
        if again && attempts < ATTEMPTS {
            request.set_attempts(attempts + 1);
            request.requeue();
        } else if again {
            request.end(Status::Timeout);
        } else {
            request.end(Status::Io);
        }
    }

    /// How many requests the device has.
    pub(super) fn in_flight(&self) -> usize {
        let tags = 0..self.requests.slots.len();
        tags.filter(|tag| self.requests.slots.in_flight(*tag).is_some())
            .count()
    }

    /// From here on requests fail.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// Starts a request and submits it.
    ///
    /// # Safety
    ///
    /// `rq` is a live request of this queue that was not started.
    #[inline(always)]
    unsafe fn submit(
        &self,
        submitting: &mut Submitting<H>,
        namespace: &H::Namespace,
        rq: *mut bindings::request,
    ) -> bindings::blk_status_t {
        let Some(half) = submitting.half.as_mut() else {
            return match self.dead.load(Ordering::Acquire) {
                true => shim::BLK_STS_IOERR,
                false => shim::BLK_STS_RESOURCE,
            };
        };
        // SAFETY: The request is live; its tag does not change until it ends.
        let tag = unsafe { (*rq).tag };
        let Some(slot) = self.requests.slots.get(tag as usize) else {
            return shim::BLK_STS_IOERR;
        };
        // SAFETY: The request is live and was not started.
        unsafe { bindings::blk_mq_start_request(rq) };
        let room: Room<'_> = &mut submitting.room;
        // SAFETY: It was started just now, and answering `BLK_STS_OK` makes
        // its end the driver's business; this is its first token.
        let request = unsafe { Request::new(rq, self.requests.target, slot, room) };
        match H::submit(half, namespace, request) {
            Ok(()) => shim::BLK_STS_OK,
            Err(busy) => Self::refuse(busy),
        }
    }

    /// Gives a request back to blk-mq, which offers it again.
    #[cold]
    fn refuse(busy: Busy<Request<'_, Room<'_>>>) -> bindings::blk_status_t {
        busy.request.into_raw();
        match busy.lack {
            Resource::Memory => shim::BLK_STS_RESOURCE,
            Resource::Device | Resource::Tick => shim::BLK_STS_DEV_RESOURCE,
        }
    }

    /// Submits a request, and tells the device if it is the last for now.
    ///
    /// # Safety
    ///
    /// As for [`submit`](Queue::submit).
    #[inline(always)]
    pub(super) unsafe fn queue(
        &self,
        namespace: &H::Namespace,
        rq: *mut bindings::request,
        last: bool,
    ) -> bindings::blk_status_t {
        let mut submitting = self.submissions.lock();
        // SAFETY: By this function's contract.
        let status = unsafe { self.submit(&mut submitting, namespace, rq) };
        if last {
            Self::tell(&mut submitting);
        }
        status
    }

    fn tell(submitting: &mut Submitting<H>) {
        if let Some(half) = submitting.half.as_mut() {
            H::commit(half);
        }
    }

    /// Tells the device of what was submitted.
    pub(super) fn commit(&self) {
        Self::tell(&mut self.submissions.lock());
    }

    /// Submits requests as long as `next` has some, and tells the device.
    /// `refused` is told of those that were not taken.
    ///
    /// # Safety
    ///
    /// `next` answers live requests of this queue that were not started, each
    /// once, with their namespaces.
    #[inline(always)]
    pub(super) unsafe fn queue_many<'n>(
        &self,
        mut next: impl FnMut() -> Option<(*mut bindings::request, &'n H::Namespace)>,
        mut refused: impl FnMut(*mut bindings::request),
    ) where
        H: 'n,
    {
        let mut submitting = self.submissions.lock();
        while let Some((rq, namespace)) = next() {
            // SAFETY: By this function's contract.
            if unsafe { self.submit(&mut submitting, namespace, rq) } != shim::BLK_STS_OK {
                refused(rq);
            }
        }
        Self::tell(&mut submitting);
    }

    /// Ends what the device has ended, in `batch` where that takes it; how
    /// many completions there were. In any context.
    ///
    /// # Safety
    ///
    /// `batch` is null or a `struct io_comp_batch`, which is ended afterwards.
    #[inline(always)]
    pub(super) unsafe fn process(&self, batch: *mut bindings::io_comp_batch) -> u32 {
        let mut found = 0;
        self.completions.run(|half| {
            if let Some(half) = half {
                let requests = Turned(&self.requests);
                found += H::process(half, &requests, |request, status| {
                    // SAFETY: By this function's contract.
                    unsafe { request.end_in(batch, status) }
                });
            }
        });
        found
    }

    /// Ends what the device has ended; how many completions there were. From
    /// an interrupt handler.
    #[inline(always)]
    pub(super) fn interrupt(&self) -> u32 {
        let mut batch = bindings::io_comp_batch {
            ..pin_init::zeroed()
        };
        // SAFETY: The batch is ended below.
        let found = unsafe { self.process(&raw mut batch) };
        if let Some(complete) = batch.complete {
            // SAFETY: `blk_mq_add_to_batch` set the function, for the requests
            // that it put into the batch.
            unsafe { complete(&raw mut batch) };
        }
        found
    }

    /// At a request's time limit: its identifier if the device has it still,
    /// and whether that was found before.
    ///
    /// # Safety
    ///
    /// blk-mq holds a reference to the request, which is one of this queue.
    pub(super) unsafe fn overdue(&self, rq: *mut bindings::request) -> Option<(u16, bool)> {
        // Perhaps only the interrupt was lost.
        // SAFETY: There is no batch.
        unsafe { self.process(ptr::null_mut()) };
        // SAFETY: The reference keeps the request's fields.
        let tag = unsafe { (*rq).tag };
        let identifier = self.requests.slots.in_flight(usize::try_from(tag).ok()?)?;
        // SAFETY: The private data is there as long as the request; only this,
        // once at a time, and the request's start use the field.
        let again = unsafe { core::mem::replace(&mut (*command_of(rq)).overdue, 1) } != 0;
        Some((identifier, again))
    }
}
