//! The requests of a queue pair, which driver and load reach by pointers.

use std::ptr::NonNull;

use anyhow::{anyhow, Result};
use kit::block::TAG_BITS;

use crate::dma::{Arena, Block, Piece};
use crate::load::Load;
use crate::placement::{self, Reached, COMPLETIONS};
use crate::request::{CompletionQueue, RawRequest};

/// A request for each tag; the first have buffers.
///
/// # Invariants
///
/// `all` is from a box that was taken apart, since requests are reached by other
/// pointers as well. They point to the completion queue and into `segments`.
pub(super) struct Requests {
    all: NonNull<[RawRequest]>,
    by_tag: Box<[*mut RawRequest]>,
    completions: Reached<CompletionQueue, COMPLETIONS>,
    _segments: Box<[Piece]>,
    _buffers: Vec<Block>,
}

impl Requests {
    /// `depth` requests, of which those that `load` uses have buffers in
    /// `arena`.
    pub(super) fn new(load: &Load, depth: u16, arena: &Arena) -> Result<Requests> {
        let completions = Reached::new(CompletionQueue::new());
        let buffers: Vec<Block> = (0..load.depth)
            .map(|_| arena.take(load.block_size as usize))
            .collect::<Result<_, _>>()
            .map_err(|_| anyhow!("there is no memory for the load's buffers"))?;
        let pieces = buffers.iter().map(|block| block.piece(load.block_size));
        let segments: Box<[Piece]> = pieces.collect();
        let page = 4096 / size_of::<RawRequest>();
        let mut all: Box<[RawRequest]> = (0..usize::from(depth) + page)
            .map(|_| RawRequest::new(completions.as_ptr()))
            .collect();
        let first = placement::to_page(&all);
        for (tag, request) in all[first..].iter_mut().enumerate() {
            request.identifier = tag as u16;
            if let Some(segment) = segments.get(tag) {
                request.segments = segment;
                request.segment_count = 1;
            }
        }
        let all = NonNull::from(Box::leak(all));
        // SAFETY: Within the box.
        let request = |tag| unsafe { all.as_ptr().cast::<RawRequest>().add(first + tag) };
        Ok(Requests {
            all,
            by_tag: (0..usize::from(depth)).map(request).collect(),
            completions,
            _segments: segments,
            _buffers: buffers,
        })
    }

    /// The request of a tag below the depth, which is live as long as this.
    #[inline]
    pub(super) fn get(&self, tag: usize) -> *mut RawRequest {
        self.by_tag[tag]
    }

    /// All of them by tag, as long as this lives.
    pub(super) fn by_tag(&self) -> *const [*mut RawRequest] {
        &*self.by_tag
    }

    /// Requests that were given back while no driver owned them.
    pub(super) fn misuses(&self) -> u64 {
        // SAFETY: Valid until drop, and used by this thread only.
        unsafe { (*self.completions.as_ptr()).misuses }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; they are not used any more.
        drop(unsafe { Box::from_raw(self.all.as_ptr()) });
    }
}

/// The identifier that a tag has the next time.
#[inline]
pub(super) fn next_identifier(identifier: u16) -> u16 {
    identifier.wrapping_add(1 << TAG_BITS)
}
