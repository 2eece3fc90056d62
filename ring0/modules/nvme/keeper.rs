// SPDX-License-Identifier: GPL-2.0-only

//! A controller that is kept going: steps, resets, and its end.

use core::time::Duration;

use kernel::fmt;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};
use kit::device::Device as _;
use nvme::{line, Controller, Error, IoQueue, Settings, Step};
use ring0::clock;
use ring0::pci::Function;
use ring0::worker::Work;

/// Resets that fail one after the other before a controller is given up.
const RESETS: u32 = 3;
/// Steps in one go: more than a bring-up with many namespaces takes.
const STEPS: u32 = 10_000;
/// How long one that goes is waited for between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// A controller of a function.
#[pin_data]
pub(crate) struct Keeper {
    function: Function,
    #[pin]
    state: Mutex<State>,
}

struct State {
    controller: Controller<Function>,
    queues: KVec<IoQueue<Function>>,
    /// Namespaces that were found since a scan began.
    namespaces: u32,
    failures: u32,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nothing was done yet.
    New,
    /// It is brought up, or works.
    Going,
    /// It is to stop: nobody wants it any more, or it cannot be used.
    Stopping,
    /// It has stopped, or does not obey.
    Over,
}

impl Keeper {
    /// One that the first work brings up.
    pub(crate) fn new(function: Function, settings: Settings) -> Result<Arc<Keeper>> {
        let controller = Controller::new(function.clone(), settings);
        let most = settings.queues.saturating_add(settings.poll_queues);
        let queues = KVec::with_capacity(most.into(), GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Keeper {
                function,
                state <- new_mutex!(State {
                    controller,
                    queues,
                    namespaces: 0,
                    failures: 0,
                    life: Life::New,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// Shuts the controller down in order, or finds that it cannot be. Waits
    /// as long as its own deadlines let it.
    pub(crate) fn shut_down(&self) {
        let mut state = self.state.lock();
        match state.life {
            Life::New => state.life = Life::Over,
            Life::Going => {
                state.life = Life::Stopping;
                state.controller.shutdown(clock::now());
            }
            Life::Stopping | Life::Over => {}
        }
        while state.life != Life::Over {
            state.step(&self.function);
            clock::sleep(LOOK);
        }
    }
}

impl Work for Keeper {
    fn work(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        match state.life {
            Life::New => {
                state.life = Life::Going;
                state.controller.reset(clock::now());
            }
            Life::Going | Life::Stopping => {}
            Life::Over => return None,
        }
        let until = state.step(&self.function);
        if self.function.interrupts_by_line() {
            line::unmask(self.function.registers());
        }
        Some(until?.saturating_sub(clock::now()))
    }
}

impl State {
    /// Steps the controller until it waits; answers until when.
    fn step(&mut self, function: &Function) -> Option<Duration> {
        for _ in 0..STEPS {
            let now = clock::now();
            match self.controller.step(now) {
                Step::Wait(until) => return until,
                Step::Stopped => {
                    self.queues.clear();
                    self.namespaces = 0;
                }
                // There is room: it makes no more than it was asked for.
                Step::Queue(queue) => {
                    let _ = self.queues.push(queue, GFP_KERNEL);
                }
                Step::Namespace(namespace) => {
                    self.namespaces += 1;
                    dev_info!(
                        function,
                        "namespace {}: {} blocks of {} bytes\n",
                        namespace.number,
                        namespace.blocks,
                        namespace.block_size()
                    );
                }
                Step::Unusable(number, why) => {
                    dev_warn!(function, "namespace {number} is not used: {why:?}\n");
                }
                Step::Ready => {
                    self.failures = 0;
                    self.tell(function);
                    self.namespaces = 0;
                }
                Step::Done(..) => {}
                Step::NamespacesChanged => self.controller.scan(),
                Step::Off => {
                    self.life = Life::Over;
                    return None;
                }
                Step::Failed(error) => self.trouble(function, error, now),
            }
            if self.life == Life::Over {
                return None;
            }
        }
        Some(clock::now())
    }

    /// Another try, if it may be of use.
    fn trouble(&mut self, function: &Function, error: Error, now: Duration) {
        self.failures += 1;
        let hopeless = matches!(error, Error::Gone | Error::Unsupported);
        if self.life == Life::Stopping {
            self.life = Life::Over;
        } else if hopeless || self.failures > RESETS {
            dev_err!(function, "the controller is given up: {error:?}\n");
            self.life = Life::Stopping;
            self.controller.stop(now);
        } else {
            dev_warn!(function, "the controller is reset: {error:?}\n");
            self.controller.reset(now);
        }
    }

    fn tell(&self, function: &Function) {
        let version = self.controller.version();
        let identity = self.controller.identity();
        dev_info!(
            function,
            "NVMe {}.{}.{}, {}, serial {}, {} queues of {}, {} namespaces\n",
            version >> 16,
            version >> 8 & 0xff,
            version & 0xff,
            Text(identity.map_or(&[], |identity| &identity.model)),
            Text(identity.map_or(&[], |identity| &identity.serial)),
            self.queues.len(),
            self.queues.first().map_or(0, |queue| queue.depth),
            self.namespaces,
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
