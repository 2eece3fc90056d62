//! Where data lies within its page.
//!
//! A load whose address agrees with an earlier store's in the low twelve bits
//! can be held up by it though the two have nothing to do with each other.
//! Left to the allocator, that would hit one subject in one run and another in
//! the next; here every run of every subject has the same low bits.

use std::ptr::NonNull;

/// A value at a fixed place of a page of its own.
#[repr(C, align(4096))]
pub(crate) struct Placed<T, const OFFSET: usize> {
    before: [u8; OFFSET],
    pub(crate) value: T,
}

impl<T, const OFFSET: usize> Placed<T, OFFSET> {
    pub(crate) fn new(value: T) -> Box<Self> {
        Box::new(Placed {
            before: [0; OFFSET],
            value,
        })
    }
}

/// The same, owned here and reached by pointers elsewhere.
///
/// # Invariants
///
/// It is from a box that was taken apart, so that no pointer to it is one that
/// this may move or use.
pub(crate) struct Reached<T, const OFFSET: usize>(NonNull<Placed<T, OFFSET>>);

impl<T, const OFFSET: usize> Reached<T, OFFSET> {
    pub(crate) fn new(value: T) -> Self {
        Reached(NonNull::from(Box::leak(Placed::new(value))))
    }

    /// The value, which lives as long as this.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut T {
        // SAFETY: By the type invariant it is there.
        unsafe { &raw mut (*self.0.as_ptr()).value }
    }
}

impl<T, const OFFSET: usize> Drop for Reached<T, OFFSET> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; those who reach it are done.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A driver's device.
pub(crate) const DEVICE: usize = 3072;

/// A job's completion queue. Its requests start at 0.
pub(crate) const COMPLETIONS: usize = 2560;

/// How many of `items` to skip so that the next one starts a page; items must
/// divide a page.
pub(crate) fn to_page<T>(items: &[T]) -> usize {
    items.as_ptr().align_offset(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RawRequest;

    #[test]
    fn values_lie_where_they_are_put() {
        let device = Placed::<u64, DEVICE>::new(1);
        assert_eq!(&raw const device.value as usize % 4096, DEVICE);
        let requests: Vec<RawRequest> = (0..100)
            .map(|_| RawRequest::new(std::ptr::null_mut()))
            .collect();
        let skip = to_page(&requests);
        assert!(skip < 64);
        assert_eq!(&raw const requests[skip] as usize % 4096, 0);
    }
}
