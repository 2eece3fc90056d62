// SPDX-License-Identifier: GPL-2.0-only

//! What a disk shares with the callbacks that the block layer makes.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use kernel::bindings;
use kernel::ffi::{c_int, c_uint, c_ulonglong, c_void};
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Mutex;
use kernel::types::Opaque;
use kit::block::{Driver, Zone, ZoneCondition, ZoneKind};

use crate::shim;
use crate::versions::{NO_RESTART, RESTART};

/// The driver and its medium. A queue's `queuedata` and a gendisk's
/// `private_data` point here.
///
/// # Invariants
///
/// `tick` is set up. While it may fire, `queue` is the disk's live queue.
#[pin_data]
#[repr(C)]
pub(super) struct Shared<D: Driver> {
    /// First, since `shim.c` looks for it there.
    hooks: shim::DiskHooks,
    pub(super) driver: D,
    /// There before the disk is, and until it is gone.
    #[pin]
    pub(super) medium: Mutex<Option<D::Medium>>,
    #[pin]
    tick: Opaque<bindings::hrtimer>,
    queue: AtomicPtr<bindings::request_queue>,
    /// How many ticks there were, modulo 2^32.
    ticks: AtomicU32,
}

// SAFETY: `D` is `Send` and `Sync`, the medium `Send` and behind a lock, and
// a timer is not bound to a thread.
unsafe impl<D: Driver> Send for Shared<D> {}
// SAFETY: As for `Send`; the timer is used through its own lock.
unsafe impl<D: Driver> Sync for Shared<D> {}

impl<D: Driver> Shared<D> {
    pub(super) fn new(driver: D) -> impl PinInit<Shared<D>> {
        let report: shim::ReportZones = Self::report_zones;
        pin_init!(Shared {
            hooks: shim::DiskHooks { report_zones: Some(report) },
            driver,
            medium <- new_mutex!(None),
            // SAFETY: The slot is valid and stays where it is; `stop_ticking`
            // waits for the callback before it goes.
            tick <- Opaque::ffi_init(|slot| unsafe {
                bindings::hrtimer_setup(
                    slot,
                    Some(Self::tick),
                    bindings::CLOCK_MONOTONIC as c_int,
                    bindings::hrtimer_mode_HRTIMER_MODE_REL,
                )
            }),
            queue: AtomicPtr::new(ptr::null_mut()),
            ticks: AtomicU32::new(0),
        })
    }

    /// How many ticks there were, modulo 2^32.
    pub(super) fn ticks(&self) -> u32 {
        self.ticks.load(Ordering::SeqCst)
    }

    fn interval(&self) -> Option<i64> {
        let interval = self.driver.tick_interval()?.as_nanos();
        i64::try_from(interval.max(1)).ok()
    }

    /// Starts the driver's tick, if it wants one.
    ///
    /// # Safety
    ///
    /// `queue` is the disk's queue, and lives until [`stop_ticking`] returns.
    ///
    /// [`stop_ticking`]: Shared::stop_ticking
    pub(super) unsafe fn start_ticking(&self, queue: *mut bindings::request_queue) {
        let Some(interval) = self.interval() else {
            return;
        };
        self.queue.store(queue, Ordering::Release);
        // SAFETY: The timer is set up.
        unsafe {
            bindings::hrtimer_start_range_ns(
                self.tick.get(),
                interval,
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_REL,
            );
        }
    }

    /// Waits for the last tick.
    pub(super) fn stop_ticking(&self) {
        // SAFETY: The timer is set up; the callback takes no lock.
        unsafe { bindings::hrtimer_cancel(self.tick.get()) };
    }

    /// The tick timer fired.
    ///
    /// # Safety
    ///
    /// Called by the hrtimer core, with the timer of a `Shared<D>` whose
    /// ticks were started.
    unsafe extern "C" fn tick(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
        // SAFETY: The timer is this field of a `Shared<D>`, which waits for
        // this callback before it goes.
        let shared = unsafe {
            &*timer
                .byte_sub(core::mem::offset_of!(Shared<D>, tick))
                .cast::<Shared<D>>()
        };
        shared.driver.tick();
        // Before the queues start: who stops one later sees that.
        shared.ticks.fetch_add(1, Ordering::SeqCst);
        let Some(interval) = shared.interval() else {
            return NO_RESTART;
        };
        // SAFETY: By the type invariant the queue is live; a timer may be
        // forwarded in its callback.
        unsafe {
            bindings::blk_mq_start_stopped_hw_queues(shared.queue.load(Ordering::Acquire), true);
            bindings::hrtimer_forward(timer, bindings::ktime_get(), interval);
        }
        RESTART
    }

    /// `report_zones`: zones `sector / zone size ..`, at most `count`.
    ///
    /// # Safety
    ///
    /// Called by the block layer through `shim.c`, with a gendisk whose
    /// `private_data` is a `Shared<D>`.
    unsafe extern "C" fn report_zones(
        disk: *mut c_void,
        sector: c_ulonglong,
        count: c_uint,
        args: *mut c_void,
    ) -> c_int {
        let disk: *mut bindings::gendisk = disk.cast();
        // SAFETY: By this function's contract.
        let (shared, zone_sectors) = unsafe {
            (
                &*(*disk).private_data.cast::<Shared<D>>(),
                (*(*disk).queue).limits.chunk_sectors,
            )
        };
        if zone_sectors == 0 {
            return 0;
        }
        let first = sector / u64::from(zone_sectors);
        for index in 0..count {
            let zone = u32::try_from(first + u64::from(index))
                .ok()
                .and_then(|number| {
                    let mut medium = shared.medium.lock();
                    shared.driver.zone((*medium).as_mut()?, number)
                });
            let Some(zone) = zone else {
                return index as c_int;
            };
            let mut zone = blk_zone(zone);
            // SAFETY: The zone is valid for the call; `args` is the caller's.
            let result = unsafe { bindings::disk_report_zone(disk, &mut zone, index, args.cast()) };
            if result != 0 {
                return result;
            }
        }
        count as c_int
    }
}

/// `struct blk_zone`.
fn blk_zone(zone: Zone) -> bindings::blk_zone {
    let kind = match zone.kind {
        ZoneKind::Conventional => bindings::blk_zone_type_BLK_ZONE_TYPE_CONVENTIONAL,
        ZoneKind::SequentialWriteRequired => bindings::blk_zone_type_BLK_ZONE_TYPE_SEQWRITE_REQ,
    };
    let condition = match zone.condition {
        ZoneCondition::NotWritePointer => bindings::blk_zone_cond_BLK_ZONE_COND_NOT_WP,
        ZoneCondition::Empty => bindings::blk_zone_cond_BLK_ZONE_COND_EMPTY,
        ZoneCondition::ImplicitOpen => bindings::blk_zone_cond_BLK_ZONE_COND_IMP_OPEN,
        ZoneCondition::ExplicitOpen => bindings::blk_zone_cond_BLK_ZONE_COND_EXP_OPEN,
        ZoneCondition::Closed => bindings::blk_zone_cond_BLK_ZONE_COND_CLOSED,
        ZoneCondition::Full => bindings::blk_zone_cond_BLK_ZONE_COND_FULL,
        ZoneCondition::ReadOnly => bindings::blk_zone_cond_BLK_ZONE_COND_READONLY,
        ZoneCondition::Offline => bindings::blk_zone_cond_BLK_ZONE_COND_OFFLINE,
    };
    bindings::blk_zone {
        start: zone.start,
        len: zone.length,
        wp: zone.write_pointer,
        type_: kind as u8,
        cond: condition as u8,
        capacity: zone.capacity,
        ..pin_init::zeroed()
    }
}
