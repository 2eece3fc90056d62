// SPDX-License-Identifier: GPL-2.0-only

//! Devices that stay bound to their driver for as long as somebody looks.

use kernel::device::Bound;
use kernel::pci;

use crate::shim;

/// Calls `action` with the device, under the device's lock, if a driver is
/// bound to it. None: there is no driver. Not to be called from that driver's
/// `probe` or `remove`, which run under the same lock. May sleep.
pub fn with<R>(device: &pci::Device, action: impl FnOnce(&pci::Device<Bound>) -> R) -> Option<R> {
    let generic: &kernel::device::Device = device.as_ref();
    let generic = core::ptr::from_ref(generic).cast_mut().cast();
    // SAFETY: A `struct device`, whose transparent wrapper is borrowed meanwhile.
    if unsafe { shim::rf_device_lock_bound(generic) } == 0 {
        return None;
    }
    // SAFETY: The context is a type only, and the device is bound: it was when
    // the lock was taken, and unbinding takes the lock.
    let result = action(unsafe { &*core::ptr::from_ref(device).cast::<pci::Device<Bound>>() });
    // SAFETY: Locked above.
    unsafe { shim::rf_device_unlock(generic) };
    Some(result)
}
