//! Doorbells: registers (PCIe transport 1.0 §3.1.2) and their shadows in the
//! host's memory (Base 2.0 §5.8, annex B.5).

use std::sync::atomic::{fence, Ordering};

use crate::command::Command;
use crate::controller::Controller;
use crate::events::AsyncEvent;
use crate::life::Life;
use crate::memory::Memory;
use crate::queues::{CompletionQueue, InvalidDoorbell};
use crate::status::Status;

/// The buffers that the host gave by Doorbell Buffer Config. They are laid out
/// as the doorbell registers are.
#[derive(Clone, Copy)]
pub(crate) struct Shadow {
    /// Doorbells, written by the host.
    doorbells: u64,
    /// EventIdx, written by the controller: passing this value, the host also
    /// writes the register.
    event_indices: u64,
}

/// Which doorbell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doorbell {
    /// Tail of a submission queue.
    Tail(u16),
    /// Head of a completion queue.
    Head(u16),
}

impl<M: Memory> Controller<M> {
    /// Bytes from doorbell to doorbell.
    pub(crate) fn doorbell_stride(&self) -> u64 {
        4 << self.config.doorbell_stride
    }

    /// Where a doorbell is, from the first.
    fn doorbell_offset(&self, doorbell: Doorbell) -> u64 {
        let index = match doorbell {
            Doorbell::Tail(id) => 2 * u64::from(id),
            Doorbell::Head(id) => 2 * u64::from(id) + 1,
        };
        index * self.doorbell_stride()
    }

    /// The host writes a doorbell register.
    pub(crate) fn ring(&mut self, offset: u64, value: u32) {
        let index = offset >> (2 + self.config.doorbell_stride);
        let exists = index / 2 <= u64::from(self.config.io_queues);
        if offset % self.doorbell_stride() != 0 || !exists || !matches!(self.life, Life::Ready) {
            self.counters.undefined_accesses += 1;
            return;
        }
        self.counters.doorbell_writes += 1;
        let id = (index / 2) as u16;
        if index % 2 == 0 {
            self.ring_tail(id, value);
        } else {
            self.ring_head(id, value);
        }
    }

    fn ring_tail(&mut self, id: u16, value: u32) {
        let shadowed = self.is_shadowed(id);
        let Some(queue) = self.queues.sq(id) else {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellRegister);
            return;
        };
        // With a shadow, the register only wakes the controller; what counts is
        // in the shadow.
        if !shadowed && queue.set_tail(value) == Err(InvalidDoorbell) {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellValue);
            return;
        }
        self.queues.ready.insert(id);
    }

    fn ring_head(&mut self, id: u16, value: u32) {
        let shadowed = self.is_shadowed(id);
        let Some(queue) = self.queues.cq(id) else {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellRegister);
            return;
        };
        if !shadowed && queue.set_head(value) == Err(InvalidDoorbell) {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellValue);
            return;
        }
        if shadowed {
            self.read_head(id);
        }
        self.queues.unblock(id);
        self.lower_pin();
    }

    /// A pin is a level: it falls when the host has taken everything.
    pub(crate) fn lower_pin(&mut self) {
        let is_empty = |cq: &CompletionQueue| cq.vector.is_none() || cq.is_empty();
        if self.interrupts.is_pin() && self.queues.completion.iter().flatten().all(is_empty) {
            self.interrupts.clear();
        }
    }

    fn invalid_doorbell(&mut self, event: AsyncEvent) {
        self.counters.invalid_doorbells += 1;
        self.events.happen(event);
    }

    /// I/O queues have shadows. The admin queue's, too, would be in the
    /// buffers, but hosts do not write them; its register is always written.
    fn is_shadowed(&self, id: u16) -> bool {
        self.shadow.is_some() && id != 0
    }

    /// The value of a shadow doorbell; nothing after a refused access.
    fn shadow_value(&mut self, doorbell: Doorbell) -> Option<u32> {
        let address = self.shadow?.doorbells + self.doorbell_offset(doorbell);
        let mut bytes = [0; 4];
        if self.memory.read(address, &mut bytes).is_err() {
            self.fatal_access();
            return None;
        }
        Some(u32::from_le_bytes(bytes))
    }

    /// Asks the host to write the register once it passes `value`.
    fn set_event_index(&mut self, doorbell: Doorbell, value: u32) {
        let Some(shadow) = self.shadow else { return };
        let address = shadow.event_indices + self.doorbell_offset(doorbell);
        if self.memory.write(address, &value.to_le_bytes()).is_err() {
            self.fatal_access();
        }
        // The host writes the doorbell and then looks at EventIdx, the
        // controller writes EventIdx and then looks at the doorbell: one of the
        // two must see the other's write.
        fence(Ordering::SeqCst);
    }

    /// A submission queue is empty: whether its shadow has more. If not, the
    /// controller stops looking there until the register is written.
    pub(crate) fn look_for_commands(&mut self, id: u16) -> bool {
        if !self.is_shadowed(id) {
            return false;
        }
        if self.read_tail(id) {
            return true;
        }
        if let Some(tail) = self.queues.sq(id).map(|queue| queue.tail) {
            self.set_event_index(Doorbell::Tail(id), tail);
        }
        self.read_tail(id)
    }

    /// A completion queue is full: whether its shadow has made room. If not,
    /// those who wait are woken when the register is written.
    pub(crate) fn look_for_room(&mut self, id: u16) -> bool {
        let Some(head) = self.queues.cq(id).map(|queue| {
            queue.blocked = true;
            queue.head
        }) else {
            return false;
        };
        if !self.is_shadowed(id) {
            return false;
        }
        if !self.read_head(id) {
            self.set_event_index(Doorbell::Head(id), head);
            if !self.read_head(id) {
                return false;
            }
        }
        self.queues.unblock(id);
        true
    }

    /// Takes the tail from the shadow; whether it moved.
    fn read_tail(&mut self, id: u16) -> bool {
        let value = self.shadow_value(Doorbell::Tail(id));
        let (Some(value), Some(queue)) = (value, self.queues.sq(id)) else {
            return false;
        };
        if value == queue.tail {
            return false;
        }
        let taken = queue.set_tail(value);
        if taken.is_err() {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellValue);
        }
        taken.is_ok()
    }

    /// Takes the head from the shadow; whether it moved.
    fn read_head(&mut self, id: u16) -> bool {
        let value = self.shadow_value(Doorbell::Head(id));
        let (Some(value), Some(queue)) = (value, self.queues.cq(id)) else {
            return false;
        };
        if value == queue.head {
            return false;
        }
        let taken = queue.set_head(value);
        if taken.is_err() {
            self.invalid_doorbell(AsyncEvent::InvalidDoorbellValue);
        }
        taken.is_ok()
    }

    /// A queue is new: its EventIdx is what its doorbell is, 0, so that the
    /// first write wakes the controller.
    pub(crate) fn reset_event_index(&mut self, doorbell: Doorbell) {
        self.set_event_index(doorbell, 0);
    }

    /// Doorbell Buffer Config (§5.8): both buffers are a page each.
    pub(crate) fn doorbell_buffer_config(&mut self, command: &Command) -> Result<(), Status> {
        if !self.config.doorbell_buffer {
            return Err(Status::INVALID_OPCODE);
        }
        let [doorbells, event_indices] = [command.prp1.get(), command.prp2.get()];
        let page = 1 << self.cc.page_shift();
        if command.psdt() != 0 || doorbells % page != 0 || event_indices % page != 0 {
            return Err(Status::INVALID_FIELD);
        }
        self.shadow = Some(Shadow {
            doorbells,
            event_indices,
        });
        // Queues that are there go on from where they are; the host has put
        // their doorbells into the shadow.
        for id in 1..=self.config.io_queues {
            if let Some(tail) = self.queues.sq(id).map(|queue| queue.tail) {
                self.set_event_index(Doorbell::Tail(id), tail);
            }
            if let Some(head) = self.queues.cq(id).map(|queue| queue.head) {
                self.set_event_index(Doorbell::Head(id), head);
            }
        }
        Ok(())
    }
}
