//! A queue pair that a thread has to itself.
//!
//! The pair stays in reach of its disk, which takes it back when the controller
//! is reset and puts the new one in its place: so each is behind a lock, which
//! nobody else takes while all goes well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit::device::Device;
use nvme::Namespace;

use super::disk::{check, Attempt, Finished, Io, Rejected, Requests};
use super::queue_pair::QueuePair;
use crate::dma::{Arena, Block};

/// How long who waits for a request sleeps before it looks whether there still
/// is a controller.
const LOOK: Duration = Duration::from_millis(100);

/// A queue pair of a [`Disk`](super::Disk), for one thread.
pub struct Queue<D: Device<Dma = Arena>> {
    lane: Arc<Mutex<Lane<D>>>,
    vector: Option<u16>,
}

/// A pair that was lent, and what it needs of its disk.
struct Lane<D: Device<Dma = Arena>> {
    /// The number of its pair.
    number: u16,
    /// `None` while the controller is reset.
    pair: Option<QueuePair<D>>,
    requests: Requests,
    namespaces: BTreeMap<u32, Namespace>,
    max_transfer: u32,
    /// Why it takes no requests any more.
    ended: Option<Rejected>,
}

fn lock<D: Device<Dma = Arena>>(lane: &Mutex<Lane<D>>) -> MutexGuard<'_, Lane<D>> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Device<Dma = Arena>> Queue<D> {
    /// The vector that completions raise; `None` if it is polled.
    pub fn vector(&self) -> Option<u16> {
        self.vector
    }

    /// Takes a request, as [`Disk::submit`](super::Disk::submit) does. The
    /// device learns of it with the next [`work`](Queue::work).
    ///
    /// # Errors
    ///
    /// With the buffer, if it cannot be taken.
    #[inline]
    pub fn submit(
        &mut self,
        io: Io,
        data: Option<Block>,
        now: Duration,
    ) -> Result<(), (Rejected, Option<Block>)> {
        let lane = &mut *lock(&self.lane);
        let checked = match lane.ended {
            Some(why) => Err(why),
            None => check(&io, data.as_ref(), &lane.namespaces, lane.max_transfer),
        };
        if let Err(why) = checked {
            return Err((why, data));
        }
        let first = Attempt { io, count: 0 };
        match &lane.pair {
            Some(pair) if pair.is_full() => return Err((Rejected::Full, data)),
            Some(_) if lane.requests.waiting.is_empty() => lane.give(first, data, now),
            _ => lane.requests.waiting.push_back((first, data)),
        }
        Ok(())
    }

    /// Hands requests over and takes completions up. Answers when it wants to
    /// be called again at the latest.
    #[inline]
    pub fn work(&mut self, now: Duration) -> Option<Duration> {
        lock(&self.lane).work(now);
        Some(now + LOOK)
    }

    /// Bytes of the largest transfer.
    pub fn max_transfer(&self) -> u32 {
        lock(&self.lane).max_transfer
    }

    /// A namespace.
    pub fn namespace(&self, number: u32) -> Option<Namespace> {
        lock(&self.lane).namespaces.get(&number).copied()
    }

    /// The next request that is finished.
    #[inline]
    pub fn finished(&mut self) -> Option<Finished> {
        lock(&self.lane).requests.finished.pop_front()
    }

    /// Requests that were taken and have not been fetched as finished.
    pub fn outstanding(&self) -> usize {
        let lane = lock(&self.lane);
        lane.flying() + lane.requests.finished.len()
    }
}

impl<D: Device<Dma = Arena>> Lane<D> {
    /// Gives a request to the pair, if there is one and the namespace still is.
    fn give(&mut self, mut attempt: Attempt, data: Option<Block>, now: Duration) {
        match (&mut self.pair, self.namespaces.get(&attempt.io.namespace)) {
            (Some(pair), Some(namespace)) => {
                attempt.count += 1;
                pair.submit(namespace, attempt, data, now);
            }
            _ => self
                .requests
                .finish(attempt.io, kit::block::Status::Io, data),
        }
    }

    #[inline]
    fn work(&mut self, now: Duration) {
        while self.pair.as_ref().is_some_and(|pair| !pair.is_full()) {
            let Some((attempt, data)) = self.requests.waiting.pop_front() else {
                break;
            };
            self.give(attempt, data, now);
        }
        if let Some(pair) = &mut self.pair {
            pair.commit();
            pair.poll();
            self.requests.fetch(pair);
        }
    }

    /// Requests that have not come to their end.
    fn flying(&self) -> usize {
        let flying = self.pair.as_ref().map_or(0, QueuePair::in_flight);
        flying + self.requests.waiting.len()
    }

    /// Takes no more, and ends what waits.
    fn end(&mut self, why: Rejected) {
        self.ended = Some(why);
        self.requests.give_up();
    }
}

/// All pairs that a disk has lent.
pub(super) struct Lanes<D: Device<Dma = Arena>>(Vec<Arc<Mutex<Lane<D>>>>);

impl<D: Device<Dma = Arena>> Default for Lanes<D> {
    fn default() -> Lanes<D> {
        Lanes(Vec::new())
    }
}

impl<D: Device<Dma = Arena>> Lanes<D> {
    /// Makes a queue of a pair.
    pub(super) fn lend(
        &mut self,
        pair: QueuePair<D>,
        namespaces: &BTreeMap<u32, Namespace>,
        max_transfer: u32,
    ) -> Queue<D> {
        let vector = pair.vector();
        let lane = Arc::new(Mutex::new(Lane {
            number: pair.number(),
            pair: Some(pair),
            requests: Requests::default(),
            namespaces: namespaces.clone(),
            max_transfer,
            ended: None,
        }));
        self.0.push(lane.clone());
        Queue { lane, vector }
    }

    fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Lane<D>>> {
        self.0.iter().map(|lane| lock(lane))
    }

    /// Puts a new pair in the place of one that was lent; back if it was not.
    pub(super) fn take(&self, pair: QueuePair<D>) -> Option<QueuePair<D>> {
        let found = self.all().find(|lane| lane.number == pair.number());
        match found {
            None => Some(pair),
            Some(mut lane) => {
                lane.pair = Some(pair);
                None
            }
        }
    }

    /// The controller is ready. It may grant fewer queues than before.
    pub(super) fn ready(&self, namespaces: &BTreeMap<u32, Namespace>, max_transfer: u32) {
        for mut lane in self.all() {
            lane.namespaces.clone_from(namespaces);
            lane.max_transfer = max_transfer;
            if lane.pair.is_none() {
                lane.end(Rejected::Off);
            }
        }
    }

    /// The controller has surely stopped: what it had is tried again, or comes
    /// to an end if this was its last. Answers how many completions were unknown.
    pub(super) fn stopped(&self, last: bool) -> u64 {
        let mut unknown = 0;
        for mut lane in self.all() {
            if let Some(pair) = lane.pair.take() {
                unknown += pair.unknown();
                lane.requests.take_back(pair, last);
            }
        }
        unknown
    }

    /// Completions that named nothing that was in flight, in pairs of now.
    pub(super) fn unknown(&self) -> u64 {
        let pairs = self
            .all()
            .map(|lane| lane.pair.as_ref().map_or(0, QueuePair::unknown));
        pairs.sum()
    }

    /// They take no more, and end what waits.
    pub(super) fn end(&self, why: Rejected) {
        self.all().for_each(|mut lane| lane.end(why));
    }

    /// Takes completions up for those whose threads do not any more.
    pub(super) fn work(&self, now: Duration) {
        self.all().for_each(|mut lane| lane.work(now));
    }

    /// Whether one has requests that have not come to their end.
    pub(super) fn busy(&self) -> bool {
        self.all().any(|lane| lane.flying() > 0)
    }

    /// Of each the request that the device has had for longest: since when, the
    /// number of the pair, and its name.
    pub(super) fn oldest(&self) -> impl Iterator<Item = (Duration, u16, u16)> + '_ {
        self.all().filter_map(|lane| {
            let pair = lane.pair.as_ref()?;
            let (since, identifier) = pair.oldest()?;
            Some((since, pair.number(), identifier))
        })
    }
}

impl<D: Device<Dma = Arena>> Drop for Lanes<D> {
    /// Their controller was dropped before, and with it its device, which
    /// reaches no memory any more.
    fn drop(&mut self) {
        self.stopped(true);
        self.end(Rejected::Off);
    }
}
