//! Bad blocks, faults and waiting.

extern crate std;

use std::string::String;

use kit::block::{Driver, Operation, Resource, Status};

use super::{Device, MODE_NONE};
use crate::testing::Fate;
use crate::{Attribute, NullBlock};

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

#[test]
fn a_bad_range_fails_whole_and_once_is_for_all_of_it() {
    let mut device = Device::new(&[
        MODE_NONE,
        (Attribute::MemoryBacked, "1"),
        (Attribute::BadblocksPartialIo, "1"),
        (Attribute::BadblocksOnce, "1"),
        (Attribute::Discard, "1"),
        (Attribute::BlockSize, "4096"),
    ]);
    let Device { driver, medium } = &mut device;
    for text in ["+13-30", "+100-100", "+200-300"] {
        driver.set_bad_blocks(medium, text).unwrap();
    }
    // From within the range: nothing lies before it.
    assert_eq!(device.status(Operation::Write, 16, &[1; 4096]), Status::Io);
    let mut text = String::new();
    device.medium.show_bad_blocks(&mut text).unwrap();
    assert_eq!(text, "100 1\n200 101\n");
    // Whole blocks only: sector 100 is in the middle of the third.
    assert_eq!(
        device.status(Operation::Write, 80, &[1; 4 * 4096]),
        Status::Io
    );
    assert_eq!(device.read(80, 2 * 4096), [1; 2 * 4096]);
    assert_eq!(device.read(96, 2 * 4096), [0; 2 * 4096]);
    assert_eq!(
        device.status(Operation::Discard, 80, &[0; 4096]),
        Status::Ok
    );
    assert_eq!(device.read(80, 4096), [0; 4096]);
}

#[test]
fn bad_blocks_outlive_power_and_a_device_that_must_not_sleep_ignores_them() {
    let mut device = Device::new(&[MODE_NONE, (Attribute::Blocking, "1")]);
    device.medium.set_bad_blocks("+0-7").unwrap();
    device.restart(&[MODE_NONE, (Attribute::Blocking, "1")]);
    assert_eq!(device.status(Operation::Read, 0, &[0; 512]), Status::Io);
    device.restart(&[MODE_NONE]);
    assert_eq!(device.status(Operation::Read, 0, &[0; 512]), Status::Ok);
}

#[test]
fn two_faults_do_not_always_come_together() {
    let mut device = Device::new(&[
        MODE_NONE,
        (Attribute::Timeout, "1,50,0,-1"),
        (Attribute::Requeue, "1,50,0,-1"),
    ]);
    let mut count = [0; 4];
    for _ in 0..400 {
        let (fate, lack, ..) = device.submit(Operation::Read, 0, &[0; 512], (false, false));
        let kind = match (fate, lack) {
            (Fate::Ended(Status::Ok), None) => 0,
            (Fate::Lost, None) => 1,
            (Fate::Held, Some(Resource::Memory)) => 2,
            (Fate::Requeued, None) => 3,
            other => panic!("{other:?}"),
        };
        count[kind] += 1;
    }
    assert!(count.iter().all(|count| *count > 60), "{count:?}");
}

#[test]
fn bad_blocks_from_before_power_make_a_plain_device_sleep_and_fail() {
    let off = Device::new(&[MODE_NONE]);
    let mut medium = off.medium;
    let plain = *off.driver.settings();
    assert_eq!(medium.checked(plain), Ok(plain));
    medium.set_bad_blocks("+8-15").unwrap();
    let settings = medium.checked(plain).unwrap();
    assert!(settings.blocking());
    let mut device = Device {
        driver: NullBlock::new(settings, &medium),
        medium,
    };
    assert_eq!(device.status(Operation::Read, 8, &[0; 512]), Status::Io);
    assert_eq!(device.status(Operation::Read, 16, &[0; 512]), Status::Ok);
}
