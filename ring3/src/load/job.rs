//! A job of a load on a null block device: requests in flight on one thread.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

use ::nullblk::Attribute;
use anyhow::{anyhow, bail, Result};
use kit::memory::PAGE_SIZE;

use super::positions::Positions;
use super::{Load, Rounds, Shape, Target};
use crate::nullblk::Device;
use crate::placement::{self, Placed, COMPLETIONS};
use crate::request::{
    self, CompletionQueue, RawRequest, COMPLETING, ENDED, IN_FLIGHT, TIMED_OUT, TIME_LIMIT,
};
use crate::table::{DriverTable, AGAIN};

/// A request that was not given back, beside failed ones in one sum. No
/// piece has as many operations.
pub(super) const LOST: u64 = 1 << 40;

/// How often requests are offered again, at least, before one that is still
/// refused after [`TIME_LIMIT`] is given up. Time alone would be wrong: this
/// thread, or one that holds the medium's lock, may have been off the
/// processor for that long.
const OFFERS: u32 = 1 << 18;

/// A page of a request's buffer.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_SIZE]);

/// Operations of a window.
const WINDOW: u32 = 16384;

/// Jobs of a load at most: a thread each.
const MAX_JOBS: u32 = 1024;

impl Target for Device {
    fn shape(&self) -> Shape {
        let settings = self.settings();
        Shape {
            block_size: settings.block_size(),
            capacity: self.capacity(),
            max_transfer: u32::MAX,
            queues: settings.submit_queues(),
            depth: settings.hw_queue_depth(),
            jobs: MAX_JOBS,
            window: WINDOW,
        }
    }

    fn read_back(&self) -> Vec<(&'static str, u64)> {
        Device::read_back(self)
    }

    fn serves(&self) -> bool {
        Device::serves(self)
    }

    fn another(&self) -> Result<Box<dyn Target>> {
        match Device::another(self) {
            Ok(device) => Ok(Box::new(device)),
            Err(unable) => Err(anyhow!("load: a device cannot be made again: {}", unable.0)),
        }
    }

    fn delayed(self: Box<Self>, nanoseconds: f64) -> Box<dyn Target> {
        Box::new(Device::delayed(*self, nanoseconds))
    }

    fn job<'a>(&'a self, load: &Load, number: u32) -> Result<Box<dyn Rounds + 'a>> {
        Ok(Box::new(Job::new(load, self, number)))
    }
}

impl Rounds for Job<'_> {
    fn rounds(&mut self, load: &Load, count: u32) -> Result<u64> {
        // Opaque, so that no subject's functions can be seen through and
        // inlined.
        let (table, pointer) = std::hint::black_box(self.device.table());
        let mut failed = 0;
        for _ in 0..count {
            // SAFETY: Table and pointer are this device's, which outlives
            // `self`.
            failed += unsafe { self.round(load, table, pointer) };
        }
        // SAFETY: Valid until drop, and used by this thread only.
        if unsafe { self.completions.as_ref() }.misuses > 0 {
            bail!("load: the driver gave a request back that it did not own");
        }
        if self.device.serves() && failed >= LOST {
            bail!("load: the driver lost a request");
        }
        Ok(failed % LOST)
    }
}

/// One thread's requests, and the way that they take.
pub(super) struct Job<'a> {
    device: &'a Device,
    /// Those in use are the last `depth`, from the start of a page on.
    pub(super) requests: Vec<RawRequest>,
    pub(super) first: usize,
    /// What they read and write, if the device keeps data.
    _buffers: Vec<Vec<Page>>,
    pub(super) completions: NonNull<CompletionQueue>,
    /// What `completions` points into: a box that was taken apart, since
    /// requests point there too; drop puts it together again.
    allocation: *mut Placed<CompletionQueue, COMPLETIONS>,
    positions: Positions,
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        // SAFETY: From `Box::into_raw` in `new`; the requests that point to
        // it are not used any more.
        drop(unsafe { Box::from_raw(self.allocation) });
    }
}

impl<'a> Job<'a> {
    pub(super) fn new(load: &Load, device: &'a Device, number: u32) -> Job<'a> {
        let allocation = Box::into_raw(Placed::new(CompletionQueue::new()));
        // SAFETY: The box was valid just now and is not at address zero.
        let completions = unsafe { NonNull::new_unchecked(&raw mut (*allocation).value) };
        let page = 4096 / size_of::<RawRequest>();
        let mut requests: Vec<RawRequest> = (0..load.depth as usize + page)
            .map(|_| RawRequest::new(completions.as_ptr()))
            .collect();
        let first = placement::to_page(&requests);
        requests.truncate(first + load.depth as usize);
        let mut buffers = Vec::new();
        let polled = u8::from(device.settings().poll_queues() > 0);
        for request in &mut requests[first..] {
            request.polled = polled;
            if device.settings().on(Attribute::MemoryBacked) {
                let pages = (load.block_size as usize).div_ceil(PAGE_SIZE);
                let mut buffer = vec![Page([0; PAGE_SIZE]); pages];
                request.data = buffer.as_mut_ptr().cast();
                buffers.push(buffer);
            }
        }
        Job {
            device,
            requests,
            first,
            _buffers: buffers,
            completions,
            allocation,
            positions: Positions::new(load, device.capacity(), number),
        }
    }

    /// Starts every request once, ends those that wait, takes them back;
    /// gives how many failed, and [`LOST`] for each that was not given back.
    /// The same instructions for every subject.
    ///
    /// # Safety
    ///
    /// `table` and `pointer` belong to a live device.
    #[inline]
    pub(super) unsafe fn round(
        &mut self,
        load: &Load,
        table: DriverTable,
        pointer: *mut c_void,
    ) -> u64 {
        let operation = u8::from(load.write);
        for at in self.first..self.requests.len() {
            let request = &mut self.requests[at];
            request.position = self.positions.next();
            request.bytes = load.block_size;
            request.operation = operation;
            // SAFETY: The device is live by this function's contract; the
            // request and its completion queue are live and this thread's.
            unsafe { self.submit(at, table, pointer) };
        }
        // SAFETY: As above.
        unsafe { self.settle(table, pointer) };
        self.requests[self.first..]
            .iter()
            .map(|request| {
                u64::from(request.status != 0) + u64::from(request.state != ENDED) * LOST
            })
            .sum()
    }

    /// Hands a request to the driver.
    ///
    /// # Safety
    ///
    /// As for [`round`](Job::round).
    #[inline]
    pub(super) unsafe fn submit(&mut self, at: usize, table: DriverTable, pointer: *mut c_void) {
        let request = &mut self.requests[at];
        request.state = IN_FLIGHT;
        // SAFETY: The request was put in flight just now, and nothing else
        // may end it; the driver gives back what it does not take.
        unsafe {
            if (table.queue)(request, pointer) == AGAIN {
                request::offer_again(request);
            }
        }
    }

    /// Ends what waits: soft completion and poll, timers, time limits; and
    /// offers again what was not taken, until nothing waits. What is refused
    /// beyond the time limit and [`OFFERS`] ends with a timeout.
    ///
    /// # Safety
    ///
    /// As for [`round`](Job::round).
    #[inline]
    pub(super) unsafe fn settle(&mut self, table: DriverTable, pointer: *mut c_void) {
        // SAFETY: The queue is valid until drop, and only live requests of
        // `self.requests` are on its lists, in state COMPLETING.
        unsafe {
            let queue = self.completions.as_ptr();
            let mut offers = 0;
            let mut give_up_at = 0;
            loop {
                while let Some(request) = (*queue).ready.pop() {
                    Job::end(request);
                }
                if let Some(request) = (*queue).timed.pop() {
                    while (*request).due != 0 && request::now() < (*request).due {
                        std::hint::spin_loop();
                    }
                    Job::end(request);
                } else if let Some(request) = (*queue).again.pop() {
                    if offers == 0 {
                        give_up_at = request::now() + TIME_LIMIT;
                    }
                    if offers >= OFFERS && request::now() > give_up_at {
                        (*request).status = TIMED_OUT;
                        Job::end(request);
                        continue;
                    }
                    offers = offers.saturating_add(1);
                    (*request).state = IN_FLIGHT;
                    if (table.queue)(request, pointer) == AGAIN {
                        request::offer_again(request);
                    }
                } else if let Some(request) = (*queue).lost.pop() {
                    let left = (*request).due.saturating_sub(request::now());
                    thread::sleep(Duration::from_nanos(left));
                    Job::end(request);
                } else {
                    return;
                }
            }
        }
    }

    /// # Safety
    ///
    /// `request` is live, and was on a list.
    #[inline]
    unsafe fn end(request: *mut RawRequest) {
        // SAFETY: By this function's contract.
        unsafe {
            debug_assert_eq!((*request).state, COMPLETING);
            (*request).state = ENDED;
        }
    }
}
