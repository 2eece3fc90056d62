//! How a command says where its data is (NVMe Base 2.0 §4.1): a data pointer, and
//! a list in memory where that does not do.

use kit::dma::{Coherent, Segment};
use kit::memory::PAGE_SIZE;
use zerocopy::{Immutable, IntoBytes};

use crate::prp::{self, Pages};

/// From so many bytes on in its first segment, data of more than one is described
/// by an SGL where the controller takes them. C has the same number for the mean
/// of all segments (`sgl_threshold`), which would take a second walk over them.
const SGL_THRESHOLD: u32 = 32 << 10;

/// Data that cannot be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indescribable {
    /// A segment begins or ends where it may not. By pages: one that is not the
    /// first begins within a page, or one that is not the last ends within one, or
    /// the first begins at no dword. By an SGL: at no dword.
    Boundary,
    /// There is more than the command's list has room for.
    TooLong,
}

/// Data that has no PRP entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It has an SGL, of which this is the descriptor in the command.
    Sgl([u64; 2]),
    /// It cannot be described.
    Not(Indescribable),
}

impl From<Indescribable> for Otherwise {
    fn from(why: Indescribable) -> Otherwise {
        Otherwise::Not(why)
    }
}

/// Room for the lists of the commands of a queue: some whole pages each, so
/// that no command waits for another's.
pub(crate) struct Lists<M> {
    pub(crate) memory: M,
    /// Pages of a command's list.
    pub(crate) pages: usize,
    /// Whether the controller takes SGLs.
    sgl: bool,
}

impl<M: Coherent> Lists<M> {
    /// Bytes of the memory for `commands` lists.
    pub(crate) fn bytes(commands: usize, pages: usize) -> usize {
        commands.saturating_mul(pages).saturating_mul(PAGE_SIZE)
    }

    pub(crate) fn new(memory: M, pages: usize, sgl: bool) -> Lists<M> {
        Lists { memory, pages, sgl }
    }

    /// The PRP entries of command `tag` for these segments, which have `bytes`
    /// bytes; or an SGL where the controller takes it, two entries do not suffice
    /// and the segments are few.
    #[inline]
    pub(crate) fn describe<S: Segment>(
        &mut self,
        tag: u16,
        bytes: u32,
        mut segments: impl Iterator<Item = S>,
    ) -> Result<[u64; 2], Otherwise> {
        let Some(first) = segments.next() else {
            return Ok([0, 0]);
        };
        let address = first.address();
        if address & 3 != 0 {
            return Err(Indescribable::Boundary.into());
        }
        // The quick way of small requests. Segments that do not know that they are
        // through take the other one.
        if prp::fits_a_page(&first) && segments.size_hint().1 == Some(0) {
            return Ok([address, 0]);
        }
        let second = self.further(tag.into(), bytes, first, segments)?;
        Ok([address, second])
    }

    /// The second entry; 0 where there are no more pages.
    #[inline(never)]
    fn further<S: Segment>(
        &mut self,
        tag: usize,
        bytes: u32,
        first: S,
        rest: impl Iterator<Item = S>,
    ) -> Result<u64, Otherwise> {
        let (address, length) = (first.address(), first.length());
        let pages = Pages::after_first(address, length, rest);
        if self.sgl && pages.are_several() && (length == bytes || length >= SGL_THRESHOLD) {
            let descriptor = self.sgl(tag, first, pages.segments)?;
            return Err(Otherwise::Sgl(descriptor));
        }
        Ok(self.prp(tag, pages)?)
    }

    /// Puts a command's own data where its list would be, and answers its
    /// address.
    pub(crate) fn store<T: IntoBytes + Immutable>(&mut self, tag: u16, data: &T) -> Option<u64> {
        let at = self.place(tag.into());
        self.memory.write(at, data)?;
        Some(self.memory.address() + at as u64)
    }

    /// Where the list of a command is among all.
    #[inline]
    pub(crate) fn place(&self, tag: usize) -> usize {
        tag * self.pages * PAGE_SIZE
    }
}
