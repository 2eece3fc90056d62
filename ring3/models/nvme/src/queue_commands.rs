//! Create and delete I/O queues (Base 2.0 §5.4 to §5.7).

use crate::command::{Command, Completion};
use crate::controller::Controller;
use crate::doorbells::Doorbell;
use crate::memory::Memory;
use crate::queues::{CompletionQueue, SubmissionQueue};
use crate::status::Status;
use crate::work::{Late, LateWork};

impl<M: Memory> Controller<M> {
    /// What both kinds of queues have: identifier, entries, bus address.
    fn new_queue(&self, command: &Command) -> Result<(u16, u32, u64), Status> {
        let dw10 = command.dw10.get();
        let (id, size) = (dw10 as u16, (dw10 >> 16) + 1);
        if size < 2 || size > self.config.max_queue_entries {
            return Err(Status::INVALID_QUEUE_SIZE);
        }
        // PC: CAP.CQR demands contiguous queues.
        if command.dw11.get() & 1 == 0 {
            return Err(Status::INVALID_FIELD);
        }
        let base = command.prp1.get();
        if base % (1 << self.cc.page_shift()) != 0 {
            return Err(Status::INVALID_PRP_OFFSET);
        }
        Ok((id, size, base))
    }

    /// Create I/O Completion Queue (§5.4).
    pub(crate) fn create_io_cq(&mut self, command: &Command) -> Result<(), Status> {
        let id = command.dw10.get() as u16;
        if id == 0 || id > self.features.completion_queues() || self.queues.cq(id).is_some() {
            return Err(Status::INVALID_QUEUE_IDENTIFIER);
        }
        let (id, size, base) = self.new_queue(command)?;
        if 1 << self.cc.cq_entry_shift() != Completion::SIZE {
            return Err(Status::INVALID_QUEUE_SIZE);
        }
        let dw11 = command.dw11.get();
        let vector = (dw11 >> 16) as u16;
        if vector >= self.config.vectors() {
            return Err(Status::INVALID_INTERRUPT_VECTOR);
        }
        let interrupts = dw11 & 0b10 != 0; // IEN
        let queue = CompletionQueue::new(base, size, interrupts.then_some(vector));
        self.queues.completion[usize::from(id)] = Some(queue);
        self.reset_event_index(Doorbell::Head(id));
        Ok(())
    }

    /// Create I/O Submission Queue (§5.5).
    pub(crate) fn create_io_sq(&mut self, command: &Command) -> Result<(), Status> {
        let id = command.dw10.get() as u16;
        if id == 0 || id > self.features.submission_queues() || self.queues.sq(id).is_some() {
            return Err(Status::INVALID_QUEUE_IDENTIFIER);
        }
        let cq_id = (command.dw11.get() >> 16) as u16;
        if cq_id == 0 || cq_id > self.features.completion_queues() {
            return Err(Status::INVALID_QUEUE_IDENTIFIER);
        }
        let (id, size, base) = self.new_queue(command)?;
        if 1 << self.cc.sq_entry_shift() != Command::SIZE {
            return Err(Status::INVALID_QUEUE_SIZE);
        }
        let cq = self.queues.cq(cq_id);
        cq.ok_or(Status::COMPLETION_QUEUE_INVALID)?.users += 1;
        self.queues.submission[usize::from(id)] = Some(SubmissionQueue {
            base,
            size,
            head: 0,
            tail: 0,
            cq: cq_id,
        });
        self.reset_event_index(Doorbell::Tail(id));
        Ok(())
    }

    /// Delete I/O Submission Queue (§5.7). Commands that were fetched end with
    /// "Command Aborted due to SQ Deletion"; others are forgotten.
    pub(crate) fn delete_io_sq(&mut self, command: &Command) -> Result<(), Status> {
        let id = command.dw10.get() as u16;
        if id == 0 || self.queues.sq(id).is_none() {
            return Err(Status::INVALID_QUEUE_IDENTIFIER);
        }
        let is_here = |late: &Late| match &late.what {
            LateWork::Command { sq, .. } => *sq == id,
            LateWork::Completion { .. } => false,
        };
        while let Some(found) = self.late.iter().position(is_here) {
            if let Some(LateWork::Command { command, .. }) =
                self.late.remove(found).map(|late| late.what)
            {
                self.complete(id, command.id.get(), 0, Status::ABORTED_SQ_DELETION);
            }
        }
        if let Some(queue) = self.queues.submission[usize::from(id)].take() {
            if let Some(cq) = self.queues.cq(queue.cq) {
                cq.users -= 1;
            }
        }
        self.queues.ready.remove(id);
        Ok(())
    }

    /// Delete I/O Completion Queue (§5.6): not while a submission queue uses
    /// it.
    pub(crate) fn delete_io_cq(&mut self, command: &Command) -> Result<(), Status> {
        let id = command.dw10.get() as u16;
        let queue = self.queues.cq(id).filter(|_| id != 0);
        let queue = queue.ok_or(Status::INVALID_QUEUE_IDENTIFIER)?;
        if queue.users > 0 {
            return Err(Status::INVALID_QUEUE_DELETION);
        }
        self.queues.completion[usize::from(id)] = None;
        self.lower_pin();
        self.late.retain(|late| match late.what {
            LateWork::Command { .. } => true,
            LateWork::Completion { cq, .. } => cq != id,
        });
        Ok(())
    }
}
