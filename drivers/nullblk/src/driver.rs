//! What happens to a request.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use core::time::Duration;

use kit::block::{
    Data, Driver, Limits, Next, Operation, Queues, Request, Resource, Served, Status, Zone,
    ZoneCondition, ZoneKind, ZonedLimits, SECTOR_SHIFT,
};
use kit::memory::{Memory, PAGE_SIZE};

use crate::medium::Medium;
use crate::settings::{align_down, parse, Attribute, CompletionMode, Invalid, Settings};

/// Between two refills of the budget of a throttled device (C:
/// `TIMER_INTERVAL`).
const TICK: Duration = Duration::from_millis(1000 / TICKS_PER_SECOND);
const TICKS_PER_SECOND: u64 = 50;

/// A null block device: what of it never changes, and two atomics. Any number
/// of queues may use it at once.
pub struct NullBlock<M: Memory> {
    /// Whether requests need the medium.
    needs_medium: AtomicBool,
    mode: CompletionMode,
    completion_nsec: u64,
    settings: Settings,
    /// Bytes that may pass until the next tick; below zero it is a debt.
    budget: AtomicI64,
    _memory: PhantomData<fn() -> M>,
}

impl<M: Memory> NullBlock<M> {
    /// A device with these settings, which are
    /// [checked](Medium::checked), and the medium that was prepared for
    /// them.
    pub fn new(settings: Settings, medium: &Medium<M>) -> NullBlock<M> {
        let device = NullBlock {
            needs_medium: AtomicBool::new(false),
            mode: settings.irq_mode(),
            completion_nsec: settings.value(Attribute::CompletionNsec),
            settings,
            budget: AtomicI64::new(0),
            _memory: PhantomData,
        };
        device.tick();
        device.look_at(medium);
        device
    }

    /// Sees anew whether requests need the medium. There are bad blocks only
    /// where queues may sleep; were there others, they would have no effect.
    fn look_at(&self, medium: &Medium<M>) {
        let needs = self.settings.needs_medium()
            || (self.settings.blocking() && !medium.bad_blocks.is_empty());
        self.needs_medium.store(needs, Ordering::Relaxed);
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Capacity in sectors of 512 bytes.
    pub fn capacity(&self) -> u64 {
        self.settings.sectors()
    }

    /// The queue limits to register, those of C's `null_add_dev`.
    pub fn limits(&self) -> Limits {
        let settings = &self.settings;
        let number = |attribute| u32::try_from(settings.value(attribute)).unwrap_or(u32::MAX);
        let cache = settings.on(Attribute::CacheSize);
        let flag = |on: bool, value: u32| if on { value } else { 0 };
        Limits {
            logical_block_size: settings.block_size(),
            physical_block_size: settings.block_size(),
            dma_alignment: 1,
            max_sectors: number(Attribute::MaxSectors),
            virt_boundary_mask: flag(settings.on(Attribute::VirtBoundary), (PAGE_SIZE - 1) as u32),
            max_segments: 0,
            max_write_zeroes_sectors: 0,
            max_discard_sectors: flag(settings.on(Attribute::Discard), u32::MAX >> SECTOR_SHIFT),
            write_cache: cache,
            fua: cache && settings.on(Attribute::Fua),
            rotational: settings.on(Attribute::Rotational),
            zoned: settings.on(Attribute::Zoned).then(|| ZonedLimits {
                zone_sectors: number(Attribute::ZoneSize) << (20 - SECTOR_SHIFT),
                max_append_sectors: number(Attribute::ZoneAppendMaxSectors),
                max_open: number(Attribute::ZoneMaxOpen),
                max_active: number(Attribute::ZoneMaxActive),
            }),
        }
    }

    /// The queues to register.
    pub fn queues(&self) -> Queues {
        self.settings.queues()
    }

    /// As [`Medium::set_bad_blocks`], for a device that is on; `Invalid` also
    /// if its queues may not sleep.
    pub fn set_bad_blocks(&self, medium: &mut Medium<M>, text: &str) -> Result<(), Invalid> {
        if !self.settings.blocking() {
            return Err(Invalid);
        }
        medium.bad_blocks.store(text)?;
        self.look_at(medium);
        Ok(())
    }

    /// Makes the zone that has a sector (decimal `text`) read-only or offline,
    /// or empty if it is that already (C: `zone_cond_store`). `Invalid` for a
    /// conventional zone, and where there is none.
    pub fn set_zone_condition(
        &self,
        medium: &mut Medium<M>,
        text: &str,
        condition: ZoneCondition,
    ) -> Result<(), Invalid> {
        if !matches!(condition, ZoneCondition::ReadOnly | ZoneCondition::Offline) {
            return Err(Invalid);
        }
        let number = medium.zones.number(parse(text.trim())?);
        if let Some(zone) = medium.zones.break_or_mend(number, condition)? {
            forget(medium, zone);
        }
        Ok(())
    }

    /// Bytes a tick (C: `mb_per_tick`); 0 for no limit.
    fn bytes_per_tick(&self) -> i64 {
        let bytes = self
            .settings
            .value(Attribute::Mbps)
            .saturating_mul((1 << 20) / TICKS_PER_SECOND);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// C: `null_handle_cmd`.
    fn process<R: Request>(&self, medium: &mut Medium<M>, request: &mut R) -> Status {
        let zoned = self.settings.on(Attribute::Zoned);
        let sector = request.position();
        let sectors = u64::from(request.bytes() >> SECTOR_SHIFT);
        let number = medium.zones.number(sector);
        let done = match request.operation() {
            Operation::Flush => medium.store.flush(),
            Operation::Read => match medium.zones.get(number) {
                Some(zone) if zone.condition == ZoneCondition::Offline => Err(Status::Io),
                _ => self.transfer(medium, request, sector, sectors).1,
            },
            Operation::Write if zoned => self.write_zone(medium, request, number, sectors),
            Operation::ZoneAppend if zoned => self.write_zone(medium, request, number, sectors),
            Operation::Write => self.transfer(medium, request, sector, sectors).1,
            Operation::Discard if self.settings.on(Attribute::Discard) => {
                self.transfer(medium, request, sector, sectors).1
            }
            Operation::ZoneOpen if zoned => medium.zones.open(number),
            Operation::ZoneClose if zoned => medium.zones.close(number),
            Operation::ZoneFinish if zoned => medium.zones.finish(number),
            Operation::ZoneReset if zoned => {
                medium.zones.reset(number).map(|zone| forget(medium, zone))
            }
            Operation::ZoneResetAll if zoned => {
                for number in medium.zones.first_sequential()..medium.zones.count() {
                    // Those that cannot be reset stay as they are.
                    if let Ok(zone) = medium.zones.reset(number) {
                        forget(medium, zone);
                    }
                }
                Ok(())
            }
            _ => Err(Status::NotSupported),
        };
        match done {
            Ok(()) => Status::Ok,
            Err(status) => status,
        }
    }

    /// C: `null_zone_write`.
    fn write_zone<R: Request>(
        &self,
        medium: &mut Medium<M>,
        request: &mut R,
        number: usize,
        sectors: u64,
    ) -> Result<(), Status> {
        let append = request.operation() == Operation::ZoneAppend;
        let zone = medium.zones.get(number).ok_or(Status::Io)?;
        if zone.kind == ZoneKind::Conventional {
            if append {
                return Err(Status::Io);
            }
            return self
                .transfer(medium, request, request.position(), sectors)
                .1;
        }
        let at = (!append).then(|| request.position());
        let at = medium.zones.begin_write(number, at, sectors)?;
        if append {
            request.set_position(at);
        }
        let (written, result) = self.transfer(medium, request, at, sectors);
        medium.zones.advance(number, written);
        result
    }

    /// Moves data, up to the first bad block (C: `null_process_cmd`); answers
    /// how many sectors were moved, and how the request ends.
    fn transfer<R: Request>(
        &self,
        medium: &mut Medium<M>,
        request: &mut R,
        sector: u64,
        sectors: u64,
    ) -> (u64, Result<(), Status>) {
        let mut good = sectors;
        let mut result = Ok(());
        let end = sector.saturating_add(sectors);
        if let Some(bad) = medium.bad_blocks.find(sector, end) {
            result = Err(Status::Io);
            good = 0;
            if self.settings.on(Attribute::BadblocksPartialIo) {
                let block = u64::from(self.settings.block_size() >> SECTOR_SHIFT);
                good = align_down(bad.first.saturating_sub(sector), block);
            }
            if self.settings.on(Attribute::BadblocksOnce) && medium.bad_blocks.clear(bad).is_ok() {
                self.look_at(medium);
            }
        }
        if good == 0 || !self.settings.on(Attribute::MemoryBacked) {
            return (good, result);
        }
        let moved = match request.operation() {
            Operation::Read => {
                let readable = medium.zones.readable(sector, good);
                let mut data = request.data();
                let read = medium.store.read(sector, readable, &mut data);
                let beyond = (good.saturating_sub(readable) << SECTOR_SHIFT) as usize;
                data.fill(0xff, beyond);
                read
            }
            Operation::Discard => {
                medium.store.discard(sector, sector.saturating_add(good));
                Ok(())
            }
            _ => {
                let through = request.fua();
                medium
                    .store
                    .write(sector, good, through, &mut request.data())
            }
        };
        match moved {
            Ok(()) => (good, result),
            failed => (0, failed),
        }
    }
}

/// Forgets what a zone had.
fn forget<M: Memory>(medium: &mut Medium<M>, zone: Zone) {
    let end = zone.start.saturating_add(zone.length);
    medium.store.discard(zone.start, end);
}

impl<M: Memory> Driver for NullBlock<M> {
    type Medium = Medium<M>;

    /// C: `null_queue_rq`.
    #[inline(always)]
    fn queue<R: Request>(&self, request: R) -> Next<R> {
        if self.needs_medium.load(Ordering::Relaxed) {
            return Next::Serve(request);
        }
        match request.operation() {
            Operation::Read | Operation::Write | Operation::Flush => {
                self.finish(request, Status::Ok)
            }
            _ => request.end(Status::NotSupported),
        }
        Next::Taken
    }

    fn serve<R: Request>(&self, medium: &mut Medium<M>, request: &mut R) -> Served {
        let lost = medium.timeout.fails();
        if medium.requeue.fails() {
            // Both ways of not taking it, in turns, as C.
            medium.requeues = medium.requeues.wrapping_add(1);
            return match medium.requeues % 2 {
                1 => Served::Busy(Resource::Memory),
                _ => Served::Requeued,
            };
        }
        if self.settings.on(Attribute::Mbps) {
            if self.budget.load(Ordering::Relaxed) <= 0 {
                return Served::Busy(Resource::Tick);
            }
            self.budget
                .fetch_sub(i64::from(request.bytes()), Ordering::Relaxed);
        }
        if lost {
            return Served::Lost;
        }
        Served::Done(self.process(medium, request))
    }

    /// C: `nullb_complete_cmd`, and what `null_queue_rq` does for poll queues.
    #[inline(always)]
    fn finish<R: Request>(&self, request: R, status: Status) {
        if request.polled() {
            return request.complete_on_poll(status);
        }
        // `match` on `cmp` makes a number of the order first: five
        // instructions more.
        #[allow(clippy::comparison_chain)]
        if self.mode == CompletionMode::Soft {
            request.complete(status)
        } else if self.mode < CompletionMode::Soft {
            request.end(status)
        } else {
            request.complete_after(self.completion_nsec, status)
        }
    }

    fn zone(&self, medium: &mut Medium<M>, number: u32) -> Option<Zone> {
        medium.zones.get(number as usize)
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.settings.on(Attribute::Mbps).then_some(TICK)
    }

    /// Fills the budget: what was spent beyond it is paid first.
    fn tick(&self) {
        let full = self.bytes_per_tick();
        let refill = |left: i64| Some(left.saturating_add(full).min(full));
        // Never refused.
        let _ = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, refill);
    }
}
