// SPDX-License-Identifier: GPL-2.0-only

//! The function table by which blk-mq calls hardware queues.

use core::marker::PhantomData;
use core::ptr;

use kernel::bindings;
use kernel::ffi::{c_int, c_uint, c_void};
use kernel::prelude::*;

use super::queue::Queue;
use super::queues::{HardwareQueues, Namespaced};
use super::request::command_of;
use super::Hardware;

/// `struct blk_mq_ops` for the hardware `H`.
///
/// Every queue that uses this table belongs to a disk of a
/// [`HardwareQueues<H>`], whose tag set has a pointer to that in
/// `driver_data`; the queue's `queuedata` is a [`Namespaced<H>`].
pub(super) struct Operations<H>(PhantomData<H>);

impl<H: Hardware> Operations<H> {
    /// The table.
    pub(super) const TABLE: bindings::blk_mq_ops = bindings::blk_mq_ops {
        queue_rq: Some(Self::queue_rq),
        queue_rqs: Some(Self::queue_rqs),
        commit_rqs: Some(Self::commit_rqs),
        get_budget: None,
        put_budget: None,
        set_rq_budget_token: None,
        get_rq_budget_token: None,
        timeout: Some(Self::timeout),
        poll: Some(Self::poll),
        complete: Some(Self::complete),
        init_hctx: Some(Self::init_hctx),
        exit_hctx: None,
        init_request: Some(Self::init_request),
        exit_request: None,
        cleanup_rq: None,
        busy: None,
        map_queues: Some(Self::map_queues),
        #[cfg(CONFIG_BLK_DEBUG_FS)]
        show_rq: None,
    };

    /// # Safety
    ///
    /// `hctx` is a live hardware queue with this table, within a callback of
    /// blk-mq.
    #[inline(always)]
    unsafe fn queue_of<'a>(hctx: *mut bindings::blk_mq_hw_ctx) -> &'a Queue<H> {
        // SAFETY: `init_hctx` stored it there; it is there as long as the tag
        // set, and `Sync`.
        unsafe { &*(*hctx).driver_data.cast::<Queue<H>>() }
    }

    /// # Safety
    ///
    /// `queue` is a live queue with this table, within a callback of blk-mq.
    #[inline(always)]
    unsafe fn namespace_of<'a>(queue: *mut bindings::request_queue) -> &'a H::Namespace {
        // SAFETY: It was stored there when the disk was allocated, and goes
        // after `del_gendisk` and a grace period, so after every callback. It
        // is `Sync`.
        unsafe { &(*(*queue).queuedata.cast::<Namespaced<H>>()).namespace }
    }

    /// `queue_rq`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue with this table: both pointers are
    /// valid, and `bd->rq` is a live request that was not started.
    unsafe extern "C" fn queue_rq(
        hctx: *mut bindings::blk_mq_hw_ctx,
        bd: *const bindings::blk_mq_queue_data,
    ) -> bindings::blk_status_t {
        // SAFETY: By this function's contract.
        unsafe {
            let namespace = Self::namespace_of((*hctx).queue);
            Self::queue_of(hctx).queue(namespace, (*bd).rq, (*bd).last)
        }
    }

    /// `queue_rqs`: those that stay on the list are offered again.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for queues with this table: every request on
    /// the list is live and not started.
    unsafe extern "C" fn queue_rqs(list: *mut bindings::rq_list) {
        let mut refused = bindings::rq_list {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        };
        // SAFETY: The list and its requests are valid; a request's link is
        // read before it is given away, and written only while it is ours. A
        // queue gets its own requests.
        unsafe {
            let mut at = (*list).head;
            while !at.is_null() {
                let hctx = (*at).mq_hctx;
                let next = || {
                    let rq = at;
                    if rq.is_null() || (*rq).mq_hctx != hctx {
                        return None;
                    }
                    at = (*rq).__bindgen_anon_1.rq_next;
                    (*rq).__bindgen_anon_1.rq_next = ptr::null_mut();
                    Some((rq, Self::namespace_of((*rq).q)))
                };
                Self::queue_of(hctx).queue_many(next, |rq| {
                    if refused.head.is_null() {
                        refused.head = rq;
                    } else {
                        (*refused.tail).__bindgen_anon_1.rq_next = rq;
                    }
                    refused.tail = rq;
                });
            }
            *list = refused;
        }
    }

    /// `commit_rqs`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue with this table.
    unsafe extern "C" fn commit_rqs(hctx: *mut bindings::blk_mq_hw_ctx) {
        // SAFETY: By this function's contract.
        unsafe { Self::queue_of(hctx) }.commit();
    }

    /// `complete`: the second half of an end on another CPU.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a request that `rf_end` handed to it.
    unsafe extern "C" fn complete(rq: *mut bindings::request) {
        // SAFETY: The token was consumed; `rf_end` wrote the status.
        unsafe { bindings::blk_mq_end_request(rq, (*command_of(rq)).status) };
    }

    /// `timeout`: tells the hardware, which has the controller abort the
    /// request, or stops it; the request ends then.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, from a work item, with a reference to the
    /// request, which was started and may have ended meanwhile.
    unsafe extern "C" fn timeout(rq: *mut bindings::request) -> bindings::blk_eh_timer_return {
        // SAFETY: By this function's contract; the set's `driver_data` is the
        // device's queues, which outlive its disks.
        unsafe {
            let hctx = (*rq).mq_hctx;
            let queues = &*(*(*(*hctx).queue).tag_set)
                .driver_data
                .cast::<HardwareQueues<H>>();
            match Self::queue_of(hctx).overdue(rq) {
                Some((identifier, again)) => {
                    queues.hardware().late((*hctx).queue_num, identifier, again);
                    bindings::blk_eh_timer_return_BLK_EH_RESET_TIMER
                }
                None => bindings::blk_eh_timer_return_BLK_EH_DONE,
            }
        }
    }

    /// `poll`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, with a hardware queue of type poll, and a batch
    /// that is ended afterwards.
    unsafe extern "C" fn poll(
        hctx: *mut bindings::blk_mq_hw_ctx,
        batch: *mut bindings::io_comp_batch,
    ) -> c_int {
        // SAFETY: By this function's contract.
        unsafe { Self::queue_of(hctx).process(batch) as c_int }
    }

    /// `init_hctx`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, once for each hardware queue of a disk, with the
    /// set's `driver_data`.
    unsafe extern "C" fn init_hctx(
        hctx: *mut bindings::blk_mq_hw_ctx,
        set_data: *mut c_void,
        index: c_uint,
    ) -> c_int {
        // SAFETY: By this function's contract.
        let queues = unsafe { &*set_data.cast::<HardwareQueues<H>>() };
        let Some(queue) = queues.queue(index) else {
            return EINVAL.to_errno();
        };
        // SAFETY: The field is the driver's.
        unsafe { (*hctx).driver_data = ptr::from_ref(queue).cast_mut().cast() };
        0
    }

    /// `init_request`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for each request before its first use.
    unsafe extern "C" fn init_request(
        _set: *mut bindings::blk_mq_tag_set,
        rq: *mut bindings::request,
        _hctx: c_uint,
        _node: c_int,
    ) -> c_int {
        // SAFETY: The set was made with room for a command, which is plain
        // data.
        unsafe { command_of(rq).write_bytes(0, 1) };
        0
    }

    /// `map_queues`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, with a set whose `driver_data` is a
    /// [`HardwareQueues<H>`].
    unsafe extern "C" fn map_queues(set: *mut bindings::blk_mq_tag_set) {
        // SAFETY: By this function's contract; the maps are the set's.
        unsafe { (*(*set).driver_data.cast::<HardwareQueues<H>>()).map(set) };
    }
}
