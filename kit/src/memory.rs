//! Memory that a driver asks its ring for.

use core::ops::DerefMut;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;

/// There is no memory, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Where a ring's memory comes from.
pub trait Memory: Send + Sync + 'static {
    /// Pages by index.
    type Pages: Pages + Send + Unpin + 'static;

    /// A table of fixed length.
    type Table<T: Copy + Send + 'static>: DerefMut<Target = [T]> + Send + Unpin + 'static;

    /// No pages yet.
    fn pages() -> Self::Pages;

    /// A table of `length` entries, all of them `value`.
    fn table<T: Copy + Send + 'static>(
        length: usize,
        value: T,
    ) -> Result<Self::Table<T>, OutOfMemory>;
}

/// Pages by index, most of which are not there (`struct xarray`).
pub trait Pages {
    /// The page at `index`.
    fn get(&mut self, index: u64) -> Option<Page<'_>>;

    /// The page at `index`, a new one if there was none: all its bytes and
    /// its mark are zero. May sleep in ring 0; fails instead of waiting for
    /// ever.
    fn get_or_insert(&mut self, index: u64) -> Result<Page<'_>, OutOfMemory>;

    /// Frees the page at `index`, if there is one.
    fn remove(&mut self, index: u64);

    /// Index of the first page at `from` or after it.
    fn next(&mut self, from: u64) -> Option<u64>;

    /// How many pages are there.
    fn count(&self) -> u64;
}

/// A page of a table.
#[derive(Debug)]
pub struct Page<'a> {
    /// What it holds.
    pub bytes: &'a mut [u8; PAGE_SIZE],
    /// What its driver wants to remember of it.
    pub mark: &'a mut u8,
}
