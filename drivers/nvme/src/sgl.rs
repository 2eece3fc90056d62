//! Scatter gather lists (NVMe Base 2.0 §4.1.2): data by its segments.

use kit::dma::{Coherent, Segment};
use kit::memory::PAGE_SIZE;
use zerocopy::little_endian::U64;

use crate::lists::{Indescribable, Lists};

/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;

/// Kinds of descriptors (figures 114 and 115), in the last byte: data, and the
/// one segment of a list, which is the last.
const DATA_BLOCK: u64 = 0x00;
const LAST_SEGMENT: u64 = 0x30;

/// A descriptor: address, and length and kind.
#[inline]
fn descriptor(kind: u64, address: u64, length: u32) -> [u64; 2] {
    [address, kind << 56 | u64::from(length)]
}

impl<M: Coherent> Lists<M> {
    /// The descriptor of command `tag` for a segment and those after it: a data
    /// block, or a list of them.
    #[inline(never)]
    pub(crate) fn sgl<S: Segment>(
        &mut self,
        tag: usize,
        first: S,
        mut rest: impl Iterator<Item = S>,
    ) -> Result<[u64; 2], Indescribable> {
        let first = data_block(&first)?;
        let Some(second) = rest.next() else {
            return Ok(first);
        };
        let start = self.place(tag);
        let end = start + self.pages * PAGE_SIZE;
        self.add(start, end, first)?;
        self.add(start + DESCRIPTOR, end, data_block(&second)?)?;
        let mut at = start + 2 * DESCRIPTOR;
        for segment in rest {
            self.add(at, end, data_block(&segment)?)?;
            at += DESCRIPTOR;
        }
        let list = self.memory.address() + start as u64;
        let length = (at - start) as u32;
        Ok(descriptor(LAST_SEGMENT, list, length))
    }

    /// Writes a descriptor at a place of a list that ends at `end`.
    #[inline]
    fn add(&mut self, at: usize, end: usize, entry: [u64; 2]) -> Result<(), Indescribable> {
        if at >= end {
            return Err(Indescribable::TooLong);
        }
        self.memory
            .write(at, &entry.map(U64::new))
            .ok_or(Indescribable::TooLong)
    }
}

/// The descriptor of a segment. Controllers may want whole dwords (SGLS, bits 1:0).
#[inline]
fn data_block(segment: &impl Segment) -> Result<[u64; 2], Indescribable> {
    let (address, length) = (segment.address(), segment.length());
    if address & 3 != 0 || length & 3 != 0 {
        return Err(Indescribable::Boundary);
    }
    Ok(descriptor(DATA_BLOCK, address, length))
}
