// SPDX-License-Identifier: GPL-2.0-only

//! Devices that stay bound to their driver for as long as somebody looks.

use kernel::bindings;
use kernel::device::Bound;
use kernel::pci;

/// Calls `action` with the device, under the device's lock, if a driver is
/// bound to it. None: there is no driver. Not to be called from `action`, nor
/// from that driver's `probe` or `remove`, which run under the same lock. May
/// sleep.
pub fn with<R>(device: &pci::Device, action: impl FnOnce(&pci::Device<Bound>) -> R) -> Option<R> {
    let generic: &kernel::device::Device = device.as_ref();
    let generic: *mut bindings::device = core::ptr::from_ref(generic).cast_mut().cast();
    // SAFETY: `generic` is a `struct device`, whose transparent wrapper is
    // borrowed meanwhile.
    let lock = unsafe { &raw mut (*generic).mutex };
    // SAFETY: The lock of a live device (`device_lock`).
    unsafe { bindings::mutex_lock(lock) };
    // SAFETY: As above; the lock is held.
    let result = unsafe { bindings::device_is_bound(generic) }.then(|| {
        // SAFETY: The context is a type only, and the device is bound: nobody
        // unbinds it without the lock.
        action(unsafe { &*core::ptr::from_ref(device).cast::<pci::Device<Bound>>() })
    });
    // SAFETY: Locked above.
    unsafe { bindings::mutex_unlock(lock) };
    result
}
