//! Memory that a device reads and writes by itself: an arena of pages at bus
//! addresses, from which queues, lists and buffers are taken.
//!
//! Both sides copy: nothing of it is ever lent as a reference. Every access is
//! an atomic one without an order, so that a device in another thread is no
//! data race; barriers are the kit's.

use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout};
use std::fs::File;
use std::hint::assert_unchecked;
use std::io;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{
    fence, AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering::*,
};
use std::sync::{Arc, Mutex, PoisonError};

use kit::dma::{Coherent, Dma, Segment, Word};
use kit::memory::{OutOfMemory, PAGE_SIZE};
use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Pages that an arena is made of. Whatever shows them to the device takes them
/// away from it before they are freed, which is when this is dropped.
///
/// # Safety
///
/// `pages()` pages at `base()`, which is a multiple of the page size, are
/// initialised, stay where they are as long as this exists, and belong to
/// nobody else in this process.
pub(crate) unsafe trait Mapping: Send + Sync {
    /// The first byte.
    fn base(&self) -> NonNull<u8>;

    /// How many pages there are.
    fn pages(&self) -> usize;
}

/// Pages of the heap, for a device in this process.
///
/// # Invariants
///
/// They were allocated with [`Heap::layout`].
struct Heap {
    base: NonNull<u8>,
    pages: usize,
}

// SAFETY: The memory is this value's own, not bound to a thread.
unsafe impl Send for Heap {}
// SAFETY: All that `&Heap` gives is where the memory is.
unsafe impl Sync for Heap {}

impl Heap {
    /// So many pages, 1 or more, that are zero.
    fn new(pages: usize) -> Heap {
        assert!(pages > 0, "an arena has pages");
        let layout = Heap::layout(pages);
        // SAFETY: The layout's size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        Heap {
            base: NonNull::new(base).unwrap_or_else(|| handle_alloc_error(layout)),
            pages,
        }
    }

    fn layout(pages: usize) -> Layout {
        let bytes = pages.checked_mul(PAGE_SIZE).expect("fewer bytes than fit");
        Layout::from_size_align(bytes, PAGE_SIZE).expect("a page's alignment")
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: Allocated with this layout, by the invariant.
        unsafe { dealloc(self.base.as_ptr(), Heap::layout(self.pages)) };
    }
}

// SAFETY: They were allocated in `new` with that size and alignment and as
// zeroes, and are freed when this is dropped.
unsafe impl Mapping for Heap {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn pages(&self) -> usize {
        self.pages
    }
}

/// Pages of a file, that another process has as its device's memory.
///
/// # Invariants
///
/// The mapping is `pages` pages long.
struct Shared {
    map: MmapRaw,
    pages: usize,
}

// SAFETY: Mapped by `map`, from a page's start, for that long, and until this is
// dropped. What a file has is initialised, and these addresses are nobody
// else's; who has the same bytes elsewhere is as a device to them.
unsafe impl Mapping for Shared {
    fn base(&self) -> NonNull<u8> {
        NonNull::new(self.map.as_mut_ptr()).expect("a mapping is not at zero")
    }

    fn pages(&self) -> usize {
        self.pages
    }
}

/// Memory that one device can reach; a handle to it.
#[derive(Clone)]
pub struct Arena(Arc<Pages>);

/// Its pages.
///
/// # Invariants
///
/// `base` and `count` are those of `mapping`, whose pages are accessed by
/// [`copy_from`], [`copy_to`] and atomics only.
struct Pages {
    base: NonNull<u8>,
    count: usize,
    /// Address of the first byte, as the device has it.
    bus: u64,
    /// By page: whether it is taken, so that the device may use it.
    taken: Box<[AtomicBool]>,
    /// Where the search for free pages begins; the lock of whoever takes some.
    search: Mutex<usize>,
    isolated: AtomicBool,
    /// Frees the pages, last of all.
    _mapping: Box<dyn Mapping>,
}

// SAFETY: The memory is the arena's own, not bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: By the invariant every access to it is atomic.
unsafe impl Sync for Pages {}

impl Pages {
    /// The first of so many free pages in a row, at `from` or above.
    fn free(&self, from: usize, count: usize) -> Option<usize> {
        let mut row = 0;
        for page in from..self.count {
            row = if self.taken[page].load(Relaxed) {
                0
            } else {
                row + 1
            };
            if row == count {
                return Some(page + 1 - count);
            }
        }
        None
    }
}

impl Arena {
    /// An arena of so many pages of the heap, 1 or more, at that bus address, a
    /// multiple of the page size: for a device in this process.
    ///
    /// # Panics
    ///
    /// If that is not so, or if the last address overflows.
    pub fn new(pages: usize, bus: u64) -> Arena {
        Arena::over(Heap::new(pages), bus)
    }

    /// An arena of those pages, which the device has at that bus address, a
    /// multiple of the page size.
    ///
    /// # Panics
    ///
    /// If that is not so, or if the last address overflows.
    pub(crate) fn over(mapping: impl Mapping + 'static, bus: u64) -> Arena {
        let (base, count) = (mapping.base(), mapping.pages());
        assert!(bus % PAGE_SIZE as u64 == 0);
        assert!(bus.checked_add((count * PAGE_SIZE) as u64).is_some());
        Arena(Arc::new(Pages {
            base,
            count,
            bus,
            taken: (0..count).map(|_| AtomicBool::new(false)).collect(),
            search: Mutex::new(0),
            isolated: AtomicBool::new(false),
            _mapping: Box::new(mapping),
        }))
    }

    /// An arena of so many pages of a file, from `offset` on, that another
    /// process has as its device's memory. Nobody may shorten the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be mapped or is too short.
    ///
    /// # Panics
    ///
    /// As [`new`](Arena::new), and for an offset that is no multiple of the page
    /// size.
    pub fn of_file(file: &File, offset: u64, pages: usize, bus: u64) -> io::Result<Arena> {
        assert!(pages > 0 && offset % PAGE_SIZE as u64 == 0);
        let length = pages.checked_mul(PAGE_SIZE).expect("fewer bytes than fit");
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| file.metadata().is_ok_and(|data| data.len() < end)) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let map = MmapOptions::new()
            .offset(offset)
            .len(length)
            .map_raw(file)?;
        // INVARIANT: That long, just now.
        Ok(Arena::over(Shared { map, pages }, bus))
    }

    /// Takes so many bytes, in whole pages that are zero.
    ///
    /// # Errors
    ///
    /// If there are not so many free pages in a row.
    pub fn take(&self, bytes: usize) -> Result<Block, OutOfMemory> {
        let pages = &*self.0;
        let count = bytes.div_ceil(PAGE_SIZE).max(1);
        let mut search = pages.search.lock().unwrap_or_else(PoisonError::into_inner);
        let first = pages
            .free(*search, count)
            .or_else(|| pages.free(0, count))
            .ok_or(OutOfMemory)?;
        // SAFETY: `free` found the pages within the arena.
        let base = unsafe { pages.base.add(first * PAGE_SIZE) };
        for at in (0..count * PAGE_SIZE).step_by(8) {
            // SAFETY: Within those pages, and `at` is a multiple of 8.
            unsafe { AtomicU64::from_ptr(base.as_ptr().add(at).cast()) }.store(0, Relaxed);
        }
        for page in &pages.taken[first..first + count] {
            page.store(true, Release);
        }
        *search = first + count;
        Ok(Block {
            base,
            address: pages.bus + (first * PAGE_SIZE) as u64,
            length: bytes.max(1),
            claim: Arc::new(Claim {
                arena: self.clone(),
                first,
                count,
            }),
        })
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.0.count
    }

    /// How many pages are taken.
    pub fn taken(&self) -> usize {
        let taken = self.0.taken.iter();
        taken.filter(|page| page.load(Relaxed)).count()
    }

    /// Keeps the device from all of it, or lets it in again.
    pub fn isolate(&self, on: bool) {
        self.0.isolated.store(on, SeqCst);
    }

    /// Where `length` bytes at a bus address are, if the device may use all of
    /// them.
    fn reach(&self, address: u64, length: usize) -> Option<NonNull<u8>> {
        let pages = &*self.0;
        let offset = usize::try_from(address.checked_sub(pages.bus)?).ok()?;
        let end = offset.checked_add(length)?;
        if end > pages.count * PAGE_SIZE || pages.isolated.load(SeqCst) {
            return None;
        }
        let touched = offset / PAGE_SIZE..end.div_ceil(PAGE_SIZE);
        let mapped = pages.taken[touched].iter().all(|page| page.load(Acquire));
        // SAFETY: `offset` is within the arena.
        mapped.then(|| unsafe { pages.base.add(offset) })
    }

    /// Reads as the device: all of `to`, or nothing if the device may not.
    #[must_use]
    pub fn device_read(&self, address: u64, to: &mut [u8]) -> bool {
        let Some(from) = self.reach(address, to.len()) else {
            return false;
        };
        // SAFETY: `reach` found that many bytes in the arena.
        unsafe { copy_from(from.as_ptr(), to.as_mut_ptr(), to.len()) };
        fence(Acquire);
        true
    }

    /// Writes as the device: all of `from`, or nothing if the device may not.
    #[must_use]
    pub fn device_write(&self, address: u64, from: &[u8]) -> bool {
        let Some(to) = self.reach(address, from.len()) else {
            return false;
        };
        fence(Release);
        // SAFETY: `reach` found that many bytes in the arena.
        unsafe { copy_to(to.as_ptr(), from.as_ptr(), from.len()) };
        true
    }
}

/// Pages that are taken, until this is dropped.
struct Claim {
    arena: Arena,
    first: usize,
    count: usize,
}

impl Drop for Claim {
    fn drop(&mut self) {
        for page in &self.arena.0.taken[self.first..self.first + self.count] {
            page.store(false, Release);
        }
    }
}

/// Memory of an arena, which is the device's as well until this is dropped.
///
/// # Invariants
///
/// `length` bytes at `base`, which is a multiple of the page size, lie within
/// the pages of `claim`.
pub struct Block {
    base: NonNull<u8>,
    address: u64,
    /// Bytes that were asked for, 1 or more.
    length: usize,
    claim: Arc<Claim>,
}

// SAFETY: It is a part of an arena, which may be used from any thread.
unsafe impl Send for Block {}
// SAFETY: As above: all accesses are atomic.
unsafe impl Sync for Block {}

impl Block {
    /// Copies the bytes at `offset` out, as far as there are any, and answers
    /// how many there were.
    pub fn copy_to_slice(&self, offset: usize, to: &mut [u8]) -> usize {
        let Some(left) = self.length.checked_sub(offset) else {
            return 0;
        };
        let count = to.len().min(left);
        // SAFETY: That many bytes lie within the block.
        unsafe { copy_from(self.base.as_ptr().add(offset), to.as_mut_ptr(), count) };
        count
    }

    /// Copies bytes to `offset`, as far as there is room, and answers how many
    /// there was room for.
    pub fn copy_from_slice(&mut self, offset: usize, from: &[u8]) -> usize {
        let Some(left) = self.length.checked_sub(offset) else {
            return 0;
        };
        let count = from.len().min(left);
        // SAFETY: That many bytes lie within the block.
        unsafe { copy_to(self.base.as_ptr().add(offset), from.as_ptr(), count) };
        count
    }

    /// Its first `bytes` bytes, as a segment; fewer if it is shorter.
    pub fn piece(&self, bytes: u32) -> Piece {
        Piece {
            address: self.address,
            length: bytes.min(u32::try_from(self.length).unwrap_or(u32::MAX)),
        }
    }

    /// Its first byte, for a driver in C, which reads and writes it as this
    /// thread's only device does.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Where `size` bytes at `offset` are, if they lie within it.
    #[inline]
    fn find(&self, offset: usize, size: usize) -> Option<*mut u8> {
        let end = offset.checked_add(size)?;
        // SAFETY: By the type invariant. So it is known here how far `offset`
        // is aligned.
        unsafe { assert_unchecked(self.base.as_ptr() as usize % PAGE_SIZE == 0) };
        // SAFETY: Within the block.
        (end <= self.length).then(|| unsafe { self.base.as_ptr().add(offset) })
    }
}

impl Coherent for Block {
    type Word = BlockWord;

    #[inline]
    fn address(&self) -> u64 {
        self.address
    }

    #[inline]
    fn length(&self) -> usize {
        self.length
    }

    #[inline]
    fn read<T: FromBytes>(&self, offset: usize) -> Option<T> {
        let from = self.find(offset, size_of::<T>())?;
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: The bytes lie within the block, and any bytes make a `T`,
        // which is `FromBytes`.
        unsafe {
            copy_from(from, value.as_mut_ptr().cast(), size_of::<T>());
            Some(value.assume_init())
        }
    }

    #[inline]
    fn write<T: IntoBytes + Immutable>(&mut self, offset: usize, value: &T) -> Option<()> {
        let to = self.find(offset, size_of::<T>())?;
        // SAFETY: The bytes lie within the block, and those of an `IntoBytes`
        // are all initialised.
        unsafe { copy_to(to, (&raw const *value).cast(), size_of::<T>()) };
        Some(())
    }

    fn word(&self, offset: usize) -> Option<BlockWord> {
        let at = NonNull::new(self.find(offset, 4)?)?;
        at.cast::<u32>().is_aligned().then(|| BlockWord {
            at,
            _claim: self.claim.clone(),
        })
    }

    #[inline]
    fn read_barrier(&self) {
        fence(Acquire);
    }

    #[inline]
    fn write_barrier(&self) {
        fence(Release);
    }

    #[inline]
    fn full_barrier(&self) {
        fence(SeqCst);
    }
}

/// A word of a block, whose pages stay taken as long as it is there.
///
/// # Invariants
///
/// `at` is a multiple of 4 within those pages.
pub struct BlockWord {
    at: NonNull<u8>,
    _claim: Arc<Claim>,
}

// SAFETY: The word is accessed atomically, in memory that the arena keeps.
unsafe impl Send for BlockWord {}
// SAFETY: As above.
unsafe impl Sync for BlockWord {}

impl BlockWord {
    /// As for a block.
    pub(crate) fn as_ptr(&self) -> *mut u32 {
        self.at.as_ptr().cast()
    }

    fn atomic(&self) -> &AtomicU32 {
        // SAFETY: By the invariant, and every access is atomic.
        unsafe { AtomicU32::from_ptr(self.at.as_ptr().cast()) }
    }
}

impl Word for BlockWord {
    fn load(&self) -> u32 {
        u32::from_le(self.atomic().load(Relaxed))
    }

    fn store(&self, value: u32) {
        self.atomic().store(value.to_le(), Relaxed);
    }
}

impl Dma for Arena {
    type Memory = Block;

    fn allocate(&self, bytes: usize) -> Result<Block, OutOfMemory> {
        self.take(bytes)
    }
}

/// A piece of a block, as it is described to the device: `struct rf_segment` of
/// `ring.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Piece {
    address: u64,
    length: u32,
}

#[cfg(test)]
impl Piece {
    /// Data wherever a test wants it, which no device is told of.
    pub(crate) fn at(address: u64, length: u32) -> Piece {
        Piece { address, length }
    }
}

impl Segment for Piece {
    #[inline]
    fn address(&self) -> u64 {
        self.address
    }

    #[inline]
    fn length(&self) -> u32 {
        self.length
    }
}

/// Copies out of an arena: `count` bytes, by the largest accesses that the
/// alignment of `from` allows.
///
/// # Safety
///
/// `count` bytes at `from` are an arena's, and `count` bytes at `to` may be
/// written and are nobody else's.
#[inline(always)]
unsafe fn copy_from(from: *mut u8, to: *mut u8, count: usize) {
    let mut at = 0;
    // SAFETY: Every access lies within `count` bytes, by the function's
    // contract, and those to the arena are aligned.
    unsafe {
        if from as usize % 8 == 0 {
            while count - at >= 8 {
                let value = AtomicU64::from_ptr(from.add(at).cast()).load(Relaxed);
                to.add(at).cast::<u64>().write_unaligned(value);
                at += 8;
            }
        }
        if from as usize % 4 == 0 {
            while count - at >= 4 {
                let value = AtomicU32::from_ptr(from.add(at).cast()).load(Relaxed);
                to.add(at).cast::<u32>().write_unaligned(value);
                at += 4;
            }
        }
        if from as usize % 2 == 0 {
            while count - at >= 2 {
                let value = AtomicU16::from_ptr(from.add(at).cast()).load(Relaxed);
                to.add(at).cast::<u16>().write_unaligned(value);
                at += 2;
            }
        }
        while at < count {
            to.add(at)
                .write(AtomicU8::from_ptr(from.add(at)).load(Relaxed));
            at += 1;
        }
    }
}

/// Copies into an arena, the same way.
///
/// # Safety
///
/// `count` bytes at `to` are an arena's, and `count` bytes at `from` may be
/// read.
#[inline(always)]
unsafe fn copy_to(to: *mut u8, from: *const u8, count: usize) {
    let mut at = 0;
    // SAFETY: As in `copy_from`.
    unsafe {
        if to as usize % 8 == 0 {
            while count - at >= 8 {
                let value = from.add(at).cast::<u64>().read_unaligned();
                AtomicU64::from_ptr(to.add(at).cast()).store(value, Relaxed);
                at += 8;
            }
        }
        if to as usize % 4 == 0 {
            while count - at >= 4 {
                let value = from.add(at).cast::<u32>().read_unaligned();
                AtomicU32::from_ptr(to.add(at).cast()).store(value, Relaxed);
                at += 4;
            }
        }
        if to as usize % 2 == 0 {
            while count - at >= 2 {
                let value = from.add(at).cast::<u16>().read_unaligned();
                AtomicU16::from_ptr(to.add(at).cast()).store(value, Relaxed);
                at += 2;
            }
        }
        while at < count {
            AtomicU8::from_ptr(to.add(at)).store(from.add(at).read(), Relaxed);
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use super::*;

    const BUS: u64 = 0x4000_0000;

    #[test]
    fn what_one_side_writes_the_other_reads_at_any_offset_and_length() {
        let arena = Arena::new(4, BUS);
        let mut block = arena.take(2 * PAGE_SIZE).expect("room");
        for offset in 0..17 {
            for length in 0..40 {
                let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + offset + 1) as u8).collect();
                assert_eq!(block.copy_from_slice(offset, &bytes), length);
                let mut read = vec![0; length];
                assert!(arena.device_read(block.address() + offset as u64, &mut read));
                assert_eq!(read, bytes);
                let back: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
                assert!(arena.device_write(block.address() + offset as u64, &back));
                assert_eq!(block.copy_to_slice(offset, &mut read), length);
                assert_eq!(read, back);
            }
        }
    }

    #[test]
    fn values_are_read_and_written_within_the_block_only() {
        let arena = Arena::new(1, BUS);
        let mut block = arena.take(64).expect("room");
        assert_eq!(block.length(), 64);
        assert_eq!(block.write(56, &0x0102_0304_0506_0708u64), Some(()));
        assert_eq!(block.read::<u64>(56), Some(0x0102_0304_0506_0708));
        assert_eq!(block.write(60, &0u64), None);
        assert_eq!(block.read::<u64>(57), None);
        assert_eq!(block.read::<u8>(usize::MAX), None);
        assert_eq!(block.read::<u64>(56), Some(0x0102_0304_0506_0708));
        assert_eq!(block.copy_to_slice(60, &mut [0; 8]), 4);
        assert_eq!(block.copy_to_slice(64, &mut [0; 8]), 0);
        assert_eq!(block.copy_from_slice(999, &[1]), 0);
        assert!(block.word(62).is_none() && block.word(64).is_none());
        let word = block.word(60).expect("aligned");
        word.store(9);
        assert_eq!(block.read::<u32>(60), Some(9));
    }

    #[test]
    fn the_device_reaches_what_is_taken_and_no_more() {
        let arena = Arena::new(4, BUS);
        let first = arena.take(PAGE_SIZE).expect("room");
        let second = arena.take(PAGE_SIZE).expect("room");
        let mut bytes = [0; 16];
        let across = second.address() - 8;
        assert!(arena.device_read(across, &mut bytes), "both are taken");
        drop(first);
        assert!(!arena.device_read(across, &mut bytes));
        assert!(!arena.device_write(BUS - 4, &bytes));
        assert!(
            !arena.device_write(BUS + 4 * 4096 - 8, &bytes),
            "beyond the end"
        );
        assert!(!arena.device_read(u64::MAX - 4, &mut bytes));
        arena.isolate(true);
        assert!(!arena.device_read(second.address(), &mut bytes));
        arena.isolate(false);
        assert!(arena.device_read(second.address(), &mut bytes));
    }

    #[test]
    fn an_arena_of_a_file_is_the_files_bytes() {
        let mut file = tempfile::tempfile().expect("a folder for temporary files");
        file.set_len(4 * PAGE_SIZE as u64).expect("room");
        let arena = Arena::of_file(&file, PAGE_SIZE as u64, 3, BUS).expect("long enough");
        assert!(Arena::of_file(&file, PAGE_SIZE as u64, 4, BUS).is_err());
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

    #[test]
    fn pages_are_used_again_and_are_zero_then() {
        let arena = Arena::new(3, BUS);
        let mut one = arena.take(1).expect("room");
        let two = arena.take(2 * PAGE_SIZE).expect("room");
        assert!(arena.take(1).is_err());
        one.copy_from_slice(0, &[7]);
        drop(one);
        assert!(arena.take(PAGE_SIZE + 1).is_err(), "two in a row");
        let again = arena.take(1).expect("room");
        assert_eq!(again.read::<u8>(0), Some(0));
        drop((again, two));
        assert_eq!(arena.taken(), 0);
    }
}
