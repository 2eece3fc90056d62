//! Bytes: copied, moved, compared, filled, looked for. Lengths are not known
//! to the compiler, so that the library's functions are called.

use std::cmp::Ordering;
use std::hint::black_box;

use super::operation::{barrier, each, operation};

const LARGEST: usize = 4096;

operation! {
    fn copy_64(iterations) { copy(iterations, 64) }
    fn copy_4096(iterations) { copy(iterations, 4096) }
    fn move_64(iterations) { move_by_eight(iterations, 64) }
    fn move_4096(iterations) { move_by_eight(iterations, 4096) }
    fn compare_64(iterations) { compare(iterations, 64) }
    fn compare_4096(iterations) { compare(iterations, 4096) }
    fn fill_64(iterations) { fill(iterations, 64) }
    fn fill_4096(iterations) { fill(iterations, 4096) }

    fn find_byte_4096(iterations) {
        let mut bytes = [0u8; LARGEST];
        let bytes = &mut bytes[..black_box(4096)];
        let last = bytes.len() - 1;
        let mut effect = 0;
        barrier(bytes);
        each!(i in iterations {
            bytes[last] = (i & 1) as u8;
            effect += u64::from(bytes.contains(&1) == (i & 1 == 1));
        });
        effect
    }
}

#[inline(always)]
fn copy(iterations: u64, size: usize) -> u64 {
    let (mut from, mut to) = ([0u8; LARGEST], [0u8; LARGEST]);
    let size = black_box(size);
    let (from, to) = (&mut from[..size], &mut to[..size]);
    let last = size - 1;
    let mut effect = 0;
    barrier(from);
    barrier(to);
    each!(i in iterations {
        from[last] = (i + 1) as u8;
        to.copy_from_slice(from);
        effect += u64::from(to[last] == (i + 1) as u8);
    });
    effect
}

/// The two places overlap.
#[inline(always)]
fn move_by_eight(iterations: u64, size: usize) -> u64 {
    let mut bytes = [0u8; LARGEST + 8];
    let size = black_box(size);
    let bytes = &mut bytes[..size + 8];
    let mut effect = 0;
    barrier(bytes);
    each!(i in iterations {
        bytes[size - 1] = (i + 1) as u8;
        bytes.copy_within(..size, 8);
        effect += u64::from(bytes[size + 7] == (i + 1) as u8);
    });
    effect
}

#[inline(always)]
fn compare(iterations: u64, size: usize) -> u64 {
    let (mut left, mut right) = ([0u8; LARGEST], [0u8; LARGEST]);
    let size = black_box(size);
    let (left, right) = (&mut left[..size], &mut right[..size]);
    let last = size - 1;
    let mut effect = 0;
    barrier(left);
    barrier(right);
    each!(i in iterations {
        left[last] = (i & 1) as u8;
        effect += u64::from((left.cmp(&right) == Ordering::Greater) == (i & 1 == 1));
    });
    effect
}

#[inline(always)]
fn fill(iterations: u64, size: usize) -> u64 {
    let mut bytes = [0u8; LARGEST];
    let size = black_box(size);
    let bytes = &mut bytes[..size];
    let last = size - 1;
    let mut effect = 0;
    barrier(bytes);
    each!(i in iterations {
        bytes.fill((i + 1) as u8);
        effect += u64::from(bytes[last] == (i + 1) as u8);
    });
    effect
}
