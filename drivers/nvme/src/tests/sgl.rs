//! SGLs are read back as the specification says a controller reads them, and
//! must name the segments.

extern crate std;

use std::vec::Vec;

use kit::dma::Coherent;
use kit::memory::PAGE_SIZE;

use crate::lists::{Indescribable, Lists, Otherwise};
use crate::testing::{Memory, Piece};

const LISTS_AT: u64 = 0x7000_0000;

fn piece(address: u64, length: u32) -> Piece {
    Piece { address, length }
}

fn describe(tag: u16, segments: &[Piece]) -> (Result<[u64; 2], Otherwise>, Memory) {
    let memory = Memory::new(LISTS_AT, Lists::<Memory>::bytes(4, 1));
    let mut lists = Lists::new(memory.clone(), 1, true);
    let bytes = segments.iter().map(|piece| piece.length).sum();
    (lists.describe(tag, bytes, segments.iter().copied()), memory)
}

/// The pieces that a descriptor names, and its list's (Base 2.0 §4.1.2).
fn walk(descriptor: [u64; 2], memory: &Memory) -> Vec<Piece> {
    let [address, rest] = descriptor;
    let length = rest as u32;
    match rest >> 32 {
        0 => [piece(address, length)].into(),
        0x3000_0000 => {
            assert_eq!(length % 16, 0);
            let entry = |at: u32| {
                let offset = (address - LISTS_AT) as usize + 16 * at as usize;
                let words: [u64; 2] = memory.read(offset).expect("in the lists' memory");
                assert_eq!(words[1] >> 32, 0, "a last segment has data blocks only");
                piece(words[0], words[1] as u32)
            };
            (0..length / 16).map(entry).collect()
        }
        other => panic!("no kind of descriptor: {other:#x}"),
    }
}

#[test]
fn what_is_long_and_in_few_pieces_has_an_sgl() {
    let odd = [
        piece(0x1004, 36 << 10),
        piece(0x9_0008, 516),
        piece(0xff00, 4),
    ];
    let most: Vec<_> = (0..256).map(|at| piece(at << 20, 32 << 10)).collect();
    for segments in [&[piece(0x1000, 12288)], &odd[..], &odd[..2], &most] {
        for tag in [0, 3] {
            let (described, memory) = describe(tag, segments);
            let Err(Otherwise::Sgl(descriptor)) = described else {
                panic!("{described:?} for {segments:?}");
            };
            assert_eq!(walk(descriptor, &memory), segments);
            if segments.len() > 1 {
                let place = LISTS_AT + u64::from(tag) * PAGE_SIZE as u64;
                assert_eq!(descriptor[0], place, "each command's list has its place");
            }
        }
    }
}

#[test]
fn what_two_entries_describe_or_is_in_many_pieces_has_prp_entries() {
    let pages: Vec<_> = (1..20).map(|at| piece(at << 16, 4096)).collect();
    for segments in [
        &[piece(0x1000, 4096)][..],
        &[piece(0x1000, 8192)],
        &[piece(0x1800, 6144)],
        &pages[..2],
        &pages,
        &[piece(0x1_0000, 28 << 10), piece(0x2_0000, 4096)],
    ] {
        let (described, _) = describe(1, segments);
        assert!(described.is_ok(), "{segments:?}");
    }
}

#[test]
fn what_no_sgl_describes_is_refused() {
    let long = piece(0x1_0000, 32 << 10);
    let boundary = Err(Indescribable::Boundary.into());
    assert_eq!(describe(0, &[long, piece(0x2, 512)]).0, boundary);
    assert_eq!(describe(0, &[long, piece(0x4000, 510)]).0, boundary);
    assert_eq!(describe(0, &[piece(0x1_0002, 32 << 10)]).0, boundary);
    let many = [long; 257];
    assert_eq!(describe(3, &many).0, Err(Indescribable::TooLong.into()));
    let (_, memory) = describe(0, &many);
    let beyond: u64 = memory.read(PAGE_SIZE).expect("the next command's list");
    assert_eq!(beyond, 0);
}
