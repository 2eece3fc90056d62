//! A ring for unit tests.

extern crate std;

use core::cell::{Cell, RefCell};
use std::boxed::Box;
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use std::thread_local;
use std::vec::Vec;

use kit::block::{Operation, Status};
use kit::memory::{Memory, OutOfMemory, Page, Pages, PAGE_SIZE};

thread_local! {
    static PAGES: Cell<u64> = const { Cell::new(0) };
    static MOST_PAGES: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// The test's memory.
pub(crate) struct StdMemory;

impl StdMemory {
    /// How many pages this thread has.
    pub(crate) fn pages_in_use() -> u64 {
        PAGES.get()
    }

    /// Runs `body` with no memory for more pages than `most`, nor for tables
    /// if that is 0.
    pub(crate) fn with_most<T>(most: u64, body: impl FnOnce() -> T) -> T {
        let before = MOST_PAGES.replace(most);
        let result = body();
        MOST_PAGES.set(before);
        result
    }
}

impl Memory for StdMemory {
    type Pages = StdPages;
    type Table<T: Copy + Send + 'static> = Box<[T]>;

    fn pages() -> StdPages {
        StdPages(BTreeMap::new())
    }

    fn table<T: Copy + Send + 'static>(length: usize, value: T) -> Result<Box<[T]>, OutOfMemory> {
        match MOST_PAGES.get() {
            0 => Err(OutOfMemory),
            _ => Ok(std::vec![value; length].into_boxed_slice()),
        }
    }
}

/// Pages in a map.
pub(crate) struct StdPages(BTreeMap<u64, (Box<[u8; PAGE_SIZE]>, u8)>);

impl Pages for StdPages {
    fn get(&mut self, index: u64) -> Option<Page<'_>> {
        let (bytes, mark) = self.0.get_mut(&index)?;
        Some(Page { bytes, mark })
    }

    fn get_or_insert(&mut self, index: u64) -> Result<Page<'_>, OutOfMemory> {
        if let Entry::Vacant(entry) = self.0.entry(index) {
            if PAGES.get() >= MOST_PAGES.get() {
                return Err(OutOfMemory);
            }
            PAGES.set(PAGES.get() + 1);
            entry.insert((Box::new([0; PAGE_SIZE]), 0));
        }
        self.get(index).ok_or(OutOfMemory)
    }

    fn remove(&mut self, index: u64) {
        if self.0.remove(&index).is_some() {
            PAGES.set(PAGES.get() - 1);
        }
    }

    fn next(&mut self, from: u64) -> Option<u64> {
        self.0.range(from..).next().map(|(index, _)| *index)
    }

    fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Drop for StdPages {
    fn drop(&mut self) {
        PAGES.set(PAGES.get() - self.0.len() as u64);
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Held,
    Ended(Status),
    Completing(Status),
    After(u64, Status),
    OnPoll(Status),
    Lost,
    Requeued,
}

/// A request of the test, and where it is told what became of it.
pub(crate) struct Probe<'a> {
    pub(crate) operation: Operation,
    pub(crate) position: u64,
    pub(crate) bytes: u32,
    pub(crate) fua: bool,
    pub(crate) polled: bool,
    pub(crate) end: &'a RefCell<End>,
}

/// The submitter's side of a request.
pub(crate) struct End {
    pub(crate) fate: Fate,
    pub(crate) data: Vec<u8>,
    pub(crate) position: Option<u64>,
}

impl End {
    pub(crate) fn new(data: &[u8]) -> RefCell<End> {
        RefCell::new(End {
            fate: Fate::Held,
            data: data.to_vec(),
            position: None,
        })
    }
}

impl Probe<'_> {
    fn tell(self, fate: Fate) {
        let mut end = self.end.borrow_mut();
        assert_eq!(end.fate, Fate::Held, "given back twice");
        end.fate = fate;
    }
}

impl kit::block::Request for Probe<'_> {
    type Data<'b>
        = Walk<'b>
    where
        Self: 'b;

    fn operation(&self) -> Operation {
        self.operation
    }
    fn position(&self) -> u64 {
        self.position
    }
    fn bytes(&self) -> u32 {
        self.bytes
    }
    fn fua(&self) -> bool {
        self.fua
    }
    fn polled(&self) -> bool {
        self.polled
    }
    fn data(&mut self) -> Walk<'_> {
        Walk {
            end: self.end,
            at: 0,
        }
    }
    fn set_position(&mut self, sector: u64) {
        self.end.borrow_mut().position = Some(sector);
    }
    fn end(self, status: Status) {
        self.tell(Fate::Ended(status));
    }
    fn complete(self, status: Status) {
        self.tell(Fate::Completing(status));
    }
    fn complete_after(self, nanoseconds: u64, status: Status) {
        self.tell(Fate::After(nanoseconds, status));
    }
    fn complete_on_poll(self, status: Status) {
        self.tell(Fate::OnPoll(status));
    }
    fn lose(self) {
        self.tell(Fate::Lost);
    }
    fn requeue(self) {
        self.tell(Fate::Requeued);
    }
}

/// A walk over the test's data.
pub(crate) struct Walk<'a> {
    end: &'a RefCell<End>,
    at: usize,
}

impl Walk<'_> {
    fn next(&mut self, count: usize) -> core::ops::Range<usize> {
        let start = self.at;
        self.at = self.end.borrow().data.len().min(start + count);
        start..self.at
    }
}

impl kit::block::Data for Walk<'_> {
    fn get(&mut self, to: &mut [u8]) -> usize {
        let range = self.next(to.len());
        let count = range.len();
        to[..count].copy_from_slice(&self.end.borrow().data[range]);
        count
    }
    fn put(&mut self, from: &[u8]) -> usize {
        let range = self.next(from.len());
        let count = range.len();
        self.end.borrow_mut().data[range].copy_from_slice(&from[..count]);
        count
    }
    fn fill(&mut self, byte: u8, count: usize) -> usize {
        let range = self.next(count);
        let count = range.len();
        self.end.borrow_mut().data[range].fill(byte);
        count
    }
}
