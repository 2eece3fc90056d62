//! Physical region pages (NVMe Base 2.0 §4.1.1): data by its pages.

use kit::dma::{Coherent, Segment};
use kit::memory::PAGE_SIZE;
use zerocopy::little_endian::U64;

use crate::lists::{Indescribable, Lists};

const PAGE: u64 = PAGE_SIZE as u64;

/// Entries of a page of a list. The last one names the next page where more
/// follow.
const ENTRIES: usize = PAGE_SIZE / 8;

/// Pages that a list needs for a transfer of so many bytes.
pub(crate) fn list_pages(bytes: u32) -> usize {
    // Data that begins within a page reaches into one more.
    let entries = bytes.div_ceil(PAGE_SIZE as u32) as usize;
    entries.div_ceil(ENTRIES - 1).max(1)
}

/// Whether a segment ends in the page that it begins in.
#[inline]
pub(crate) fn fits_a_page(segment: &impl Segment) -> bool {
    u64::from(segment.length()) <= PAGE - segment.address() % PAGE
}

impl<M: Coherent> Lists<M> {
    /// The second entry of a data pointer: the second page, or the list of all
    /// pages after the first.
    #[inline]
    pub(crate) fn prp<S: Segment>(
        &mut self,
        tag: usize,
        mut pages: Pages<impl Iterator<Item = S>>,
    ) -> Result<u64, Indescribable> {
        if !pages.more()? {
            return Ok(0);
        }
        let run = pages.run();
        if pages.more()? || run.count > ENTRIES {
            return self.list(tag, run, pages);
        }
        if run.count == 1 {
            return Ok(run.first);
        }
        let start = tag * self.pages * ENTRIES;
        self.put(start, run.count, |index| run.page(index))?;
        Ok(self.memory.address() + start as u64 * 8)
    }

    /// Writes a list of this run and of all pages after it, and answers its
    /// address.
    #[inline(never)]
    fn list<S: Segment>(
        &mut self,
        tag: usize,
        mut run: Run,
        pages: Pages<impl Iterator<Item = S>>,
    ) -> Result<u64, Indescribable> {
        let mut pages = pages.into_registers();
        let start = tag * self.pages * ENTRIES;
        let end = start + self.pages * ENTRIES;
        let (mut at, mut last) = (start, 0);
        // Entries that are left of the list's page.
        let mut room = ENTRIES;
        loop {
            if room == 0 {
                // The last entry gives way to the next page's address, since
                // another follows it.
                if at >= end {
                    return Err(Indescribable::TooLong);
                }
                let next = self.memory.address() + at as u64 * 8;
                self.put(at - 1, 2, |index| [next, last][index & 1])?;
                at += 1;
                room = ENTRIES - 1;
            }
            let count = run.count.min(room);
            self.put(at, count, |index| run.page(index))?;
            at += count;
            room -= count;
            last = run.page(count.wrapping_sub(1));
            if run.count > count {
                run = Run {
                    first: run.page(count),
                    count: run.count - count,
                };
            } else if pages.more()? {
                run = pages.run();
            } else {
                return Ok(self.memory.address() + start as u64 * 8);
            }
        }
    }

    /// Writes so many entries from entry `at` of all lists on.
    #[inline]
    fn put(
        &mut self,
        at: usize,
        count: usize,
        mut entry: impl FnMut(usize) -> u64,
    ) -> Result<(), Indescribable> {
        self.memory
            .write_run(at * 8, count, |index| U64::new(entry(index)))
            .ok_or(Indescribable::TooLong)
    }
}

/// Pages one after the other.
struct Run {
    first: u64,
    count: usize,
}

impl Run {
    #[inline]
    fn page(&self, index: usize) -> u64 {
        self.first.wrapping_add(index as u64 * PAGE)
    }
}

/// The pages that segments cover, after the first.
pub(crate) struct Pages<I> {
    pub(crate) next: u64,
    /// Bytes of the current segment from `next` on.
    pub(crate) left: u64,
    /// Whether the current segment ends where a page does.
    pub(crate) aligned: bool,
    pub(crate) segments: I,
}

impl<S: Segment, I: Iterator<Item = S>> Pages<I> {
    /// Those after the first page of a segment of `length` bytes at `address`,
    /// which `segments` follow.
    #[inline]
    pub(crate) fn after_first(address: u64, length: u32, segments: I) -> Pages<I> {
        let length = u64::from(length);
        // What of the segment lies in its first page.
        let within = PAGE - address % PAGE;
        Pages {
            next: address.wrapping_add(within),
            left: length.saturating_sub(within),
            aligned: length >= within && (length - within) % PAGE == 0,
            segments,
        }
    }

    /// Whether the current segment has more than a page.
    #[inline]
    pub(crate) fn are_several(&self) -> bool {
        self.left > PAGE
    }

    /// The same as a local of its own, which lives in registers, where what was
    /// handed over does not.
    #[inline]
    fn into_registers(self) -> Pages<I> {
        Pages {
            next: self.next,
            left: self.left,
            aligned: self.aligned,
            segments: self.segments,
        }
    }

    /// Goes on to the next segment if the current one is through; whether there
    /// is a page.
    #[inline]
    pub(crate) fn more(&mut self) -> Result<bool, Indescribable> {
        if self.left == 0 {
            let Some(segment) = self.segments.next() else {
                return Ok(false);
            };
            let (address, length) = (segment.address(), u64::from(segment.length()));
            if !self.aligned || address % PAGE != 0 {
                return Err(Indescribable::Boundary);
            }
            (self.next, self.left) = (address, length);
            self.aligned = length % PAGE == 0;
        }
        Ok(true)
    }

    /// All pages that are left of the segment, where there are any.
    #[inline]
    fn run(&mut self) -> Run {
        let run = Run {
            first: self.next,
            count: self.left.div_ceil(PAGE) as usize,
        };
        self.left = 0;
        run
    }
}
