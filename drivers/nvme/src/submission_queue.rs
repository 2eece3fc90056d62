//! Submission queue (NVMe Base 2.0 §3.3.1): a ring that the driver writes and
//! the controller reads.

use kit::dma::Coherent;
use kit::registers;

use crate::command::Command;
use crate::doorbell::Doorbell;

/// Its tail. The controller reads the memory and has no reason to write it;
/// nothing is ever read back.
pub(crate) struct SubmissionQueue<R, M: Coherent> {
    memory: M,
    entries: u16,
    /// Where the next command goes.
    tail: u16,
    /// The tail that the controller knows.
    committed_tail: u16,
    doorbell: Doorbell<R, M>,
}

impl<R: registers::Doorbell, M: Coherent> SubmissionQueue<R, M> {
    /// A queue of `entries` entries, 2 or more, in that much memory.
    pub(crate) fn new(memory: M, entries: u16, doorbell: Doorbell<R, M>) -> SubmissionQueue<R, M> {
        SubmissionQueue {
            memory,
            entries,
            tail: 0,
            committed_tail: 0,
            doorbell,
        }
    }

    /// Bytes of a queue.
    pub(crate) fn bytes(entries: u16) -> usize {
        usize::from(entries) * size_of::<Command>()
    }

    /// Puts a command at the tail, which the controller learns of by
    /// [`commit`](SubmissionQueue::commit). No more commands than `entries - 1` may be in flight:
    /// then the entry is one that the controller has read.
    #[inline]
    pub(crate) fn push(&mut self, command: &Command) {
        let at = usize::from(self.tail) * size_of::<Command>();
        // The tail is below `entries`, for which the memory was allocated.
        let _ = self.memory.write(at, command);
        let next = self.tail + 1;
        self.tail = if next == self.entries { 0 } else { next };
    }

    /// Tells the controller of all commands up to here, once.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.tail != self.committed_tail {
            self.doorbell.ring(self.tail, &self.memory);
            self.committed_tail = self.tail;
        }
    }
}
