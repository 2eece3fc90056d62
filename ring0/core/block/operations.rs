// SPDX-License-Identifier: GPL-2.0-only

//! The function table by which blk-mq calls a driver.

use core::marker::PhantomData;

use kernel::bindings;
use kit::block::Driver;

use super::Request;

/// `struct blk_mq_ops` for the driver `D`.
///
/// Every queue that uses this table belongs to a [`Disk<D>`](super::Disk),
/// which stores a pointer to its `D` in `queuedata` before the queue can be
/// used and takes it away after the queue is dead.
pub(super) struct Operations<D>(PhantomData<D>);

impl<D: Driver> Operations<D> {
    /// The table.
    pub(super) const TABLE: bindings::blk_mq_ops = bindings::blk_mq_ops {
        queue_rq: Some(Self::queue_rq),
        queue_rqs: None,
        commit_rqs: None,
        get_budget: None,
        put_budget: None,
        set_rq_budget_token: None,
        get_rq_budget_token: None,
        timeout: None,
        poll: None,
        complete: Some(Self::complete),
        init_hctx: None,
        exit_hctx: None,
        init_request: None,
        exit_request: None,
        cleanup_rq: None,
        busy: None,
        map_queues: None,
        #[cfg(CONFIG_BLK_DEBUG_FS)]
        show_rq: None,
    };

    /// The driver behind a queue.
    ///
    /// # Safety
    ///
    /// `queue` is a live queue of a `Disk<D>`, within a callback of blk-mq.
    #[inline(always)]
    unsafe fn driver<'a>(queue: *mut bindings::request_queue) -> &'a D {
        // SAFETY: `Disk::new` stored a `D` there, and `Disk::drop` frees it
        // after `del_gendisk` and a grace period, so after every callback. `D`
        // is `Sync`.
        unsafe { &*(*queue).queuedata.cast::<D>() }
    }

    /// `queue_rq`: starts the request and hands it over.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue of a `Disk<D>`: both pointers are
    /// valid, and `bd->rq` is a live request that was not started.
    unsafe extern "C" fn queue_rq(
        hctx: *mut bindings::blk_mq_hw_ctx,
        bd: *const bindings::blk_mq_queue_data,
    ) -> bindings::blk_status_t {
        // SAFETY: Both pointers are valid by this function's contract.
        let (rq, queue) = unsafe { ((*bd).rq, (*hctx).queue) };
        // SAFETY: The request is live and was not started.
        unsafe { bindings::blk_mq_start_request(rq) };
        // SAFETY: The request was started just now; answering `BLK_STS_OK`
        // makes its end the driver's business, and this is the first token.
        let request = unsafe { Request::from_raw(rq) };
        // SAFETY: The queue is one of a `Disk<D>`, and this is a callback.
        let driver = unsafe { Self::driver(queue) };
        driver.queue(request);
        0
    }

    /// `complete`: the second half of [`Request`]'s `complete`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, once for each `blk_mq_complete_request` on a
    /// request of a `Disk<D>`.
    unsafe extern "C" fn complete(rq: *mut bindings::request) {
        // SAFETY: The request is live until it is ended, and its queue with
        // it, which is one of a `Disk<D>`.
        let driver = unsafe { Self::driver((*rq).q) };
        // SAFETY: The token was consumed by `complete`, so there is no other.
        let request = unsafe { Request::from_raw(rq) };
        driver.complete(request);
    }
}
