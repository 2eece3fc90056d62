//! Requests of ring 3: the C structure, the owned token over it, and the
//! functions by which every driver gives a request back.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::OnceLock;
use std::time::Instant;

use kit::block::{tag, Operation, Resource, Status};

use crate::dma::Piece;

/// `struct rf_request` of `ring.h`, on cache lines of its own.
#[repr(C, align(128))]
pub(crate) struct RawRequest {
    pub(crate) position: u64,
    pub(crate) bytes: u32,
    pub(crate) operation: u8,
    pub(crate) polled: u8,
    pub(crate) status: u8,
    pub(crate) state: u8,
    end: unsafe extern "C" fn(*mut RawRequest, u8),
    soft: unsafe extern "C" fn(*mut RawRequest, u8),
    timer: unsafe extern "C" fn(*mut RawRequest, u64, u8),
    poll: unsafe extern "C" fn(*mut RawRequest, u8),
    next: *mut RawRequest,
    queue: *mut CompletionQueue,
    /// `bytes` bytes, or null: then the request has no data to move.
    pub(crate) data: *mut u8,
    /// When a request that waits for its timer or its time limit ends, by
    /// [`now`]; 0 for at once.
    pub(crate) due: u64,
    pub(crate) fua: u8,
    /// By which name a device ends it.
    pub(crate) identifier: u16,
    pub(crate) segment_count: u32,
    /// Where its data is for a device: `segment_count` of them.
    pub(crate) segments: *const Piece,
}

/// The driver owns the request.
pub(crate) const IN_FLIGHT: u8 = 1;
/// The request waits in its completion queue.
pub(crate) const COMPLETING: u8 = 2;
/// A device owns the request, until it names its identifier.
pub(crate) const LAUNCHED: u8 = 3;
/// The request has ended; the load owns it.
pub(crate) const ENDED: u8 = 0;

/// `enum rf_status` of a request that nobody answered.
pub(crate) const TIMED_OUT: u8 = 2;

/// Nanoseconds that a request may take. What is not answered by then ends with
/// [`TIMED_OUT`].
pub(crate) const TIME_LIMIT: u64 = 100_000_000;

impl RawRequest {
    /// A request that is not in flight and completes on `queue`.
    pub(crate) fn new(queue: *mut CompletionQueue) -> RawRequest {
        RawRequest {
            position: 0,
            bytes: 0,
            operation: 0,
            polled: 0,
            status: 0,
            state: ENDED,
            end: end_request,
            soft: complete_request,
            timer: time_request,
            poll: complete_request,
            next: ptr::null_mut(),
            queue,
            data: ptr::null_mut(),
            due: 0,
            fua: 0,
            identifier: 0,
            segment_count: 0,
            segments: ptr::null(),
        }
    }
}

/// Nanoseconds since the first call.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A list of requests, oldest first.
pub(crate) struct List {
    head: *mut RawRequest,
    tail: *mut RawRequest,
}

impl List {
    fn new() -> List {
        List {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        }
    }

    /// # Safety
    ///
    /// `request` is live, on no list, and stays live while it is on this one.
    unsafe fn push(&mut self, request: *mut RawRequest) {
        // SAFETY: By this function's contract; a list that is not empty has a
        // live tail.
        unsafe {
            (*request).next = ptr::null_mut();
            if self.head.is_null() {
                self.head = request;
            } else {
                (*self.tail).next = request;
            }
        }
        self.tail = request;
    }

    /// Takes the oldest request.
    ///
    /// # Safety
    ///
    /// Every request on the list is live.
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

/// Requests that wait. One a job, used by that job's thread only.
pub(crate) struct CompletionQueue {
    /// For soft completion or a poll.
    pub(crate) ready: List,
    /// For their timer. All have the same time, so the oldest is due first.
    pub(crate) timed: List,
    /// For their time limit.
    pub(crate) lost: List,
    /// To be offered again.
    pub(crate) again: List,
    /// Requests that were given back while the driver did not own them: bugs
    /// of a driver behind the table.
    pub(crate) misuses: u64,
}

impl CompletionQueue {
    pub(crate) fn new() -> CompletionQueue {
        CompletionQueue {
            ready: List::new(),
            timed: List::new(),
            lost: List::new(),
            again: List::new(),
            misuses: 0,
        }
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

/// Puts a request on one of its queue's lists, if the driver owns it.
///
/// # Safety
///
/// As for [`end_request`].
#[inline(always)]
unsafe fn wait(request: *mut RawRequest, status: u8, list: fn(&mut CompletionQueue) -> &mut List) {
    // SAFETY: By this function's contract; a request that is in flight is on
    // no list.
    unsafe {
        let queue = &mut *(*request).queue;
        if (*request).state != IN_FLIGHT {
            queue.misuses += 1;
            return;
        }
        (*request).status = status;
        (*request).state = COMPLETING;
        list(queue).push(request);
    }
}

/// Sends a request to soft completion, or to the next poll.
///
/// # Safety
///
/// As for [`end_request`].
unsafe extern "C" fn complete_request(request: *mut RawRequest, status: u8) {
    // SAFETY: By this function's contract.
    unsafe { wait(request, status, |queue| &mut queue.ready) };
}

/// Starts the timer that ends a request. One of no time is due at once and
/// looks at no clock.
///
/// # Safety
///
/// As for [`end_request`].
unsafe extern "C" fn time_request(request: *mut RawRequest, nanoseconds: u64, status: u8) {
    // SAFETY: By this function's contract.
    unsafe {
        if nanoseconds > TIME_LIMIT {
            return lose_request(request);
        }
        (*request).due = match nanoseconds {
            0 => 0,
            _ => now() + nanoseconds,
        };
        wait(request, status, |queue| &mut queue.timed);
    }
}

/// Lets a request wait for its time limit.
///
/// # Safety
///
/// As for [`end_request`].
#[cold]
unsafe fn lose_request(request: *mut RawRequest) {
    // SAFETY: By this function's contract.
    unsafe {
        (*request).due = now() + TIME_LIMIT;
        wait(request, TIMED_OUT, |queue| &mut queue.lost);
    }
}

/// Keeps a request until it is offered again.
///
/// # Safety
///
/// As for [`end_request`], and the request is in flight.
pub(crate) unsafe fn offer_again(request: *mut RawRequest) {
    // SAFETY: By this function's contract.
    unsafe { wait(request, 0, |queue| &mut queue.again) };
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

    /// The request, still in flight.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> *mut RawRequest {
        ManuallyDrop::new(self).raw.as_ptr()
    }

    #[inline(always)]
    fn get(&self) -> &RawRequest {
        // SAFETY: By the type invariant the request is live.
        unsafe { self.raw.as_ref() }
    }
}

impl kit::block::Request for Request {
    type Data<'a> = Data<'a>;

    #[inline(always)]
    fn operation(&self) -> Operation {
        match self.get().operation {
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
        self.get().position
    }

    #[inline(always)]
    fn bytes(&self) -> u32 {
        self.get().bytes
    }

    #[inline(always)]
    fn fua(&self) -> bool {
        self.get().fua != 0
    }

    #[inline(always)]
    fn polled(&self) -> bool {
        self.get().polled != 0
    }

    fn data(&mut self) -> Data<'_> {
        let raw = self.get();
        let left = match raw.data.is_null() {
            true => 0,
            false => raw.bytes as usize,
        };
        // INVARIANT: The load keeps `bytes` bytes there while the request is
        // in flight.
        Data {
            at: raw.data,
            left,
            read: raw.operation == 0,
            write: raw.operation == 1,
            _request: PhantomData,
        }
    }

    /// Ring 3 has no zones.
    fn set_position(&mut self, _sector: u64) {}

    #[inline(always)]
    fn end(self, status: Status) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { ((*raw).end)(raw, code_of(status)) };
    }

    #[inline(always)]
    fn complete(self, status: Status) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { ((*raw).soft)(raw, code_of(status)) };
    }

    #[inline(always)]
    fn complete_after(self, nanoseconds: u64, status: Status) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { ((*raw).timer)(raw, nanoseconds, code_of(status)) };
    }

    #[inline(always)]
    fn complete_on_poll(self, status: Status) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed. What is not
        // polled ends when the load takes back what is ready.
        unsafe { ((*raw).poll)(raw, code_of(status)) };
    }

    fn lose(self) {
        // SAFETY: By the type invariant; the token is consumed.
        unsafe { lose_request(self.into_raw()) };
    }

    fn requeue(self) {
        // SAFETY: By the type invariant; the token is consumed, and made anew
        // when the request is offered again.
        unsafe { offer_again(self.into_raw()) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariant; what consumes the token does not
        // drop it.
        unsafe { ((*raw).end)(raw, code_of(Status::Io)) };
    }
}

impl kit::block::DeviceRequest for Request {
    type Segment = Piece;
    type Segments<'a> = std::iter::Copied<std::slice::Iter<'a, Piece>>;

    #[inline(always)]
    fn segments(&mut self) -> Result<Self::Segments<'_>, Resource> {
        let raw = self.get();
        let segments: &[Piece] = match raw.segment_count {
            0 => &[],
            // SAFETY: The load keeps so many segments there while the request
            // is in flight.
            count => unsafe { slice::from_raw_parts(raw.segments, count as usize) },
        };
        Ok(segments.iter().copied())
    }

    #[inline(always)]
    fn identifier(&self) -> u16 {
        self.get().identifier
    }

    #[inline(always)]
    fn launch(self) {
        let raw = self.into_raw();
        // SAFETY: By the type invariant; the token is consumed, and made anew
        // by `Tags::take`.
        unsafe { (*raw).state = LAUNCHED };
    }
}

/// The requests of a hardware queue by their tags.
///
/// # Invariants
///
/// The table and the requests are live as long as this is used, and their
/// completion queue belongs to this thread.
///
/// In a cell, so that a loop that ends requests looks there for each: kept in
/// registers, pointer and length cost every poll more than that.
pub(crate) struct Tags(Cell<*const [*mut RawRequest]>);

impl Tags {
    /// # Safety
    ///
    /// As the type's invariants say; the request at a place has that tag.
    pub(crate) unsafe fn new(requests: *const [*mut RawRequest]) -> Tags {
        // INVARIANT: By this function's contract.
        Tags(Cell::new(requests))
    }
}

impl kit::block::InFlight for Tags {
    type Request = Request;

    #[inline(always)]
    fn take(&self, identifier: u16) -> Option<Request> {
        // SAFETY: By the type invariant the table is there.
        let raw = *unsafe { &*self.0.get() }.get(usize::from(tag(identifier)))?;
        // SAFETY: By the type invariant; no token exists for a request that
        // the device has.
        unsafe {
            if (*raw).state != LAUNCHED || (*raw).identifier != identifier {
                return None;
            }
            (*raw).state = IN_FLIGHT;
            Some(Request::from_raw(raw))
        }
    }
}

/// A walk over the data of a request.
///
/// # Invariants
///
/// The `left` bytes from `at` on belong to a request that `'a` borrows; the
/// load does not touch them meanwhile.
pub(crate) struct Data<'a> {
    at: *mut u8,
    left: usize,
    read: bool,
    write: bool,
    _request: PhantomData<&'a mut Request>,
}

impl Data<'_> {
    /// The next `count` bytes, or fewer at the end.
    fn next(&mut self, count: usize) -> (*mut u8, usize) {
        let (at, count) = (self.at, count.min(self.left));
        // SAFETY: By the type invariant, at most one past the end.
        self.at = unsafe { at.add(count) };
        self.left -= count;
        (at, count)
    }
}

impl kit::block::Data for Data<'_> {
    fn get(&mut self, to: &mut [u8]) -> usize {
        if !self.write {
            return 0;
        }
        let (at, count) = self.next(to.len());
        // SAFETY: `count` bytes from `at` on are the request's, and `to` is
        // the driver's own.
        unsafe { ptr::copy_nonoverlapping(at, to.as_mut_ptr(), count) };
        count
    }

    fn put(&mut self, from: &[u8]) -> usize {
        if !self.read {
            return 0;
        }
        let (at, count) = self.next(from.len());
        // SAFETY: As for `get`.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), at, count) };
        count
    }

    fn fill(&mut self, byte: u8, count: usize) -> usize {
        if !self.read {
            return 0;
        }
        let (at, count) = self.next(count);
        // SAFETY: As for `get`.
        unsafe { ptr::write_bytes(at, byte, count) };
        count
    }
}

/// `enum rf_status`.
#[inline(always)]
fn code_of(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::NotSupported => 1,
        Status::Timeout => TIMED_OUT,
        Status::NoSpace => 3,
        Status::Transport => 4,
        Status::Target => 5,
        Status::Medium => 6,
        Status::Protection => 7,
        Status::Resource => 8,
        Status::Io => 9,
        Status::ZoneOpenResource => 10,
        Status::ZoneActiveResource => 11,
    }
}
