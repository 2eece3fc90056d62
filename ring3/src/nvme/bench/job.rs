//! A job of a load on a controller model: it queues requests, has the driver
//! ring its doorbell, steps the model and has the driver poll.

use std::ffi::c_void;
use std::time::Duration;

use anyhow::{bail, Context, Result};

use super::machine::Machine;
use super::requests::{next_identifier, Requests};
use super::rust::{self, RustPair};
use super::twin::{self, Parts, Twin};
use super::{Made, Settings};
use crate::delay::Delayed;
use crate::load::positions::Positions;
use crate::load::{Load, Rounds};
use crate::placement::{Reached, DEVICE};
use crate::request::{RawRequest, Tags, ENDED, IN_FLIGHT};
use crate::subject::Subject;
use crate::table::{DriverTable, TAKEN};

/// A request that was not given back, beside failed ones in one sum.
const LOST: u64 = 1 << 40;

/// Polls in a row that find nothing before requests are given up: the model is
/// never late.
const PATIENCE: u32 = 16;

/// Whose queue pair it is.
enum Pair {
    Rust(Reached<RustPair, DEVICE>),
    C {
        twin: Reached<Twin, DEVICE>,
        /// What it points into.
        _parts: Box<Parts>,
    },
}

impl Pair {
    fn as_ptr(&self) -> *mut c_void {
        match self {
            Pair::Rust(pair) => pair.as_ptr().cast(),
            Pair::C { twin, .. } => twin.as_ptr().cast(),
        }
    }

    /// Where the controller finds its queues.
    #[cfg(test)]
    fn addresses(&self) -> nvme::Addresses {
        match self {
            // SAFETY: It is there, and this thread's.
            Pair::Rust(pair) => unsafe { (*pair.as_ptr()).addresses },
            Pair::C { _parts, .. } => _parts.addresses(),
        }
    }

    /// Completions of what was not in flight.
    fn unknown(&self) -> u64 {
        // SAFETY: It is there, and this thread's.
        unsafe {
            match self {
                Pair::Rust(pair) => (*pair.as_ptr()).completions.unknown(),
                Pair::C { twin, .. } => (*twin.as_ptr()).unknown,
            }
        }
    }
}

/// A queue pair with its requests.
pub(super) struct Queue {
    table: DriverTable,
    commit: unsafe extern "C" fn(*mut c_void),
    poll: unsafe extern "C" fn(*mut c_void) -> u32,
    pointer: *mut c_void,
    pair: Pair,
    pub(super) requests: Requests,
    _delayed: Option<Box<Delayed>>,
}

/// A controller model and the queue pairs of one subject.
pub(super) struct Job {
    pub(super) queues: Vec<Queue>,
    /// The queue pair of the next round.
    turn: usize,
    positions: Positions,
    serves: bool,
    made: Made,
    pub(super) machine: Machine,
}

impl Job {
    /// Brings a model up, for a load with requests that fit its queues.
    pub(super) fn new(
        load: &Load,
        subject: Subject,
        settings: Settings,
        delay: Option<f64>,
    ) -> Result<Job> {
        let buffers = load.depth as usize * (load.block_size as usize).div_ceil(4096);
        let pages = buffers * usize::from(settings.queues);
        let (mut machine, pairs) = Machine::start(settings, pages)?;
        let capacity = machine.namespace.blocks << machine.namespace.block_shift;
        let mut made = Made {
            block_size: 0,
            capacity,
            entries: 0,
            depth: 0,
            queues: u32::try_from(pairs.len())?,
            max_transfer: machine.controller.max_transfer(),
            shadow_doorbells: false,
        };
        let mut queues = Vec::new();
        for pair in pairs {
            let (number, depth) = (pair.number, pair.depth);
            let requests = Requests::new(load, depth, &machine.arena)?;
            let (table, pair) = if subject == Subject::Rust {
                made.entries = depth + 1;
                made.depth = depth.into();
                made.block_size = machine.namespace.block_size();
                made.shadow_doorbells = machine.controller.shadow(number, false).is_some();
                // SAFETY: The requests live as long as the pair, which this
                // thread alone uses; their places are their tags.
                let tags = unsafe { Tags::new(requests.by_tag()) };
                let pair = RustPair::new(pair, machine.namespace, tags);
                (rust::TABLE, Pair::Rust(Reached::new(pair)))
            } else {
                let (mut twin, mut parts) =
                    twin::make(&mut machine, number, pair, requests.by_tag())?;
                made.entries = twin.entries;
                made.depth = twin.depth;
                made.block_size = twin.block_size();
                made.shadow_doorbells = twin.is_shadowed();
                if subject == Subject::Empty {
                    let mut positions = Positions::new(load, capacity, 0);
                    let tags = (0..load.depth as usize).cycle();
                    let filled = tags.map(|tag| {
                        let request = requests.get(tag);
                        // SAFETY: Live, and nobody else uses it now.
                        unsafe { fill(request, load, positions.next()) };
                        request
                    });
                    // SAFETY: Both were just made; the requests and their
                    // segments are live.
                    unsafe { twin::prebuild(&mut twin, &mut parts, filled)? };
                }
                let pair = Pair::C {
                    twin: Reached::new(twin),
                    _parts: Box::new(parts),
                };
                (twin::table(subject), pair)
            };
            queues.push(Queue::new(table, pair, requests, delay)?);
        }
        if queues.is_empty() {
            bail!("the model gave no queue pair");
        }
        Ok(Job {
            queues,
            turn: 0,
            positions: Positions::new(load, capacity, 0),
            serves: subject != Subject::Empty,
            made,
            machine,
        })
    }

    /// What came of the settings.
    pub(super) fn made(&self) -> Made {
        self.made
    }

    /// Starts every request of the next queue pair once and takes it back:
    /// gives how many failed, and [`LOST`] for each that was not given back. The
    /// same instructions for every subject.
    #[inline]
    fn round(&mut self, load: &Load) -> u64 {
        let queue = &self.queues[self.turn];
        self.turn = (self.turn + 1) % self.queues.len();
        for tag in 0..load.depth as usize {
            // SAFETY: The request is this thread's, and no driver has it.
            unsafe {
                let request = queue.requests.get(tag);
                fill(request, load, self.positions.next());
                queue.queue(request);
            }
        }
        let mut left = load.depth;
        let mut idle = 0;
        queue.commit();
        while left > 0 && idle < PATIENCE {
            self.machine.model.controller().step(Duration::ZERO);
            let found = queue.poll();
            left = left.saturating_sub(found);
            idle = if found == 0 { idle + 1 } else { 0 };
        }
        (0..load.depth as usize)
            .map(|tag| {
                let request = queue.requests.get(tag);
                // SAFETY: Live until drop.
                let (status, state) = unsafe { ((*request).status, (*request).state) };
                u64::from(status != 0) + u64::from(state != ENDED) * LOST
            })
            .sum()
    }
}

/// Makes a request the load's next one.
///
/// # Safety
///
/// It is live, and no driver has it.
#[inline]
unsafe fn fill(request: *mut RawRequest, load: &Load, position: u64) {
    // SAFETY: By this function's contract.
    let request = unsafe { &mut *request };
    request.position = position;
    request.bytes = load.block_size;
    request.operation = u8::from(load.write);
    request.identifier = next_identifier(request.identifier);
}

impl Queue {
    fn new(
        table: DriverTable,
        pair: Pair,
        requests: Requests,
        delay: Option<f64>,
    ) -> Result<Queue> {
        let pointer = pair.as_ptr();
        let delayed = delay.map(|nanoseconds| Delayed::new((table, pointer), nanoseconds));
        let (table, pointer) = match &delayed {
            Some(delayed) => delayed.table(),
            None => (table, pointer),
        };
        // Opaque, so that no subject's functions can be seen through and
        // inlined.
        let (table, pointer) = std::hint::black_box((table, pointer));
        Ok(Queue {
            table,
            commit: table.commit.context("the driver has no commit")?,
            poll: table.poll.context("the driver has no poll")?,
            pointer,
            pair,
            requests,
            _delayed: delayed,
        })
    }

    /// Where the controller finds the pair.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> nvme::Addresses {
        self.pair.addresses()
    }

    /// Completions of what was not in flight.
    pub(super) fn unknown(&self) -> u64 {
        self.pair.unknown()
    }

    /// Hands a request to the driver.
    ///
    /// # Safety
    ///
    /// It is one of the pair's, and no driver has it.
    #[inline]
    pub(super) unsafe fn queue(&self, request: *mut RawRequest) {
        // SAFETY: By this function's contract; the pair is live and this
        // thread's. What the driver refuses stays in flight and is found lost.
        unsafe {
            (*request).state = IN_FLIGHT;
            let taken = (self.table.queue)(request, self.pointer);
            debug_assert_eq!(taken, TAKEN);
        }
    }

    #[inline]
    pub(super) fn commit(&self) {
        // SAFETY: The pair is live and this thread's.
        unsafe { (self.commit)(self.pointer) };
    }

    #[inline]
    pub(super) fn poll(&self) -> u32 {
        // SAFETY: As above; so are the pair's requests.
        unsafe { (self.poll)(self.pointer) }
    }
}

impl Rounds for Job {
    fn rounds(&mut self, load: &Load, count: u32) -> Result<u64> {
        let mut failed = 0;
        for _ in 0..count {
            failed += self.round(load);
        }
        if self.queues.iter().any(|queue| queue.requests.misuses() > 0) {
            bail!("load: the driver gave a request back that it did not own");
        }
        if self.queues.iter().any(|queue| queue.unknown() > 0) {
            bail!("load: a completion named no request in flight");
        }
        if self.serves && failed >= LOST {
            bail!("load: the driver lost a request");
        }
        Ok(failed % LOST)
    }
}
