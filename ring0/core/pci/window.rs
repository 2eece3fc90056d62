// SPDX-License-Identifier: GPL-2.0-only

//! A window of registers: a BAR that is mapped.

use core::ptr::NonNull;

use kernel::bindings;
use kernel::prelude::*;
use kernel::sync::Arc;
use kit::registers;

use super::function::PciDevice;
use crate::pci_shim;

/// The BAR that drivers use.
const BAR: i32 = 0;

/// Registers of a function; a handle to its mapping.
///
/// The mapping stays as long as a handle or a [`Doorbell`] does, and the region
/// stays taken meanwhile, so that no other driver gets it. Dropping the last of
/// them may sleep.
#[derive(Clone)]
pub struct Window(Arc<Mapping>);

/// # Invariants
///
/// `length` bytes at `base`, which is a multiple of the page size, are mapped
/// registers of the device, whose region is taken.
struct Mapping {
    base: NonNull<u8>,
    length: usize,
    device: PciDevice,
}

// SAFETY: Registers may be accessed from any CPU, at once too.
unsafe impl Send for Mapping {}
// SAFETY: As above.
unsafe impl Sync for Mapping {}

impl Window {
    /// Takes and maps BAR 0 of an enabled device, for a driver of that name.
    ///
    /// # Errors
    ///
    /// ENODEV: it is no memory; EBUSY: somebody has it; ENOMEM.
    pub(super) fn map(device: PciDevice, name: &'static CStr) -> Result<Window> {
        let pdev = device.as_ptr();
        // SAFETY: A device that is there.
        let length = unsafe {
            if pci_shim::rf_bar_is_memory(pdev.cast(), BAR) == 0 {
                return Err(ENODEV);
            }
            pci_shim::rf_bar_length(pdev.cast(), BAR) as usize
        };
        // SAFETY: As above; the name is static.
        match unsafe { bindings::pci_request_region(pdev, BAR, name.as_char_ptr()) } {
            0 => {}
            _ => return Err(EBUSY),
        }
        // SAFETY: As above; the region is taken.
        let base = unsafe { bindings::pci_iomap(pdev, BAR, 0) };
        let Some(base) = NonNull::new(base.cast()) else {
            // SAFETY: Taken above.
            unsafe { bindings::pci_release_region(pdev, BAR) };
            return Err(ENOMEM);
        };
        // INVARIANT: Taken and mapped above, as a whole.
        let mapping = Mapping {
            base,
            length,
            device,
        };
        Ok(Window(Arc::new(mapping, GFP_KERNEL)?))
    }

    /// Where a register of 32 bits is; none outside of the window.
    #[inline]
    fn find(&self, offset: usize) -> Option<NonNull<u32>> {
        let end = offset.checked_add(4)?;
        let inside = offset % 4 == 0 && end <= self.0.length;
        // SAFETY: Within the mapping.
        inside.then(|| unsafe { self.0.base.add(offset).cast() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let pdev = self.device.as_ptr();
        // SAFETY: Mapped by `map`; this was the last handle.
        unsafe { bindings::pci_iounmap(pdev, self.base.as_ptr().cast()) };
        // A device that was removed meanwhile has given its region back, and
        // somebody else may have it.
        // SAFETY: The device is referenced; the region was taken by `map`.
        unsafe {
            if pci_shim::rf_bar_is_memory(pdev.cast(), BAR) != 0 {
                bindings::pci_release_region(pdev, BAR);
            }
        }
    }
}

impl registers::Registers for Window {
    type Doorbell = Doorbell;

    fn length(&self) -> usize {
        self.0.length
    }

    fn read32(&self, offset: usize) -> u32 {
        match self.find(offset) {
            // SAFETY: A register of the mapping.
            Some(register) => unsafe { read(register) },
            None => u32::MAX,
        }
    }

    fn write32(&self, offset: usize, value: u32) {
        if let Some(register) = self.find(offset) {
            // SAFETY: A register of the mapping.
            unsafe { write(register, value) };
        }
    }

    fn doorbell(&self, offset: usize) -> Option<Doorbell> {
        self.find(offset).map(|register| Doorbell {
            register,
            _window: self.clone(),
        })
    }
}

/// A register that is only written. It keeps the window's mapping.
///
/// # Invariants
///
/// `register` lies within the mapping of `_window`.
pub struct Doorbell {
    register: NonNull<u32>,
    _window: Window,
}

// SAFETY: As for the mapping.
unsafe impl Send for Doorbell {}
// SAFETY: As for the mapping.
unsafe impl Sync for Doorbell {}

impl registers::Doorbell for Doorbell {
    #[inline]
    fn ring(&mut self, value: u32) {
        // SAFETY: By the type invariant.
        unsafe { write(self.register, value) };
    }
}

/// `readl`.
///
/// # Safety
///
/// A register of a mapping that is there.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn read(register: NonNull<u32>) -> u32 {
    use core::sync::atomic::{compiler_fence, Ordering};
    // SAFETY: By the function's contract.
    let value = unsafe { register.as_ptr().read_volatile() };
    // The CPU reads memory in order (x86); the compiler is to as well.
    compiler_fence(Ordering::SeqCst);
    value
}

/// `writel`.
///
/// # Safety
///
/// As for [`read`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn write(register: NonNull<u32>, value: u32) {
    use core::sync::atomic::{compiler_fence, Ordering};
    // The CPU writes memory in order (x86), to uncached memory last; the
    // compiler is to as well.
    compiler_fence(Ordering::SeqCst);
    // SAFETY: By the function's contract.
    unsafe { register.as_ptr().write_volatile(value) };
}

/// `readl`.
///
/// # Safety
///
/// A register of a mapping that is there.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn read(register: NonNull<u32>) -> u32 {
    // SAFETY: By the function's contract.
    unsafe { pci_shim::rf_readl(register.as_ptr().cast()) }
}

/// `writel`.
///
/// # Safety
///
/// As for [`read`].
#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn write(register: NonNull<u32>, value: u32) {
    // SAFETY: By the function's contract.
    unsafe { pci_shim::rf_writel(value, register.as_ptr().cast()) };
}
