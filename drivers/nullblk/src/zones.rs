//! Zones of a host-managed device: conditions, write pointers, and how many
//! may be open (C: `zoned.c`; ZBC 5.2, and the active limit of ZNS 2.3).

use kit::block::{Status, Zone, ZoneCondition, ZoneKind, SECTOR_SHIFT};
use kit::memory::{Memory, OutOfMemory};

use crate::settings::{Attribute, Invalid, Settings};

/// The zones of a device that is on; none of one that is off, or not zoned.
pub(crate) struct Zones<M: Memory> {
    table: Option<M::Table<Zone>>,
    /// Sectors from zone to zone, as a power of two.
    shift: u32,
    /// The first zone that is not conventional.
    sequential: usize,
    max_open: u32,
    max_active: u32,
    implicitly_open: u32,
    explicitly_open: u32,
    closed: u32,
    /// Where to look for the next zone to close.
    close_from: usize,
}

impl<M: Memory> Zones<M> {
    pub(crate) fn none() -> Zones<M> {
        Zones {
            table: None,
            shift: 0,
            sequential: 0,
            max_open: 0,
            max_active: 0,
            implicitly_open: 0,
            explicitly_open: 0,
            closed: 0,
            close_from: 0,
        }
    }

    /// The zones of a device with checked settings.
    pub(crate) fn new(settings: &Settings) -> Result<Zones<M>, OutOfMemory> {
        if !settings.on(Attribute::Zoned) {
            return Ok(Zones::none());
        }
        let sectors = |mib: u64| mib << (20 - SECTOR_SHIFT);
        let size = sectors(settings.value(Attribute::ZoneSize));
        let capacity = sectors(settings.value(Attribute::ZoneCapacity));
        let count = settings.sectors().div_ceil(size);
        let conventional = settings.value(Attribute::ZoneNrConv);
        let full = settings.on(Attribute::ZoneFull);
        let nothing = Zone {
            start: 0,
            length: 0,
            capacity: 0,
            write_pointer: 0,
            kind: ZoneKind::Conventional,
            condition: ZoneCondition::NotWritePointer,
        };
        let mut table = M::table(count as usize, nothing)?;
        let mut start = 0u64;
        for (number, zone) in (0u64..).zip(table.iter_mut()) {
            let length = size.min(settings.sectors().saturating_sub(start));
            *zone = if number < conventional {
                Zone {
                    start,
                    length,
                    capacity: length,
                    write_pointer: start.saturating_add(length),
                    ..nothing
                }
            } else {
                let capacity = capacity.min(length);
                Zone {
                    start,
                    length,
                    capacity,
                    write_pointer: if full {
                        start.saturating_add(capacity)
                    } else {
                        start
                    },
                    kind: ZoneKind::SequentialWriteRequired,
                    condition: if full {
                        ZoneCondition::Full
                    } else {
                        ZoneCondition::Empty
                    },
                }
            };
            start = start.saturating_add(size);
        }
        Ok(Zones {
            table: Some(table),
            shift: size.ilog2(),
            sequential: conventional as usize,
            max_open: settings.value(Attribute::ZoneMaxOpen) as u32,
            max_active: settings.value(Attribute::ZoneMaxActive) as u32,
            close_from: conventional as usize,
            ..Zones::none()
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.len())
    }

    /// The number of the zone that has a sector.
    pub(crate) fn number(&self, sector: u64) -> usize {
        usize::try_from(sector >> self.shift).unwrap_or(usize::MAX)
    }

    /// The first zone that is written in sequence.
    pub(crate) fn first_sequential(&self) -> usize {
        self.sequential
    }

    pub(crate) fn get(&self, number: usize) -> Option<Zone> {
        self.table.as_ref()?.get(number).copied()
    }

    fn zone_mut(&mut self, number: usize) -> Option<&mut Zone> {
        self.table.as_mut()?.get_mut(number)
    }

    /// Changes a zone's condition, and the counts with it.
    fn set_condition(&mut self, number: usize, condition: ZoneCondition) {
        let Some(zone) = self.zone_mut(number) else {
            return;
        };
        let old = core::mem::replace(&mut zone.condition, condition);
        if let Some(count) = self.counter(old) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.counter(condition) {
            *count = count.saturating_add(1);
        }
    }

    fn counter(&mut self, condition: ZoneCondition) -> Option<&mut u32> {
        match condition {
            ZoneCondition::ImplicitOpen => Some(&mut self.implicitly_open),
            ZoneCondition::ExplicitOpen => Some(&mut self.explicitly_open),
            ZoneCondition::Closed => Some(&mut self.closed),
            _ => None,
        }
    }

    fn set_write_pointer(&mut self, number: usize, sector: u64) {
        if let Some(zone) = self.zone_mut(number) {
            zone.write_pointer = sector;
        }
    }

    fn check_active(&self) -> Result<(), Status> {
        let active = self
            .implicitly_open
            .saturating_add(self.explicitly_open)
            .saturating_add(self.closed);
        if self.max_active == 0 || active < self.max_active {
            Ok(())
        } else {
            Err(Status::ZoneActiveResource)
        }
    }

    /// Whether one more zone can be open; closes one that a write opened if
    /// that helps.
    fn check_open(&mut self) -> Result<(), Status> {
        let open = self.implicitly_open.saturating_add(self.explicitly_open);
        if self.max_open == 0 || open < self.max_open {
            return Ok(());
        }
        if self.implicitly_open > 0 && self.check_active().is_ok() {
            self.close_one();
            return Ok(());
        }
        Err(Status::ZoneOpenResource)
    }

    /// Closes the next zone in turn that a write opened.
    fn close_one(&mut self) {
        let first = self.sequential;
        let count = self.count().saturating_sub(first);
        for step in 0..count {
            let turn = self.close_from.saturating_sub(first).saturating_add(step);
            let number = first.saturating_add(turn % count);
            if let Some(zone) = self.get(number) {
                if zone.condition == ZoneCondition::ImplicitOpen {
                    self.set_condition(number, closed(zone));
                    self.close_from = number.saturating_add(1);
                    return;
                }
            }
        }
    }

    /// Whether a zone that is empty or closed can be opened.
    fn check_resources(&mut self, zone: Zone) -> Result<(), Status> {
        if zone.condition == ZoneCondition::Empty {
            self.check_active()?;
        }
        self.check_open()
    }

    /// Opens a zone for a write of `sectors` at its write pointer, which must
    /// be `at` if that is given; answers where the write goes.
    pub(crate) fn begin_write(
        &mut self,
        number: usize,
        at: Option<u64>,
        sectors: u64,
    ) -> Result<u64, Status> {
        let zone = self.get(number).ok_or(Status::Io)?;
        let end = zone.start.saturating_add(zone.capacity);
        let fits = zone
            .write_pointer
            .checked_add(sectors)
            .is_some_and(|after| after <= end);
        if !fits || at.is_some_and(|at| at != zone.write_pointer) {
            return Err(Status::Io);
        }
        match zone.condition {
            ZoneCondition::Empty | ZoneCondition::Closed => {
                self.check_resources(zone)?;
                self.set_condition(number, ZoneCondition::ImplicitOpen);
            }
            ZoneCondition::ImplicitOpen | ZoneCondition::ExplicitOpen => {}
            _ => return Err(Status::Io),
        }
        Ok(zone.write_pointer)
    }

    /// Moves the write pointer past what was written.
    pub(crate) fn advance(&mut self, number: usize, sectors: u64) {
        let Some(zone) = self.get(number) else { return };
        let after = zone.write_pointer.saturating_add(sectors);
        self.set_write_pointer(number, after);
        if after == zone.start.saturating_add(zone.capacity) {
            self.set_condition(number, ZoneCondition::Full);
        }
    }

    /// How many of `sectors` from `sector` on are below the write pointer.
    pub(crate) fn readable(&self, sector: u64, sectors: u64) -> u64 {
        match self.get(self.number(sector)) {
            Some(zone) if zone.kind == ZoneKind::SequentialWriteRequired => {
                zone.write_pointer.saturating_sub(sector).min(sectors)
            }
            _ => sectors,
        }
    }

    /// A zone that can be managed.
    fn managed(&self, number: usize) -> Result<Zone, Status> {
        let zone = self.get(number).ok_or(Status::Io)?;
        if zone.kind == ZoneKind::Conventional
            || matches!(
                zone.condition,
                ZoneCondition::ReadOnly | ZoneCondition::Offline
            )
        {
            return Err(Status::Io);
        }
        Ok(zone)
    }

    pub(crate) fn open(&mut self, number: usize) -> Result<(), Status> {
        let zone = self.managed(number)?;
        match zone.condition {
            ZoneCondition::Full => return Err(Status::Io),
            ZoneCondition::Empty | ZoneCondition::Closed => self.check_resources(zone)?,
            _ => {}
        }
        self.set_condition(number, ZoneCondition::ExplicitOpen);
        Ok(())
    }

    pub(crate) fn close(&mut self, number: usize) -> Result<(), Status> {
        let zone = self.managed(number)?;
        match zone.condition {
            ZoneCondition::Closed => Ok(()),
            ZoneCondition::ImplicitOpen | ZoneCondition::ExplicitOpen => {
                self.set_condition(number, closed(zone));
                Ok(())
            }
            _ => Err(Status::Io),
        }
    }

    pub(crate) fn finish(&mut self, number: usize) -> Result<(), Status> {
        let zone = self.managed(number)?;
        if matches!(zone.condition, ZoneCondition::Empty | ZoneCondition::Closed) {
            self.check_resources(zone)?;
        }
        self.set_condition(number, ZoneCondition::Full);
        self.set_write_pointer(number, zone.start.saturating_add(zone.length));
        Ok(())
    }

    /// Empties a zone; answers which, so that its data can go.
    pub(crate) fn reset(&mut self, number: usize) -> Result<Zone, Status> {
        let zone = self.managed(number)?;
        self.set_condition(number, ZoneCondition::Empty);
        self.set_write_pointer(number, zone.start);
        Ok(zone)
    }

    /// Makes a zone read-only or offline, or empty if it is that already
    /// (answering which, so that its data can go).
    pub(crate) fn break_or_mend(
        &mut self,
        number: usize,
        condition: ZoneCondition,
    ) -> Result<Option<Zone>, Invalid> {
        let zone = self.get(number).ok_or(Invalid)?;
        if zone.kind == ZoneKind::Conventional {
            return Err(Invalid);
        }
        if zone.condition == condition {
            self.set_condition(number, ZoneCondition::Empty);
            self.set_write_pointer(number, zone.start);
            return Ok(Some(zone));
        }
        self.set_condition(number, condition);
        self.set_write_pointer(number, u64::MAX);
        Ok(None)
    }
}

/// What an open zone becomes when it is closed.
fn closed(zone: Zone) -> ZoneCondition {
    if zone.write_pointer == zone.start {
        ZoneCondition::Empty
    } else {
        ZoneCondition::Closed
    }
}
