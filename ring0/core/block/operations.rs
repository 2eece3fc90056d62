// SPDX-License-Identifier: GPL-2.0-only

//! The function table by which blk-mq calls a driver.

use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{fence, Ordering};

use kernel::bindings;
use kernel::ffi::{c_int, c_uint, c_void};
use kernel::prelude::*;
use kit::block::{Busy, Driver, Next, Request as _, Resource, Served};

use super::command::{self, Command};
use super::poll_queue::PollQueue;
use super::shared::Shared;
use super::Request;
use crate::shim;

/// `struct blk_mq_ops` for the driver `D`.
///
/// Every queue that uses this table belongs to a [`Disk<D>`](super::Disk),
/// which stores a pointer to its `Shared<D>` in `queuedata` before the queue
/// can be used and frees it after the queue is dead.
pub(super) struct Operations<D>(PhantomData<D>);

impl<D: Driver> Operations<D> {
    /// The table.
    pub(super) const TABLE: bindings::blk_mq_ops = bindings::blk_mq_ops {
        queue_rq: Some(Self::queue_rq),
        queue_rqs: Some(Self::queue_rqs),
        commit_rqs: if D::COMMITS {
            Some(Self::commit_rqs)
        } else {
            None
        },
        get_budget: None,
        put_budget: None,
        set_rq_budget_token: None,
        get_rq_budget_token: None,
        timeout: Some(Self::timeout),
        poll: Some(Self::poll),
        complete: Some(Self::complete),
        init_hctx: Some(Self::init_hctx),
        exit_hctx: Some(Self::exit_hctx),
        init_request: Some(Self::init_request),
        exit_request: Some(Self::exit_request),
        cleanup_rq: None,
        busy: None,
        map_queues: Some(Self::map_queues),
        #[cfg(CONFIG_BLK_DEBUG_FS)]
        show_rq: None,
    };

    /// What a queue's disk shares with its callbacks.
    ///
    /// # Safety
    ///
    /// `queue` is a live queue of a `Disk<D>`, within a callback of blk-mq.
    #[inline(always)]
    unsafe fn shared<'a>(queue: *mut bindings::request_queue) -> &'a Shared<D> {
        // SAFETY: `Disk::new` stored it there, and `Disk::drop` frees it
        // after `del_gendisk` and a grace period, so after every callback. It
        // is `Sync`.
        unsafe { &*(*queue).queuedata.cast::<Shared<D>>() }
    }

    /// Starts a request and hands it to the driver.
    ///
    /// # Safety
    ///
    /// `rq` is a live request of `hctx` that was not started; the latter is
    /// a hardware queue of a `Disk<D>`, within a callback of blk-mq.
    #[inline(always)]
    unsafe fn queue(
        hctx: *mut bindings::blk_mq_hw_ctx,
        rq: *mut bindings::request,
    ) -> bindings::blk_status_t {
        // SAFETY: The request is live and was not started.
        unsafe { bindings::blk_mq_start_request(rq) };
        // SAFETY: The request was started just now; answering `BLK_STS_OK`
        // makes its end the driver's business, and this is the first token.
        let request = unsafe { Request::from_raw(rq) };
        // SAFETY: The queue is one of a `Disk<D>`, and this is a callback.
        let shared = unsafe { Self::shared((*hctx).queue) };
        match shared.driver.queue(request) {
            Next::Taken => shim::BLK_STS_OK,
            Next::Serve(request) => Self::serve(shared, request),
            Next::Busy(busy) => Self::refuse(shared, shared.ticks(), busy),
        }
    }

    /// Serves a request with the medium at hand.
    #[inline(never)]
    fn serve(shared: &Shared<D>, mut request: Request) -> bindings::blk_status_t {
        // SAFETY: The hardware queue of a live request is live.
        let flags = unsafe { (*request.hardware_queue()).flags };
        if flags as u32 & bindings::BLK_MQ_F_BLOCKING == 0 {
            // The lock may sleep, and this queue must not.
            drop(request);
            return shim::BLK_STS_OK;
        }
        let ticks = shared.ticks();
        // The lock is not held when the request ends: that may start others.
        let served = {
            let mut medium = shared.medium.lock();
            (*medium)
                .as_mut()
                .map(|medium| shared.driver.serve(medium, &mut request))
        };
        match served {
            Some(Served::Done(status)) => shared.driver.finish(request, status),
            Some(Served::Lost) => request.lose(),
            Some(Served::Requeued) => request.requeue(),
            Some(Served::Busy(lack)) => return Self::refuse(shared, ticks, Busy { request, lack }),
            None => drop(request),
        }
        shim::BLK_STS_OK
    }

    /// Gives a request back to blk-mq, which offers it again; `ticks` is how
    /// many there were when the driver was asked.
    #[cold]
    fn refuse(shared: &Shared<D>, ticks: u32, busy: Busy<Request>) -> bindings::blk_status_t {
        let rq = busy.request.into_raw();
        match busy.lack {
            Resource::Memory => shim::BLK_STS_RESOURCE,
            Resource::Device => shim::BLK_STS_DEV_RESOURCE,
            Resource::Tick => {
                // SAFETY: The request is live, and so is its queue. The tick
                // starts the hardware queues again; one that came before they
                // stopped did not.
                unsafe {
                    bindings::blk_mq_stop_hw_queues((*rq).q);
                    fence(Ordering::SeqCst);
                    if shared.ticks() != ticks {
                        bindings::blk_mq_start_stopped_hw_queues((*rq).q, true);
                    }
                }
                shim::BLK_STS_DEV_RESOURCE
            }
        }
    }

    /// `queue_rq`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue of a `Disk<D>`: both pointers are
    /// valid, and `bd->rq` is a live request that was not started.
    unsafe extern "C" fn queue_rq(
        hctx: *mut bindings::blk_mq_hw_ctx,
        bd: *const bindings::blk_mq_queue_data,
    ) -> bindings::blk_status_t {
        // SAFETY: By this function's contract.
        unsafe { Self::queue(hctx, (*bd).rq) }
    }

    /// `queue_rqs`: a list of requests of one queue; those that stay on it
    /// are offered again.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue of a `Disk<D>`: every request on
    /// the list is live and not started.
    unsafe extern "C" fn queue_rqs(list: *mut bindings::rq_list) {
        let mut refused = bindings::rq_list {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        };
        // SAFETY: The list and its requests are valid; a request's link is
        // read before it is given away, and written only while it is ours.
        unsafe {
            let mut at = (*list).head;
            while !at.is_null() {
                let rq = at;
                at = (*rq).__bindgen_anon_1.rq_next;
                (*rq).__bindgen_anon_1.rq_next = ptr::null_mut();
                if Self::queue((*rq).mq_hctx, rq) != shim::BLK_STS_OK {
                    if refused.head.is_null() {
                        refused.head = rq;
                    } else {
                        (*refused.tail).__bindgen_anon_1.rq_next = rq;
                    }
                    refused.tail = rq;
                }
            }
            *list = refused;
        }
    }

    /// `commit_rqs`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for a queue of a `Disk<D>`.
    unsafe extern "C" fn commit_rqs(hctx: *mut bindings::blk_mq_hw_ctx) {
        // SAFETY: By this function's contract.
        let (shared, queue) = unsafe { (Self::shared((*hctx).queue), (*hctx).queue_num) };
        shared.driver.commit(queue);
    }

    /// `complete`: the second half of `Request::complete`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, once for each `blk_mq_complete_request` on a
    /// request of a `Disk<D>`.
    unsafe extern "C" fn complete(rq: *mut bindings::request) {
        // SAFETY: The token was consumed by `complete`, which wrote the
        // status; the request is live until it is ended here.
        unsafe { bindings::blk_mq_end_request(rq, (*command::of(rq)).status) };
    }

    /// `timeout`: ends a request that nobody else will, and gives the others
    /// more time: the driver has those, in the middle of a call.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, from a work item, with a reference to the
    /// request, which was started and may have ended meanwhile.
    unsafe extern "C" fn timeout(rq: *mut bindings::request) -> bindings::blk_eh_timer_return {
        // SAFETY: By this function's contract.
        let mut ours = unsafe { Command::take_overdue(rq) };
        if !ours {
            // SAFETY: The reference keeps the request's fields.
            let hctx = unsafe { (*rq).mq_hctx };
            // SAFETY: As in `Request::polled` and `complete_on_poll`.
            ours = unsafe {
                u32::from((*hctx).type_) == bindings::hctx_type_HCTX_TYPE_POLL
                    && (*(*hctx).driver_data.cast::<PollQueue>()).remove(rq)
            };
        }
        if !ours {
            return bindings::blk_eh_timer_return_BLK_EH_RESET_TIMER;
        }
        // SAFETY: Taken from its owner, so ours to end.
        unsafe { bindings::blk_mq_end_request(rq, shim::BLK_STS_TIMEOUT) };
        bindings::blk_eh_timer_return_BLK_EH_DONE
    }

    /// `poll`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, with a hardware queue of type poll.
    unsafe extern "C" fn poll(
        hctx: *mut bindings::blk_mq_hw_ctx,
        batch: *mut bindings::io_comp_batch,
    ) -> c_int {
        // SAFETY: `init_hctx` stored the queue; `batch` is blk-mq's.
        unsafe { (*(*hctx).driver_data.cast::<PollQueue>()).end_all(batch) }
    }

    /// `init_hctx`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, once for each hardware queue.
    unsafe extern "C" fn init_hctx(
        hctx: *mut bindings::blk_mq_hw_ctx,
        _set_data: *mut c_void,
        _index: c_uint,
    ) -> c_int {
        let queue = match KBox::pin_init(PollQueue::new(), GFP_KERNEL) {
            Ok(queue) => queue,
            Err(error) => return error.to_errno(),
        };
        // SAFETY: Nobody moves out of the box before `exit_hctx` frees it.
        let queue = KBox::into_raw(unsafe { Pin::into_inner_unchecked(queue) });
        // SAFETY: The field is the driver's.
        unsafe { (*hctx).driver_data = queue.cast() };
        0
    }

    /// `exit_hctx`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, after the last use of the hardware queue, which
    /// `init_hctx` prepared.
    unsafe extern "C" fn exit_hctx(hctx: *mut bindings::blk_mq_hw_ctx, _index: c_uint) {
        // SAFETY: From `init_hctx`.
        drop(unsafe { KBox::from_raw((*hctx).driver_data.cast::<PollQueue>()) });
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
        // SAFETY: The set was made with room for a command.
        unsafe { Command::init(rq) };
        0
    }

    /// `exit_request`.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, for each request after its last use.
    unsafe extern "C" fn exit_request(
        _set: *mut bindings::blk_mq_tag_set,
        rq: *mut bindings::request,
        _hctx: c_uint,
    ) {
        // SAFETY: `init_request` was called.
        unsafe { Command::exit(rq) };
    }

    /// `map_queues`: the poll queues are the last ones.
    ///
    /// # Safety
    ///
    /// Called by blk-mq only, with a set that `TagSet` made.
    unsafe extern "C" fn map_queues(set: *mut bindings::blk_mq_tag_set) {
        // SAFETY: `TagSet` keeps the number of poll queues in `driver_data`;
        // the maps are the set's.
        unsafe {
            let set = &mut *set;
            let poll = (set.driver_data as usize as u32).min(set.nr_hw_queues.saturating_sub(1));
            let submit = set.nr_hw_queues - poll;
            let queues = [(submit, 0), (0, 0), (poll, submit)];
            for (map, (count, offset)) in set.map.iter_mut().zip(queues).take(set.nr_maps as usize)
            {
                map.nr_queues = count;
                map.queue_offset = offset;
                // Without queues it is the default map that is used.
                if count > 0 {
                    bindings::blk_mq_map_queues(map);
                }
            }
        }
    }
}
