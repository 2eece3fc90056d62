// SPDX-License-Identifier: GPL-2.0-only

//! What the ring keeps with every request: how it will end, and who owns it
//! meanwhile.

use core::mem::size_of;
use core::sync::atomic::{AtomicU8, Ordering};

use kernel::bindings;

use crate::shim;
use crate::versions::NO_RESTART;

/// The private data of a request (`blk_mq_rq_to_pdu`). Made by
/// [`init`](Command::init) once, and there as long as its tag set.
#[repr(C)]
pub(super) struct Command {
    /// Ends the request when it fires and finds the owner to be
    /// [`TIMER`].
    timer: bindings::hrtimer,
    /// The next request of the poll queue that this one is on.
    pub(super) next: *mut bindings::request,
    /// The status that the request will end with. Written by the holder of
    /// the token, before it gives the request to somebody else.
    pub(super) status: bindings::blk_status_t,
    /// Who may end a request that has no token: it is the compare-and-swap
    /// from [`TIMER`] or [`LOST`] back to [`TOKEN`] that gives the right, so
    /// that timer and time limit cannot both have it.
    owner: AtomicU8,
}

/// Whoever holds the token, or the poll queue, or soft completion.
const TOKEN: u8 = 0;
/// The timer.
const TIMER: u8 = 1;
/// Nobody: the time limit ends it.
const LOST: u8 = 2;

/// Bytes to ask blk-mq for (`cmd_size`).
pub(super) const SIZE: u32 = size_of::<Command>() as u32;

/// The command of a request: `blk_mq_rq_to_pdu`.
///
/// # Safety
///
/// `rq` is a request of a tag set made with [`SIZE`].
#[inline(always)]
pub(super) unsafe fn of(rq: *mut bindings::request) -> *mut Command {
    // SAFETY: blk-mq allocates `cmd_size` bytes behind each request.
    unsafe { rq.add(1).cast() }
}

impl Command {
    /// Initialises the command of a request (`init_request`).
    ///
    /// # Safety
    ///
    /// As for [`of`]; nobody uses the request yet.
    pub(super) unsafe fn init(rq: *mut bindings::request) {
        // SAFETY: By this function's contract; all fields are plain data,
        // and the timer stays where it is until `exit`.
        unsafe {
            let command = of(rq);
            (&raw mut (*command).next).write(core::ptr::null_mut());
            (&raw mut (*command).status).write(shim::BLK_STS_OK);
            (&raw mut (*command).owner).write(AtomicU8::new(TOKEN));
            bindings::hrtimer_setup(
                &raw mut (*command).timer,
                Some(expired),
                bindings::CLOCK_MONOTONIC as i32,
                bindings::hrtimer_mode_HRTIMER_MODE_REL,
            );
        }
    }

    /// Waits until the timer's callback is over (`exit_request`): it touches
    /// the timer once more after it has ended the request.
    ///
    /// # Safety
    ///
    /// [`init`](Command::init) was called, and the request is not in flight.
    pub(super) unsafe fn exit(rq: *mut bindings::request) {
        // SAFETY: The timer was set up by `init`.
        unsafe { bindings::hrtimer_cancel(&raw mut (*of(rq)).timer) };
    }

    /// Hands a request to its timer.
    ///
    /// # Safety
    ///
    /// The request is in flight, and the caller holds its token, which ends
    /// with this call.
    pub(super) unsafe fn give_to_timer(rq: *mut bindings::request, nanoseconds: u64) {
        let time = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
        // SAFETY: The command was initialised. Releases the status to
        // whoever takes the request from the timer.
        unsafe {
            let command = of(rq);
            (*command).owner.store(TIMER, Ordering::Release);
            bindings::hrtimer_start_range_ns(
                &raw mut (*command).timer,
                time,
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_REL,
            );
        }
    }

    /// Leaves a request to its time limit.
    ///
    /// # Safety
    ///
    /// As for [`give_to_timer`](Command::give_to_timer).
    pub(super) unsafe fn lose(rq: *mut bindings::request) {
        // SAFETY: The command was initialised.
        unsafe { (*of(rq)).owner.store(LOST, Ordering::Release) };
    }

    /// At its time limit: takes a request from its timer, or one that is
    /// lost. If true, it is the caller's to end.
    ///
    /// # Safety
    ///
    /// blk-mq holds a reference to the request, and the caller may wait for
    /// an interrupt handler.
    pub(super) unsafe fn take_overdue(rq: *mut bindings::request) -> bool {
        // SAFETY: The command was initialised; the timer may be waited for.
        unsafe {
            let owner = &(*of(rq)).owner;
            if take(owner, LOST) {
                return true;
            }
            if take(owner, TIMER) {
                // A callback that came too late must not meet the next use
                // of the request.
                bindings::hrtimer_cancel(&raw mut (*of(rq)).timer);
                return true;
            }
            false
        }
    }
}

fn take(owner: &AtomicU8, from: u8) -> bool {
    owner
        .compare_exchange(from, TOKEN, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
}

/// The timer of a request fired.
///
/// # Safety
///
/// Called by the hrtimer core, with the timer of a command.
unsafe extern "C" fn expired(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // The timer is the command's first field.
    let command: *mut Command = timer.cast();
    // SAFETY: `exit` waits for this callback, so the command is there.
    if take(unsafe { &(*command).owner }, TIMER) {
        // SAFETY: The command lies behind its request, which was the timer's
        // and is now ours to end.
        unsafe {
            let rq = command.cast::<bindings::request>().sub(1);
            bindings::blk_mq_end_request(rq, (*command).status);
        }
    }
    NO_RESTART
}
