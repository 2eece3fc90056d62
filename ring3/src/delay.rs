//! A known delay in the call table: the positive control of a measurement.

use std::cell::Cell;
use std::ffi::c_void;
use std::time::{Duration, Instant};

use crate::request::RawRequest;
use crate::table::DriverTable;

/// The delay of so many operations comes at once: each one's own would be
/// less than what a look at the clock takes. A window of a load has many times
/// as many.
const TOGETHER: u32 = 1024;

thread_local! {
    /// Operations of this thread since the last delay.
    static SINCE: Cell<u32> = const { Cell::new(0) };
}

/// A device behind another function table, whose function waits now and then.
pub(crate) struct Delayed {
    table: DriverTable,
    pointer: *mut c_void,
    /// Of [`TOGETHER`] operations.
    wait: Duration,
}

// SAFETY: The pointer is only handed to the table's function, which several
// threads may call at once: see `Device::table`.
unsafe impl Send for Delayed {}
// SAFETY: As above.
unsafe impl Sync for Delayed {}

impl Delayed {
    /// With `nanoseconds` an operation, on average. Zero has the cost of the
    /// second table, and no delay.
    pub(crate) fn new(of: (DriverTable, *mut c_void), nanoseconds: f64) -> Box<Delayed> {
        Box::new(Delayed {
            table: of.0,
            pointer: of.1,
            wait: Duration::from_secs_f64((nanoseconds * f64::from(TOGETHER) / 1e9).max(0.0)),
        })
    }

    /// As `Device::table`: valid as long as `self` and what it was made of are.
    pub(crate) fn table(&self) -> (DriverTable, *mut c_void) {
        let table = DriverTable {
            queue,
            commit: self.table.commit.map(|_| commit as _),
            poll: self.table.poll.map(|_| poll as _),
        };
        (table, (self as *const Delayed).cast_mut().cast())
    }
}

/// # Safety
///
/// `device` points to a live [`Delayed`], whose own table and pointer are live;
/// `request` is as that table's function wants it.
unsafe extern "C" fn queue(request: *mut RawRequest, device: *mut c_void) -> i32 {
    // SAFETY: By this function's contract; it is only read.
    let delayed = unsafe { &*device.cast::<Delayed>() };
    let since = SINCE.get() + 1;
    if since < TOGETHER {
        SINCE.set(since);
    } else {
        SINCE.set(0);
        let start = Instant::now();
        while start.elapsed() < delayed.wait {
            std::hint::spin_loop();
        }
    }
    // SAFETY: By this function's contract.
    unsafe { (delayed.table.queue)(request, delayed.pointer) }
}

/// # Safety
///
/// `device` points to a live [`Delayed`], whose own table and pointer are live.
unsafe extern "C" fn commit(device: *mut c_void) {
    // SAFETY: By this function's contract; it is only read.
    let delayed = unsafe { &*device.cast::<Delayed>() };
    if let Some(commit) = delayed.table.commit {
        // SAFETY: By this function's contract.
        unsafe { commit(delayed.pointer) };
    }
}

/// # Safety
///
/// As for [`commit`].
unsafe extern "C" fn poll(device: *mut c_void) -> u32 {
    // SAFETY: By this function's contract; it is only read.
    let delayed = unsafe { &*device.cast::<Delayed>() };
    match delayed.table.poll {
        // SAFETY: By this function's contract.
        Some(poll) => unsafe { poll(delayed.pointer) },
        None => 0,
    }
}
