//! A device function, as the ring hands it to its driver.

use crate::dma::Dma;
use crate::registers::Registers;

/// A device that has registers and reads and writes memory by itself
/// (`struct pci_dev`).
pub trait Device: Send + 'static {
    /// Its registers.
    type Registers: Registers;
    /// Where memory comes from that it can reach.
    type Dma: Dma;

    /// Its first window of registers (BAR 0).
    fn registers(&self) -> &Self::Registers;

    /// Its memory.
    fn dma(&self) -> &Self::Dma;

    /// Interrupt vectors that it has been given, 0 for one that is polled.
    fn vectors(&self) -> u16;

    /// Keeps it from memory from here on, whatever state it is in: bus
    /// mastering off, or its mappings gone from the IOMMU. Whether that is
    /// certain.
    fn isolate(&mut self) -> bool;

    /// Undoes [`isolate`](Device::isolate).
    fn admit(&mut self);
}
