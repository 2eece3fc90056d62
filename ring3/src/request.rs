//! Requests of ring 3: the C structure, the owned token over it, and the two
//! functions by which every driver gives a request back.

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use kit::block::{Operation, Status};

/// `struct rf_request` of `ring.h`, on a cache line of its own.
#[repr(C, align(64))]
pub(crate) struct RawRequest {
    pub(crate) position: u64,
    pub(crate) bytes: u32,
    pub(crate) operation: u8,
    pub(crate) status: u8,
    pub(crate) state: u8,
    pad: u8,
    end: unsafe extern "C" fn(*mut RawRequest, u8),
    soft: unsafe extern "C" fn(*mut RawRequest),
    next: *mut RawRequest,
    queue: *mut CompletionQueue,
}

/// The driver owns the request.
pub(crate) const IN_FLIGHT: u8 = 1;
/// The request waits for soft completion.
pub(crate) const COMPLETING: u8 = 2;
/// The request has ended; the load owns it.
pub(crate) const ENDED: u8 = 0;

impl RawRequest {
    /// A request that is not in flight and completes on `queue`.
    pub(crate) fn new(queue: *mut CompletionQueue) -> RawRequest {
        RawRequest {
            position: 0,
            bytes: 0,
            operation: 0,
            status: 0,
            state: ENDED,
            pad: 0,
            end: end_request,
            soft: complete_request,
            next: ptr::null_mut(),
            queue,
        }
    }
}

/// Requests that wait for soft completion, oldest first. One a job, used by
/// that job's thread only.
pub(crate) struct CompletionQueue {
    head: *mut RawRequest,
    tail: *mut RawRequest,
    /// Requests that were ended or completed while the driver did not own
    /// them: bugs of a driver behind the table.
    pub(crate) misuses: u64,
}

impl CompletionQueue {
    pub(crate) fn new() -> CompletionQueue {
        CompletionQueue {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
            misuses: 0,
        }
    }

    /// Takes the oldest waiting request.
    ///
    /// # Safety
    ///
    /// Every request on the queue is live.
    pub(crate) unsafe fn pop(&mut self) -> Option<*mut RawRequest> {
        let request = self.head;
        if request.is_null() {
            return None;
        }
        // SAFETY: By this function's contract.
        self.head = unsafe { (*request).next };
        Some(request)
    }
}

/// Ends a request: blk_mq_end_request's place in ring 3.
///
/// # Safety
///
/// `request` is live, and so is its completion queue, which belongs to the
/// calling thread.
unsafe extern "C" fn end_request(request: *mut RawRequest, status: u8) {
    // SAFETY: By this function's contract.
    let request = unsafe { &mut *request };
    if request.state != IN_FLIGHT {
        // SAFETY: By this function's contract.
        unsafe { (*request.queue).misuses += 1 };
        return;
    }
    request.status = status;
    request.state = ENDED;
}

/// Sends a request to soft completion: blk_mq_complete_request's place in
/// ring 3.
///
/// # Safety
///
/// As for [`end_request`].
unsafe extern "C" fn complete_request(request: *mut RawRequest) {
    // SAFETY: By this function's contract; the two do not overlap.
    let (raw, queue) = unsafe { (&mut *request, &mut *(*request).queue) };
    if raw.state != IN_FLIGHT {
        queue.misuses += 1;
        return;
    }
    raw.state = COMPLETING;
    raw.next = ptr::null_mut();
    if queue.head.is_null() {
        queue.head = request;
    } else {
        // SAFETY: A queue that is not empty has a live tail.
        unsafe { (*queue.tail).next = request };
    }
    queue.tail = request;
}

/// A request in flight as an owned token; see [`kit::block::Request`].
///
/// # Invariants
///
/// `raw` points to a live request in state `IN_FLIGHT` whose completion
/// queue belongs to this thread, and this token is the only permission to
/// end it.
pub(crate) struct Request {
    raw: NonNull<RawRequest>,
}

impl Request {
    /// # Safety
    ///
    /// `raw` is live and in flight, its completion queue belongs to this
    /// thread, and no other token exists for it.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(raw: *mut RawRequest) -> Request {
        // INVARIANT: The caller passes on the only permission to end it.
        Request {
            // SAFETY: A live request is not at address zero.
            raw: unsafe { NonNull::new_unchecked(raw) },
        }
    }

    #[inline(always)]
    fn into_raw(self) -> *mut RawRequest {
        ManuallyDrop::new(self).raw.as_ptr()
    }
}

impl kit::block::Request for Request {
    #[inline(always)]
    fn operation(&self) -> Operation {
        // SAFETY: By the type invariant the request is live.
        match unsafe { self.raw.as_ref() }.operation {
            0 => Operation::Read,
            1 => Operation::Write,
            2 => Operation::Flush,
            3 => Operation::Discard,
            4 => Operation::WriteZeroes,
            _ => Operation::Other,
        }
    }

    #[inline(always)]
    fn position(&self) -> u64 {
        // SAFETY: By the type invariant the request is live.
        unsafe { self.raw.as_ref() }.position
    }

    #[inline(always)]
    fn bytes(&self) -> u32 {
        // SAFETY: By the type invariant the request is live.
        unsafe { self.raw.as_ref() }.bytes
    }

    #[inline(always)]
    fn end(self, status: Status) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { ((*raw).end)(raw, code_of(status)) };
    }

    #[inline(always)]
    fn complete(self) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed here and made
        // anew when soft completion hands the request back.
        unsafe { ((*raw).soft)(raw) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariant; `end` and `complete` do not drop.
        unsafe { ((*raw).end)(raw, code_of(Status::Io)) };
    }
}

/// `enum rf_status`.
#[inline(always)]
fn code_of(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::NotSupported => 1,
        Status::Timeout => 2,
        Status::NoSpace => 3,
        Status::Transport => 4,
        Status::Target => 5,
        Status::Medium => 6,
        Status::Protection => 7,
        Status::Resource => 8,
        Status::Io => 9,
    }
}
