//! Completions: how they are made, spoiled, posted and told (Base 2.0
//! §3.3.3.2).

use zerocopy::little_endian::{U16, U32};
use zerocopy::IntoBytes;

use crate::command::Completion;
use crate::controller::Controller;
use crate::faults::{Action, Corruption, Kind};
use crate::memory::Memory;
use crate::status::Status;
use crate::work::{Late, LateWork};

impl<M: Memory> Controller<M> {
    /// Completes a command of a submission queue.
    pub(crate) fn complete(&mut self, sq_id: u16, id: u16, result: u32, status: Status) {
        let Some(sq) = self.queues.sq(sq_id) else {
            return;
        };
        let cq = sq.cq;
        let mut entry = Completion {
            result: U32::new(result),
            reserved: U32::ZERO,
            sq_head: U16::new(sq.head as u16),
            sq_id: U16::new(sq_id),
            command_id: U16::new(id),
            status: U16::new(status.0 << 1),
        };
        let mut copies = 1;
        let mut wrong_phase = false;
        let mut delay = None;
        let mut again = None;
        if self.faults.count(Kind::Completion) {
            while let Some(action) = self.faults.take(Kind::Completion) {
                match action {
                    Action::Drop => copies = 0,
                    Action::Twice => copies *= 2,
                    Action::Delay(by) => delay = Some(by),
                    Action::Again(by) => again = Some(by),
                    Action::Corrupt(Corruption::Phase) => wrong_phase = true,
                    Action::Corrupt(how) => corrupt(&mut entry, how),
                    action => self.happen(action),
                }
            }
        }
        for _ in 0..copies {
            if !self.is_working() {
                return;
            }
            match delay {
                None => self.post(cq, entry, wrong_phase),
                Some(by) => self.post_later(cq, entry, wrong_phase, by),
            }
        }
        if let Some(by) = again {
            self.post_later(cq, entry, wrong_phase, by);
        }
    }

    fn post_later(
        &mut self,
        cq: u16,
        entry: Completion,
        wrong_phase: bool,
        delay: std::time::Duration,
    ) {
        self.late.push_back(Late {
            due: self.now.saturating_add(delay),
            what: LateWork::Completion {
                cq,
                entry,
                wrong_phase,
            },
        });
    }

    /// Posts an entry and raises the queue's interrupt. Without room it waits.
    pub(crate) fn post(&mut self, cq_id: u16, mut entry: Completion, wrong_phase: bool) {
        let full = self.queues.cq(cq_id).is_some_and(|cq| cq.is_full());
        if full && !self.look_for_room(cq_id) {
            self.post_later(cq_id, entry, wrong_phase, std::time::Duration::ZERO);
            return;
        }
        let Some(cq) = self.queues.cq(cq_id) else {
            return;
        };
        let vector = cq.vector;
        let (address, phase) = cq.advance();
        entry.status |= U16::new(u16::from(phase != wrong_phase));

        // The doubleword with the phase tag comes last (`Memory`).
        let bytes = entry.as_bytes();
        let written = self.memory.write(address, &bytes[..12]);
        let written =
            written.and_then(|()| self.memory.write(address.wrapping_add(12), &bytes[12..]));
        if written.is_err() {
            self.fatal_access();
            return;
        }
        self.counters.completions += 1;
        if let Some(vector) = vector {
            self.raise(vector);
        }
    }

    fn raise(&mut self, vector: u16) {
        if self.interrupts.is_raised(vector) {
            return;
        }
        if self.faults.count(Kind::Interrupt) {
            let mut lost = false;
            while let Some(action) = self.faults.take(Kind::Interrupt) {
                match action {
                    Action::Drop => lost = true,
                    action => self.happen(action),
                }
            }
            if lost {
                return;
            }
        }
        self.counters.interrupts += 1;
        self.interrupts.raise(vector);
    }
}

fn corrupt(entry: &mut Completion, how: Corruption) {
    match how {
        Corruption::CommandId(id) => entry.command_id = U16::new(id),
        Corruption::SubmissionQueue(id) => entry.sq_id = U16::new(id),
        Corruption::Head(head) => entry.sq_head = U16::new(head),
        Corruption::Status(status) => entry.status = U16::new(status << 1),
        Corruption::Result(result) => entry.result = U32::new(result),
        Corruption::Phase => {}
    }
}
