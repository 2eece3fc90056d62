//! Interrupts by a line (INTx), which lasts until its cause is gone. Whoever
//! cannot remove that at once masks it meanwhile (NVMe Base 2.0 §3.1.3.3,
//! §3.1.3.4). Not for controllers that interrupt by MSI-X.

use kit::registers::Registers;

/// Interrupt mask set (INTMS), and clear (INTMC).
const INTMS: usize = 0x0c;
const INTMC: usize = 0x10;
/// The only vector of a line.
const VECTOR_0: u32 = 1;

/// Has the controller keep its line down.
pub fn mask(registers: &impl Registers) {
    registers.write32(INTMS, VECTOR_0);
}

/// Undoes [`mask`]; what came meanwhile interrupts now.
pub fn unmask(registers: &impl Registers) {
    registers.write32(INTMC, VECTOR_0);
}
