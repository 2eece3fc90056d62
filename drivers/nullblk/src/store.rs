//! What a memory-backed device keeps: data, and a volatile cache before it.

use kit::block::{Data, Status, SECTOR_SHIFT};
use kit::memory::{Page, Pages, PAGE_SIZE};

use crate::settings::{Attribute, Settings};

/// Sectors of a page.
const SECTORS: u64 = (PAGE_SIZE >> SECTOR_SHIFT) as u64;

/// Sparse pages. A page's mark has a bit for each sector that was written.
pub(crate) struct Store<P> {
    data: P,
    cache: P,
    /// Bytes of a block.
    block_size: usize,
    /// Pages that the cache may have; 0 for no cache.
    cache_pages: u64,
    /// Pages that both may have.
    most_pages: u64,
    /// Where to look for the next page to move from cache to data.
    evict_from: u64,
}

impl<P: Pages> Store<P> {
    pub(crate) fn new(data: P, cache: P) -> Store<P> {
        Store {
            data,
            cache,
            block_size: 512,
            cache_pages: 0,
            most_pages: u64::MAX,
            evict_from: 0,
        }
    }

    /// Takes over what a device is set to; the data stays as far as it lies
    /// within the disk.
    pub(crate) fn prepare(&mut self, settings: &Settings) {
        let pages = |mib: u64| mib << (20 - PAGE_SIZE.ilog2());
        self.block_size = settings.block_size() as usize;
        self.cache_pages = pages(settings.value(Attribute::CacheSize));
        self.most_pages = match settings.value(Attribute::MemoryLimit) {
            0 => u64::MAX,
            mib => pages(mib),
        };
        forget(&mut self.data, settings.sectors(), u64::MAX);
    }

    /// Loses what is in the cache.
    pub(crate) fn lose_cache(&mut self) {
        forget(&mut self.cache, 0, u64::MAX);
    }

    fn caches(&self) -> bool {
        self.cache_pages > 0
    }

    /// Writes `sectors` from `sector` on; past the cache if `through`.
    pub(crate) fn write(
        &mut self,
        sector: u64,
        sectors: u64,
        through: bool,
        from: &mut impl Data,
    ) -> Result<(), Status> {
        for place in Places::new(sector, sectors, self.block_size) {
            let cached = !through && self.caches() && self.make_room(place.index);
            let Some(page) = self.page_to_write(place.index, cached) else {
                return Err(Status::NoSpace);
            };
            let Some(block) = page.bytes.get_mut(place.bytes()) else {
                return Err(Status::Io);
            };
            if from.get(block) != place.size {
                return Err(Status::Io);
            }
            *page.mark |= place.mask;
            if self.caches() && !cached {
                unmark(&mut self.cache, place.index, place.mask);
            }
        }
        Ok(())
    }

    fn page_to_write(&mut self, index: u64, cached: bool) -> Option<Page<'_>> {
        let used = self.data.count().saturating_add(self.cache.count());
        let pages = if cached {
            &mut self.cache
        } else {
            &mut self.data
        };
        if used >= self.most_pages {
            pages.get(index)
        } else {
            pages.get_or_insert(index).ok()
        }
    }

    /// Reads `sectors` from `sector` on; what was not written is zero.
    pub(crate) fn read(
        &mut self,
        sector: u64,
        sectors: u64,
        to: &mut impl Data,
    ) -> Result<(), Status> {
        for place in Places::new(sector, sectors, self.block_size) {
            let done = match self
                .block(place)
                .and_then(|page| page.bytes.get(place.bytes()))
            {
                Some(block) => to.put(block),
                None => to.fill(0, self.block_size),
            };
            if done != self.block_size {
                return Err(Status::Io);
            }
        }
        Ok(())
    }

    /// The page that has a block, if it was written.
    fn block(&mut self, place: Place) -> Option<Page<'_>> {
        let written = |page: &Page<'_>| *page.mark & place.mask != 0;
        if self.caches() {
            if let Some(page) = self.cache.get(place.index) {
                if written(&page) {
                    return self.cache.get(place.index);
                }
            }
        }
        self.data.get(place.index).filter(written)
    }

    /// Forgets `first..end`.
    pub(crate) fn discard(&mut self, first: u64, end: u64) {
        forget(&mut self.data, first, end);
        forget(&mut self.cache, first, end);
    }

    /// Empties the cache into the data.
    pub(crate) fn flush(&mut self) -> Result<(), Status> {
        while let Some(index) = self.cache.next(0) {
            if !self.evict(index) {
                return Err(Status::NoSpace);
            }
        }
        Ok(())
    }

    /// Sees that the cache has the page at `index`, for which others may have
    /// to go. Where that fails the data is written past the cache.
    fn make_room(&mut self, index: u64) -> bool {
        while self.cache.count() >= self.cache_pages {
            let next = self.cache.next(self.evict_from);
            let Some(oldest) = next.or_else(|| self.cache.next(0)) else {
                break;
            };
            self.evict_from = oldest.saturating_add(1);
            if !self.evict(oldest) {
                return false;
            }
        }
        self.page_to_write(index, true).is_some()
    }

    /// Moves a page from cache to data. The limit does not stop that: one
    /// page comes, and one goes.
    fn evict(&mut self, index: u64) -> bool {
        let Some(from) = self.cache.get(index) else {
            return true;
        };
        let Ok(to) = self.data.get_or_insert(index) else {
            return false;
        };
        let written = *from.mark;
        let sectors = to
            .bytes
            .chunks_exact_mut(1 << SECTOR_SHIFT)
            .zip(from.bytes.chunks_exact(1 << SECTOR_SHIFT));
        for (bit, (to, from)) in sectors.enumerate() {
            if written >> bit & 1 != 0 {
                to.copy_from_slice(from);
            }
        }
        *to.mark |= written;
        self.cache.remove(index);
        true
    }
}

/// Where a block lies.
#[derive(Clone, Copy)]
struct Place {
    /// Its page.
    index: u64,
    /// Its first byte there.
    offset: usize,
    /// How many it has.
    size: usize,
    /// Its sectors.
    mask: u8,
}

impl Place {
    fn bytes(&self) -> core::ops::Range<usize> {
        self.offset..self.offset.saturating_add(self.size)
    }
}

/// The blocks of a range of sectors.
struct Places {
    sector: u64,
    end: u64,
    size: usize,
}

impl Places {
    fn new(sector: u64, sectors: u64, size: usize) -> Places {
        Places {
            sector,
            end: sector.saturating_add(sectors),
            size,
        }
    }
}

impl Iterator for Places {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        if self.sector >= self.end {
            return None;
        }
        let sectors = (self.size >> SECTOR_SHIFT) as u64;
        let bit = self.sector % SECTORS;
        let place = Place {
            index: self.sector / SECTORS,
            offset: (bit << SECTOR_SHIFT) as usize,
            size: self.size,
            mask: mask(bit, bit.saturating_add(sectors)),
        };
        self.sector = self.sector.saturating_add(sectors);
        Some(place)
    }
}

/// Bits `from..to` of a page's mark.
fn mask(from: u64, to: u64) -> u8 {
    let below = |bit: u64| ((1u16 << bit.min(SECTORS)) - 1) as u8;
    below(to) & !below(from)
}

/// Takes sectors out of a page, and the page away with its last one. What
/// stays is zero where it has no mark, so that a block may have both, after a
/// change of the block size.
fn unmark(pages: &mut impl Pages, index: u64, mask: u8) {
    if let Some(page) = pages.get(index) {
        *page.mark &= !mask;
        if *page.mark == 0 {
            pages.remove(index);
            return;
        }
        let sectors = page.bytes.chunks_exact_mut(1 << SECTOR_SHIFT);
        for (bit, sector) in sectors.enumerate() {
            if mask >> bit & 1 != 0 {
                sector.fill(0);
            }
        }
    }
}

/// Takes the sectors `first..end` out of all pages.
fn forget(pages: &mut impl Pages, first: u64, end: u64) {
    let mut from = first / SECTORS;
    while let Some(index) = pages.next(from) {
        let start = index.saturating_mul(SECTORS);
        if start >= end {
            return;
        }
        unmark(
            pages,
            index,
            mask(first.saturating_sub(start), end.saturating_sub(start)),
        );
        let Some(next) = index.checked_add(1) else {
            return;
        };
        from = next;
    }
}
