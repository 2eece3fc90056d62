//! Memory that a device reads and writes by itself.
//!
//! The device is not trusted: what it can write is never lent as a reference,
//! only copied in and out. Addresses come from the ring alone: a driver passes
//! them on. That types their provenance; what enforces it is the IOMMU, since
//! a write to a register can aim a device anywhere.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::memory::OutOfMemory;

/// Where memory that is shared with one device comes from
/// (`dma_alloc_coherent`).
pub trait Dma: Send + Sync + 'static {
    /// A piece of it.
    type Memory: Coherent;

    /// `bytes` bytes, 1 or more, all of them zero. The address is a multiple
    /// of [`PAGE_SIZE`](crate::memory::PAGE_SIZE).
    fn allocate(&self, bytes: usize) -> Result<Self::Memory, OutOfMemory>;
}

/// Memory that a device may read and write at any time. It is unmapped and
/// freed when it is dropped: whoever owns it knows that the device has
/// finished with it.
pub trait Coherent: Send + 'static {
    /// One of its words.
    type Word: Word;

    /// Address of its first byte, as the device has it.
    fn address(&self) -> u64;

    /// Bytes.
    fn length(&self) -> usize;

    /// A copy of the value at `offset` bytes, made by volatile reads of at
    /// most 8 bytes each, as large as its alignment allows, in any order;
    /// `None` beyond the end.
    fn read<T: FromBytes>(&self, offset: usize) -> Option<T>;

    /// Writes a value at `offset` bytes, by volatile writes of the same kind;
    /// `None`, and nothing written, beyond the end.
    fn write<T: IntoBytes + Immutable>(&mut self, offset: usize, value: &T) -> Option<()>;

    /// Writes `count` values one after the other from `offset` bytes on, as
    /// [`write`](Coherent::write) does; `value` makes each from its index. `None`,
    /// and nothing written, if they reach beyond the end.
    ///
    /// A ring that can check the end once, before the first, has its own.
    #[inline]
    fn write_run<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        count: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> Option<()> {
        let bytes = count.checked_mul(size_of::<T>())?;
        if offset.checked_add(bytes)? > self.length() {
            return None;
        }
        for index in 0..count {
            self.write(offset + index * size_of::<T>(), &value(index))?;
        }
        Some(())
    }

    /// The 32-bit word at `offset` (a multiple of 4), for several holders at
    /// once; it keeps the memory. `None` beyond the end.
    fn word(&self, offset: usize) -> Option<Self::Word>;

    /// Against the device: reads of this memory after it see what the device
    /// had written before that which was read before it (`dma_rmb`).
    fn read_barrier(&self);

    /// Against the device: it sees writes to this memory before it no later
    /// than those after it (`dma_wmb`).
    fn write_barrier(&self);

    /// Against the device: writes before it are seen before reads after it are
    /// done (`mb`).
    fn full_barrier(&self);
}

/// A word that the device and several CPUs may read and write at any time:
/// little-endian, accessed whole, without an order.
pub trait Word: Send + Sync + 'static {
    /// Its value (`READ_ONCE`).
    fn load(&self) -> u32;

    /// Sets it (`WRITE_ONCE`).
    fn store(&self, value: u32);
}

/// Memory that is mapped for one transfer, as the ring describes it. Only a
/// ring makes one.
pub trait Segment {
    /// Address of its first byte, as the device has it.
    fn address(&self) -> u64;

    /// Bytes, 1 or more.
    fn length(&self) -> u32;
}
