// SPDX-License-Identifier: GPL-2.0-only

//! A disk that is there for users.

use core::ptr;

use kernel::bindings;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;
use kit::block::{Driver, Limits};

use super::gendisk::Gendisk;
use super::shared::Shared;
use super::TagSet;
use crate::shim;

/// A registered disk, driven by `D` (`struct gendisk`).
///
/// While it exists or a user has it open, the module cannot be unloaded, so
/// that a forgotten disk never calls code that is gone. Dropping it waits
/// until every request has ended, then removes the disk; users that still
/// have it open get I/O errors. It must be dropped where sleeping is allowed,
/// and not by the driver's own calls.
///
/// # Invariants
///
/// The queue of `gendisk` has `shared` for its `queuedata` and uses `tag_set`.
pub struct Disk<D: Driver> {
    // Its reference is put before what it uses goes.
    gendisk: Gendisk,
    shared: Pin<KBox<Shared<D>>>,
    // Let go after the queue that uses it.
    tag_set: Arc<TagSet<D>>,
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

impl<D: Driver> Disk<D> {
    /// Registers a disk of `capacity` sectors (512 bytes each, at most
    /// `i64::MAX` bytes) under `name` (1 to 31 printable ASCII characters
    /// but `/` and `!`). I/O can start before this returns. If this fails,
    /// it hands the medium back.
    ///
    /// `EINVAL` for a name, capacity or limits out of range, `EEXIST` if
    /// another driver's disk has the name, `ENOMEM` if memory is short.
    pub fn new(
        name: &CStr,
        capacity: u64,
        limits: Limits,
        tag_set: Arc<TagSet<D>>,
        driver: D,
        medium: D::Medium,
    ) -> Result<Disk<D>, (Error, D::Medium)> {
        let mut disk = match Self::allocate(limits, tag_set, driver) {
            Ok(disk) => disk,
            Err(error) => return Err((error, medium)),
        };
        *disk.shared.medium.lock() = Some(medium);
        match disk.register(name.to_bytes(), capacity, limits.zoned.is_some()) {
            Ok(()) => Ok(disk),
            Err(error) => Err((error, disk.remove())),
        }
    }

    fn allocate(limits: Limits, tag_set: Arc<TagSet<D>>, driver: D) -> Result<Disk<D>> {
        let pin = ModulePin::new();
        let shared = KBox::pin_init(Shared::new(driver), GFP_KERNEL)?;
        let hooks = (&raw const *shared).cast_mut().cast();
        // SAFETY: The tag set was allocated with the table of `D`, which
        // expects a `Shared<D>`, whose first field are the hooks. Both go
        // after the disk.
        let gendisk = unsafe { Gendisk::allocate(limits, tag_set.as_ptr(), hooks)? };
        // INVARIANT: Allocated just now, with these. From here on `drop`
        // takes it away.
        Ok(Disk {
            gendisk,
            shared,
            tag_set,
            _pin: pin,
        })
    }

    fn register(&mut self, name: &[u8], capacity: u64, zoned: bool) -> Result {
        self.gendisk.prepare(name, capacity)?;
        if zoned {
            let gendisk = self.gendisk.as_ptr();
            // SAFETY: The disk has capacity and limits, and reports zones.
            to_result(unsafe { bindings::blk_revalidate_disk_zones(gendisk) })?;
        }
        // SAFETY: The queue lives as long as the disk, and `drop` stops the
        // ticks before it lets the disk go.
        unsafe { self.shared.start_ticking(self.gendisk.queue()) };
        // SAFETY: The disk is complete: name, capacity, operations, queue.
        unsafe { self.gendisk.add(ptr::null_mut()) }
    }

    /// Calls `action` with the driver and its medium, while no request is
    /// being served.
    pub fn with_medium<R>(&self, action: impl FnOnce(&D, &mut D::Medium) -> R) -> R {
        let mut medium = self.shared.medium.lock();
        match (*medium).as_mut() {
            Some(medium) => action(&self.shared.driver, medium),
            // Only `remove` takes it, and that takes the disk as well.
            None => unreachable!(),
        }
    }

    /// [`TagSet::set_submit_queues`] of its tag set.
    pub fn set_submit_queues(&self, submit: u32) -> Result {
        self.tag_set.set_submit_queues(submit)
    }

    /// Removes the disk, as dropping it does, and hands the medium back.
    pub fn remove(mut self) -> D::Medium {
        self.shut_down();
        let medium = self.shared.medium.lock().take();
        match medium {
            Some(medium) => medium,
            // Only this takes it.
            None => unreachable!(),
        }
    }

    /// Ends all use of the driver.
    fn shut_down(&mut self) {
        // Ticks go on meanwhile, since requests may wait for one.
        self.gendisk.delete();
        self.shared.stop_ticking();
        // Every request has ended, but the callback that ended the last one
        // may still run: `queue` under RCU, or SRCU if it may sleep, and
        // `complete` in softirq context, which RCU waits for as well.
        let set = self.tag_set.as_ptr();
        // SAFETY: The set is valid while `tag_set` is.
        if unsafe { (*set).flags } & bindings::BLK_MQ_F_BLOCKING != 0 {
            // SAFETY: As before.
            unsafe { bindings::blk_mq_wait_quiesce_done(set) };
        }
        // SAFETY: This runs where `delete` could sleep.
        unsafe { bindings::synchronize_rcu() };
        // Zones may be asked for as long as somebody has it open.
        self.gendisk.detach();
    }
}

impl<D: Driver> Drop for Disk<D> {
    fn drop(&mut self) {
        self.shut_down();
    }
}
