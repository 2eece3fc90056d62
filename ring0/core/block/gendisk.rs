// SPDX-License-Identifier: GPL-2.0-only

//! `struct gendisk`, from its allocation to its last reference.

use core::ptr::{self, NonNull};

use kernel::bindings;
use kernel::error::{code::EINVAL, from_err_ptr, to_result};
use kernel::prelude::*;
use kit::block::{Limits, SECTOR_SHIFT};

use crate::shim;

/// A disk and its queue. Dropping it puts its reference, which must come after
/// [`delete`](Gendisk::delete) if it was added.
///
/// # Invariants
///
/// `gendisk` is allocated, and it was added, and not deleted since, while
/// `added` is true.
pub(super) struct Gendisk {
    gendisk: NonNull<bindings::gendisk>,
    added: bool,
}

// SAFETY: A disk is not bound to the thread that allocated it.
unsafe impl Send for Gendisk {}

impl Gendisk {
    /// Allocates a disk with a queue on a tag set. `hooks` becomes its
    /// `private_data` and its queue's `queuedata`.
    ///
    /// # Safety
    ///
    /// `set` is allocated, and its table takes `hooks`, which begins with
    /// [`shim::DiskHooks`], for a queue's `queuedata`; both live until this is
    /// dropped.
    pub(super) unsafe fn allocate(
        limits: Limits,
        set: *mut bindings::blk_mq_tag_set,
        hooks: *mut shim::DiskHooks,
    ) -> Result<Gendisk> {
        let mut limits = queue_limits(limits)?;
        let limits = (&raw mut limits).cast();
        // SAFETY: By this function's contract; `limits` is valid for the call.
        let gendisk = unsafe { shim::rf_disk_alloc(set.cast(), limits, hooks.cast()) };
        let gendisk = from_err_ptr(gendisk.cast::<bindings::gendisk>())?;
        // INVARIANT: Allocated just now.
        Ok(Gendisk {
            // SAFETY: `from_err_ptr` lets no null pointer through here.
            gendisk: unsafe { NonNull::new_unchecked(gendisk) },
            added: false,
        })
    }

    /// The C structure, valid as long as `self`.
    pub(super) fn as_ptr(&self) -> *mut bindings::gendisk {
        self.gendisk.as_ptr()
    }

    /// Its queue, valid as long as `self`.
    pub(super) fn queue(&self) -> *mut bindings::request_queue {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_ptr()).queue }
    }

    /// Names a disk that was not added, and gives it its capacity in sectors.
    /// `EINVAL` for a name that is not 1 to 31 printable ASCII characters but
    /// `/` and `!`, and for more than `i64::MAX` bytes.
    pub(super) fn prepare(&mut self, name: &[u8], capacity: u64) -> Result {
        let good_name = !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'!'));
        if !good_name || !good_capacity(capacity) {
            return Err(EINVAL);
        }
        // SAFETY: The disk was not added, so its name is ours to write.
        let room = unsafe { &mut (*self.as_ptr()).disk_name };
        if name.len() >= room.len() {
            return Err(EINVAL);
        }
        for (to, from) in room.iter_mut().zip(name) {
            *to = *from;
        }
        // SAFETY: The disk is valid and was not added.
        unsafe { bindings::set_capacity(self.as_ptr(), capacity) };
        Ok(())
    }

    /// Adds it, below `parent` if that is not null. I/O can start before this
    /// returns.
    ///
    /// # Safety
    ///
    /// The disk is complete: prepared, and its queue's callbacks may run.
    /// `parent` is null or a live device.
    pub(super) unsafe fn add(&mut self, parent: *mut bindings::device) -> Result {
        // SAFETY: By this function's contract.
        let added = unsafe { bindings::device_add_disk(parent, self.as_ptr(), ptr::null_mut()) };
        to_result(added)?;
        // INVARIANT: It was.
        self.added = true;
        Ok(())
    }

    /// Gives it another capacity in sectors, and tells user space if that is
    /// new. `EINVAL` as for [`prepare`](Gendisk::prepare).
    pub(super) fn set_capacity(&self, capacity: u64) -> Result {
        if !good_capacity(capacity) {
            return Err(EINVAL);
        }
        // SAFETY: The disk is valid.
        unsafe { bindings::set_capacity_and_notify(self.as_ptr(), capacity) };
        Ok(())
    }

    /// Lets no further request in: they fail, as on a disk that is gone.
    pub(super) fn mark_dead(&self) {
        if self.added {
            // SAFETY: The disk was added.
            unsafe { bindings::blk_mark_disk_dead(self.as_ptr()) };
        }
    }

    /// Takes it away, if it was added: waits for every request and shuts the
    /// queue down. May sleep.
    pub(super) fn delete(&mut self) {
        if core::mem::take(&mut self.added) {
            // SAFETY: By the type invariant it was added.
            unsafe { bindings::del_gendisk(self.as_ptr()) };
        }
    }

    /// Takes its hooks away from those who have it open still. May sleep.
    pub(super) fn detach(&self) {
        // SAFETY: The disk is valid.
        unsafe { shim::rf_disk_detach(self.as_ptr().cast()) };
    }
}

impl Drop for Gendisk {
    fn drop(&mut self) {
        // SAFETY: This is the reference of `rf_disk_alloc`; users that have
        // the disk open hold their own.
        unsafe { bindings::put_disk(self.as_ptr()) };
    }
}

/// Whether so many sectors can be counted in bytes.
fn good_capacity(sectors: u64) -> bool {
    sectors <= (i64::MAX as u64) >> SECTOR_SHIFT
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
    let max_segments = u16::try_from(limits.max_segments).map_err(|_| EINVAL)?;
    let mut lim = bindings::queue_limits {
        features,
        logical_block_size: logical,
        physical_block_size: physical,
        dma_alignment: limits.dma_alignment,
        max_hw_sectors: limits.max_sectors,
        virt_boundary_mask: limits.virt_boundary_mask as usize,
        max_segments,
        max_hw_discard_sectors: limits.max_discard_sectors,
        max_write_zeroes_sectors: limits.max_write_zeroes_sectors,
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
