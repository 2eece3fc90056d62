//! From disabled to ready, reset, shutdown and power (Base 2.0 §3.5 to §3.7).

use std::time::Duration;

use crate::controller::Controller;
use crate::events::Events;
use crate::features::Features;
use crate::memory::Memory;
use crate::queues::{CompletionQueue, Queues, SubmissionQueue};
use crate::registers::ControllerConfiguration;

/// A delay that begins at the first step that sees it.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    /// Nothing: it never ends.
    delay: Option<Duration>,
    pub due: Option<Duration>,
}

impl Timer {
    fn new(delay: Option<Duration>) -> Self {
        Self { delay, due: None }
    }

    fn ended(&mut self, now: Duration) -> bool {
        if let (Some(delay), None) = (self.delay, self.due) {
            self.due = Some(now.saturating_add(delay));
        }
        self.due.is_some_and(|due| due <= now)
    }
}

/// CC.EN and CSTS.RDY (Base 2.0 §3.5.1, §3.7.2).
pub(crate) enum Life {
    Disabled,
    /// EN is 1, RDY is 0.
    Starting(Timer),
    /// EN and RDY are 1.
    Ready,
    /// EN is 0, RDY is 1: what was fetched may go on.
    Resetting(Timer),
}

/// CC.SHN and CSTS.SHST (Base 2.0 §3.6.1).
pub(crate) enum Shutdown {
    Not,
    Occurring { timer: Timer, normal: bool },
    Complete,
}

impl<M: Memory> Controller<M> {
    /// A write of CC.
    pub(crate) fn configure(&mut self, new: ControllerConfiguration) {
        let old = self.cc;
        match (old.enabled(), new.enabled()) {
            (false, true) if !self.is_off() => {
                // RDY must be 0 first (§3.1.3.5, EN).
                self.undefined();
                return;
            }
            (false, true) => {
                self.cc = new;
                self.start();
            }
            // RDY is 0 still: there is nothing to wait for.
            (true, false) if matches!(self.life, Life::Starting(_)) => {
                self.reset();
                return;
            }
            (true, false) => {
                self.cc = new;
                let delay = (!self.broken.never_reset).then_some(self.config.reset_delay);
                self.life = Life::Resetting(Timer::new(delay));
                return;
            }
            (true, true) => {
                if old.fixed_fields() != new.fixed_fields() {
                    self.undefined();
                    return;
                }
                self.cc = new;
            }
            (false, false) => self.cc = new,
        }
        if new.shutdown() != 0 && matches!(self.shutdown, Shutdown::Not) {
            let delay = (!self.broken.never_shut_down).then_some(self.config.shutdown_delay);
            self.shutdown = Shutdown::Occurring {
                timer: Timer::new(delay),
                normal: new.shutdown() == 1,
            };
        }
    }

    /// CC.EN became 1. What the host must have set right is looked at; the
    /// specification leaves open what happens otherwise: fatal status here.
    fn start(&mut self) {
        let sq_size = self.admin_attributes & 0xfff;
        let cq_size = self.admin_attributes >> 16;
        let cc = self.cc;
        let possible = sq_size >= 1
            && cq_size >= 1
            && cc.command_set() == 0
            && cc.arbitration() == 0
            && cc.page_shift() <= 12 + u32::from(self.config.max_page_shift);
        if !possible {
            self.broken.fatal = true;
        }
        let late = self.broken.late_ready.take().unwrap_or_default();
        let delay = possible && !self.broken.never_ready;
        let delay = delay.then_some(self.config.ready_delay.saturating_add(late));
        self.life = Life::Starting(Timer::new(delay));
        self.shutdown = Shutdown::Not; // one while it was disabled
    }

    /// RDY becomes 1: the admin queue is there (§3.5.1).
    fn become_ready(&mut self) {
        let sq_size = (self.admin_attributes & 0xfff) + 1;
        let cq_size = (self.admin_attributes >> 16) + 1;
        let mut cq = CompletionQueue::new(self.admin_cq, cq_size, Some(0));
        cq.users = 1;
        self.queues.completion[0] = Some(cq);
        self.queues.submission[0] = Some(SubmissionQueue {
            base: self.admin_sq,
            size: sq_size,
            head: 0,
            tail: 0,
            cq: 0,
        });
        self.life = Life::Ready;
    }

    /// Controller level reset (§3.7.2): AQA, ASQ and ACQ stay.
    fn reset(&mut self) {
        self.cc = ControllerConfiguration::default();
        self.life = Life::Disabled;
        self.shutdown = Shutdown::Not;
        self.broken.stopped = false;
        self.broken.fatal = false;
        self.queues = Queues::new(self.config.io_queues);
        self.shadow = None;
        self.interrupts.clear();
        self.interrupts.mask = 0;
        self.features = Features::new(&self.config);
        self.events = Events::default();
        self.late.clear();
    }

    /// All registers as after power-on.
    pub(crate) fn power_on(&mut self) {
        self.reset();
        self.admin_attributes = 0;
        self.admin_sq = 0;
        self.admin_cq = 0;
        self.subsystem_was_reset = false;
    }

    /// The power goes and comes back: the controller is as new, and of what was
    /// neither flushed nor written with FUA, only the blocks stay that `keep`
    /// names, by namespace and LBA. Without a write cache, all stay.
    pub fn power_loss(&mut self, mut keep: impl FnMut(u32, u64) -> bool) {
        if !matches!(self.shutdown, Shutdown::Complete) {
            self.logs.unsafe_shutdowns += 1;
        }
        self.logs.power_cycles += 1;
        for (id, namespace) in (1..).zip(&mut self.namespaces) {
            if let Some(namespace) = namespace {
                namespace.lose(|lba| keep(id, lba));
            }
        }
        self.power_on();
    }

    /// Readiness, reset and shutdown.
    pub(crate) fn live(&mut self) -> bool {
        let now = self.now;
        let mut worked = match &mut self.life {
            Life::Starting(timer) | Life::Resetting(timer) => timer.ended(now),
            Life::Disabled | Life::Ready => false,
        };
        match self.life {
            Life::Starting(_) if worked => self.become_ready(),
            Life::Resetting(_) if worked => self.reset(),
            _ => {}
        }
        if let Shutdown::Occurring { timer, normal } = &mut self.shutdown {
            if timer.ended(now) {
                if *normal {
                    self.flush_all();
                }
                self.shutdown = Shutdown::Complete;
                self.late.clear();
                worked = true;
            }
        }
        worked
    }

    pub(crate) fn flush_all(&mut self) {
        for namespace in self.namespaces.iter_mut().flatten() {
            namespace.flush();
        }
    }
}
