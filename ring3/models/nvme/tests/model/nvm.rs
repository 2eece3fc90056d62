//! I/O commands, what they do and how they fail.

use nvme_model::{Config, NamespaceConfig, Status};

use crate::host::*;

fn host_with_pair(config: Config) -> (Host, Pair, u64) {
    let mut host = Host::with(config);
    let pair = host.make_pair(1, 8, 8);
    let page = host.memory.pages(2);
    (host, pair, page)
}

#[test]
fn what_is_written_is_read_again() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    let other = host.memory.pages(2);
    for (lba, blocks) in [(0, 8), (8, 16), (3, 2), (1001, 9), (131_071, 1), (7, 1)] {
        let data = pattern(lba as u8, 512 * blocks as usize);
        host.memory.set(page, &data);
        host.io(&mut pair, write(lba, blocks, page)).ok();
        host.memory.set(other, &[0xee; 8192]);
        host.io(&mut pair, read(lba, blocks, other)).ok();
        assert_eq!(host.memory.get(other, data.len()), data);
        // Nothing beyond.
        let rest = 8192 - data.len();
        let beyond = host.memory.get(other + data.len() as u64, rest);
        assert_eq!(beyond, vec![0xee; rest]);
        let mut block = vec![0; 512];
        let namespace = host.controller.namespace(1).unwrap();
        namespace.read_block(lba, &mut block).unwrap();
        assert_eq!(block, data[..512]);
    }
    host.io(&mut pair, read(2, 4, other)).ok();
    let whole = pattern(0, 4096);
    let part = pattern(3, 1024);
    assert_eq!(host.memory.get(other, 512), whole[1024..1536]);
    assert_eq!(host.memory.get(other + 512, 1024), part);
    assert_eq!(host.memory.get(other + 1536, 512), whole[2560..3072]);
}

#[test]
fn what_was_never_written_reads_zero() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    host.memory.set(page, &[1; 4096]);
    host.io(&mut pair, read(50_000, 8, page)).ok();
    assert_eq!(host.memory.get(page, 4096), [0; 4096]);
}

#[test]
fn blocks_of_4096_bytes() {
    let (mut host, mut pair, page) = host_with_pair(Config {
        namespaces: vec![NamespaceConfig::with_4096(1, 10)],
        ..Config::default()
    });
    host.memory.set(page, &pattern(9, 8192));
    host.io(&mut pair, write(8, 2, page)).ok();
    host.memory.set(page, &[0; 8192]);
    host.io(&mut pair, read(9, 1, page)).ok();
    assert_eq!(host.memory.get(page, 4096), pattern(9, 8192)[4096..]);
    host.io(&mut pair, read(9, 2, page))
        .fails(Status::LBA_OUT_OF_RANGE);
}

#[test]
fn namespaces_and_ranges_are_checked_by_every_command() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    host.memory.set(page, &pattern(1, 4096));
    host.io(&mut pair, write(0, 8, page)).ok();
    for opcode in [0x01, 0x02, 0x04, 0x05, 0x08, 0x0c] {
        let at = |nsid, lba| command(opcode, nsid).prp(page, 0).blocks(lba, 1);
        for (command, status) in [
            (at(0, 0), Status::INVALID_NAMESPACE_OR_FORMAT),
            (at(17, 0), Status::INVALID_NAMESPACE_OR_FORMAT),
            (at(u32::MAX, 0), Status::INVALID_NAMESPACE_OR_FORMAT),
            (at(2, 0), Status::INVALID_FIELD),
            (at(1, 1 << 17), Status::LBA_OUT_OF_RANGE),
            (at(1, u64::MAX), Status::LBA_OUT_OF_RANGE),
            (at(1, (1 << 17) - 1).dw(12, 1), Status::LBA_OUT_OF_RANGE),
        ] {
            host.io(&mut pair, command).fails(status);
        }
    }
    host.io(&mut pair, read(0, 8, page)).ok();
    assert_eq!(host.memory.get(page, 4096), pattern(1, 4096));
}

#[test]
fn commands_that_are_not_offered_have_no_opcode() {
    let (mut host, mut pair, page) = host_with_pair(Config {
        optional_commands: 0,
        ..Config::default()
    });
    for opcode in [0x04, 0x05, 0x08, 0x09, 0x0c, 0x0d, 0x19, 0xff] {
        host.io(&mut pair, command(opcode, 1).prp(page, 0))
            .fails(Status::INVALID_OPCODE);
    }
    host.io(&mut pair, read(0, 1, page).dw(0, 0x02 | 1 << 8))
        .fails(Status::INVALID_FIELD); // fused
}

#[test]
fn compare_finds_a_difference() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    host.memory.set(page, &pattern(1, 8192));
    host.io(&mut pair, write(5, 16, page)).ok();
    let compare = command(0x05, 1).prp(page, page + PAGE).blocks(5, 16);
    host.io(&mut pair, compare).ok();
    host.memory.set(page + 8191, &[0x55]);
    host.io(&mut pair, compare).fails(Status::COMPARE_FAILURE);
}

#[test]
fn write_zeroes_and_deallocate_read_zero() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    for deallocate in [0, 1 << 25] {
        host.memory.set(page, &[0xff; 8192]);
        host.io(&mut pair, write(0, 16, page)).ok();
        let zeroes = command(0x08, 1).dw(12, deallocate).blocks(3, 10);
        host.io(&mut pair, zeroes).ok();
        host.io(&mut pair, read(0, 16, page)).ok();
        let data = host.memory.get(page, 8192);
        assert!(data[..1536].iter().all(|byte| *byte == 0xff));
        assert!(data[1536..6656].iter().all(|byte| *byte == 0));
        assert!(data[6656..].iter().all(|byte| *byte == 0xff));
    }
}

#[test]
fn deallocated_pages_are_given_back() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    let used =
        |host: &mut Host| u64::from_le_bytes(host.identify(0, 1)[16..24].try_into().unwrap());
    for lba in (0..80).step_by(8) {
        host.io(&mut pair, write(lba, 8, page)).ok();
    }
    assert_eq!(used(&mut host), 80);
    host.io(&mut pair, command(0x08, 1).dw(12, 1 << 25).blocks(0, 44))
        .ok();
    assert_eq!(used(&mut host), 40);
    // Two ranges, with a hint that is ignored.
    let mut ranges = Vec::new();
    for (length, lba) in [(8_u32, 48_u64), (16, 64)] {
        ranges.extend_from_slice(&0x0412_u32.to_le_bytes());
        ranges.extend_from_slice(&length.to_le_bytes());
        ranges.extend_from_slice(&lba.to_le_bytes());
    }
    host.memory.set(page, &ranges);
    let dsm = command(0x09, 1).prp(page, 0).dw(10, 1);
    host.io(&mut pair, dsm).ok(); // a hint only
    assert_eq!(used(&mut host), 40);
    host.io(&mut pair, dsm.dw(11, 1 << 2)).ok();
    assert_eq!(used(&mut host), 16);
}

#[test]
fn dataset_management_checks_all_ranges_before_it_takes_one() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    host.memory.set(page, &pattern(7, 4096));
    host.io(&mut pair, write(0, 8, page)).ok();
    let mut ranges = vec![0; 4096];
    ranges[4..8].copy_from_slice(&8_u32.to_le_bytes());
    let last = 255 * 16;
    ranges[last + 4..last + 8].copy_from_slice(&2_u32.to_le_bytes());
    ranges[last + 8..last + 16].copy_from_slice(&0x1_ffff_u64.to_le_bytes());
    host.memory.set(page, &ranges);
    let dsm = command(0x09, 1).prp(page, 0).dw(11, 1 << 2);
    host.io(&mut pair, dsm.dw(10, 255))
        .fails(Status::LBA_OUT_OF_RANGE);
    host.io(&mut pair, read(0, 8, page)).ok();
    assert_eq!(host.memory.get(page, 4096), pattern(7, 4096));
    host.io(&mut pair, dsm.dw(1, 2))
        .fails(Status::INVALID_FIELD);
}

#[test]
fn unreadable_blocks_stay_so_until_they_are_written() {
    let (mut host, mut pair, page) = host_with_pair(Config::default());
    host.io(&mut pair, write(0, 16, page)).ok();
    host.io(&mut pair, command(0x04, 1).blocks(6, 3)).ok();
    let verify = |lba, count| command(0x0c, 1).blocks(lba, count);
    for (lba, count, readable) in [
        (0, 6, true),
        (0, 7, false),
        (8, 1, false),
        (9, 7, true),
        (0, 16, false),
    ] {
        for command in [read(lba, count, page), verify(lba, count)] {
            let completion = host.io(&mut pair, command);
            if readable {
                completion.ok();
            } else {
                completion.fails(Status::UNRECOVERED_READ_ERROR);
            }
        }
    }
    host.io(&mut pair, command(0x05, 1).prp(page, 0).blocks(7, 1))
        .fails(Status::UNRECOVERED_READ_ERROR);
    host.io(&mut pair, write(6, 2, page)).ok();
    host.io(&mut pair, verify(0, 8)).ok();
    host.io(&mut pair, command(0x08, 1).blocks(8, 1)).ok();
    host.io(&mut pair, verify(0, 16)).ok();
}

#[test]
fn flush_takes_one_namespace_or_all() {
    let (mut host, mut pair, _) = host_with_pair(Config::default());
    host.io(&mut pair, command(0x00, 1)).ok();
    host.io(&mut pair, command(0x00, u32::MAX)).ok();
    host.io(&mut pair, command(0x00, 2))
        .fails(Status::INVALID_FIELD);
    host.io(&mut pair, command(0x00, 0))
        .fails(Status::INVALID_NAMESPACE_OR_FORMAT);
}

#[test]
fn a_namespace_may_be_larger_than_memory() {
    let (mut host, mut pair, page) = host_with_pair(Config {
        namespaces: vec![NamespaceConfig::new(1, 1 << 54)],
        ..Config::default()
    });
    host.memory.set(page, &pattern(5, 4096));
    for lba in [0, 1 << 40, (1 << 54) - 8] {
        host.io(&mut pair, write(lba, 8, page)).ok();
    }
    host.controller.resize_namespace(1, 1 << 53).unwrap();
    host.controller.resize_namespace(1, 1 << 54).unwrap();
    for (lba, expected) in [
        (0, pattern(5, 4096)),
        (1 << 40, pattern(5, 4096)),
        ((1 << 54) - 8, vec![0; 4096]),
    ] {
        host.io(&mut pair, read(lba, 8, page)).ok();
        assert_eq!(host.memory.get(page, 4096), expected);
    }
}
