//! An I/O queue pair and the requests that it has, for one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use kit::block::{self, tag, DeviceRequest, InFlight, NoData, Request, Resource, Status, TAG_BITS};
use kit::device::Device;
use nvme::{IoQueue, Namespace};

use super::disk::{Attempt, Io};
use crate::dma::{Arena, Block, Piece};

/// What a tag is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For nothing.
    Free,
    /// The driver has the request.
    Driver,
    /// The device has it.
    Device,
    /// It has ended.
    Ended(Status),
}

struct Slot {
    state: Cell<State>,
    /// How often the tag was used; its low bits are part of identifiers.
    generation: Cell<u16>,
    since: Cell<Duration>,
    attempt: Cell<Option<Attempt>>,
    /// The data, which is the device's until the request ends or the
    /// controller has stopped.
    data: RefCell<Option<Block>>,
}

/// The requests of a queue pair, by tag.
struct Slots {
    slots: Box<[Slot]>,
    /// Tags whose requests have ended and have not been fetched.
    ended: RefCell<VecDeque<u16>>,
}

impl Slots {
    fn identifier(&self, tag: u16) -> u16 {
        self.slots[usize::from(tag)].generation.get() << TAG_BITS | tag
    }
}

impl<'a> InFlight for &'a Slots {
    type Request = SlotRequest<'a>;

    #[inline]
    fn take(&self, identifier: u16) -> Option<SlotRequest<'a>> {
        let tag = tag(identifier);
        let slot = self.slots.get(usize::from(tag))?;
        if slot.state.get() != State::Device || self.identifier(tag) != identifier {
            return None;
        }
        slot.state.set(State::Driver);
        Some(SlotRequest { slots: self, tag })
    }
}

/// A request that the driver has.
struct SlotRequest<'a> {
    slots: &'a Slots,
    tag: u16,
}

impl SlotRequest<'_> {
    fn slot(&self) -> &Slot {
        &self.slots.slots[usize::from(self.tag)]
    }

    fn io(&self) -> Io {
        self.slot().attempt.get().unwrap_or_default().io
    }

    fn set_ended(&self, status: Status) {
        self.slot().state.set(State::Ended(status));
        self.slots.ended.borrow_mut().push_back(self.tag);
    }
}

impl Drop for SlotRequest<'_> {
    fn drop(&mut self) {
        if self.slot().state.get() == State::Driver {
            self.set_ended(Status::Io);
        }
    }
}

impl Request for SlotRequest<'_> {
    type Data<'b>
        = NoData
    where
        Self: 'b;

    #[inline]
    fn operation(&self) -> block::Operation {
        self.io().operation.to_block()
    }

    #[inline]
    fn position(&self) -> u64 {
        self.io().sector
    }

    #[inline]
    fn bytes(&self) -> u32 {
        self.io().bytes
    }

    #[inline]
    fn fua(&self) -> bool {
        self.io().fua
    }

    fn polled(&self) -> bool {
        false
    }

    fn data(&mut self) -> NoData {
        NoData
    }

    fn set_position(&mut self, _sector: u64) {}

    #[inline]
    fn end(self, status: Status) {
        self.set_ended(status);
    }

    fn complete(self, status: Status) {
        self.end(status)
    }

    fn complete_after(self, _nanoseconds: u64, status: Status) {
        self.end(status)
    }

    fn complete_on_poll(self, status: Status) {
        self.end(status)
    }

    fn lose(self) {
        self.end(Status::Timeout)
    }

    fn requeue(self) {
        self.end(Status::Resource)
    }
}

impl DeviceRequest for SlotRequest<'_> {
    type Segment = Piece;
    type Segments<'b>
        = std::option::IntoIter<Piece>
    where
        Self: 'b;

    #[inline]
    fn segments(&mut self) -> Result<Self::Segments<'_>, Resource> {
        let bytes = self.io().bytes;
        let data = self.slot().data.borrow();
        let piece = data.as_ref().map(|block| block.piece(bytes));
        Ok(piece.into_iter())
    }

    #[inline]
    fn identifier(&self) -> u16 {
        self.slots.identifier(self.tag)
    }

    #[inline]
    fn launch(self) {
        self.slot().state.set(State::Device);
        std::mem::forget(self);
    }
}

/// A queue pair.
pub(super) struct QueuePair<D: Device<Dma = Arena>> {
    queue: IoQueue<D>,
    slots: Slots,
    free: Vec<u16>,
}

/// Who has ended, how, and what is given back.
pub(super) struct Ended {
    pub(super) io: Io,
    pub(super) status: Status,
    pub(super) data: Option<Block>,
}

impl<D: Device<Dma = Arena>> QueuePair<D> {
    pub(super) fn new(queue: IoQueue<D>) -> QueuePair<D> {
        let slot = |_| Slot {
            state: Cell::new(State::Free),
            generation: Cell::new(0),
            since: Cell::new(Duration::ZERO),
            attempt: Cell::new(None),
            data: RefCell::new(None),
        };
        QueuePair {
            slots: Slots {
                slots: (0..queue.depth).map(slot).collect(),
                ended: RefCell::default(),
            },
            free: (0..queue.depth).rev().collect(),
            queue,
        }
    }

    /// Requests that the device or the driver has.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.slots.len() - self.free.len()
    }

    /// Whether no further request fits.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Completions that named no request in flight.
    pub(super) fn unknown(&self) -> u64 {
        self.queue.completions.unknown()
    }

    /// Puts a request into the queue, which must not be full.
    #[inline]
    pub(super) fn submit(
        &mut self,
        namespace: &Namespace,
        attempt: Attempt,
        data: Option<Block>,
        now: Duration,
    ) {
        let Some(tag) = self.free.pop() else {
            debug_assert!(false, "the queue is full");
            return;
        };
        let slot = &self.slots.slots[usize::from(tag)];
        slot.state.set(State::Driver);
        slot.generation.set(slot.generation.get().wrapping_add(1));
        slot.since.set(now);
        slot.attempt.set(Some(attempt));
        slot.data.replace(data);
        let request = SlotRequest {
            slots: &self.slots,
            tag,
        };
        // `segments` never fails here, so the request is never handed back;
        // were it, it would end when it is dropped.
        let _ = self.queue.submissions.submit(namespace, request);
    }

    /// Has the device look at what was submitted.
    #[inline]
    pub(super) fn commit(&mut self) {
        self.queue.submissions.commit();
    }

    /// Takes completions up.
    #[inline]
    pub(super) fn poll(&mut self) {
        self.queue
            .completions
            .process(&(&self.slots), |request, status| request.end(status));
    }

    /// The next request that has ended.
    #[inline]
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let tag = self.slots.ended.get_mut().pop_front()?;
        let slot = &self.slots.slots[usize::from(tag)];
        let State::Ended(status) = slot.state.replace(State::Free) else {
            return None;
        };
        self.free.push(tag);
        Some(Ended {
            io: slot.attempt.take()?.io,
            status,
            data: slot.data.take(),
        })
    }

    /// The request that the device has had for longest: since when, and its
    /// name.
    pub(super) fn oldest(&self) -> Option<(Duration, u16)> {
        let flying = self.slots.slots.iter().enumerate();
        let flying = flying.filter(|(_, slot)| slot.state.get() == State::Device);
        let oldest = flying.min_by_key(|(_, slot)| slot.since.get())?;
        Some((oldest.1.since.get(), self.slots.identifier(oldest.0 as u16)))
    }

    /// The vector that its completions raise; `None` if it is polled.
    pub(super) fn vector(&self) -> Option<u16> {
        self.queue.vector
    }

    /// The number of the pair.
    pub(super) fn number(&self) -> u16 {
        self.queue.number
    }

    /// What the device had, once the controller has surely stopped; the queues'
    /// memory is freed.
    pub(super) fn stopped(mut self) -> (Vec<Ended>, Vec<(Attempt, Option<Block>)>) {
        let ended = std::iter::from_fn(|| self.ended()).collect();
        let flying = self.slots.slots.iter().filter_map(|slot| {
            let attempt = (slot.state.get() == State::Device).then(|| slot.attempt.take())?;
            Some((attempt?, slot.data.take()))
        });
        (ended, flying.collect())
    }
}
