//! How a controller learns of a queue's new tail or head: by a register, or by
//! a word of memory that it polls (doorbell buffers, NVMe Base 2.0 §5.8 and
//! annex B.5).

use kit::dma::{Coherent, Word};
use kit::registers;

/// Where a controller that has doorbell buffers looks, and how far it will
/// not.
pub struct Shadow<W> {
    /// The doorbell in memory.
    pub value: W,
    /// When the value passes this, the register has to be written as well.
    pub event: W,
}

/// A doorbell of a queue.
pub(crate) struct Doorbell<R, M: Coherent> {
    register: R,
    shadow: Option<Shadow<M::Word>>,
}

impl<R: registers::Doorbell, M: Coherent> Doorbell<R, M> {
    pub(crate) fn new(register: R, shadow: Option<Shadow<M::Word>>) -> Doorbell<R, M> {
        Doorbell { register, shadow }
    }

    /// Tells the controller of `value`; the entries are in `memory`.
    #[inline]
    pub(crate) fn ring(&mut self, value: u16, memory: &M) {
        if let Some(shadow) = &self.shadow {
            // The controller must not see the doorbell before the entries.
            memory.write_barrier();
            let old = shadow.value.load() as u16;
            shadow.value.store(u32::from(value));
            // It writes the event index and then reads the doorbell; we write
            // the doorbell and then read the event index: one of the two sees
            // the other's.
            memory.full_barrier();
            if !passes(shadow.event.load() as u16, value, old) {
                return;
            }
        }
        self.register.ring(u32::from(value));
    }
}

/// Whether a change from `old` to `new` passes `event` (C:
/// `nvme_dbbuf_need_event`).
fn passes(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn the_register_is_written_when_the_event_index_is_passed() {
        assert!(passes(5, 6, 5));
        assert!(passes(5, 8, 4));
        assert!(!passes(5, 5, 4), "up to it, not past it");
        assert!(!passes(9, 8, 4));
        assert!(passes(0xffff, 1, 0xfffe), "numbers wrap");
    }
}
