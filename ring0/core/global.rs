// SPDX-License-Identifier: GPL-2.0-only

//! What there is once in a module.

use core::cell::UnsafeCell;

use kernel::bindings;

use crate::shim;

/// A value, or none, for a `static`. It is never dropped by itself: a module
/// takes it out before it goes.
///
/// All globals of a module are behind one mutex, so `with` is not to be called
/// within `with`, nor where sleeping is not allowed.
pub struct Global<T> {
    value: UnsafeCell<Option<T>>,
}

// SAFETY: The value is used under a lock only, by one thread at a time.
unsafe impl<T: Send> Sync for Global<T> {}

impl<T> Global<T> {
    /// None.
    pub const fn none() -> Global<T> {
        Global {
            value: UnsafeCell::new(None),
        }
    }

    /// Calls `action` with the value, under the lock.
    pub fn with<R>(&self, action: impl FnOnce(&mut Option<T>) -> R) -> R {
        // SAFETY: A static of `shim.c`, where it is initialised; never written
        // but by the mutex itself, behind `Opaque`.
        let mutex = unsafe { shim::rf_globals.get() };
        // SAFETY: The mutex is initialised.
        unsafe { bindings::mutex_lock(mutex) };
        // SAFETY: The lock is held, and a second call would wait for it.
        let result = action(unsafe { &mut *self.value.get() });
        // SAFETY: Taken above.
        unsafe { bindings::mutex_unlock(mutex) };
        result
    }
}
