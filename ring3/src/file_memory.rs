//! An arena of a file's pages, which another process has as its device's memory.

use std::fs::File;
use std::io;
use std::ptr::NonNull;

use kit::memory::PAGE_SIZE;
use memmap2::{MmapOptions, MmapRaw};

use crate::dma::{Arena, Mapping};

/// Pages of a file, mapped and shared.
///
/// # Invariants
///
/// The mapping has `pages` pages at `base`.
struct FilePages {
    base: NonNull<u8>,
    pages: usize,
    _map: MmapRaw,
}

// SAFETY: The mapping is the process's, not bound to a thread.
unsafe impl Send for FilePages {}
// SAFETY: All that `&FilePages` gives is where the memory is.
unsafe impl Sync for FilePages {}

// SAFETY: By the type invariant; a mapping begins at a page, stays where it is and
// is no other's, and a file's bytes are initialised.
unsafe impl Mapping for FilePages {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn pages(&self) -> usize {
        self.pages
    }
}

/// An arena of so many pages of a file, 1 or more, from `offset` on, at that bus
/// address. Nobody may shorten the file as long as it is there.
///
/// # Errors
///
/// If the file cannot be mapped or is too short.
///
/// # Panics
///
/// As [`Arena::new`].
pub fn arena(file: &File, offset: u64, pages: usize, bus: u64) -> io::Result<Arena> {
    let length = pages.saturating_mul(PAGE_SIZE);
    let end = offset.checked_add(length as u64);
    if pages == 0 || end.is_none_or(|end| file.metadata().is_ok_and(|data| data.len() < end)) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let map = MmapOptions::new()
        .offset(offset)
        .len(length)
        .map_raw(file)?;
    let base = NonNull::new(map.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
    // An offset within a page would be one within the mapping.
    if base.as_ptr() as usize % PAGE_SIZE != 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let pages = FilePages {
        base,
        pages,
        _map: map,
    };
    Ok(Arena::over(pages, bus))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use super::*;

    #[test]
    fn an_arena_of_a_file_is_the_files_bytes() {
        let mut file = tempfile::tempfile().expect("a folder for temporary files");
        file.set_len(4 * PAGE_SIZE as u64).expect("room");
        assert!(arena(&file, 4096, 4, 0).is_err(), "too short");
        assert!(arena(&file, 4096, 0, 0).is_err());
        assert!(arena(&file, 100, 1, 0).is_err(), "not a page's beginning");
        let arena = arena(&file, 4096, 3, 0x4000).expect("long enough");
        let mut block = arena.take(2 * PAGE_SIZE).expect("room");
        block.copy_from_slice(4090, b"across two pages");
        let mut bytes = [0; 16];
        file.seek(SeekFrom::Start(4096 + 4090)).expect("a file");
        file.read_exact(&mut bytes).expect("as long");
        assert_eq!(&bytes, b"across two pages");
        file.seek(SeekFrom::Start(4096)).expect("a file");
        file.write_all(b"the other way").expect("room");
        assert_eq!(block.copy_to_slice(0, &mut bytes[..13]), 13);
        assert_eq!(&bytes[..13], b"the other way");
    }
}
