//! A zoned device.

extern crate std;

use std::format;
use std::vec;

use kit::block::{Driver, Operation, Status, Zone, ZoneCondition};

use super::{Device, Numbers, MODE_NONE};
use crate::testing::Fate;
use crate::Attribute;

/// Eight zones of 1 MiB, the first conventional; 2 may be open, 3 active.
fn zoned(more: &[(Attribute, &str)]) -> Device {
    let mut changes = vec![
        MODE_NONE,
        (Attribute::Zoned, "1"),
        (Attribute::MemoryBacked, "1"),
        (Attribute::Size, "8"),
        (Attribute::ZoneSize, "1"),
        (Attribute::ZoneNrConv, "1"),
        (Attribute::ZoneMaxOpen, "2"),
        (Attribute::ZoneMaxActive, "3"),
    ];
    changes.extend(more);
    Device::new(&changes)
}

fn condition(device: &mut Device, number: u32) -> ZoneCondition {
    device
        .driver
        .zone(&mut device.medium, number)
        .unwrap()
        .condition
}

const ZONE: u64 = 2048;

#[test]
fn a_zone_is_written_at_its_pointer_and_read_below_it() {
    let mut device = zoned(&[]);
    assert_eq!(
        device.status(Operation::Write, 8, &[7; 512]),
        Status::Ok,
        "conventional"
    );
    assert_eq!(
        device.status(Operation::Write, ZONE + 1, &[1; 512]),
        Status::Io
    );
    assert_eq!(device.status(Operation::Write, ZONE, &[1; 512]), Status::Ok);
    let append = device.submit(Operation::ZoneAppend, ZONE, &[2; 512], (false, false));
    assert_eq!(
        (append.0, append.3),
        (Fate::Ended(Status::Ok), Some(ZONE + 1))
    );
    assert_eq!(
        device.status(Operation::ZoneAppend, 0, &[2; 512]),
        Status::Io
    );
    let mut expected = vec![1; 512];
    expected.extend([2; 512]);
    expected.extend([0xff; 512]);
    assert_eq!(device.read(ZONE, 1536), expected);
    assert_eq!(condition(&mut device, 1), ZoneCondition::ImplicitOpen);
    let rest = vec![3; ((ZONE - 2) * 512) as usize];
    assert_eq!(device.status(Operation::Write, ZONE + 2, &rest), Status::Ok);
    assert_eq!(condition(&mut device, 1), ZoneCondition::Full);
    assert_eq!(device.status(Operation::ZoneReset, ZONE, &[]), Status::Ok);
    assert_eq!(condition(&mut device, 1), ZoneCondition::Empty);
    assert_eq!(device.read(ZONE, 512), [0xff; 512]);
    assert_eq!(device.status(Operation::ZoneReset, 0, &[]), Status::Io);
}

#[test]
fn open_and_active_zones_are_limited() {
    let mut device = zoned(&[]);
    let start = |zone: u64| zone * ZONE;
    // A third write closes one of the two that writes opened.
    for zone in 1..=3 {
        assert_eq!(
            device.status(Operation::Write, start(zone), &[1; 512]),
            Status::Ok
        );
    }
    let closed = (1..=3)
        .filter(|zone| condition(&mut device, *zone) == ZoneCondition::Closed)
        .count();
    assert_eq!(closed, 1);
    let fourth = device.status(Operation::Write, start(4), &[1; 512]);
    assert_eq!(fourth, Status::ZoneActiveResource);
    assert_eq!(device.status(Operation::ZoneResetAll, 0, &[]), Status::Ok);
    for zone in 1..=2 {
        assert_eq!(
            device.status(Operation::ZoneOpen, start(zone), &[]),
            Status::Ok
        );
    }
    let third = device.status(Operation::ZoneOpen, start(3), &[]);
    assert_eq!(third, Status::ZoneOpenResource);
    assert_eq!(
        device.status(Operation::ZoneClose, start(1), &[]),
        Status::Ok
    );
    assert_eq!(
        condition(&mut device, 1),
        ZoneCondition::Empty,
        "nothing written"
    );
    assert_eq!(
        device.status(Operation::ZoneFinish, start(3), &[]),
        Status::Ok
    );
    assert_eq!(condition(&mut device, 3), ZoneCondition::Full);
    assert_eq!(
        device.status(Operation::ZoneOpen, start(3), &[]),
        Status::Io
    );
    assert_eq!(
        device.status(Operation::ZoneClose, start(4), &[]),
        Status::Io
    );
}

#[test]
fn a_broken_zone_fails_and_can_be_mended() {
    let mut device = zoned(&[]);
    let set = |device: &mut Device, sector: u64, to| {
        let text = format!("{sector}\n");
        device
            .driver
            .set_zone_condition(&mut device.medium, &text, to)
    };
    assert_eq!(device.status(Operation::Write, ZONE, &[1; 512]), Status::Ok);
    set(&mut device, ZONE, ZoneCondition::ReadOnly).unwrap();
    assert_eq!(
        device.status(Operation::Write, ZONE + 1, &[1; 512]),
        Status::Io
    );
    assert_eq!(device.read(ZONE, 512), [1; 512]);
    assert_eq!(device.status(Operation::ZoneReset, ZONE, &[]), Status::Io);
    set(&mut device, ZONE, ZoneCondition::Offline).unwrap();
    assert_eq!(device.status(Operation::Read, ZONE, &[0; 512]), Status::Io);
    set(&mut device, ZONE, ZoneCondition::Offline).unwrap();
    assert_eq!(condition(&mut device, 1), ZoneCondition::Empty);
    assert!(
        set(&mut device, 0, ZoneCondition::Offline).is_err(),
        "conventional"
    );
    assert!(set(&mut device, 8 * ZONE, ZoneCondition::Offline).is_err());
}

#[test]
fn what_a_bad_block_cuts_short_moves_the_write_pointer_that_far() {
    let mut device = zoned(&[(Attribute::BadblocksPartialIo, "1")]);
    let Device { driver, medium } = &mut device;
    let bad = format!("+{0}-{0}", ZONE + 2);
    driver.set_bad_blocks(medium, &bad).unwrap();
    assert_eq!(
        device.status(Operation::Write, ZONE, &[1; 2048]),
        Status::Io
    );
    let pointer = |device: &mut Device| {
        let zone = device.driver.zone(&mut device.medium, 1);
        zone.unwrap().write_pointer
    };
    assert_eq!(pointer(&mut device), ZONE + 2);
    assert_eq!(
        device.status(Operation::Write, ZONE + 2, &[1; 512]),
        Status::Io
    );
    assert_eq!(pointer(&mut device), ZONE + 2);
    assert_eq!(device.read(ZONE, 1024), [1; 1024]);
}

#[test]
fn zones_start_as_they_are_set_and_end_with_the_disk() {
    let device = |more: &[(Attribute, &str)]| {
        let mut changes = vec![
            (Attribute::Zoned, "1"),
            (Attribute::Size, "10"),
            (Attribute::ZoneSize, "4"),
        ];
        changes.extend(more);
        let mut device = Device::new(&changes);
        let zones: [Option<Zone>; 4] =
            [0, 1, 2, 3].map(|number| device.driver.zone(&mut device.medium, number));
        zones
    };
    let zones = device(&[(Attribute::ZoneNrConv, "1")]);
    let (first, last) = (zones[0].unwrap(), zones[2].unwrap());
    assert_eq!(first.condition, ZoneCondition::NotWritePointer);
    assert_eq!(
        (last.start, last.length, last.capacity),
        (8 * 2048, 4096, 4096)
    );
    assert_eq!(
        (last.condition, last.write_pointer),
        (ZoneCondition::Empty, last.start)
    );
    assert_eq!(zones[3], None);
    let full = device(&[
        (Attribute::Size, "8"),
        (Attribute::ZoneCapacity, "3"),
        (Attribute::ZoneFull, "1"),
    ]);
    let zone = full[1].unwrap();
    assert_eq!((zone.length, zone.capacity), (8192, 6144));
    assert_eq!(zone.condition, ZoneCondition::Full);
    assert_eq!(zone.write_pointer, zone.start + 6144);
    assert_eq!(full[2], None);
}

#[test]
fn no_order_of_requests_breaks_the_limits_of_zones() {
    let mut device = zoned(&[(Attribute::BlockSize, "4096")]);
    let mut numbers = Numbers(3);
    let mut refused = [0; 2];
    for step in 0..8000 {
        let number = 1 + numbers.below(7);
        let start = number * ZONE;
        let zone = device
            .driver
            .zone(&mut device.medium, number as u32)
            .unwrap();
        let operation = [
            Operation::Write,
            Operation::Write,
            Operation::ZoneAppend,
            Operation::ZoneOpen,
            Operation::ZoneClose,
            Operation::ZoneFinish,
            Operation::ZoneReset,
        ][numbers.below(7) as usize];
        let change = match (zone.condition, numbers.below(100)) {
            (ZoneCondition::ReadOnly | ZoneCondition::Offline, 20..) => Some(zone.condition),
            (_, 0) => Some(ZoneCondition::ReadOnly),
            (_, 1) => Some(ZoneCondition::Offline),
            _ => None,
        };
        if let Some(condition) = change {
            let Device { driver, medium } = &mut device;
            let sector = format!("{start}");
            driver
                .set_zone_condition(medium, &sector, condition)
                .unwrap();
        } else {
            let (sector, data) = match operation {
                Operation::Write => (zone.write_pointer, vec![1; 512 * 1024]),
                Operation::ZoneAppend => (start, vec![1; 512 * 1024]),
                _ => (start, vec![]),
            };
            if sector < 8 * ZONE {
                match device.status(operation, sector, &data) {
                    Status::ZoneOpenResource => refused[0] += 1,
                    Status::ZoneActiveResource => refused[1] += 1,
                    _ => {}
                }
            }
        }
        let mut open = 0;
        let mut active = 0;
        for number in 1..8 {
            let zone = device.driver.zone(&mut device.medium, number).unwrap();
            let written = zone.write_pointer.wrapping_sub(zone.start);
            match zone.condition {
                ZoneCondition::ImplicitOpen => (open, active) = (open + 1, active + 1),
                ZoneCondition::ExplicitOpen => (open, active) = (open + 1, active + 1),
                ZoneCondition::Closed => active += 1,
                ZoneCondition::Empty => assert_eq!(written, 0),
                ZoneCondition::Full => assert_eq!(written, ZONE),
                ZoneCondition::ReadOnly | ZoneCondition::Offline => {
                    assert_eq!(zone.write_pointer, u64::MAX);
                }
                ZoneCondition::NotWritePointer => panic!("a conventional zone"),
            }
        }
        assert!(
            open <= 2 && active <= 3,
            "step {step}: {open} open, {active} active"
        );
    }
    assert!(refused.iter().all(|count| *count > 100), "{refused:?}");
    // No count went astray: as many as ever can be opened.
    for number in 1..8u64 {
        let condition = condition(&mut device, number as u32);
        if matches!(condition, ZoneCondition::ReadOnly | ZoneCondition::Offline) {
            let Device { driver, medium } = &mut device;
            let sector = format!("{}", number * ZONE);
            driver
                .set_zone_condition(medium, &sector, condition)
                .unwrap();
        }
    }
    assert_eq!(device.status(Operation::ZoneResetAll, 0, &[]), Status::Ok);
    let opened = [1, 2, 3].map(|zone| device.status(Operation::ZoneOpen, zone * ZONE, &[]));
    assert_eq!(opened, [Status::Ok, Status::Ok, Status::ZoneOpenResource]);
}
