//! Submission and completion queues, and which of them have work
//! (Base 2.0 §3.3.1).

/// A submission queue.
pub(crate) struct SubmissionQueue {
    /// Bus address.
    pub base: u64,
    /// Entries, 2 to 65536.
    pub size: u32,
    /// Next entry to fetch.
    pub head: u32,
    /// One past the last entry submitted.
    pub tail: u32,
    /// Its completion queue.
    pub cq: u16,
}

impl SubmissionQueue {
    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// Takes a new tail from the host, if it is one that the host may give: it
    /// is in the queue, it moves, and it submits no more than there was room
    /// for (§5.2, "Invalid Doorbell Write Value").
    pub fn set_tail(&mut self, tail: u32) -> Result<(), InvalidDoorbell> {
        if tail >= self.size || tail == self.tail {
            return Err(InvalidDoorbell);
        }
        let waiting = distance(self.head, self.tail, self.size);
        let added = distance(self.tail, tail, self.size);
        if waiting + added > self.size - 1 {
            return Err(InvalidDoorbell);
        }
        self.tail = tail;
        Ok(())
    }

    /// Takes the entry at the head.
    pub fn advance(&mut self) {
        self.head = next(self.head, self.size);
    }
}

/// A completion queue.
pub(crate) struct CompletionQueue {
    /// Bus address.
    pub base: u64,
    /// Entries, 2 to 65536.
    pub size: u32,
    /// The host's: next entry that it will take.
    pub head: u32,
    /// Next entry to post.
    pub tail: u32,
    /// Phase tag of the entry at the tail.
    pub phase: bool,
    /// Interrupts at a post (IEN), with this vector.
    pub vector: Option<u16>,
    /// Submission queues that complete here.
    pub users: u32,
    /// Some of them, or completions, wait for room.
    pub blocked: bool,
}

impl CompletionQueue {
    pub fn new(base: u64, size: u32, vector: Option<u16>) -> Self {
        Self {
            base,
            size,
            head: 0,
            tail: 0,
            phase: true,
            vector,
            users: 0,
            blocked: false,
        }
    }

    /// One entry always stays free (§3.3.1.5).
    pub fn is_full(&self) -> bool {
        next(self.tail, self.size) == self.head
    }

    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// Takes a new head from the host, if it is one that the host may give: it
    /// moves, and takes no more than was posted.
    pub fn set_head(&mut self, head: u32) -> Result<(), InvalidDoorbell> {
        if head >= self.size || head == self.head {
            return Err(InvalidDoorbell);
        }
        let posted = distance(self.head, self.tail, self.size);
        if distance(self.head, head, self.size) > posted {
            return Err(InvalidDoorbell);
        }
        self.head = head;
        Ok(())
    }

    /// Takes the entry at the tail: gives its bus address and phase tag.
    pub fn advance(&mut self) -> (u64, bool) {
        let entry = (
            self.base.wrapping_add(16 * u64::from(self.tail)),
            self.phase,
        );
        self.tail = next(self.tail, self.size);
        if self.tail == 0 {
            self.phase = !self.phase;
        }
        entry
    }
}

/// A doorbell value that the specification does not allow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidDoorbell;

fn next(index: u32, size: u32) -> u32 {
    if index + 1 == size {
        0
    } else {
        index + 1
    }
}

/// Entries from `from` up to `to`.
fn distance(from: u32, to: u32, size: u32) -> u32 {
    if to >= from {
        to - from
    } else {
        size - from + to
    }
}

/// All queues by identifier; 0 is the admin queue.
pub(crate) struct Queues {
    pub submission: Vec<Option<SubmissionQueue>>,
    pub completion: Vec<Option<CompletionQueue>>,
    pub ready: ReadySet,
}

impl Queues {
    /// Room for `io` I/O queues of each kind.
    pub fn new(io: u16) -> Self {
        let count = usize::from(io) + 1;
        Self {
            submission: (0..count).map(|_| None).collect(),
            completion: (0..count).map(|_| None).collect(),
            ready: ReadySet::new(count),
        }
    }

    pub fn sq(&mut self, id: u16) -> Option<&mut SubmissionQueue> {
        self.submission.get_mut(usize::from(id))?.as_mut()
    }

    pub fn cq(&mut self, id: u16) -> Option<&mut CompletionQueue> {
        self.completion.get_mut(usize::from(id))?.as_mut()
    }

    /// Whether there is an I/O queue of any kind.
    pub fn any_io(&self) -> bool {
        self.submission.iter().skip(1).any(Option::is_some)
            || self.completion.iter().skip(1).any(Option::is_some)
    }

    /// The host took entries of a completion queue: whoever waited for room
    /// there goes on.
    pub fn unblock(&mut self, cq: u16) {
        let Some(queue) = self.cq(cq) else { return };
        if !std::mem::take(&mut queue.blocked) {
            return;
        }
        for (id, queue) in self.submission.iter().enumerate() {
            if queue.as_ref().is_some_and(|queue| queue.cq == cq) {
                self.ready.insert(id as u16);
            }
        }
    }
}

/// The submission queues that may have commands, in turn (round robin with
/// bursts, §3.4.4.1).
pub(crate) struct ReadySet {
    words: Vec<u64>,
    /// Whose turn it is, at the earliest.
    turn: usize,
}

impl ReadySet {
    fn new(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(64)],
            turn: 0,
        }
    }

    #[inline]
    pub fn insert(&mut self, id: u16) {
        self.words[usize::from(id) / 64] |= 1 << (id % 64);
    }

    #[inline]
    pub fn remove(&mut self, id: u16) {
        self.words[usize::from(id) / 64] &= !(1 << (id % 64));
    }

    /// The next queue in turn; it stays in the set.
    pub fn next(&mut self) -> Option<u16> {
        let found = self.from(self.turn).or_else(|| self.from(0))?;
        self.turn = found + 1;
        Some(found as u16)
    }

    /// The first queue at `start` or after.
    fn from(&self, start: usize) -> Option<usize> {
        let mut mask = u64::MAX << (start % 64);
        for (i, word) in self.words.iter().enumerate().skip(start / 64) {
            let bits = word & mask;
            if bits != 0 {
                return Some(64 * i + bits.trailing_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_queues_take_turns() {
        let mut ready = ReadySet::new(130);
        for id in [0, 63, 64, 129] {
            ready.insert(id);
        }
        let turns: Vec<_> = (0..6).filter_map(|_| ready.next()).collect();
        assert_eq!(turns, [0, 63, 64, 129, 0, 63]);
        ready.remove(64);
        assert_eq!(ready.next(), Some(129));
        for id in [0, 63, 129] {
            ready.remove(id);
        }
        assert_eq!(ready.next(), None);
    }

    #[test]
    fn a_tail_may_fill_the_queue_but_for_one_entry() {
        let queue = |head, tail| SubmissionQueue {
            base: 0,
            size: 4,
            head,
            tail,
            cq: 0,
        };
        assert!(queue(1, 1).set_tail(0).is_ok());
        assert!(queue(1, 3).set_tail(0).is_ok());
        assert_eq!(queue(1, 1).set_tail(1), Err(InvalidDoorbell));
        assert_eq!(queue(1, 1).set_tail(4), Err(InvalidDoorbell));
        assert_eq!(queue(1, 3).set_tail(1), Err(InvalidDoorbell));
        assert_eq!(queue(1, 3).set_tail(2), Err(InvalidDoorbell));
    }

    #[test]
    fn the_phase_turns_where_the_queue_wraps() {
        let mut queue = CompletionQueue::new(0x1000, 2, None);
        assert_eq!(queue.advance(), (0x1000, true));
        assert!(queue.is_full());
        assert!(queue.set_head(1).is_ok());
        assert_eq!(queue.set_head(0), Err(InvalidDoorbell));
        assert_eq!(queue.advance(), (0x1010, true));
        assert!(queue.set_head(0).is_ok());
        assert_eq!(queue.advance(), (0x1000, false));
    }
}
