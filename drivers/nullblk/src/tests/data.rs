//! What is written is read.

extern crate std;

use std::vec;
use std::vec::Vec;

use kit::block::{Operation, Status};
use kit::memory::OutOfMemory;

use super::{checked, Device, Numbers, MODE_NONE};
use crate::testing::{Fate, StdMemory};
use crate::{Attribute, Medium};

/// A disk as a plain row of bytes.
struct Model {
    bytes: Vec<u8>,
    numbers: Numbers,
}

impl Model {
    /// Bytes that say where they belong and when they were written.
    fn pattern(&mut self, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|_| self.numbers.below(256) as u8).collect()
    }
}

const BACKED: (Attribute, &str) = (Attribute::MemoryBacked, "1");

#[test]
fn what_was_written_is_read_with_and_without_a_cache() {
    // Four pages more than the cache has, so that pages move all the time.
    const SECTORS: u64 = 260 * 8;
    let caches = |cache: &'static str, blocksize: &'static str| {
        [
            MODE_NONE,
            BACKED,
            (Attribute::Size, "16"),
            (Attribute::Discard, "1"),
            (Attribute::CacheSize, cache),
            (Attribute::BlockSize, blocksize),
        ]
    };
    let before = StdMemory::pages_in_use();
    for cache in ["0", "1"] {
        let mut device = Device::new(&caches(cache, "512"));
        let mut model = Model {
            bytes: vec![0; (SECTORS * 512) as usize],
            numbers: Numbers(7),
        };
        // Data outlives a change of the block size.
        for blocksize in ["512", "4096", "1024", "512", "2048", "4096", "512"] {
            device.restart(&caches(cache, blocksize));
            let block = blocksize.parse::<u64>().unwrap() / 512;
            for step in 0..1500 {
                let sector = model.numbers.below(SECTORS / block - 24 / block) * block;
                let sectors = (1 + model.numbers.below(24 / block)) * block;
                let range = (sector * 512) as usize..((sector + sectors) * 512) as usize;
                match model.numbers.below(16) {
                    0..=5 => {
                        let data = model.pattern(range.len());
                        let fua = model.numbers.below(4) == 0;
                        let (fate, ..) =
                            device.submit(Operation::Write, sector, &data, (fua, false));
                        assert_eq!(fate, Fate::Ended(Status::Ok));
                        model.bytes[range].copy_from_slice(&data);
                    }
                    6 if model.numbers.below(8) == 0 => {
                        assert_eq!(device.status(Operation::Flush, 0, &[]), Status::Ok);
                    }
                    6..=8 => {
                        let size = vec![0; range.len()];
                        assert_eq!(device.status(Operation::Discard, sector, &size), Status::Ok);
                        model.bytes[range].fill(0);
                    }
                    _ => assert!(
                        device.read(sector, range.len()) == model.bytes[range],
                        "step {step} of block size {blocksize}, cache {cache}"
                    ),
                }
            }
            assert_eq!(device.status(Operation::Flush, 0, &[]), Status::Ok);
        }
        assert!(device.read(0, model.bytes.len()) == model.bytes);
        assert!(StdMemory::pages_in_use() > before);
        let all = vec![0; model.bytes.len()];
        assert_eq!(device.status(Operation::Discard, 0, &all), Status::Ok);
        assert_eq!(StdMemory::pages_in_use(), before, "pages without data");
    }
}

#[test]
fn data_stays_while_a_device_is_off_as_far_as_the_disk_reaches() {
    let sized = |size: &'static str| [MODE_NONE, BACKED, (Attribute::Size, size)];
    let mut device = Device::new(&sized("4"));
    let last = |mib: u64| mib * 2048 - 1;
    for mib in [2, 4] {
        assert_eq!(
            device.status(Operation::Write, last(mib), &[5; 512]),
            Status::Ok
        );
    }
    device.restart(&sized("2"));
    device.restart(&sized("4"));
    assert_eq!(device.read(last(2), 512), [5; 512]);
    assert_eq!(device.read(last(4), 512), [0; 512]);
}

#[test]
fn without_memory_there_is_no_space_and_no_device() {
    for cache in ["0", "1"] {
        let changes = [MODE_NONE, BACKED, (Attribute::CacheSize, cache)];
        let mut device = Device::new(&changes);
        let pages = StdMemory::pages_in_use();
        let ends = StdMemory::with_most(pages + 1, || {
            [0, 8, 1].map(|sector| device.status(Operation::Write, sector, &[3; 512]))
        });
        assert_eq!(ends, [Status::Ok, Status::NoSpace, Status::Ok]);
        // A cache that cannot be emptied keeps what it has.
        let flushed = StdMemory::with_most(pages + 1, || device.status(Operation::Flush, 0, &[]));
        let expected = if cache == "0" {
            Status::Ok
        } else {
            Status::NoSpace
        };
        assert_eq!(flushed, expected);
        assert_eq!(device.read(0, 1024), [3; 1024]);
        assert_eq!(device.status(Operation::Flush, 0, &[]), Status::Ok);
        device.restart(&changes);
        assert_eq!(device.read(0, 1024), [3; 1024]);
    }
    let settings = checked(&[(Attribute::Zoned, "1")]);
    let new = StdMemory::with_most(0, || Medium::<StdMemory>::new(&settings).err());
    assert_eq!(new, Some(OutOfMemory));
    let mut medium = Medium::<StdMemory>::new(&settings).unwrap();
    let prepared = StdMemory::with_most(0, || medium.prepare(&settings));
    assert_eq!(prepared, Err(OutOfMemory));
    assert_eq!(medium.prepare(&settings), Ok(()));
}

#[test]
fn a_cache_that_may_not_grow_is_written_past() {
    let mut device = Device::new(&[
        MODE_NONE,
        BACKED,
        (Attribute::CacheSize, "1"),
        (Attribute::MemoryLimit, "1"),
    ]);
    for page in 0..256 {
        let (fate, ..) = device.submit(Operation::Write, page * 8, &[1; 512], (true, false));
        assert_eq!(fate, Fate::Ended(Status::Ok));
    }
    assert_eq!(device.status(Operation::Write, 0, &[2; 512]), Status::Ok);
    assert_eq!(
        device.status(Operation::Write, 256 * 8, &[2; 512]),
        Status::NoSpace
    );
    device.medium.power_off();
    assert_eq!(device.read(0, 512), [2; 512]);
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
