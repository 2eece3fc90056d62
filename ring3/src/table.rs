//! The C function table behind which every subject sits: `ring.h` in Rust.

use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use kit::block::{Busy, Driver, Next, Request as _, Served};

use crate::request::{RawRequest, Request};

/// `struct rf_driver`: a driver as the load calls it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DriverTable {
    pub(crate) queue: unsafe extern "C" fn(*mut RawRequest, *mut c_void) -> i32,
    /// `None`, as the next, for a driver whose requests need no device.
    pub(crate) commit: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) poll: Option<unsafe extern "C" fn(*mut c_void) -> u32>,
}

impl DriverTable {
    /// Of a driver whose requests need no device.
    pub(crate) fn new(
        queue: unsafe extern "C" fn(*mut RawRequest, *mut c_void) -> i32,
    ) -> DriverTable {
        DriverTable {
            queue,
            commit: None,
            poll: None,
        }
    }
}

/// The driver took the request.
pub(crate) const TAKEN: i32 = 0;
/// It is to be offered again.
pub(crate) const AGAIN: i32 = 1;

/// A Rust driver and what is behind its lock.
pub(crate) struct Shared<D: Driver> {
    pub(crate) driver: D,
    pub(crate) medium: Mutex<D::Medium>,
}

/// The table of a Rust driver: its devices are `Shared<D>`.
pub(crate) fn table_of<D: Driver>() -> DriverTable {
    DriverTable::new(queue::<D>)
}

/// # Safety
///
/// `device` points to a live `Shared<D>`; `request` is live, in flight, and
/// the caller passes on the only permission to end it.
unsafe extern "C" fn queue<D: Driver>(request: *mut RawRequest, device: *mut c_void) -> i32 {
    // SAFETY: By this function's contract; `D` is `Sync`.
    let shared = unsafe { &*device.cast::<Shared<D>>() };
    // SAFETY: By this function's contract.
    match shared.driver.queue(unsafe { Request::from_raw(request) }) {
        Next::Taken => TAKEN,
        Next::Serve(request) => serve(request, shared),
        Next::Busy(busy) => refuse(busy),
    }
}

/// Takes its arguments in the order of [`queue`]: crossed, they would cost
/// every request a move, this way or not.
#[inline(never)]
fn serve<D: Driver>(mut request: Request, shared: &Shared<D>) -> i32 {
    let served = {
        let mut medium = shared.medium.lock().unwrap_or_else(PoisonError::into_inner);
        shared.driver.serve(&mut medium, &mut request)
    };
    match served {
        Served::Done(status) => shared.driver.finish(request, status),
        Served::Lost => request.lose(),
        Served::Requeued => request.requeue(),
        Served::Busy(lack) => return refuse(Busy { request, lack }),
    }
    TAKEN
}

fn refuse(busy: Busy<Request>) -> i32 {
    busy.request.into_raw();
    AGAIN
}
