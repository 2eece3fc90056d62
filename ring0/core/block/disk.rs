// SPDX-License-Identifier: GPL-2.0-only

//! A disk that is there for users.

use core::ptr::{self, NonNull};

use kernel::bindings;
use kernel::error::{code::EINVAL, from_err_ptr, to_result};
use kernel::prelude::*;
use kernel::sync::Arc;
use kit::block::{Driver, Limits, SECTOR_SHIFT};

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
/// `gendisk` is allocated, its queue's `queuedata` is `shared`, and its queue
/// uses `tag_set`. It is registered while `registered` is true.
pub struct Disk<D: Driver> {
    gendisk: NonNull<bindings::gendisk>,
    registered: bool,
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

// SAFETY: The disk is not bound to the thread that registered it, and `D` is
// `Send`.
unsafe impl<D: Driver> Send for Disk<D> {}

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
        let mut lim = queue_limits(limits)?;
        let pin = ModulePin::new();
        let shared = KBox::pin_init(Shared::new(driver), GFP_KERNEL)?;
        let shared_ptr = (&raw const *shared).cast_mut();
        let (set, lim) = (tag_set.as_ptr().cast(), (&raw mut lim).cast());
        // SAFETY: The tag set was allocated with the table of `D`; `lim` is
        // valid for the call; `shared_ptr` is what that table expects, and
        // its first field are the hooks.
        let gendisk = unsafe { shim::rf_disk_alloc(set, lim, shared_ptr.cast()) };
        let gendisk = from_err_ptr(gendisk.cast::<bindings::gendisk>())?;
        // INVARIANT: Allocated just now, with these. From here on `drop`
        // takes it away.
        Ok(Disk {
            // SAFETY: `from_err_ptr` lets no null pointer through here.
            gendisk: unsafe { NonNull::new_unchecked(gendisk) },
            registered: false,
            shared,
            tag_set,
            _pin: pin,
        })
    }

    fn register(&mut self, name: &[u8], capacity: u64, zoned: bool) -> Result {
        let good_name = !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'!'));
        if !good_name || capacity > (i64::MAX as u64) >> SECTOR_SHIFT {
            return Err(EINVAL);
        }
        let gendisk = self.gendisk.as_ptr();
        // SAFETY: The disk is not registered, so its name is ours to write.
        let room = unsafe { &mut (*gendisk).disk_name };
        if name.len() >= room.len() {
            return Err(EINVAL);
        }
        for (to, from) in room.iter_mut().zip(name) {
            *to = *from;
        }
        // SAFETY: The disk is valid and not registered.
        unsafe { bindings::set_capacity(gendisk, capacity) };
        if zoned {
            // SAFETY: The disk has capacity and limits, and reports zones.
            to_result(unsafe { bindings::blk_revalidate_disk_zones(gendisk) })?;
        }
        // SAFETY: The queue lives as long as the disk, and `drop` stops the
        // ticks before it lets the disk go.
        unsafe { self.shared.start_ticking((*gendisk).queue) };
        // SAFETY: The disk is complete: name, capacity, operations, queue.
        to_result(unsafe { bindings::device_add_disk(ptr::null_mut(), gendisk, ptr::null_mut()) })?;
        // INVARIANT: It is.
        self.registered = true;
        Ok(())
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
        let gendisk = self.gendisk.as_ptr();
        if self.registered {
            self.registered = false;
            // SAFETY: By the type invariant the disk was registered. This
            // waits for every request and shuts the queue down; ticks go on
            // meanwhile, since requests may wait for one.
            unsafe { bindings::del_gendisk(gendisk) };
        }
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
        // SAFETY: This runs where `del_gendisk` could sleep.
        unsafe { bindings::synchronize_rcu() };
        // SAFETY: The disk is valid until its reference is put. Zones may be
        // asked for as long as somebody has it open.
        unsafe { shim::rf_disk_detach(gendisk.cast()) };
    }
}

impl<D: Driver> Drop for Disk<D> {
    fn drop(&mut self) {
        self.shut_down();
        // SAFETY: This is the reference of `rf_disk_alloc`; users that have
        // the disk open hold their own. No callback uses `shared` any more.
        unsafe { bindings::put_disk(self.gendisk.as_ptr()) };
    }
}

/// `struct queue_limits`; `EINVAL` for what `blk_validate_limits` would warn
/// about or change in silence.
fn queue_limits(limits: Limits) -> Result<bindings::queue_limits> {
    let logical = limits.logical_block_size;
    let physical = limits.physical_block_size;
    let good = logical.is_power_of_two()
        && (512..=4096).contains(&logical)
        && physical.is_power_of_two()
        && (logical..=1 << 20).contains(&physical)
        && mask(limits.dma_alignment)
        && limits.dma_alignment < 4096
        && mask(limits.virt_boundary_mask)
        && (limits.max_sectors == 0 || limits.max_sectors >= 4096 >> SECTOR_SHIFT)
        && limits
            .zoned
            .is_none_or(|zoned| zoned.zone_sectors.is_power_of_two());
    if !good {
        return Err(EINVAL);
    }
    let mut features = 0;
    for (wanted, feature) in [
        (limits.write_cache, shim::BLK_FEAT_WRITE_CACHE),
        (limits.fua, shim::BLK_FEAT_FUA),
        (limits.rotational, shim::BLK_FEAT_ROTATIONAL),
        (limits.zoned.is_some(), shim::BLK_FEAT_ZONED),
    ] {
        if wanted {
            features |= feature;
        }
    }
    let mut lim = bindings::queue_limits {
        features,
        logical_block_size: logical,
        physical_block_size: physical,
        dma_alignment: limits.dma_alignment,
        max_hw_sectors: limits.max_sectors,
        virt_boundary_mask: limits.virt_boundary_mask as usize,
        max_hw_discard_sectors: limits.max_discard_sectors,
        ..pin_init::zeroed()
    };
    if let Some(zoned) = limits.zoned {
        lim.chunk_sectors = zoned.zone_sectors;
        lim.max_hw_zone_append_sectors = zoned.max_append_sectors;
        lim.max_open_zones = zoned.max_open;
        lim.max_active_zones = zoned.max_active;
    }
    Ok(lim)
}

/// Whether it is one less than a power of two, or 0.
fn mask(value: u32) -> bool {
    value & value.wrapping_add(1) == 0
}
