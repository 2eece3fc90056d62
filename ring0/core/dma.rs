// SPDX-License-Identifier: GPL-2.0-only

//! [`kit::dma`] over the kernel's DMA API.
//!
//! Nothing of this memory is ever lent as a reference: each access is a
//! volatile one, since the device may write at any time.
//!
//! C header: `include/linux/dma-mapping.h`.

use core::hint::assert_unchecked;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use kernel::prelude::*;
use kernel::sync::Arc;
use kit::dma::{Coherent, Dma, Word};
use kit::memory::{OutOfMemory, PAGE_SIZE};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::pci::Function;
use crate::pci_shim;

/// Coherent memory of a function. Dropping it may sleep; once the driver is
/// unbound, it is not freed any more.
///
/// # Invariants
///
/// `length` bytes at `base`, which is a multiple of the page size, are those
/// of `claim`, and accessed by volatile reads and writes only.
pub struct Memory {
    base: NonNull<u8>,
    address: u64,
    /// Bytes, 1 or more.
    length: usize,
    claim: Arc<Claim>,
}

// SAFETY: The memory is not bound to a thread.
unsafe impl Send for Memory {}
// SAFETY: By the type invariant accesses do not rely on values staying: as the
// device's, those of other threads may come between.
unsafe impl Sync for Memory {}

/// What keeps the memory.
///
/// # Invariants
///
/// `bytes` bytes at `base` are the function's, by `rf_dma_alloc`.
struct Claim {
    function: Function,
    base: NonNull<u8>,
    address: u64,
    bytes: usize,
}

// SAFETY: The memory is not bound to a thread.
unsafe impl Send for Claim {}
// SAFETY: Nothing is done with it but to drop it.
unsafe impl Sync for Claim {}

impl Drop for Claim {
    /// Once the driver is unbound, nobody says when the device has finished
    /// with the memory, nor by which means it was mapped: it stays.
    fn drop(&mut self) {
        self.function.while_bound(|| {
            // SAFETY: By the type invariant; this was the last one that has it.
            unsafe {
                pci_shim::rf_dma_free(
                    self.function.device().cast(),
                    self.bytes,
                    self.base.as_ptr().cast(),
                    self.address,
                );
            }
        });
    }
}

impl Dma for Function {
    type Memory = Memory;

    /// May sleep, and does not wait for I/O. Fails when the driver is unbound.
    fn allocate(&self, bytes: usize) -> Result<Memory, OutOfMemory> {
        let length = bytes.max(1);
        let mut address = 0;
        // SAFETY: A bound device.
        let base = self.while_bound(|| unsafe {
            pci_shim::rf_dma_alloc(self.device().cast(), length, &mut address)
        });
        let base = base.and_then(|base| NonNull::new(base.cast::<u8>()));
        let base = base.ok_or(OutOfMemory)?;
        // INVARIANT: Allocated above.
        let claim = Claim {
            function: self.clone(),
            base,
            address,
            bytes: length,
        };
        let aligned = base.as_ptr() as usize % PAGE_SIZE == 0 && address % PAGE_SIZE as u64 == 0;
        // Coherent memory is of whole pages.
        if !aligned {
            return Err(OutOfMemory);
        }
        // INVARIANT: Looked at above.
        Ok(Memory {
            base,
            address,
            length,
            claim: Arc::new(claim, GFP_KERNEL).map_err(|_| OutOfMemory)?,
        })
    }
}

impl Memory {
    /// Where `size` bytes at `offset` are, if they lie within it.
    #[inline]
    fn find(&self, offset: usize, size: usize) -> Option<*mut u8> {
        let end = offset.checked_add(size)?;
        // SAFETY: By the type invariant. So it is known here how far `offset`
        // is aligned.
        unsafe { assert_unchecked(self.base.as_ptr() as usize % PAGE_SIZE == 0) };
        // SAFETY: Within the memory.
        (end <= self.length).then(|| unsafe { self.base.as_ptr().add(offset) })
    }
}

impl Coherent for Memory {
    type Word = MemoryWord;

    #[inline]
    fn address(&self) -> u64 {
        self.address
    }

    #[inline]
    fn length(&self) -> usize {
        self.length
    }

    #[inline]
    fn read<T: FromBytes>(&self, offset: usize) -> Option<T> {
        let from = self.find(offset, size_of::<T>())?;
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: The bytes lie within the memory, and any bytes make a `T`,
        // which is `FromBytes`.
        unsafe {
            copy_from(from, value.as_mut_ptr().cast(), size_of::<T>());
            Some(value.assume_init())
        }
    }

    #[inline]
    fn write<T: IntoBytes + Immutable>(&mut self, offset: usize, value: &T) -> Option<()> {
        let to = self.find(offset, size_of::<T>())?;
        // SAFETY: The bytes lie within the memory, and those of an `IntoBytes`
        // are all initialised.
        unsafe { copy_to(to, core::ptr::from_ref(value).cast(), size_of::<T>()) };
        Some(())
    }

    fn word(&self, offset: usize) -> Option<MemoryWord> {
        let at = NonNull::new(self.find(offset, 4)?)?.cast::<u32>();
        // INVARIANT: Within the claim's memory, by `find`.
        at.is_aligned().then(|| MemoryWord {
            at,
            _claim: self.claim.clone(),
        })
    }

    #[inline]
    fn read_barrier(&self) {
        barrier::read();
    }

    #[inline]
    fn write_barrier(&self) {
        barrier::write();
    }

    #[inline]
    fn full_barrier(&self) {
        barrier::full();
    }
}

/// A word of coherent memory, which it keeps.
///
/// # Invariants
///
/// `at` is an aligned word of the claim's memory.
pub struct MemoryWord {
    at: NonNull<u32>,
    _claim: Arc<Claim>,
}

// SAFETY: As for the memory.
unsafe impl Send for MemoryWord {}
// SAFETY: As for the memory.
unsafe impl Sync for MemoryWord {}

impl Word for MemoryWord {
    #[inline]
    fn load(&self) -> u32 {
        // SAFETY: By the type invariant.
        u32::from_le(unsafe { self.at.as_ptr().read_volatile() })
    }

    #[inline]
    fn store(&self, value: u32) {
        // SAFETY: By the type invariant.
        unsafe { self.at.as_ptr().write_volatile(value.to_le()) };
    }
}

/// Copies `count` bytes out of coherent memory, by the largest reads that the
/// alignment of `from` allows.
///
/// # Safety
///
/// `count` bytes at `from` are coherent memory, and `count` bytes at `to` may
/// be written and are nobody else's.
#[inline(always)]
unsafe fn copy_from(from: *const u8, to: *mut u8, count: usize) {
    let mut at = 0;
    // SAFETY: Each access lies within `count` bytes, by the function's
    // contract, and those of the memory are aligned.
    unsafe {
        if from as usize % 8 == 0 {
            while count - at >= 8 {
                let value = from.add(at).cast::<u64>().read_volatile();
                to.add(at).cast::<u64>().write_unaligned(value);
                at += 8;
            }
        }
        if from as usize % 4 == 0 {
            while count - at >= 4 {
                let value = from.add(at).cast::<u32>().read_volatile();
                to.add(at).cast::<u32>().write_unaligned(value);
                at += 4;
            }
        }
        if from as usize % 2 == 0 {
            while count - at >= 2 {
                let value = from.add(at).cast::<u16>().read_volatile();
                to.add(at).cast::<u16>().write_unaligned(value);
                at += 2;
            }
        }
        while at < count {
            to.add(at).write(from.add(at).read_volatile());
            at += 1;
        }
    }
}

/// Copies `count` bytes into coherent memory, the same way.
///
/// # Safety
///
/// `count` bytes at `to` are coherent memory, and `count` bytes at `from` may
/// be read.
#[inline(always)]
unsafe fn copy_to(to: *mut u8, from: *const u8, count: usize) {
    let mut at = 0;
    // SAFETY: As in `copy_from`.
    unsafe {
        if to as usize % 8 == 0 {
            while count - at >= 8 {
                let value = from.add(at).cast::<u64>().read_unaligned();
                to.add(at).cast::<u64>().write_volatile(value);
                at += 8;
            }
        }
        if to as usize % 4 == 0 {
            while count - at >= 4 {
                let value = from.add(at).cast::<u32>().read_unaligned();
                to.add(at).cast::<u32>().write_volatile(value);
                at += 4;
            }
        }
        if to as usize % 2 == 0 {
            while count - at >= 2 {
                let value = from.add(at).cast::<u16>().read_unaligned();
                to.add(at).cast::<u16>().write_volatile(value);
                at += 2;
            }
        }
        while at < count {
            to.add(at).write_volatile(from.add(at).read());
            at += 1;
        }
    }
}

/// `dma_rmb`, `dma_wmb` and `mb`: on x86, whose loads and stores keep their
/// order but for loads that overtake stores.
#[cfg(target_arch = "x86_64")]
mod barrier {
    use core::sync::atomic::{compiler_fence, Ordering};

    #[inline(always)]
    pub(super) fn read() {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline(always)]
    pub(super) fn write() {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline(always)]
    pub(super) fn full() {
        // SAFETY: Orders accesses; every x86-64 has it.
        unsafe { core::arch::asm!("mfence", options(nostack, preserves_flags)) };
    }
}

/// `dma_rmb`, `dma_wmb` and `mb`.
#[cfg(not(target_arch = "x86_64"))]
mod barrier {
    use crate::pci_shim;

    #[inline(always)]
    pub(super) fn read() {
        // SAFETY: A barrier.
        unsafe { pci_shim::rf_dma_rmb() };
    }

    #[inline(always)]
    pub(super) fn write() {
        // SAFETY: A barrier.
        unsafe { pci_shim::rf_dma_wmb() };
    }

    #[inline(always)]
    pub(super) fn full() {
        // SAFETY: A barrier.
        unsafe { pci_shim::rf_mb() };
    }
}
