//! The driver against models of it.

extern crate std;

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use kit::block::{Driver, Next, Operation, Request, Resource, Served, Status, ZoneCondition};

use crate::testing::{End, Fate, Probe, StdMemory};
use crate::{Attribute, Medium, NullBlock, Settings};

/// A device that is on.
struct Device {
    driver: NullBlock<StdMemory>,
    medium: Medium<StdMemory>,
}

impl Device {
    fn new(changes: &[(Attribute, &str)]) -> Device {
        let mut settings = Settings::default();
        for (attribute, text) in changes {
            settings = settings.with(*attribute, text, 4).unwrap();
        }
        let settings = settings.checked().unwrap();
        let mut medium = Medium::new(&settings).unwrap();
        medium.prepare(&settings).unwrap();
        let driver = NullBlock::new(settings, &medium);
        Device { driver, medium }
    }

    /// What becomes of a request: fate, lack, data, position.
    fn submit(
        &mut self,
        operation: Operation,
        sector: u64,
        data: &[u8],
        flags: (bool, bool),
    ) -> (Fate, Option<Resource>, Vec<u8>, Option<u64>) {
        let end = End::new(data);
        let request = Probe {
            operation,
            position: sector,
            bytes: data.len() as u32,
            fua: flags.0,
            polled: flags.1,
            end: &end,
        };
        let mut lack = None;
        match self.driver.queue(request) {
            Next::Taken => {}
            Next::Busy(busy) => lack = Some(busy.lack),
            Next::Serve(mut request) => match self.driver.serve(&mut self.medium, &mut request) {
                Served::Done(status) => self.driver.finish(request, status),
                Served::Lost => request.lose(),
                Served::Requeued => request.requeue(),
                Served::Busy(resource) => lack = Some(resource),
            },
        }
        let end = end.into_inner();
        (end.fate, lack, end.data, end.position)
    }

    /// The status of a request of a device in mode none.
    fn status(&mut self, operation: Operation, sector: u64, data: &[u8]) -> Status {
        match self.submit(operation, sector, data, (false, false)).0 {
            Fate::Ended(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, sector: u64, bytes: usize) -> Vec<u8> {
        let (fate, _, data, _) =
            self.submit(Operation::Read, sector, &vec![0xee; bytes], (false, false));
        assert_eq!(fate, Fate::Ended(Status::Ok));
        data
    }
}

const MODE_NONE: (Attribute, &str) = (Attribute::IrqMode, "0");

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

/// A repeatable source of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn what_was_written_is_read_with_and_without_a_cache() {
    const SECTORS: u64 = 2048;
    for (blocksize, cache) in [("512", "0"), ("4096", "0"), ("512", "1"), ("1024", "1")] {
        let mut device = Device::new(&[
            MODE_NONE,
            (Attribute::Size, "16"),
            (Attribute::MemoryBacked, "1"),
            (Attribute::Discard, "1"),
            (Attribute::BlockSize, blocksize),
            (Attribute::CacheSize, cache),
        ]);
        let block = blocksize.parse::<u64>().unwrap() / 512;
        let mut model = vec![0u8; (SECTORS * 512) as usize];
        let mut numbers = Numbers(7);
        for step in 0..4000u64 {
            let first = numbers.below(SECTORS / block - 8) * block;
            let sectors = (1 + numbers.below(7)) * block;
            let range = (first * 512) as usize..((first + sectors) * 512) as usize;
            let at = first;
            match numbers.below(8) {
                0..=2 => {
                    let data = vec![step as u8; range.len()];
                    let fua = numbers.below(4) == 0;
                    let (fate, ..) = device.submit(Operation::Write, at, &data, (fua, false));
                    assert_eq!(fate, Fate::Ended(Status::Ok));
                    model[range].copy_from_slice(&data);
                }
                3 => {
                    assert_eq!(device.status(Operation::Flush, 0, &[]), Status::Ok);
                }
                4 => {
                    let size = vec![0; range.len()];
                    assert_eq!(device.status(Operation::Discard, at, &size), Status::Ok);
                    model[range].fill(0);
                }
                _ => assert_eq!(device.read(at, range.len()), model[range], "step {step}"),
            }
        }
    }
}

#[test]
fn a_cache_smaller_than_the_data_moves_pages_and_loses_the_rest_at_power_off() {
    let mut device = Device::new(&[
        MODE_NONE,
        (Attribute::Size, "16"),
        (Attribute::MemoryBacked, "1"),
        (Attribute::CacheSize, "1"),
    ]);
    // 300 pages through a cache of 256.
    for page in 0..300u64 {
        let status = device.status(Operation::Write, page * 8, &[page as u8; 512]);
        assert_eq!(status, Status::Ok);
    }
    for page in 0..300u64 {
        assert_eq!(device.read(page * 8, 512), [page as u8; 512]);
    }
    let (fate, ..) = device.submit(Operation::Write, 8 * 999, &[9; 512], (true, false));
    assert_eq!(fate, Fate::Ended(Status::Ok));
    device.medium.power_off();
    assert_eq!(device.read(8 * 999, 512), [9; 512], "forced to the medium");
    assert_eq!(device.read(8 * 299, 512), [0; 512], "only in the cache");
    assert_eq!(device.read(0, 512), [0; 512], "the first was moved");
}

#[test]
fn the_memory_limit_is_no_space_and_discards_make_room() {
    let mut device = Device::new(&[
        MODE_NONE,
        (Attribute::MemoryBacked, "1"),
        (Attribute::MemoryLimit, "1"),
        (Attribute::Discard, "1"),
    ]);
    for page in 0..256u64 {
        assert_eq!(
            device.status(Operation::Write, page * 8, &[1; 4096]),
            Status::Ok
        );
    }
    let more = 5000 * 8;
    assert_eq!(
        device.status(Operation::Write, more, &[1; 512]),
        Status::NoSpace
    );
    assert_eq!(device.status(Operation::Write, 0, &[2; 512]), Status::Ok);
    assert_eq!(device.status(Operation::Discard, 8, &[0; 4096]), Status::Ok);
    assert_eq!(device.status(Operation::Write, more, &[1; 512]), Status::Ok);
}

#[test]
fn bad_blocks_fail_in_part_and_once_if_that_is_wanted() {
    let backed = [MODE_NONE, (Attribute::MemoryBacked, "1")];
    let mut device = Device::new(&backed);
    device
        .driver
        .set_bad_blocks(&mut device.medium, "+8-15")
        .unwrap();
    assert_eq!(device.status(Operation::Write, 0, &[1; 8192]), Status::Io);
    assert_eq!(device.read(0, 512), [0; 512], "nothing was written");
    assert_eq!(device.status(Operation::Write, 16, &[1; 512]), Status::Ok);
    let mut text = String::new();
    device.medium.show_bad_blocks(&mut text).unwrap();
    assert_eq!(text, "8 8\n");

    let mut device = Device::new(&[
        backed[0],
        backed[1],
        (Attribute::BadblocksPartialIo, "1"),
        (Attribute::BadblocksOnce, "1"),
    ]);
    device
        .driver
        .set_bad_blocks(&mut device.medium, "+8-15")
        .unwrap();
    assert_eq!(device.status(Operation::Write, 0, &[1; 8192]), Status::Io);
    assert_eq!(
        device.read(0, 4096),
        [1; 4096],
        "what lies before is written"
    );
    assert_eq!(device.status(Operation::Write, 0, &[2; 8192]), Status::Ok);

    let mut plain = Device::new(&[MODE_NONE]);
    assert!(plain
        .driver
        .set_bad_blocks(&mut plain.medium, "+1-1")
        .is_err());
    let mut blocking = Device::new(&[MODE_NONE, (Attribute::Blocking, "1")]);
    assert_eq!(blocking.status(Operation::Read, 0, &[0; 512]), Status::Ok);
    blocking
        .driver
        .set_bad_blocks(&mut blocking.medium, "+1-1")
        .unwrap();
    assert_eq!(blocking.status(Operation::Read, 0, &[0; 1024]), Status::Io);
    blocking
        .driver
        .set_bad_blocks(&mut blocking.medium, "-1-1")
        .unwrap();
    assert_eq!(blocking.status(Operation::Read, 0, &[0; 1024]), Status::Ok);
}

#[test]
fn a_throttled_device_waits_for_ticks_and_pays_its_debts() {
    let mut device = Device::new(&[MODE_NONE, (Attribute::Mbps, "50")]);
    // 1 MiB a tick.
    let mut write = || {
        device
            .submit(Operation::Write, 0, &[0; 768 << 10], (false, false))
            .1
    };
    assert_eq!(
        [write(), write(), write()],
        [None, None, Some(Resource::Tick)]
    );
    device.driver.tick();
    let mut write = || {
        device
            .submit(Operation::Write, 0, &[0; 768 << 10], (false, false))
            .1
    };
    assert_eq!([write(), write()], [None, Some(Resource::Tick)]);
    assert!(device.driver.tick_interval().is_some());
    assert!(Device::new(&[]).driver.tick_interval().is_none());
}

#[test]
fn faults_lose_refuse_and_requeue() {
    let mut lost = Device::new(&[MODE_NONE, (Attribute::Timeout, "1,100,0,1")]);
    let fates = [0; 2].map(|_| lost.submit(Operation::Read, 0, &[0; 512], (false, false)).0);
    assert_eq!(fates, [Fate::Lost, Fate::Ended(Status::Ok)]);
    let mut again = Device::new(&[MODE_NONE, (Attribute::Requeue, "1,100,0,2")]);
    let first = again.submit(Operation::Read, 0, &[0; 512], (false, false));
    assert_eq!(first.1, Some(Resource::Memory));
    let second = again.submit(Operation::Read, 0, &[0; 512], (false, false));
    assert_eq!(second.0, Fate::Requeued);
    assert_eq!(again.status(Operation::Read, 0, &[0; 512]), Status::Ok);
}

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
fn zones_that_do_not_fit_are_refused_and_limits_adjusted_as_in_c() {
    let with = |changes: &[(Attribute, &str)]| {
        let mut settings = Settings::default()
            .with(Attribute::Zoned, "1", 1)
            .unwrap()
            .with(Attribute::Size, "1000", 1)
            .unwrap();
        for (attribute, text) in changes {
            settings = settings.with(*attribute, text, 1).unwrap();
        }
        settings.checked()
    };
    assert!(with(&[(Attribute::ZoneSize, "1024")]).is_err());
    assert!(with(&[(Attribute::ZoneCapacity, "512")]).is_err());
    assert!(
        with(&[(Attribute::ZoneCapacity, "200")]).is_err(),
        "a smaller last zone"
    );
    let settings = with(&[
        (Attribute::ZoneNrConv, "9"),
        (Attribute::ZoneMaxActive, "1"),
        (Attribute::ZoneMaxOpen, "1"),
    ])
    .unwrap();
    assert_eq!(settings.value(Attribute::ZoneNrConv), 3);
    assert_eq!(settings.value(Attribute::ZoneMaxActive), 0);
    assert_eq!(settings.value(Attribute::ZoneCapacity), 256);
    assert!(settings.blocking());
}

#[test]
fn settings_read_back_and_refuse_nonsense() {
    let settings = Settings::default();
    for attribute in Attribute::ALL {
        let mut text = String::new();
        settings.show(attribute, &mut text).unwrap();
        assert_eq!(
            settings.with(attribute, &format!("{text}\n"), 4),
            Ok(settings)
        );
        assert_eq!(Attribute::by_name(attribute.name()), Some(attribute));
        for text in [
            "",
            "\n",
            "-2",
            "+1",
            "1x",
            "0x10",
            "1.0",
            "1 2",
            "18446744073709551616",
        ] {
            let refused = settings.with(attribute, text, 4);
            assert!(refused.is_err(), "{}={text:?}", attribute.name());
        }
    }
    let ranges: [(Attribute, &[&str], &[&str]); 9] = [
        (
            Attribute::Size,
            &["1", "8796093022207"],
            &["0", "8796093022208"],
        ),
        (
            Attribute::BlockSize,
            &["512", "4096"],
            &["0", "256", "513", "8192"],
        ),
        (Attribute::IrqMode, &["0", "1", "2"], &["3"]),
        (Attribute::SubmitQueues, &["1", "4"], &["0", "5"]),
        (Attribute::PollQueues, &["0", "4"], &["5"]),
        (Attribute::HwQueueDepth, &["1", "10240"], &["0", "10241"]),
        (
            Attribute::ZoneSize,
            &["1", "256", "1048576"],
            &["0", "3", "2097152"],
        ),
        (Attribute::MemoryBacked, &["0", "1"], &["2"]),
        (Attribute::MaxSectors, &["0", "8"], &["1", "7"]),
    ];
    for (attribute, good, bad) in ranges {
        for text in good {
            assert!(
                settings.with(attribute, text, 4).is_ok(),
                "{}={text}",
                attribute.name()
            );
        }
        for text in bad {
            assert!(
                settings.with(attribute, text, 4).is_err(),
                "{}={text}",
                attribute.name()
            );
        }
    }
}
