//! A window of registers, mapped into this process.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{null_mut, NonNull};
use std::sync::atomic::{fence, Ordering::Release};
use std::sync::Arc;

use anyhow::{ensure, Context, Result};
use kit::registers::{Doorbell, Registers};
use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};

use super::Function;

/// VFIO says that a region can be read, written and mapped
/// (`VFIO_REGION_INFO_FLAG_*`).
const USABLE: u32 = 7;

/// Registers of a function (a BAR); a handle to them. A register of a function
/// that was pulled reads as all ones.
#[derive(Clone)]
pub struct Bar(Arc<Window>);

/// # Invariants
///
/// `length` bytes at `base`, which is a multiple of the page size, are mapped
/// to registers as long as this is there, and are accessed by volatile reads
/// and writes only.
struct Window {
    base: NonNull<u8>,
    length: usize,
    /// Whose they are; it stays claimed as long as they are mapped.
    _function: Arc<Function>,
}

// SAFETY: A mapping is the process's, not a thread's.
unsafe impl Send for Window {}
// SAFETY: Every access is volatile, and the device takes accesses from any
// number of processors.
unsafe impl Sync for Window {}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: Mapped with that length in `Bar::map`; whoever could access it
        // had an `Arc` of this.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
    }
}

impl Bar {
    /// Maps BAR `number` (0..=5) of a function.
    ///
    /// # Errors
    ///
    /// If it has none, none that can be mapped, or the kernel refuses.
    pub fn map(function: &Arc<Function>, number: u32) -> Result<Bar> {
        let (device, address) = (&function.device, function.address());
        let length = usize::try_from(device.get_region_size(number)).unwrap_or(0);
        ensure!(
            number < 6 && length > 0 && device.get_region_flags(number) & USABLE == USABLE,
            "{address}: BAR {number} cannot be mapped"
        );
        // SAFETY: The descriptor is `device`'s, which stays open during the call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) };
        let offset = device.get_region_offset(number);
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: A new mapping at an address that the kernel chooses.
        let base = unsafe { mmap(null_mut(), length, protection, flags, descriptor, offset) };
        let base = base.with_context(|| format!("{address}: BAR {number} cannot be mapped"))?;
        Ok(Bar(Arc::new(Window {
            base: NonNull::new(base.cast()).context("a mapping at address 0")?,
            length,
            _function: function.clone(),
        })))
    }

    /// The register at `offset`; `None` outside of the window or between two.
    #[inline]
    fn register(&self, offset: usize) -> Option<NonNull<u32>> {
        let within = offset % 4 == 0 && offset.checked_add(4)? <= self.0.length;
        // SAFETY: Within the window.
        within.then(|| unsafe { self.0.base.add(offset) }.cast())
    }
}

impl Registers for Bar {
    type Doorbell = BarDoorbell;

    fn length(&self) -> usize {
        self.0.length
    }

    #[inline]
    fn read32(&self, offset: usize) -> u32 {
        let Some(register) = self.register(offset) else {
            return u32::MAX;
        };
        // SAFETY: `register` found it in the window, aligned.
        u32::from_le(unsafe { register.read_volatile() })
    }

    #[inline]
    fn write32(&self, offset: usize, value: u32) {
        if let Some(register) = self.register(offset) {
            write(register, value);
        }
    }

    fn doorbell(&self, offset: usize) -> Option<BarDoorbell> {
        Some(BarDoorbell {
            register: self.register(offset)?,
            _bar: self.clone(),
        })
    }
}

/// Writes a register of a window that is mapped, after what was written to
/// memory before.
#[inline]
fn write(register: NonNull<u32>, value: u32) {
    // On x86-64, which is all that `Function::claim` takes, a write to
    // registers does not pass earlier ones to memory; the compiler's may not
    // either.
    fence(Release);
    // SAFETY: `Bar::register` found it in a window that the caller keeps, and
    // registers are accessed in no other way.
    unsafe { register.write_volatile(value.to_le()) };
}

/// One of its registers, to be written.
pub struct BarDoorbell {
    register: NonNull<u32>,
    /// Keeps it mapped.
    _bar: Bar,
}

// SAFETY: It is a part of a window, which may be used from any thread.
unsafe impl Send for BarDoorbell {}

impl Doorbell for BarDoorbell {
    #[inline]
    fn ring(&mut self, value: u32) {
        write(self.register, value);
    }
}
