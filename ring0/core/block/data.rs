// SPDX-License-Identifier: GPL-2.0-only

//! A walk over the data of a request.

use core::ffi::c_int;
use core::marker::PhantomData;

use kernel::bindings;

use super::Request;
use crate::shim;

/// [`kit::block::Data`] over the bios of a request.
///
/// # Invariants
///
/// `bio` is null or one of the bios of a request that `'a` borrows, and
/// `iter` a position in it.
pub(super) struct Data<'a> {
    bio: *mut bindings::bio,
    iter: bindings::bvec_iter,
    allowed: Allowed,
    _request: PhantomData<&'a mut Request>,
}

/// What the operation does to the request's memory.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Allowed {
    /// Reads it.
    Get,
    /// Writes it.
    Put,
    /// Neither: it has none.
    Nothing,
}

impl Data<'_> {
    /// From the first byte of `rq` on.
    ///
    /// # Safety
    ///
    /// The request is live and not ended as long as the result lives, and its
    /// memory may be used as `allowed` says.
    #[inline]
    pub(super) unsafe fn new<'a>(rq: *mut bindings::request, allowed: Allowed) -> Data<'a> {
        // SAFETY: By this function's contract.
        let bio = unsafe { (*rq).bio };
        let iter = if bio.is_null() {
            bindings::bvec_iter::default()
        } else {
            // SAFETY: A live request's bio is live.
            unsafe { (*bio).bi_iter }
        };
        // INVARIANT: The position of the first byte.
        Data {
            bio,
            iter,
            allowed,
            _request: PhantomData,
        }
    }

    /// # Safety
    ///
    /// `buffer` is valid for `count` bytes of what `direction` does to it
    /// (one byte for a fill).
    unsafe fn copy(&mut self, buffer: *mut u8, count: usize, direction: c_int) -> usize {
        let (bio, iter) = (&raw mut self.bio, &raw mut self.iter);
        // SAFETY: By the type invariant and this function's contract.
        unsafe { shim::rf_copy(bio.cast(), iter.cast(), buffer.cast(), count, direction) }
    }
}

impl kit::block::Data for Data<'_> {
    fn get(&mut self, to: &mut [u8]) -> usize {
        if self.allowed != Allowed::Get {
            return 0;
        }
        // SAFETY: `to` is writable.
        unsafe { self.copy(to.as_mut_ptr(), to.len(), shim::COPY_GET) }
    }

    fn put(&mut self, from: &[u8]) -> usize {
        if self.allowed != Allowed::Put {
            return 0;
        }
        // SAFETY: `from` is readable, and only read.
        unsafe { self.copy(from.as_ptr().cast_mut(), from.len(), shim::COPY_PUT) }
    }

    fn fill(&mut self, mut byte: u8, count: usize) -> usize {
        if self.allowed != Allowed::Put {
            return 0;
        }
        // SAFETY: One readable byte.
        unsafe { self.copy(&raw mut byte, count, shim::COPY_FILL) }
    }
}
