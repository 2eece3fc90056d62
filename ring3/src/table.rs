//! The C function table behind which every subject sits: `ring.h` in Rust.

use std::ffi::c_void;

use kit::block::Driver;

use crate::request::{RawRequest, Request};

/// `struct rf_driver`: a driver as the load calls it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DriverTable {
    pub(crate) queue: unsafe extern "C" fn(*mut c_void, *mut RawRequest),
    pub(crate) complete: unsafe extern "C" fn(*mut c_void, *mut RawRequest),
}

/// The table of a Rust driver.
pub(crate) fn table_of<D: Driver>() -> DriverTable {
    DriverTable {
        queue: queue::<D>,
        complete: complete::<D>,
    }
}

/// # Safety
///
/// `device` points to a live `D`; `request` is live, in flight, and the
/// caller passes on the only permission to end it.
unsafe extern "C" fn queue<D: Driver>(device: *mut c_void, request: *mut RawRequest) {
    // SAFETY: By this function's contract; `D` is `Sync`.
    let driver = unsafe { &*device.cast::<D>() };
    // SAFETY: By this function's contract.
    driver.queue(unsafe { Request::from_raw(request) });
}

/// # Safety
///
/// As for [`queue`]; the request comes from soft completion.
unsafe extern "C" fn complete<D: Driver>(device: *mut c_void, request: *mut RawRequest) {
    // SAFETY: By this function's contract; `D` is `Sync`.
    let driver = unsafe { &*device.cast::<D>() };
    // SAFETY: By this function's contract.
    driver.complete(unsafe { Request::from_raw(request) });
}
