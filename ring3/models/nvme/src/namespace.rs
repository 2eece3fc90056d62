//! A namespace in memory: sparse pages, and a model of a volatile write cache.

use std::collections::BTreeMap;

use crate::config::NamespaceConfig;
use crate::data::Segment;
use crate::memory::Memory;
use crate::status::Status;

/// Bytes of a page of the medium.
const PAGE: usize = 4096;
/// Pages of a table.
const TABLE: u64 = 512;
static ZEROES: [u8; PAGE] = [0; PAGE];

/// A page of the medium.
#[derive(Clone)]
struct Page {
    data: [u8; PAGE],
    /// Sectors of 512 bytes that were marked by Write Uncorrectable.
    unreadable: u8,
}

/// The bits of `unreadable` for `length` bytes at `offset`.
fn sectors(offset: usize, length: usize) -> u8 {
    let first = offset / 512;
    let end = (offset + length).div_ceil(512);
    (u16::MAX << first & !(u16::MAX << end)) as u8
}

/// A part of a page: page number, offset in it, bytes.
type Piece = (u64, usize, usize);

/// Cuts `length` bytes at byte `start` at the borders of pages.
fn pieces(start: u64, length: u64) -> impl Iterator<Item = Piece> {
    let end = start + length;
    let mut at = start;
    std::iter::from_fn(move || {
        if at == end {
            return None;
        }
        let offset = (at % PAGE as u64) as usize;
        let now = (end - at).min((PAGE - offset) as u64) as usize;
        let page = at / PAGE as u64;
        at += now as u64;
        Some((page, offset, now))
    })
}

/// A namespace.
///
/// What was written is in `tables`. With a write cache, the page as it is on
/// the medium is kept beside it from the first write on to the next flush, so
/// that a loss of power can put it back.
pub struct Namespace {
    bytes: u64,
    formats: Vec<u8>,
    format: usize,
    tables: BTreeMap<u64, Box<[Option<Box<Page>>]>>,
    allocated_pages: u64,
    unflushed: Option<BTreeMap<u64, Option<Box<Page>>>>,
}

impl Namespace {
    pub(crate) fn new(config: &NamespaceConfig, write_cache: bool) -> Self {
        Self {
            bytes: config.blocks << config.formats[config.format],
            formats: config.formats.clone(),
            format: config.format,
            tables: BTreeMap::new(),
            allocated_pages: 0,
            unflushed: write_cache.then(BTreeMap::new),
        }
    }

    /// Blocks of the current format.
    pub fn blocks(&self) -> u64 {
        self.bytes >> self.shift()
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        1 << self.shift()
    }

    /// Reads the block at `lba` for a test, past the controller: what a read
    /// command would give. `to` must have [`Namespace::block_size`] bytes.
    ///
    /// Nothing if there is no such block, if it was made unreadable, or if `to`
    /// has another size; then `to` is unchanged.
    pub fn read_block(&self, lba: u64, to: &mut [u8]) -> Option<()> {
        if lba >= self.blocks() || to.len() != self.block_size() {
            return None;
        }
        let (page, offset, length) = pieces(lba << self.shift(), to.len() as u64).next()?;
        to.copy_from_slice(self.bytes_of(page, offset, length).ok()?);
        Some(())
    }

    pub(crate) fn shift(&self) -> u8 {
        self.formats[self.format]
    }

    pub(crate) fn formats(&self) -> &[u8] {
        &self.formats
    }

    pub(crate) fn format_index(&self) -> usize {
        self.format
    }

    /// Blocks that are backed by memory (NUSE).
    pub(crate) fn allocated_blocks(&self) -> u64 {
        let blocks = (self.allocated_pages * PAGE as u64) >> self.shift();
        blocks.min(self.blocks())
    }

    /// Where `count` blocks at `lba` are: first byte, bytes.
    pub(crate) fn range(&self, lba: u64, count: u64) -> Result<(u64, u64), Status> {
        match lba.checked_add(count) {
            Some(end) if end <= self.blocks() => Ok((lba << self.shift(), count << self.shift())),
            _ => Err(Status::LBA_OUT_OF_RANGE),
        }
    }

    fn page(&self, number: u64) -> Option<&Page> {
        let table = self.tables.get(&(number / TABLE))?;
        table[(number % TABLE) as usize].as_deref()
    }

    fn slot(&mut self, number: u64) -> &mut Option<Box<Page>> {
        let table = self.tables.entry(number / TABLE);
        let table = table.or_insert_with(|| (0..TABLE).map(|_| None).collect());
        &mut table[(number % TABLE) as usize]
    }

    fn bytes_of(&self, page: u64, offset: usize, length: usize) -> Result<&[u8], Status> {
        match self.page(page) {
            None => Ok(&ZEROES[..length]),
            Some(page) if page.unreadable & sectors(offset, length) != 0 => {
                Err(Status::UNRECOVERED_READ_ERROR)
            }
            Some(page) => Ok(&page.data[offset..offset + length]),
        }
    }

    /// Gives the bytes at `start` to the host.
    pub(crate) fn read<M: Memory>(
        &self,
        memory: &M,
        start: u64,
        segments: &[Segment],
    ) -> Result<(), Status> {
        let mut at = start;
        for segment in segments {
            let mut address = segment.address;
            for (page, offset, length) in pieces(at, segment.length.into()) {
                let bytes = self.bytes_of(page, offset, length)?;
                if let Some(address) = &mut address {
                    memory.write(*address, bytes)?;
                    *address = address.wrapping_add(length as u64);
                }
            }
            at += u64::from(segment.length);
        }
        Ok(())
    }

    /// Takes bytes from the host to `start`.
    pub(crate) fn write<M: Memory>(
        &mut self,
        memory: &M,
        start: u64,
        segments: &[Segment],
        durable: bool,
    ) -> Result<(), Status> {
        let mut at = start;
        for segment in segments {
            let Some(mut address) = segment.address else {
                continue;
            };
            for piece in pieces(at, segment.length.into()) {
                self.change(piece, durable, |bytes| {
                    memory.read(address, bytes).map_err(Status::from)
                })?;
                address = address.wrapping_add(piece.2 as u64);
            }
            at += u64::from(segment.length);
        }
        Ok(())
    }

    /// Compares bytes of the host with those at `start`.
    pub(crate) fn compare<M: Memory>(
        &self,
        memory: &M,
        start: u64,
        segments: &[Segment],
    ) -> Result<(), Status> {
        let mut at = start;
        let mut host = [0; PAGE];
        for segment in segments {
            let Some(mut address) = segment.address else {
                continue;
            };
            for (page, offset, length) in pieces(at, segment.length.into()) {
                memory.read(address, &mut host[..length])?;
                if host[..length] != *self.bytes_of(page, offset, length)? {
                    return Err(Status::COMPARE_FAILURE);
                }
                address = address.wrapping_add(length as u64);
            }
            at += u64::from(segment.length);
        }
        Ok(())
    }

    /// Whether all of the bytes can be read.
    pub(crate) fn verify(&self, start: u64, length: u64) -> Result<(), Status> {
        for (start, length) in self.present(start, length) {
            for (page, offset, length) in pieces(start, length) {
                self.bytes_of(page, offset, length)?;
            }
        }
        Ok(())
    }

    /// The parts of a range that have tables, as (start, length): a long range
    /// over nothing costs nothing.
    fn present(&self, start: u64, length: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        const BYTES: u64 = TABLE * PAGE as u64;
        let end = start + length;
        let tables = self.tables.range(start / BYTES..end.div_ceil(BYTES));
        tables.map(move |(table, _)| {
            let from = start.max(table * BYTES);
            let to = end.min((table + 1) * BYTES);
            (from, to - from)
        })
    }

    /// Changes a piece by `fill`, which is given the old bytes. A piece that
    /// `fill` fails on stays readable or not as it was; its bytes are undefined.
    fn change(
        &mut self,
        (number, offset, length): Piece,
        durable: bool,
        fill: impl FnOnce(&mut [u8]) -> Result<(), Status>,
    ) -> Result<(), Status> {
        if !durable {
            self.keep(number);
        }
        let range = offset..offset + length;
        let slot = self.slot(number);
        let is_new = slot.is_none();
        let page = slot.get_or_insert_with(empty_page);
        let filled = fill(&mut page.data[range.clone()]);
        if filled.is_ok() {
            page.unreadable &= !sectors(offset, length);
        }
        if let Some(unflushed) = &mut self.unflushed {
            // A durable write goes past what is not flushed.
            if let Some(kept) = unflushed.get_mut(&number).filter(|_| durable) {
                let table = &self.tables[&(number / TABLE)];
                if let Some(page) = &table[(number % TABLE) as usize] {
                    let kept = kept.get_or_insert_with(empty_page);
                    kept.data[range.clone()].copy_from_slice(&page.data[range]);
                    kept.unreadable &= !sectors(offset, length);
                    kept.unreadable |= page.unreadable & sectors(offset, length);
                }
            }
        }
        self.allocated_pages += u64::from(is_new);
        filled
    }

    /// Keeps the page as it is on the medium, until it is flushed.
    fn keep(&mut self, number: u64) {
        let Some(unflushed) = &self.unflushed else {
            return;
        };
        if !unflushed.contains_key(&number) {
            let page = self.page(number).cloned().map(Box::new);
            if let Some(unflushed) = &mut self.unflushed {
                unflushed.insert(number, page);
            }
        }
    }

    /// Makes the bytes zero. With `deallocate`, pages go where they can.
    pub(crate) fn zero(&mut self, start: u64, length: u64, deallocate: bool, durable: bool) {
        let present: Vec<_> = self.present(start, length).collect();
        for piece in present
            .into_iter()
            .flat_map(|(at, bytes)| pieces(at, bytes))
        {
            let number = piece.0;
            let is_unflushed = self
                .unflushed
                .as_ref()
                .is_some_and(|u| u.contains_key(&number));
            if self.page(number).is_none() && !(durable && is_unflushed) {
                continue; // zero already
            }
            if deallocate && piece.2 == PAGE {
                self.deallocate(number, durable);
                continue;
            }
            // Filling with zeroes does not fail.
            let _ = self.change(piece, durable, |bytes| {
                bytes.fill(0);
                Ok(())
            });
        }
    }

    fn deallocate(&mut self, number: u64, durable: bool) {
        match &mut self.unflushed {
            Some(unflushed) if durable => {
                unflushed.remove(&number);
            }
            _ => self.keep(number),
        }
        let page = self.slot(number).take();
        self.allocated_pages -= u64::from(page.is_some());
    }

    /// Makes the bytes unreadable, until they are written (NVM command set 1.0
    /// §3.2.7).
    pub(crate) fn spoil(&mut self, start: u64, length: u64) {
        for (number, offset, length) in pieces(start, length) {
            self.keep(number);
            let slot = self.slot(number);
            let is_new = slot.is_none();
            slot.get_or_insert_with(empty_page).unreadable |= sectors(offset, length);
            self.allocated_pages += u64::from(is_new);
        }
    }

    /// Everything written so far is on the medium.
    pub(crate) fn flush(&mut self) {
        if let Some(unflushed) = &mut self.unflushed {
            unflushed.clear();
        }
    }

    /// Loses what is not flushed, but for the blocks that `keep` names.
    pub(crate) fn lose(&mut self, mut keep: impl FnMut(u64) -> bool) {
        let Some(unflushed) = self.unflushed.take() else {
            return;
        };
        let block = self.block_size();
        for (number, old) in unflushed {
            let first = number * (PAGE / block) as u64;
            let mut page = old.unwrap_or_else(empty_page);
            let new = self.slot(number).take();
            self.allocated_pages -= u64::from(new.is_some());
            let new = new.unwrap_or_else(empty_page);
            for i in 0..PAGE / block {
                if keep(first + i as u64) {
                    let range = i * block..(i + 1) * block;
                    page.data[range.clone()].copy_from_slice(&new.data[range]);
                    let mask = sectors(i * block, block);
                    page.unreadable = page.unreadable & !mask | new.unreadable & mask;
                }
            }
            *self.slot(number) = Some(page);
            self.allocated_pages += 1;
        }
        self.unflushed = Some(BTreeMap::new());
    }

    /// Erases everything and takes another format (Base 2.0 §5.14). The size in
    /// bytes stays, down to whole blocks.
    pub(crate) fn reformat(&mut self, format: usize) {
        self.format = format;
        self.tables.clear();
        self.allocated_pages = 0;
        self.flush();
    }

    /// Changes the size. Blocks beyond it are gone.
    pub(crate) fn resize(&mut self, blocks: u64) {
        let bytes = blocks << self.shift();
        if bytes < self.bytes {
            let length = self.bytes - bytes;
            self.zero(bytes, length, true, false);
            self.flush();
        }
        self.bytes = bytes;
    }
}

fn empty_page() -> Box<Page> {
    Box::new(Page {
        data: [0; PAGE],
        unreadable: 0,
    })
}
