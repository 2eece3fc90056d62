// SPDX-License-Identifier: GPL-2.0-only

//! A controller that is kept going: steps, resets, and its end.

use core::time::Duration;

use kernel::fmt;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};
use kit::block;
use kit::device::Device as _;
use kit::memory::PAGE_SIZE;
use nvme::{line, Command, Controller, IoQueue, Settings, Step};
use ring0::block::Shape;
use ring0::clock;
use ring0::pci::{Context, Function};
use ring0::worker::{Work, Worker};

use crate::disks::{Disks, Wish};
use crate::queues::{Interrupts, Pairs, Queues};

/// Resets that fail one after the other before a controller is given up.
const RESETS: u32 = 3;
/// Steps in one go: more than a bring-up with many namespaces takes.
const STEPS: u32 = 10_000;
/// How long one that goes is waited for between two looks.
const LOOK: Duration = Duration::from_millis(1);
/// How long requests may take (C: `io_timeout`).
const IO_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight are waited for when the machine stops (C:
/// `NVME_DISABLE_TIMEOUT`).
const DRAIN: Duration = Duration::from_secs(5);

/// A controller of a function.
#[pin_data]
pub(crate) struct Keeper {
    function: Function,
    /// Its number.
    instance: u32,
    disks: Arc<Disks>,
    disks_worker: Worker<Disks>,
    #[pin]
    state: Mutex<State>,
}

struct State {
    controller: Controller<Function>,
    /// The worker that steps it.
    worker: Option<Worker<Keeper>>,
    /// Queue pairs that were made since it was enabled.
    pairs: KVec<IoQueue<Function>>,
    /// Namespaces that were found since a scan began.
    found: KVec<Wish>,
    /// What the block layer has, from the first bring-up on.
    block: Option<Block>,
    failures: u32,
    life: Life,
}

struct Block {
    queues: Arc<Queues>,
    pairs: Arc<Pairs>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nothing was done yet.
    New,
    /// It is brought up.
    Starting,
    /// It works.
    Ready,
    /// It is given up: it stops, and requests fail.
    Failed,
    /// It is shut down.
    Ending,
    /// It is off, or cannot be used.
    Over,
}

impl Keeper {
    /// One that the first work brings up.
    pub(crate) fn new(
        function: Function,
        instance: u32,
        disks: Arc<Disks>,
        disks_worker: Worker<Disks>,
        settings: Settings,
    ) -> Result<Arc<Keeper>> {
        let controller = Controller::new(function.clone(), settings);
        let most = settings.queues.saturating_add(settings.poll_queues);
        let pairs = KVec::with_capacity(most.into(), GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Keeper {
                function,
                instance,
                disks,
                disks_worker,
                state <- new_mutex!(State {
                    controller,
                    worker: None,
                    pairs,
                    found: KVec::new(),
                    block: None,
                    failures: 0,
                    life: Life::New,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// Has the controller brought up by this worker, which is its.
    pub(crate) fn begin(&self, worker: Worker<Keeper>) {
        self.state.lock().worker = Some(worker.clone());
        worker.kick();
    }

    /// It was taken out: requests fail from here on.
    pub(crate) fn lose(&self) {
        let mut state = self.state.lock();
        if !matches!(state.life, Life::New | Life::Over) {
            state.give_up(self, "it is gone");
            self.finish(&mut state);
        }
    }

    /// Shuts the controller down in order, or finds that it cannot be. Waits
    /// as long as its own deadlines let it. Requests in flight are waited for;
    /// others wait from here on.
    pub(crate) fn shut_down(&self) {
        let mut state = self.state.lock();
        if matches!(state.life, Life::New | Life::Over) {
            state.life = Life::Over;
            return;
        }
        if let Some(block) = &state.block {
            block.queues.pause();
            let end = clock::now() + DRAIN;
            while block.queues.in_flight() > 0 && clock::now() < end {
                clock::sleep(LOOK);
            }
        }
        if state.life != Life::Failed {
            state.life = Life::Ending;
            state.controller.shutdown(clock::now());
        }
        self.finish(&mut state);
    }

    /// Steps the controller to its end.
    fn finish(&self, state: &mut State) {
        loop {
            state.step(self);
            if state.life == Life::Over {
                return;
            }
            clock::sleep(LOOK);
        }
    }
}

impl Work for Keeper {
    fn work(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        match state.life {
            Life::New => {
                state.life = Life::Starting;
                state.controller.reset(clock::now());
            }
            Life::Ready => state.look_at_late(self),
            Life::Starting | Life::Failed => {}
            Life::Ending | Life::Over => return None,
        }
        let until = state.step(self);
        if self.function.interrupts_by_line() {
            line::unmask(self.function.registers());
        }
        Some(until?.saturating_sub(clock::now()))
    }
}

impl State {
    /// Steps the controller until it waits; answers until when.
    fn step(&mut self, keeper: &Keeper) -> Option<Duration> {
        for _ in 0..STEPS {
            match self.controller.step(clock::now()) {
                Step::Wait(until) => return until,
                Step::Stopped => self.stopped(),
                // There is room: it makes no more than it was asked for.
                Step::Queue(pair) => {
                    let _ = self.pairs.push(pair, GFP_KERNEL);
                }
                Step::Namespace(namespace) => {
                    let limits = self.controller.limits(&namespace);
                    let wish = Wish { namespace, limits };
                    if self.found.push(wish, GFP_KERNEL).is_err() {
                        dev_err!(keeper.function.as_ref(), "no memory for a namespace\n");
                    }
                }
                Step::Unusable(number, why) => {
                    dev_warn!(
                        keeper.function.as_ref(),
                        "namespace {number} is not used: {why:?}\n"
                    );
                }
                Step::Ready => {
                    if let Err(error) = self.ready(keeper) {
                        dev_err!(
                            keeper.function.as_ref(),
                            "queues cannot be used: {error:?}\n"
                        );
                        self.give_up(keeper, "no queues");
                    }
                }
                // An abort, which changes nothing here: the request comes back
                // by its queue.
                Step::Done(..) => {}
                Step::NamespacesChanged => {
                    self.found.clear();
                    self.controller.scan();
                }
                Step::Off => self.over(),
                Step::Failed(error) => match self.life {
                    Life::Failed => self.over(),
                    Life::Ending => self.give_up(keeper, "it does not shut down"),
                    _ => self.trouble(keeper, error),
                },
            }
            if self.life == Life::Over {
                return None;
            }
        }
        Some(clock::now())
    }

    /// The controller reads and writes no memory any more.
    fn stopped(&mut self) {
        self.pairs.clear();
        self.found.clear();
        if let Some(block) = &self.block {
            block.queues.stopped();
            if self.life == Life::Failed {
                block.queues.resume();
            }
        }
    }

    /// It is off, or cannot be used: it is not stepped any more.
    fn over(&mut self) {
        if let (Life::Failed, Some(block)) = (self.life, &self.block) {
            block.queues.resume();
        }
        self.life = Life::Over;
    }

    /// Another try, if it may be of use.
    fn trouble(&mut self, keeper: &Keeper, error: nvme::Error) {
        self.failures += 1;
        let hopeless = matches!(error, nvme::Error::Gone | nvme::Error::Unsupported);
        dev_warn!(
            keeper.function.as_ref(),
            "the controller failed: {error:?}\n"
        );
        if hopeless || self.failures > RESETS {
            self.give_up(keeper, "resets do not help");
        } else {
            self.reset(keeper, "it failed");
        }
    }

    fn reset(&mut self, keeper: &Keeper, why: &str) {
        dev_warn!(keeper.function.as_ref(), "the controller is reset: {why}\n");
        if let Some(block) = &self.block {
            block.queues.pause();
        }
        self.life = Life::Starting;
        self.controller.reset(clock::now());
    }

    /// Requests fail from here on; those that the controller has when it has
    /// stopped.
    fn give_up(&mut self, keeper: &Keeper, why: &str) {
        dev_err!(
            keeper.function.as_ref(),
            "the controller is given up: {why}\n"
        );
        if let Some(block) = &self.block {
            block.queues.pause();
            block.queues.kill();
        }
        self.life = Life::Failed;
        self.controller.stop(clock::now());
    }

    /// Has late requests aborted, or the controller reset if they were late
    /// before.
    fn look_at_late(&mut self, keeper: &Keeper) {
        let Some(pairs) = self.block.as_ref().map(|block| block.pairs.clone()) else {
            return;
        };
        while let Some(late) = pairs.take_late() {
            dev_warn!(
                keeper.function.as_ref(),
                "queue {}: request {:#x} is late\n",
                late.pair,
                late.identifier
            );
            if late.again {
                return self.reset(keeper, "a request was not aborted");
            }
            // Where there is no room, the next time limit follows.
            let abort = Command::abort(late.pair, late.identifier);
            let _ = self.controller.send(abort, None, clock::now());
        }
    }

    /// Bring-up, or a scan, is through.
    fn ready(&mut self, keeper: &Keeper) -> Result {
        self.failures = 0;
        if self.life != Life::Ready {
            self.life = Life::Ready;
            self.tell(keeper);
            let block = match self.block.take() {
                Some(block) => block,
                None => self.make(keeper)?,
            };
            let queues = block.queues.clone();
            self.block = Some(block);
            self.attach(&queues)?;
        }
        let Some(block) = &self.block else {
            return Ok(());
        };
        let found = core::mem::replace(&mut self.found, KVec::new());
        keeper.disks.want(block.queues.clone(), found);
        keeper.disks_worker.kick();
        Ok(())
    }

    /// Tells the block layer of the queue pairs, and has them interrupt.
    fn make(&self, keeper: &Keeper) -> Result<Block> {
        let worker = self.worker.clone().ok_or(ENODEV)?;
        let count = self.pairs.len() as u32;
        let polled = |pair: &&IoQueue<Function>| pair.vector.is_none();
        let poll = self.pairs.iter().filter(polled).count() as u32;
        let shape = Shape {
            queues: block::Queues {
                submit: count - poll,
                poll,
                depth: self.pairs.first().ok_or(ENODEV)?.depth.into(),
                timeout: IO_TIMEOUT,
            },
            segments: self.controller.max_transfer() / PAGE_SIZE as u32 + 1,
        };
        let pairs = Pairs::new(count, worker)?;
        let queues = Queues::new(&keeper.function, pairs.clone(), shape)?;
        for pair in &self.pairs {
            let Some(vector) = pair.vector else {
                continue;
            };
            let handler = Interrupts {
                queues: queues.clone(),
                index: u32::from(pair.number) - 1,
            };
            let (instance, number) = (keeper.instance, pair.number);
            keeper.function.interrupt(
                vector,
                fmt!("rfnvme{instance}q{number}"),
                Context::Interrupt,
                handler,
            )?;
        }
        Ok(Block { queues, pairs })
    }

    /// Hands the queue pairs over. They are as many as at first, since CPUs
    /// were mapped to those.
    fn attach(&mut self, queues: &Queues) -> Result {
        let shape = queues.shape().queues;
        let count = shape.submit + shape.poll;
        let mut numbers = self.pairs.iter().map(|pair| u32::from(pair.number));
        if self.pairs.len() != count as usize
            || !numbers.all(|number| (1..=count).contains(&number))
        {
            // They stay here until the controller has stopped.
            return Err(ENOSPC);
        }
        while let Some(pair) = self.pairs.pop() {
            let index = u32::from(pair.number) - 1;
            queues.attach(index, pair.submissions, pair.completions)?;
        }
        queues.resume();
        Ok(())
    }

    fn tell(&self, keeper: &Keeper) {
        let version = self.controller.version();
        let identity = self.controller.identity();
        dev_info!(
            keeper.function.as_ref(),
            "rfnvme{}: NVMe {}.{}.{}, {}, serial {}, {} queues of {}, {} vectors, {} namespaces\n",
            keeper.instance,
            version >> 16,
            version >> 8 & 0xff,
            version & 0xff,
            Text(identity.map_or(&[], |identity| &identity.model)),
            Text(identity.map_or(&[], |identity| &identity.serial)),
            self.pairs.len(),
            self.pairs.first().map_or(0, |pair| pair.depth),
            keeper.function.vectors(),
            self.found.len(),
        );
    }
}

/// ASCII that a device wrote, without the spaces at its end.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.trim_ascii_end() {
            let shown = match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '?',
            };
            fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}
