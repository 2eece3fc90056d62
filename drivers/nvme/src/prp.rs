//! Physical region pages (NVMe Base 2.0 §4.1.1): how a command says where its
//! data is.

use kit::dma::{Coherent, Segment};
use kit::memory::PAGE_SIZE;
use zerocopy::little_endian::U64;
use zerocopy::{Immutable, IntoBytes};

const PAGE: u64 = PAGE_SIZE as u64;

/// Entries of a page of a list. The last one names the next page where more
/// follow.
const ENTRIES: usize = PAGE_SIZE / 8;

/// Data that PRP entries cannot describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indescribable {
    /// A segment that is not the first begins within a page, or one that is
    /// not the last ends within one, or the first begins at no dword.
    Boundary,
    /// There are more pages than the command's list has room for.
    TooLong,
}

/// Room for the lists of the commands of a queue: some whole pages each, so
/// that no command waits for another's.
pub(crate) struct PrpLists<M> {
    memory: M,
    /// Pages of a command's list.
    pages: usize,
}

impl<M: Coherent> PrpLists<M> {
    /// Pages that a list needs for a transfer of so many bytes.
    pub(crate) fn pages_for(bytes: u32) -> usize {
        // Data that begins within a page reaches into one more.
        let entries = bytes.div_ceil(PAGE_SIZE as u32) as usize;
        entries.div_ceil(ENTRIES - 1).max(1)
    }

    /// Bytes of the memory for `commands` lists.
    pub(crate) fn bytes(commands: usize, pages: usize) -> usize {
        commands.saturating_mul(pages).saturating_mul(PAGE_SIZE)
    }

    pub(crate) fn new(memory: M, pages: usize) -> PrpLists<M> {
        PrpLists { memory, pages }
    }

    /// The data pointer of command `tag` for these segments: the first page,
    /// and the second one or the list of all others.
    #[inline]
    pub(crate) fn describe<S: Segment>(
        &mut self,
        tag: u16,
        mut segments: impl Iterator<Item = S>,
    ) -> Result<[u64; 2], Indescribable> {
        let Some(first) = segments.next() else {
            return Ok([0, 0]);
        };
        let (address, length) = (first.address(), u64::from(first.length()));
        if address & 3 != 0 {
            return Err(Indescribable::Boundary);
        }
        // What of the first segment lies in its first page.
        let within = PAGE - address % PAGE;
        let mut pages = Pages {
            next: address.wrapping_add(within),
            left: length.saturating_sub(within),
            aligned: length >= within && (length - within) % PAGE == 0,
            segments,
        };
        let Some(second) = pages.next()? else {
            return Ok([address, 0]);
        };
        let Some(third) = pages.next()? else {
            return Ok([address, second]);
        };
        self.list(usize::from(tag), [second, third], pages)
            .map(|list| [address, list])
    }

    /// Writes a list that begins with these two, and answers its address.
    fn list<S: Segment>(
        &mut self,
        tag: usize,
        begin: [u64; 2],
        pages: Pages<impl Iterator<Item = S>>,
    ) -> Result<u64, Indescribable> {
        // A local of its own lives in registers; what was handed over does not.
        let mut pages = Pages {
            next: pages.next,
            left: pages.left,
            aligned: pages.aligned,
            segments: pages.segments,
        };
        let start = tag * self.pages * ENTRIES;
        let end = start + self.pages * ENTRIES;
        // 32 bits, so that no place overflows.
        let mut at = u32::try_from(start).map_err(|_| Indescribable::TooLong)?;
        let [second, mut last] = begin;
        for entry in [second, last] {
            self.put(at, entry)?;
            at += 1;
        }
        while let Some(page) = pages.next()? {
            // The last entry of a page has to give way to the next page's
            // address once another follows it.
            if at as usize % ENTRIES == 0 {
                if at as usize >= end {
                    return Err(Indescribable::TooLong);
                }
                self.put(at - 1, self.memory.address() + u64::from(at) * 8)?;
                self.put(at, last)?;
                at += 1;
            }
            self.put(at, page)?;
            at += 1;
            last = page;
        }
        Ok(self.memory.address() + start as u64 * 8)
    }

    /// Puts a command's own data where its list would be, and answers its
    /// address.
    pub(crate) fn store<T: IntoBytes + Immutable>(&mut self, tag: u16, data: &T) -> Option<u64> {
        let at = usize::from(tag) * self.pages * PAGE_SIZE;
        self.memory.write(at, data)?;
        Some(self.memory.address() + at as u64)
    }

    /// Writes entry `at` of all lists.
    #[inline]
    fn put(&mut self, at: u32, entry: u64) -> Result<(), Indescribable> {
        self.memory
            .write(at as usize * 8, &U64::new(entry))
            .ok_or(Indescribable::TooLong)
    }
}

/// The pages that segments cover, after the first.
struct Pages<I> {
    next: u64,
    /// Bytes of the current segment from `next` on.
    left: u64,
    /// Whether the current segment ends where a page does.
    aligned: bool,
    segments: I,
}

impl<S: Segment, I: Iterator<Item = S>> Pages<I> {
    #[inline]
    fn next(&mut self) -> Result<Option<u64>, Indescribable> {
        if self.left == 0 {
            let Some(segment) = self.segments.next() else {
                return Ok(None);
            };
            let (address, length) = (segment.address(), u64::from(segment.length()));
            if !self.aligned || address % PAGE != 0 {
                return Err(Indescribable::Boundary);
            }
            (self.next, self.left) = (address, length);
            self.aligned = length % PAGE == 0;
        }
        let page = self.next;
        self.next = page.wrapping_add(PAGE);
        self.left = self.left.saturating_sub(PAGE);
        Ok(Some(page))
    }
}
