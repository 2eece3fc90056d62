//! Registers of a device, in a window that the ring has mapped.

/// A window of registers (a BAR). Offsets count from its start, in bytes.
///
/// What lies outside of the window or is not a multiple of its width reads as
/// all ones and is not written: as with a device that is gone.
pub trait Registers: Send + Sync + 'static {
    /// A register that is only written, found once.
    type Doorbell: Doorbell;

    /// Bytes of the window.
    fn length(&self) -> usize;

    /// Reads 32 bits (`readl`).
    fn read32(&self, offset: usize) -> u32;

    /// Writes 32 bits (`writel`).
    fn write32(&self, offset: usize, value: u32);

    /// Reads 64 bits as two halves, the lower one first (`lo_hi_readq`).
    fn read64(&self, offset: usize) -> u64 {
        let low = self.read32(offset);
        u64::from(self.read32(offset.saturating_add(4))) << 32 | u64::from(low)
    }

    /// Writes 64 bits as two halves, the lower one first (`lo_hi_writeq`).
    fn write64(&self, offset: usize, value: u64) {
        self.write32(offset, value as u32);
        self.write32(offset.saturating_add(4), (value >> 32) as u32);
    }

    /// The 32-bit register at `offset`; `None` outside of the window or
    /// between two registers.
    fn doorbell(&self, offset: usize) -> Option<Self::Doorbell>;
}

/// A register that tells the device of something in memory.
pub trait Doorbell: Send + 'static {
    /// Writes 32 bits, after everything that was written to memory before
    /// (`writel`).
    fn ring(&mut self, value: u32);
}
