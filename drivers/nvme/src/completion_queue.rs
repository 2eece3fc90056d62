//! Completion queue (NVMe Base 2.0 §3.3.2): a ring that the controller writes
//! and the driver reads.

use kit::dma::Coherent;
use kit::registers;
use zerocopy::little_endian::{U16, U32};

use crate::completion::{Completion, Status, LAST_DWORD};
use crate::doorbell::Doorbell;

/// Its head. The controller may write any of its memory at any time: an entry
/// is copied out once, and nothing in it is believed.
pub(crate) struct CompletionQueue<R, M: Coherent> {
    memory: M,
    entries: u16,
    /// Where the next completion is awaited.
    head: u16,
    /// The phase tag that it will have: inverted with each pass.
    phase: bool,
    /// The head that the controller knows.
    committed_head: u16,
    doorbell: Doorbell<R, M>,
}

impl<R: registers::Doorbell, M: Coherent> CompletionQueue<R, M> {
    /// A queue of `entries` entries, 2 or more, in that much zeroed memory.
    pub(crate) fn new(memory: M, entries: u16, doorbell: Doorbell<R, M>) -> CompletionQueue<R, M> {
        CompletionQueue {
            memory,
            entries,
            head: 0,
            phase: true,
            committed_head: 0,
            doorbell,
        }
    }

    /// Bytes of a queue.
    pub(crate) fn bytes(entries: u16) -> usize {
        usize::from(entries) * size_of::<Completion>()
    }

    /// How many entries it has.
    pub(crate) fn entries(&self) -> u16 {
        self.entries
    }

    /// The next completion, if the controller has written it.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        let at = usize::from(self.head) * size_of::<Completion>();
        let last = self.advance()?;
        let [result, result_high, queue]: [U32; 3] = self.memory.read(at)?;
        Some(Completion {
            result,
            result_high,
            submission_head: U16::new(queue.get() as u16),
            submission_queue: U16::new((queue.get() >> 16) as u16),
            identifier: U16::new(last as u16),
            status: U16::new((last >> 16) as u16),
        })
    }

    /// The identifier and the status of the next completion, which is all that
    /// a command without a result has to say.
    #[inline]
    pub(crate) fn next_status(&mut self) -> Option<(u16, Status)> {
        let last = self.advance()?;
        Some((last as u16, Status::new((last >> 17) as u16)))
    }

    /// Goes past the next entry, if the controller has written it, and answers
    /// its last dword.
    #[inline]
    fn advance(&mut self) -> Option<u32> {
        let at = usize::from(self.head) * size_of::<Completion>();
        let last = self.memory.read::<U32>(at + LAST_DWORD)?.get();
        if (last >> 16 & 1 == 1) != self.phase {
            return None;
        }
        // The phase tag is written last, so it is read first.
        self.memory.read_barrier();
        let next = self.head + 1;
        if next == self.entries {
            self.head = 0;
            self.phase = !self.phase;
        } else {
            self.head = next;
        }
        Some(last)
    }

    /// Gives the entries up to here back to the controller, once.
    #[inline]
    pub(crate) fn commit(&mut self) {
        let head = self.head;
        if head != self.committed_head {
            self.doorbell.ring(head, &self.memory);
            self.committed_head = head;
        }
    }
}
