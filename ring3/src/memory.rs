//! [`kit::memory`] over the standard library.

use std::collections::BTreeMap;

use kit::memory::{OutOfMemory, Page, PAGE_SIZE};

/// The process's memory.
pub struct Memory;

impl kit::memory::Memory for Memory {
    type Pages = Pages;
    type Table<T: Copy + Send + 'static> = Box<[T]>;

    fn pages() -> Pages {
        Pages::default()
    }

    fn table<T: Copy + Send + 'static>(length: usize, value: T) -> Result<Box<[T]>, OutOfMemory> {
        let mut table = Vec::new();
        table.try_reserve_exact(length).map_err(|_| OutOfMemory)?;
        table.resize(length, value);
        Ok(table.into_boxed_slice())
    }
}

/// Pages in a tree.
#[derive(Default)]
pub struct Pages {
    tree: BTreeMap<u64, Box<Entry>>,
}

struct Entry {
    bytes: [u8; PAGE_SIZE],
    mark: u8,
}

impl Entry {
    fn page(&mut self) -> Page<'_> {
        Page {
            bytes: &mut self.bytes,
            mark: &mut self.mark,
        }
    }
}

impl kit::memory::Pages for Pages {
    fn get(&mut self, index: u64) -> Option<Page<'_>> {
        Some(self.tree.get_mut(&index)?.page())
    }

    fn get_or_insert(&mut self, index: u64) -> Result<Page<'_>, OutOfMemory> {
        let entry = self.tree.entry(index).or_insert_with(|| {
            Box::new(Entry {
                bytes: [0; PAGE_SIZE],
                mark: 0,
            })
        });
        Ok(entry.page())
    }

    fn remove(&mut self, index: u64) {
        self.tree.remove(&index);
    }

    fn next(&mut self, from: u64) -> Option<u64> {
        self.tree.range(from..).next().map(|(index, _)| *index)
    }

    fn count(&self) -> u64 {
        self.tree.len() as u64
    }
}
