//! PRP entries are read back as the specification says a controller reads
//! them, and must name the bytes of the segments.

extern crate std;

use std::vec;
use std::vec::Vec;

use kit::dma::Coherent;
use kit::memory::PAGE_SIZE;

use crate::lists::{Indescribable, Lists, Otherwise};
use crate::prp;
use crate::testing::{Memory, Piece};

const PAGE: u64 = PAGE_SIZE as u64;
const LISTS_AT: u64 = 0x7000_0000;

fn lists(commands: usize, pages: usize) -> (Lists<Memory>, Memory) {
    let memory = Memory::new(LISTS_AT, Lists::<Memory>::bytes(commands, pages));
    (Lists::new(memory.clone(), pages, false), memory)
}

/// What these lists say of some segments, which is PRP entries.
fn describe(
    lists: &mut Lists<Memory>,
    tag: u16,
    segments: &[Piece],
) -> Result<[u64; 2], Indescribable> {
    let bytes = segments.iter().map(|piece| piece.length).sum();
    let described = lists.describe(tag, bytes, segments.iter().copied());
    described.map_err(|otherwise| match otherwise {
        Otherwise::Not(why) => why,
        Otherwise::Sgl(_) => panic!("the controller takes no SGLs"),
    })
}

fn piece(address: u64, length: u64) -> Piece {
    Piece {
        address,
        length: u32::try_from(length).expect("small"),
    }
}

/// The pages that a data pointer names for `bytes` bytes, each with what of it
/// is meant (§4.1.1, figure 87).
fn walk(data: [u64; 2], bytes: u64, memory: &Memory) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let first = bytes.min(PAGE - data[0] % PAGE);
    pieces.push(piece(data[0], first));
    let mut left = bytes - first;
    if left == 0 {
        assert_eq!(data[1], 0, "an unused entry is zero");
        return pieces;
    }
    if left <= PAGE {
        pieces.push(piece(data[1], left));
        return pieces;
    }
    let mut at = data[1];
    while left > 0 {
        let entry: u64 = memory
            .read((at - LISTS_AT) as usize)
            .expect("the list lies in its memory");
        assert_eq!(entry % PAGE, 0, "entries of lists are whole pages");
        let last_of_page = (at + 8) % PAGE == 0;
        if last_of_page && left > PAGE {
            at = entry;
            continue;
        }
        pieces.push(piece(entry, left.min(PAGE)));
        left -= left.min(PAGE);
        at += 8;
    }
    pieces
}

/// Segments page by page.
fn pages(segments: &[Piece]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for segment in segments {
        let (mut at, end) = (segment.address, segment.address + u64::from(segment.length));
        while at < end {
            let next = (at / PAGE + 1) * PAGE;
            pieces.push(piece(at, next.min(end) - at));
            at = next.min(end);
        }
    }
    pieces
}

fn holds(segments: &[Piece], tag: u16, list_pages: usize) {
    let (mut lists, memory) = lists(usize::from(tag) + 1, list_pages);
    let data = describe(&mut lists, tag, segments).expect("it can be described");
    let bytes = segments.iter().map(|piece| u64::from(piece.length)).sum();
    assert_eq!(walk(data, bytes, &memory), pages(segments), "{segments:?}");
}

#[test]
fn one_page_and_two_need_no_list() {
    let (mut lists, memory) = lists(1, 1);
    let mut describe = |pieces: &[Piece]| describe(&mut lists, 0, pieces);
    assert_eq!(describe(&[]), Ok([0, 0]));
    assert_eq!(describe(&[piece(0x1000, 4096)]), Ok([0x1000, 0]));
    assert_eq!(describe(&[piece(0x1e00, 512)]), Ok([0x1e00, 0]));
    assert_eq!(describe(&[piece(0x1e00, 1024)]), Ok([0x1e00, 0x2000]));
    assert_eq!(
        describe(&[piece(0x1e00, 512), piece(0x9000, 4096)]),
        Ok([0x1e00, 0x9000])
    );
    assert!(memory
        .bytes
        .lock()
        .expect("lock")
        .iter()
        .all(|byte| *byte == 0));
}

#[test]
fn every_length_and_offset_reads_back_as_its_segments() {
    for offset in [0, 4, 512, 4092] {
        for length in [4, 512, 4096, 8192, 8196, 12288, 1 << 20] {
            holds(&[piece(0x10_0000 + offset, length)], 3, 1);
        }
    }
}

#[test]
fn a_list_chains_only_when_another_entry_follows() {
    // A list's page has 512 entries; PRP1 is one page more.
    for pages in [511, 512, 513, 514, 1023, 1024, 1025, 1535] {
        holds(&[piece(0x10_0000, pages * PAGE)], 1, 4);
        holds(&[piece(0x10_0800, pages * PAGE)], 1, 4);
    }
}

#[test]
fn random_segments_read_back() {
    let mut state = 7u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for round in 0..2000 {
        let count = 1 + random(40) as usize;
        let mut segments = vec![];
        for index in 0..count {
            let (first, last) = (index == 0, index == count - 1);
            let base = (1 + random(1 << 20)) * PAGE;
            let start = if first { random(PAGE / 4) * 4 } else { 0 };
            let end = (1 + random(20)) * PAGE - if last { random(PAGE / 4 - 1) * 4 } else { 0 };
            segments.push(piece(base + start, end.max(start + 4) - start));
        }
        // The first may end within a page only if it is the last.
        if count > 1 {
            let first = segments[0];
            let end = first.address + u64::from(first.length);
            segments[0] = piece(first.address, end.next_multiple_of(PAGE) - first.address);
        }
        holds(&segments, (round % 5) as u16, 3);
    }
}

#[test]
fn what_cannot_be_described_is_refused() {
    let (mut lists, _) = lists(1, 1);
    let mut describe = |pieces: &[Piece]| describe(&mut lists, 0, pieces);
    let boundary = Err(Indescribable::Boundary);
    assert_eq!(describe(&[piece(0x1002, 512)]), boundary, "no dword");
    assert_eq!(
        describe(&[piece(0x1000, 512), piece(0x2000, 512)]),
        boundary
    );
    assert_eq!(
        describe(&[piece(0x1000, 4096), piece(0x2200, 512)]),
        boundary
    );
    assert_eq!(
        describe(&[piece(0x1000, 4096), piece(0x4000, 512), piece(0x5000, 512)]),
        boundary
    );
    let long = [piece(0, 514 * PAGE)];
    assert_eq!(describe(&long), Err(Indescribable::TooLong));
}

#[test]
fn lists_have_room_for_the_largest_transfer_at_any_offset() {
    for bytes in [4096, 1 << 20, 2 << 20, 4 << 20] {
        let room = prp::list_pages(bytes);
        holds(&[piece(0x10_0ffc, bytes.into())], 2, room);
    }
}
