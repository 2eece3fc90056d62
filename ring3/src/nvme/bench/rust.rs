//! A queue pair of the driver behind the C function table.

use std::ffi::c_void;

use kit::block::Request as _;
use nvme::{Completions, IoQueue, Namespace, Submissions};

use super::doorbell::Called;
use crate::request::{RawRequest, Request, Tags};
use crate::table::{DriverTable, AGAIN, TAKEN};

/// The pair and its requests.
pub(super) struct RustPair {
    /// Where the controller finds its queues.
    #[cfg(test)]
    pub(super) addresses: nvme::Addresses,
    submissions: Submissions<Called>,
    pub(super) completions: Completions<Called>,
    namespace: Namespace,
    tags: Tags,
}

impl RustPair {
    pub(super) fn new(queue: IoQueue<Called>, namespace: Namespace, tags: Tags) -> RustPair {
        RustPair {
            #[cfg(test)]
            addresses: queue.addresses,
            submissions: queue.submissions,
            completions: queue.completions,
            namespace,
            tags,
        }
    }
}

/// Its table: its devices are [`RustPair`]s.
pub(super) const TABLE: DriverTable = DriverTable {
    queue,
    commit: Some(commit),
    poll: Some(poll),
};

/// # Safety
///
/// `pair` points to a live [`RustPair`] that nobody else uses now; `request` is
/// live, in flight, and the caller passes on the only permission to end it.
unsafe extern "C" fn queue(request: *mut RawRequest, pair: *mut c_void) -> i32 {
    // SAFETY: By this function's contract.
    let (pair, request) = unsafe { (&mut *pair.cast::<RustPair>(), Request::from_raw(request)) };
    match pair.submissions.submit(&pair.namespace, request) {
        Ok(()) => TAKEN,
        Err(busy) => {
            busy.request.into_raw();
            AGAIN
        }
    }
}

/// # Safety
///
/// `pair` points to a live [`RustPair`] that nobody else uses now.
unsafe extern "C" fn commit(pair: *mut c_void) {
    // SAFETY: By this function's contract.
    unsafe { &mut *pair.cast::<RustPair>() }
        .submissions
        .commit();
}

/// # Safety
///
/// As for [`commit`].
unsafe extern "C" fn poll(pair: *mut c_void) -> u32 {
    // SAFETY: By this function's contract.
    let pair = unsafe { &mut *pair.cast::<RustPair>() };
    pair.completions
        .process(&pair.tags, |request, status| request.end(status))
}
