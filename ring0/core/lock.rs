// SPDX-License-Identifier: GPL-2.0-only

//! A spin lock, taken without a helper between: `kernel::sync::SpinLock` calls
//! a function that calls the lock's.
//!
//! C header: `include/linux/spinlock.h`.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use kernel::bindings;
use kernel::prelude::*;
use kernel::sync::LockClassKey;
use kernel::types::Opaque;

use crate::pci_shim;

/// A value that one CPU at a time uses (`raw_spinlock_t`). Who holds it does
/// not sleep.
///
/// One that an interrupt handler takes is taken by [`lock_irq`](SpinLock::lock_irq)
/// everywhere else: otherwise the handler may wait for the code that it
/// interrupted, for ever.
#[pin_data]
pub struct SpinLock<T> {
    #[pin]
    inner: Opaque<bindings::raw_spinlock_t>,
    value: UnsafeCell<T>,
}

// SAFETY: The lock is not bound to a thread; the value goes where it goes.
unsafe impl<T: Send> Send for SpinLock<T> {}
// SAFETY: The value is used by whoever holds the lock, one at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A lock around a value. Locks of one `key` ([`static_lock_class`]) are
    /// alike to lockdep, which calls them `name`.
    ///
    /// [`static_lock_class`]: kernel::static_lock_class
    pub fn new(
        value: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<SpinLock<T>> {
        pin_init!(SpinLock {
            // SAFETY: The slot is a `raw_spinlock_t` that stays where it is;
            // name and key are static.
            inner <- Opaque::ffi_init(|slot: *mut bindings::raw_spinlock_t| unsafe {
                pci_shim::rf_lock_init(slot.cast(), name.as_char_ptr(), key.as_ptr().cast());
            }),
            value: UnsafeCell::new(value),
        })
    }

    /// Takes the lock (`spin_lock`).
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: Set up by `new`, and pinned since.
        unsafe { bindings::_raw_spin_lock(self.inner.get()) };
        Guard {
            lock: self,
            _thread: PhantomData,
        }
    }

    /// Takes the lock and disables interrupts of this CPU (`spin_lock_irqsave`).
    #[inline]
    pub fn lock_irq(&self) -> IrqGuard<'_, T> {
        // SAFETY: Set up by `new`, and pinned since.
        let flags = unsafe { bindings::_raw_spin_lock_irqsave(self.inner.get()) };
        IrqGuard {
            lock: self,
            flags,
            _thread: PhantomData,
        }
    }
}

/// The value of a lock that is held. Bound to the CPU, so not `Send`.
pub struct Guard<'a, T> {
    lock: &'a SpinLock<T>,
    _thread: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: The lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The lock is held, by this guard only.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken by `lock`.
        unsafe { bindings::_raw_spin_unlock(self.lock.inner.get()) };
    }
}

/// The same with interrupts disabled, which come back as they were before.
pub struct IrqGuard<'a, T> {
    lock: &'a SpinLock<T>,
    flags: usize,
    _thread: PhantomData<*mut ()>,
}

impl<T> Deref for IrqGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: The lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for IrqGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The lock is held, by this guard only.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for IrqGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken by `lock_irq`, which answered these flags.
        unsafe { bindings::_raw_spin_unlock_irqrestore(self.lock.inner.get(), self.flags) };
    }
}
