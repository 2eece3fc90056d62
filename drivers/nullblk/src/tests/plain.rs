//! A device with nothing behind it.

use core::time::Duration;

use kit::block::{Limits, Operation, Queues, Status, ZonedLimits};

use super::{Device, MODE_NONE};
use crate::testing::Fate;
use crate::Attribute;

#[test]
fn a_plain_device_gives_back_by_its_mode() {
    let plain = |changes: &[(Attribute, &str)], operation, polled| {
        Device::new(changes)
            .submit(operation, 0, &[0; 512], (false, polled))
            .0
    };
    let ok = Status::Ok;
    assert_eq!(plain(&[MODE_NONE], Operation::Read, false), Fate::Ended(ok));
    assert_eq!(plain(&[], Operation::Write, false), Fate::Completing(ok));
    let timer = [(Attribute::IrqMode, "2"), (Attribute::CompletionNsec, "77")];
    assert_eq!(plain(&timer, Operation::Flush, false), Fate::After(77, ok));
    assert_eq!(plain(&timer, Operation::Read, true), Fate::OnPoll(ok));
    for operation in [Operation::Discard, Operation::ZoneReset, Operation::Other] {
        assert_eq!(
            plain(&[], operation, false),
            Fate::Ended(Status::NotSupported)
        );
    }
}

#[test]
fn a_device_announces_what_it_is_set_to() {
    let limits = |changes: &[(Attribute, &str)]| Device::new(changes).driver.limits();
    let plain = Limits {
        logical_block_size: 512,
        physical_block_size: 512,
        dma_alignment: 1,
        max_sectors: 0,
        virt_boundary_mask: 0,
        max_segments: 0,
        max_discard_sectors: 0,
        max_write_zeroes_sectors: 0,
        write_cache: false,
        fua: false,
        rotational: false,
        zoned: None,
    };
    assert_eq!(limits(&[]), plain);
    // What means nothing without memory backing is not announced.
    let cache = (Attribute::CacheSize, "1");
    let discard = (Attribute::Discard, "1");
    assert_eq!(limits(&[cache, discard]), plain);
    let all = [
        cache,
        discard,
        (Attribute::MemoryBacked, "1"),
        (Attribute::BlockSize, "4096"),
        (Attribute::MaxSectors, "128"),
        (Attribute::VirtBoundary, "1"),
        (Attribute::Rotational, "1"),
    ];
    let expected = Limits {
        logical_block_size: 4096,
        physical_block_size: 4096,
        max_sectors: 128,
        virt_boundary_mask: 4095,
        max_discard_sectors: u32::MAX >> 9,
        write_cache: true,
        fua: true,
        rotational: true,
        ..plain
    };
    assert_eq!(limits(&all), expected);
    let backed = (Attribute::MemoryBacked, "1");
    let no_fua = limits(&[backed, cache, (Attribute::Fua, "0")]);
    assert_eq!((no_fua.write_cache, no_fua.fua), (true, false));
    let zoned = [
        backed,
        discard,
        (Attribute::Zoned, "1"),
        (Attribute::BlockSize, "4096"),
        (Attribute::ZoneAppendMaxSectors, "15"),
        (Attribute::ZoneMaxOpen, "4"),
        (Attribute::ZoneMaxActive, "3"),
    ];
    let zones = ZonedLimits {
        zone_sectors: 256 * 2048,
        max_append_sectors: 8,
        max_open: 3,
        max_active: 3,
    };
    assert_eq!(limits(&zoned).zoned, Some(zones));
    assert_eq!(limits(&zoned).max_discard_sectors, 0);
    assert_eq!(
        limits(&zoned[2..3]).zoned.unwrap().max_append_sectors,
        zones.zone_sectors
    );
}

#[test]
fn a_device_has_c_s_size_and_queues() {
    let device = Device::new(&[]);
    assert_eq!(device.driver.capacity(), 250 << 21);
    let queues = Queues {
        submit: 1,
        poll: 0,
        depth: 64,
        timeout: Duration::from_secs(5),
    };
    assert_eq!(device.driver.queues(), queues);
    let more = [
        (Attribute::SubmitQueues, "3"),
        (Attribute::PollQueues, "2"),
        (Attribute::HwQueueDepth, "9"),
    ];
    let queues = Queues {
        submit: 3,
        poll: 2,
        depth: 9,
        ..queues
    };
    assert_eq!(Device::new(&more).driver.queues(), queues);
}

#[test]
fn whatever_needs_the_medium_needs_queues_that_may_sleep() {
    assert!(!Device::new(&[]).driver.settings().blocking());
    for changes in [
        (Attribute::Blocking, "1"),
        (Attribute::MemoryBacked, "1"),
        (Attribute::Zoned, "1"),
        (Attribute::Mbps, "1"),
        (Attribute::Timeout, "1,1,0,1"),
        (Attribute::Requeue, "1,1,0,-1"),
    ] {
        let device = Device::new(&[changes]);
        assert!(device.driver.settings().blocking(), "{changes:?}");
    }
    for off in ["1,0,0,-1", "1,100,0,0"] {
        let device = Device::new(&[(Attribute::Timeout, off)]);
        assert!(!device.driver.settings().blocking(), "{off}");
    }
}
