// SPDX-License-Identifier: GPL-2.0-only

//! A value that interrupts, polls and work items use in turn.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};

use kernel::bindings;

/// Nobody uses it.
const FREE: u8 = 0;
/// Somebody does.
const TAKEN: u8 = 1;
/// Somebody does, and somebody else wanted to meanwhile.
const MISSED: u8 = 2;

/// A value that one uses at a time. Who comes meanwhile does not wait: whoever
/// has it does its work once more, so that nothing stays undone.
///
/// No interrupt needs to be kept away: one that comes to a value in use on its
/// own CPU only leaves the mark.
pub(super) struct Turn<T> {
    state: AtomicU8,
    value: UnsafeCell<T>,
}

// SAFETY: The value is used by one at a time: who has changed the state from
// FREE to TAKEN, until it sets it to FREE.
unsafe impl<T: Send> Sync for Turn<T> {}

impl<T> Turn<T> {
    pub(super) fn new(value: T) -> Turn<T> {
        Turn {
            state: AtomicU8::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Calls `action`, again as long as others want it; or leaves it to
    /// whoever has the value. Usable in any context.
    #[inline(always)]
    pub(super) fn run(&self, mut action: impl FnMut(&mut T)) {
        while self.take() {
            // SAFETY: It is this caller's turn.
            action(unsafe { &mut *self.value.get() });
            if self.state.swap(FREE, Ordering::AcqRel) != MISSED {
                return;
            }
        }
    }

    /// Waits for its turn, calls `action` once and answers what that does. May
    /// sleep. What others wanted meanwhile is not done: `action` takes away
    /// what it would be done with, or puts it there.
    pub(super) fn wait<R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        while !self.take() {
            // SAFETY: This may sleep, by this function's contract.
            unsafe { bindings::msleep(1) };
        }
        // SAFETY: It is this caller's turn.
        let result = action(unsafe { &mut *self.value.get() });
        self.state.store(FREE, Ordering::Release);
        result
    }

    /// Takes the turn, or leaves a mark for who has it.
    #[inline(always)]
    fn take(&self) -> bool {
        loop {
            match self
                .state
                .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(MISSED) => return false,
                Err(_) => {
                    // Its holder may have gone meanwhile.
                    if self
                        .state
                        .compare_exchange(TAKEN, MISSED, Ordering::Release, Ordering::Relaxed)
                        .is_ok()
                    {
                        return false;
                    }
                }
            }
        }
    }
}
