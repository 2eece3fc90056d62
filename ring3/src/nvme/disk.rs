//! A controller with its queues and namespaces, kept going: requests whose
//! time limit ends are aborted, then the controller is reset and they are
//! given to it again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use kit::block::{self, Status};
use kit::device::Device;
use kit::dma::Coherent;
use nvme::{Command, Completion, Controller, Namespace, Settings, Step};

use super::queue::{Lanes, Queue};
use super::queue_pair::{Ended, QueuePair};
use super::Clock;
use crate::dma::{Arena, Block};

/// How often a request is given to the device.
const ATTEMPTS: u8 = 3;
/// Resets that fail one after the other before a controller is given up.
const RESETS: u32 = 3;

/// Steps of a controller in one go: more than a bring-up with many namespaces
/// takes.
const STEPS: u32 = 10_000;

/// What an [`Io`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// Data from the device to memory.
    Read,
    /// Data from memory to the device.
    Write,
    /// The volatile write cache to the medium.
    #[default]
    Flush,
    /// Zeroes, without data.
    WriteZeroes,
    /// Forget the blocks.
    Discard,
}

impl Operation {
    pub(super) fn to_block(self) -> block::Operation {
        match self {
            Operation::Read => block::Operation::Read,
            Operation::Write => block::Operation::Write,
            Operation::Flush => block::Operation::Flush,
            Operation::WriteZeroes => block::Operation::WriteZeroes,
            Operation::Discard => block::Operation::Discard,
        }
    }

    /// Whether data moves.
    pub fn has_data(self) -> bool {
        matches!(self, Operation::Read | Operation::Write)
    }
}

/// A name that whoever submits gives to a request.
pub type Ticket = u64;

/// A request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Its name in [`Finished`].
    pub ticket: Ticket,
    /// The namespace.
    pub namespace: u32,
    /// What is to be done.
    pub operation: Operation,
    /// First sector of 512 bytes.
    pub sector: u64,
    /// Bytes; whole logical blocks, 0 for a flush.
    pub bytes: u32,
    /// Whether a write must reach the medium before it ends.
    pub fua: bool,
}

/// A request, and how often it was given to the device.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempt {
    pub(super) io: Io,
    pub(super) count: u8,
}

/// A request that came to its end.
pub struct Finished {
    /// Its name.
    pub ticket: Ticket,
    /// How.
    pub status: Status,
    /// The buffer.
    pub data: Option<Block>,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// There is no such namespace.
    NoNamespace,
    /// Its blocks do not lie within the namespace, or are no whole ones, or
    /// too many for the device.
    Range,
    /// The buffer is missing, too short or not wanted.
    Buffer,
    /// The queue is full.
    Full,
    /// The controller was shut down, or its disk dropped.
    Off,
    /// The controller does not work any more.
    Failed(nvme::Error),
}

/// Why there is no disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub nvme::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the controller cannot be used: {:?}", self.0)
    }
}

impl std::error::Error for Failure {}

/// An admin command that came back.
type Answer = (u16, Completion, Option<Block>);

/// Requests that no pair has.
#[derive(Default)]
pub(super) struct Requests {
    /// To be submitted once there is room, or a controller.
    pub(super) waiting: VecDeque<(Attempt, Option<Block>)>,
    pub(super) finished: VecDeque<Finished>,
}

impl Requests {
    pub(super) fn finish(&mut self, io: Io, status: Status, data: Option<Block>) {
        self.finished.push_back(Finished {
            ticket: io.ticket,
            status,
            data,
        });
    }

    /// Takes up what a pair has ended.
    pub(super) fn fetch<D: Device<Dma = Arena>>(&mut self, pair: &mut QueuePair<D>) {
        while let Some(Ended { io, status, data }) = pair.ended() {
            self.finish(io, status, data);
        }
    }

    /// Takes what a pair had whose controller has surely stopped: it is tried
    /// again before what waits, unless `last` or too often, or comes to an end.
    pub(super) fn take_back<D: Device<Dma = Arena>>(&mut self, pair: QueuePair<D>, last: bool) {
        let (ended, flying) = pair.stopped();
        for Ended { io, status, data } in ended {
            self.finish(io, status, data);
        }
        for (attempt, data) in flying.into_iter().rev() {
            match attempt.count < ATTEMPTS && !last {
                true => self.waiting.push_front((attempt, data)),
                false => self.finish(attempt.io, Status::Timeout, data),
            }
        }
    }

    /// Ends what waits for a controller that will not come.
    pub(super) fn give_up(&mut self) {
        while let Some((attempt, data)) = self.waiting.pop_front() {
            self.finish(attempt.io, Status::Io, data);
        }
    }
}

/// A controller in use, for one thread; others may have queue pairs of it
/// ([`lend`](Disk::lend)).
pub struct Disk<D: Device<Dma = Arena>> {
    // Dropped first: it keeps the device from memory that is then given back.
    controller: Controller<D>,
    pairs: Vec<QueuePair<D>>,
    lanes: Lanes<D>,
    namespaces: BTreeMap<u32, Namespace>,
    requests: Requests,
    answers: Vec<Answer>,
    /// Namespaces that were seen since a scan began.
    seen: Vec<u32>,
    /// The pair that takes the next request.
    next_pair: usize,
    /// How long a request may take.
    timeout: Duration,
    /// Requests that were asked to be aborted: pair, identifier.
    aborting: Vec<(u16, u16)>,
    ready: bool,
    failed: Option<nvme::Error>,
    off: bool,
    resets: u32,
    failures: u32,
    unknown: u64,
}

impl<D: Device<Dma = Arena>> Disk<D> {
    /// Brings a controller up.
    ///
    /// # Errors
    ///
    /// If it cannot be used; its memory is freed once it has surely stopped.
    pub fn start(
        device: D,
        settings: Settings,
        timeout: Duration,
        clock: &mut impl Clock,
    ) -> Result<Disk<D>, Failure> {
        let mut disk = Disk {
            controller: Controller::new(device, settings),
            pairs: Vec::new(),
            lanes: Lanes::default(),
            namespaces: BTreeMap::new(),
            requests: Requests::default(),
            answers: Vec::new(),
            seen: Vec::new(),
            next_pair: 0,
            timeout,
            aborting: Vec::new(),
            ready: false,
            failed: None,
            off: false,
            resets: 0,
            failures: 0,
            unknown: 0,
        };
        disk.controller.reset(clock.now());
        while !disk.ready {
            let until = disk.work(clock.now());
            if let Some(error) = disk.failed {
                return Err(Failure(error));
            }
            if !disk.ready {
                clock.wait(until);
            }
        }
        Ok(disk)
    }

    /// The controller.
    pub fn controller(&self) -> &Controller<D> {
        &self.controller
    }

    /// The namespaces, by number.
    pub fn namespaces(&self) -> &BTreeMap<u32, Namespace> {
        &self.namespaces
    }

    /// Queue pairs that are not lent.
    pub fn queues(&self) -> usize {
        self.pairs.len()
    }

    /// Gives the last queue pair to a thread of its own, as long as more than
    /// one is left. Whoever has the disk calls [`work`](Disk::work) now and
    /// then, which looks at time limits of what was lent too.
    pub fn lend(&mut self) -> Option<Queue<D>> {
        let more = self.ready && self.pairs.len() > 1;
        let pair = more.then(|| self.pairs.pop())??;
        let most = self.controller.max_transfer();
        self.next_pair = 0;
        Some(self.lanes.lend(pair, &self.namespaces, most))
    }

    /// Resets since it was started.
    pub fn resets(&self) -> u32 {
        self.resets
    }

    /// Completions that named nothing that was in flight.
    pub fn unknown(&self) -> u64 {
        let pairs: u64 = self.pairs.iter().map(QueuePair::unknown).sum();
        self.unknown + pairs + self.lanes.unknown() + self.controller.unknown()
    }

    /// Requests that were taken and have not been fetched as finished.
    pub fn outstanding(&self) -> usize {
        let flying: usize = self.pairs.iter().map(QueuePair::in_flight).sum();
        flying + self.requests.waiting.len() + self.requests.finished.len()
    }

    /// Why it does not work any more, if it does not.
    pub fn failed(&self) -> Option<nvme::Error> {
        self.failed
    }

    /// Takes a request. The device learns of it with the next
    /// [`work`](Disk::work).
    ///
    /// # Errors
    ///
    /// With the buffer, if it cannot be taken.
    pub fn submit(
        &mut self,
        io: Io,
        data: Option<Block>,
        now: Duration,
    ) -> Result<(), (Rejected, Option<Block>)> {
        let checked = match self.failed {
            Some(error) => Err(Rejected::Failed(error)),
            None if self.off => Err(Rejected::Off),
            None => check(
                &io,
                data.as_ref(),
                &self.namespaces,
                self.controller.max_transfer(),
            ),
        };
        if let Err(why) = checked {
            return Err((why, data));
        }
        let first = Attempt { io, count: 0 };
        if !self.ready || !self.requests.waiting.is_empty() {
            self.requests.waiting.push_back((first, data));
            return Ok(());
        }
        match self.give(first, data, now) {
            None => Ok(()),
            Some((_, data)) => Err((Rejected::Full, data)),
        }
    }

    /// Gives a request to a pair that has room; back if none has.
    fn give(
        &mut self,
        mut attempt: Attempt,
        data: Option<Block>,
        now: Duration,
    ) -> Option<(Attempt, Option<Block>)> {
        let Some(namespace) = self.namespaces.get(&attempt.io.namespace) else {
            // It went while the request waited.
            self.requests.finish(attempt.io, Status::Io, data);
            return None;
        };
        let count = self.pairs.len();
        let turn = (0..count).map(|step| (self.next_pair + step) % count);
        let Some(pair) = turn.into_iter().find(|pair| !self.pairs[*pair].is_full()) else {
            return Some((attempt, data));
        };
        self.next_pair = (pair + 1) % count;
        attempt.count += 1;
        self.pairs[pair].submit(namespace, attempt, data, now);
        None
    }

    /// The next request that is finished.
    pub fn finished(&mut self) -> Option<Finished> {
        self.requests.finished.pop_front()
    }

    /// Does what can be done now: hands requests over, takes completions up,
    /// looks at time limits. Answers when it wants to be called again at the
    /// latest.
    pub fn work(&mut self, now: Duration) -> Option<Duration> {
        let until = self.step(now);
        if self.ready {
            while let Some((attempt, data)) = self.requests.waiting.pop_front() {
                if let Some(back) = self.give(attempt, data, now) {
                    self.requests.waiting.push_front(back);
                    break;
                }
            }
            for pair in &mut self.pairs {
                pair.commit();
                pair.poll();
                self.requests.fetch(pair);
            }
            let limit = self.limits(now);
            return until.into_iter().chain(limit).min();
        }
        until
    }

    /// Steps the controller until it waits; or for a while only, if it always
    /// has something new.
    fn step(&mut self, now: Duration) -> Option<Duration> {
        for _ in 0..STEPS {
            match self.controller.step(now) {
                Step::Wait(until) => return until,
                Step::Stopped => self.stopped(),
                Step::Queue(queue) => {
                    let pair = QueuePair::new(queue);
                    self.pairs.extend(self.lanes.take(pair));
                }
                Step::Namespace(namespace) => {
                    self.seen.push(namespace.number);
                    self.namespaces.insert(namespace.number, namespace);
                }
                Step::Unusable(..) => {}
                Step::Ready => {
                    let seen = std::mem::take(&mut self.seen);
                    self.namespaces.retain(|number, _| seen.contains(number));
                    self.lanes
                        .ready(&self.namespaces, self.controller.max_transfer());
                    self.ready = true;
                    self.failures = 0;
                }
                Step::Done(identifier, completion, data) => {
                    self.answers.push((identifier, completion, data));
                }
                Step::NamespacesChanged => self.controller.scan(),
                Step::Off => {
                    self.lanes.end(Rejected::Off);
                    self.off = true;
                    self.ready = false;
                }
                Step::Failed(error) => self.trouble(error, now),
            }
        }
        Some(now)
    }

    /// The controller failed: another try, if it may be of use.
    fn trouble(&mut self, error: nvme::Error, now: Duration) {
        self.ready = false;
        self.failures += 1;
        let hopeless = matches!(error, nvme::Error::Gone | nvme::Error::Unsupported);
        // What it still has comes back when it has stopped.
        match (self.failed, hopeless || self.failures > RESETS) {
            (Some(_), _) => {}
            (None, true) => {
                self.failed = Some(error);
                self.controller.stop(now);
            }
            (None, false) => self.reset(now),
        }
        if let Some(error) = self.failed.filter(|_| self.pairs.is_empty()) {
            self.give_up(error);
        }
    }

    fn reset(&mut self, now: Duration) {
        self.ready = false;
        self.resets += 1;
        self.seen.clear();
        self.controller.reset(now);
    }

    /// The controller has surely stopped: what it had is tried again, or comes
    /// to an end.
    fn stopped(&mut self) {
        self.aborting.clear();
        self.unknown += self.pairs.iter().map(QueuePair::unknown).sum::<u64>();
        let last = self.failed.is_some();
        // The first pair's first.
        while let Some(pair) = self.pairs.pop() {
            self.requests.take_back(pair, last);
        }
        self.unknown += self.lanes.stopped(last);
        if let Some(error) = self.failed {
            self.give_up(error);
        }
    }

    /// Ends what waits for a controller that will not come.
    fn give_up(&mut self, error: nvme::Error) {
        self.requests.give_up();
        self.lanes.end(Rejected::Failed(error));
    }

    /// Looks at the oldest request of each pair: when it is late, the
    /// controller is asked to abort it; when it is late again, it is reset.
    fn limits(&mut self, now: Duration) -> Option<Duration> {
        let own = self.pairs.iter().filter_map(|pair| {
            let (since, identifier) = pair.oldest()?;
            Some((since, pair.number(), identifier))
        });
        let mut next: Option<Duration> = None;
        let mut late = None;
        let mut flying = false;
        for (since, pair, identifier) in own.chain(self.lanes.oldest()) {
            flying = true;
            let asked = self.aborting.contains(&(pair, identifier));
            let limit = since + self.timeout * if asked { 2 } else { 1 };
            if now >= limit {
                late = Some((pair, identifier, asked));
                break;
            }
            next = Some(next.map_or(limit, |next| next.min(limit)));
        }
        match late {
            Some((_, _, true)) => self.reset(now),
            Some((pair, identifier, false)) => {
                self.aborting.push((pair, identifier));
                let abort = Command::abort(pair, identifier);
                if self.controller.send(abort, None, now).is_err() {
                    self.reset(now);
                }
            }
            None => {
                if !flying {
                    self.aborting.clear();
                }
                return next;
            }
        }
        Some(now)
    }

    /// Sends an admin command and waits for its answer.
    ///
    /// # Errors
    ///
    /// If the controller fails meanwhile.
    pub fn admin(
        &mut self,
        command: Command,
        data: Option<Block>,
        clock: &mut impl Clock,
    ) -> Result<(Completion, Option<Block>), Failure> {
        let full = Failure(nvme::Error::QueueFull);
        let resets = self.resets;
        let sent = self.controller.send(command, data, clock.now());
        let identifier = sent.map_err(|_| full)?;
        loop {
            let until = self.work(clock.now());
            let mut answers = self.answers.iter();
            if let Some(at) = answers.position(|answer| answer.0 == identifier) {
                let (_, completion, data) = self.answers.swap_remove(at);
                return Ok((completion, data));
            }
            if let Some(error) = self.failed {
                return Err(Failure(error));
            }
            if self.resets != resets {
                return Err(Failure(nvme::Error::Late));
            }
            clock.wait(until);
        }
    }

    /// Waits until everything that was submitted has come to its end, and
    /// shuts the controller down. What is finished can be fetched.
    pub fn shutdown(&mut self, clock: &mut impl Clock) {
        while self.busy() {
            let until = self.work(clock.now());
            self.lanes.work(clock.now());
            if self.busy() {
                clock.wait(until);
            }
        }
        self.off = false;
        if self.failed.is_none() {
            self.controller.shutdown(clock.now());
        }
        while !self.off && self.failed.is_none() {
            let until = self.step(clock.now());
            if !self.off {
                clock.wait(until);
            }
        }
    }

    /// Whether requests have not come to their end, those of lent pairs too.
    fn busy(&self) -> bool {
        self.outstanding() > self.requests.finished.len() || self.lanes.busy()
    }
}

/// Whether a request fits a namespace, a largest transfer and its buffer.
pub(super) fn check(
    io: &Io,
    data: Option<&Block>,
    namespaces: &BTreeMap<u32, Namespace>,
    max_transfer: u32,
) -> Result<(), Rejected> {
    let namespace = namespaces.get(&io.namespace);
    let namespace = namespace.ok_or(Rejected::NoNamespace)?;
    let bytes = u64::from(io.bytes);
    let mask = u64::from(namespace.block_size()) - 1;
    let start = io.sector.checked_mul(512).ok_or(Rejected::Range)?;
    let end = start.checked_add(bytes).ok_or(Rejected::Range)?;
    let flush = io.operation == Operation::Flush;
    let within = end <= namespace.blocks << namespace.block_shift;
    let whole = start & mask == 0 && bytes & mask == 0 && flush == (bytes == 0);
    let most = match io.operation.has_data() {
        true => u64::from(max_transfer),
        false => 1 << (16 + namespace.block_shift),
    };
    if !within || !whole || bytes > most {
        return Err(Rejected::Range);
    }
    let room = data.map_or(0, |block| block.length() as u64);
    match io.operation.has_data() {
        true if room < bytes => Err(Rejected::Buffer),
        false if data.is_some() => Err(Rejected::Buffer),
        _ => Ok(()),
    }
}
