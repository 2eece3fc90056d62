// SPDX-License-Identifier: GPL-2.0-only

//! A disk that is there for users.

use core::ptr::{self, NonNull};

use kernel::bindings;
use kernel::error::{code::EINVAL, from_err_ptr, to_result};
use kernel::prelude::*;
use kit::block::{Driver, Limits, SECTOR_SHIFT};

use super::TagSet;
use crate::shim;

/// A registered disk, driven by `D` (`struct gendisk`).
///
/// While it exists or a user has it open, the module cannot be unloaded, so
/// that a forgotten disk never calls code that is gone. Dropping it waits
/// until every request has ended, then removes the disk; users that still
/// have it open get I/O errors. It must be dropped where sleeping is allowed.
///
/// # Invariants
///
/// `gendisk` is registered, its queue's `queuedata` is `driver`, and its
/// queue uses `tag_set`. `driver` came from `KBox::into_raw`.
pub struct Disk<D: Driver> {
    gendisk: NonNull<bindings::gendisk>,
    driver: NonNull<D>,
    // Dropped after the queue that uses it.
    tag_set: Pin<KBox<TagSet<D>>>,
    // Dropped last of all.
    _pin: ModulePin,
}

/// Holds the module that this code is linked into.
struct ModulePin;

impl ModulePin {
    fn new() -> ModulePin {
        // SAFETY: This runs, so the module is loaded.
        unsafe { shim::rf_module_get() };
        ModulePin
    }
}

impl Drop for ModulePin {
    fn drop(&mut self) {
        // SAFETY: Takes back what `new` took.
        unsafe { shim::rf_module_put() };
    }
}

// SAFETY: The disk is not bound to the thread that registered it, and `D` is
// `Send`.
unsafe impl<D: Driver> Send for Disk<D> {}

impl<D: Driver> Disk<D> {
    /// Registers a disk of `capacity` sectors (512 bytes each, at most
    /// `i64::MAX` bytes) under `name` (1 to 31 printable ASCII characters
    /// but `/` and `!`). I/O can start before this returns.
    ///
    /// `EINVAL` for a name, capacity or limits out of range, `EEXIST` if
    /// another driver's disk has the name, `ENOMEM` if memory is short.
    pub fn new(
        name: &CStr,
        capacity: u64,
        limits: Limits,
        tag_set: Pin<KBox<TagSet<D>>>,
        driver: D,
    ) -> Result<Disk<D>> {
        let name = name.to_bytes();
        let good_name = !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'!'));
        if !good_name || capacity > (i64::MAX as u64) >> SECTOR_SHIFT || !good(limits) {
            return Err(EINVAL);
        }
        let pin = ModulePin::new();
        let driver = KBox::new(driver, GFP_KERNEL)?;
        let mut lim = bindings::queue_limits {
            logical_block_size: limits.logical_block_size,
            physical_block_size: limits.physical_block_size,
            dma_alignment: limits.dma_alignment,
            ..pin_init::zeroed()
        };
        let driver_ptr = KBox::into_raw(driver);
        let (set, lim) = (tag_set.as_ptr().cast(), (&raw mut lim).cast());
        // SAFETY: The tag set was allocated with the table of `D`; `lim` is
        // valid for the call; `driver_ptr` is what that table expects.
        let gendisk = unsafe { shim::rf_disk_alloc(set, lim, driver_ptr.cast()) };
        let gendisk = from_err_ptr(gendisk.cast::<bindings::gendisk>());
        let gendisk = match gendisk {
            Ok(gendisk) => gendisk,
            Err(error) => {
                // SAFETY: From `into_raw` above; no disk has it.
                drop(unsafe { KBox::from_raw(driver_ptr) });
                return Err(error);
            }
        };
        // SAFETY: The disk was allocated above and is not registered, so its
        // name is ours to write.
        let room = unsafe { &mut (*gendisk).disk_name };
        let added = if name.len() < room.len() {
            for (to, from) in room.iter_mut().zip(name) {
                *to = *from;
            }
            // SAFETY: The disk is valid and not registered.
            unsafe { bindings::set_capacity(gendisk, capacity) };
            // SAFETY: The disk is complete: name, capacity, operations, queue.
            to_result(unsafe {
                bindings::device_add_disk(ptr::null_mut(), gendisk, ptr::null_mut())
            })
        } else {
            Err(EINVAL)
        };
        if let Err(error) = added {
            // SAFETY: The disk is not registered and this is its only
            // reference; the queue goes with it.
            unsafe { bindings::put_disk(gendisk) };
            // SAFETY: From `into_raw` above; the queue that had it is gone.
            drop(unsafe { KBox::from_raw(driver_ptr) });
            return Err(error);
        }
        // SAFETY: Neither a disk that `from_err_ptr` let through nor a box is
        // at address zero.
        let (gendisk, driver) = unsafe {
            (
                NonNull::new_unchecked(gendisk),
                NonNull::new_unchecked(driver_ptr),
            )
        };
        // INVARIANT: Registered just now, with this driver and tag set.
        Ok(Disk {
            gendisk,
            driver,
            tag_set,
            _pin: pin,
        })
    }
}

impl<D: Driver> Drop for Disk<D> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the disk is registered. This waits
        // for every request and shuts the queue down.
        unsafe { bindings::del_gendisk(self.gendisk.as_ptr()) };
        // Every request has ended, but the callback that ended the last one
        // may still run: `queue` under RCU, or SRCU if it may sleep, and
        // `complete` in softirq context, which RCU waits for as well.
        let set = self.tag_set.as_ptr();
        // SAFETY: The set is valid until `tag_set` is dropped.
        if unsafe { (*set).flags } & bindings::BLK_MQ_F_BLOCKING != 0 {
            // SAFETY: As before.
            unsafe { bindings::blk_mq_wait_quiesce_done(set) };
        }
        // SAFETY: `drop` runs where `del_gendisk` could sleep.
        unsafe { bindings::synchronize_rcu() };
        // SAFETY: From `into_raw` in `new`. The queue is dead, so no callback
        // starts any more, even if users have the disk open, and those that
        // had started are over.
        drop(unsafe { KBox::from_raw(self.driver.as_ptr()) });
        // SAFETY: This is the reference of `rf_disk_alloc`; users that have
        // the disk open hold their own.
        unsafe { bindings::put_disk(self.gendisk.as_ptr()) };
    }
}

/// What `blk_validate_limits` would warn about or change in silence.
fn good(limits: Limits) -> bool {
    let logical = limits.logical_block_size;
    let physical = limits.physical_block_size;
    logical.is_power_of_two()
        && (512..=4096).contains(&logical)
        && physical.is_power_of_two()
        && (logical..=1 << 20).contains(&physical)
        && limits.dma_alignment < 4096
        && (limits.dma_alignment + 1).is_power_of_two()
}
