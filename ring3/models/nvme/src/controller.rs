//! The controller: its registers, its life from reset to shutdown, and its
//! steps.

use std::collections::VecDeque;
use std::time::Duration;

use zerocopy::FromBytes;

use crate::command::{Command, Completion};
use crate::config::{Config, Invalid, NamespaceConfig};
use crate::data::{Direction, Rules, Segment};
use crate::doorbells::Shadow;
use crate::events::Events;
use crate::faults::{Action, Faults, Kind, Misfit, Random, Script};
use crate::features::Features;
use crate::interrupts::{Interrupts, Raised};
use crate::log_page::Logs;
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::queues::{CompletionQueue, Queues, SubmissionQueue};
use crate::registers as reg;
use crate::registers::ControllerConfiguration;
use crate::status::Status;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more to do.
    Worked,
    /// Nothing is to be done before `until`, or, without that, before the host
    /// writes a register.
    Idle {
        /// When to call again at the latest.
        until: Option<Duration>,
    },
    /// It answers no more: fatal status, stopped by a fault, or removed. But for
    /// the last, a reset helps.
    Stopped,
}

/// What has happened since the controller was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commands fetched.
    pub commands: u64,
    /// Completions posted.
    pub completions: u64,
    /// Interrupts raised; a vector that was not taken yet is not raised again.
    pub interrupts: u64,
    /// Reads of registers.
    pub register_reads: u64,
    /// Writes of registers, doorbells included.
    pub register_writes: u64,
    /// Writes of doorbells.
    pub doorbell_writes: u64,
    /// Accesses whose result the specification leaves undefined: of a wrong
    /// width or offset, to a reserved or read-only register, or at a wrong
    /// time. They were ignored.
    pub undefined_accesses: u64,
    /// Doorbells of queues that are not there, and values that the queue cannot
    /// have. They were ignored.
    pub invalid_doorbells: u64,
    /// Accesses to the host's memory that its owner refused.
    pub refused_accesses: u64,
    /// Commands that ended with an error.
    pub failed_commands: u64,
}

/// A delay that begins at the first step that sees it.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    /// Nothing: it never ends.
    delay: Option<Duration>,
    due: Option<Duration>,
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

/// What waits for its time, or for room in a completion queue.
pub(crate) struct Late {
    pub due: Duration,
    pub what: LateWork,
}

pub(crate) enum LateWork {
    Command {
        sq: u16,
        command: Command,
        garble: Option<u64>,
    },
    Completion {
        cq: u16,
        entry: Completion,
        wrong_phase: bool,
    },
}

/// What a command came to.
pub(crate) enum Outcome {
    /// It ends, with doubleword 0 of its completion and its status.
    Done(u32, Status),
    /// It ends later.
    Held,
}

impl From<Result<(), Status>> for Outcome {
    fn from(result: Result<(), Status>) -> Self {
        Self::Done(0, result.err().unwrap_or(Status::SUCCESS))
    }
}

impl From<Result<u32, Status>> for Outcome {
    fn from(result: Result<u32, Status>) -> Self {
        match result {
            Ok(result) => Self::Done(result, Status::SUCCESS),
            Err(status) => Self::Done(0, status),
        }
    }
}

/// What scripted faults did to the device as a whole.
#[derive(Default)]
pub(crate) struct Broken {
    pub stopped: bool,
    pub fatal: bool,
    pub removed: bool,
    never_ready: bool,
    late_ready: Option<Duration>,
    never_reset: bool,
    never_shut_down: bool,
}

/// An NVMe controller with the host's memory `M`.
pub struct Controller<M: Memory> {
    pub(crate) memory: M,
    pub(crate) config: Config,
    pub(crate) cc: ControllerConfiguration,
    admin_attributes: u32,
    admin_sq: u64,
    admin_cq: u64,
    subsystem_was_reset: bool,
    pub(crate) life: Life,
    pub(crate) shutdown: Shutdown,
    pub(crate) broken: Broken,
    pub(crate) now: Duration,
    pub(crate) queues: Queues,
    pub(crate) shadow: Option<Shadow>,
    pub(crate) interrupts: Interrupts,
    /// By identifier, from 1.
    pub(crate) namespaces: Vec<Option<Namespace>>,
    pub(crate) features: Features,
    pub(crate) events: Events,
    pub(crate) logs: Logs,
    pub(crate) late: VecDeque<Late>,
    /// Where the data of the command is that is executed now.
    pub(crate) segments: Vec<Segment>,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
}

impl<M: Memory> Controller<M> {
    /// A controller after power-on.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there can be no such controller.
    pub fn new(config: Config, memory: M) -> Result<Self, Invalid> {
        config.check()?;
        let mut namespaces: Vec<_> = (0..config.max_namespaces).map(|_| None).collect();
        for namespace in &config.namespaces {
            let made = Namespace::new(namespace, config.write_cache);
            namespaces[namespace.id as usize - 1] = Some(made);
        }
        Ok(Self {
            memory,
            cc: ControllerConfiguration::default(),
            admin_attributes: 0,
            admin_sq: 0,
            admin_cq: 0,
            subsystem_was_reset: false,
            life: Life::Disabled,
            shutdown: Shutdown::Not,
            broken: Broken::default(),
            now: Duration::ZERO,
            queues: Queues::new(config.io_queues),
            shadow: None,
            interrupts: Interrupts::new(config.interrupts),
            namespaces,
            features: Features::new(&config),
            events: Events::default(),
            logs: Logs::new(),
            late: VecDeque::new(),
            segments: Vec::new(),
            faults: Faults::default(),
            counters: Counters::default(),
            config,
        })
    }

    /// Plays a script from now on, in place of the one before.
    ///
    /// # Errors
    ///
    /// [`Misfit`] if an action does not fit its event; then nothing changes.
    pub fn play(&mut self, script: Script) -> Result<(), Misfit> {
        script.check()?;
        self.faults = Faults::new(script);
        Ok(())
    }

    /// The host's memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes of the register space (BAR 0): doorbells end there.
    pub fn register_space(&self) -> u64 {
        let doorbells = 2 * (u64::from(self.config.io_queues) + 1);
        reg::DOORBELLS + doorbells * self.doorbell_stride()
    }

    /// The vectors raised since the last call, each once, lowest first: an
    /// iterator that clears what it gives. A pin is vector 0 and stays raised,
    /// call by call, until the host has taken all completions or masks it.
    pub fn interrupts(&mut self) -> Raised<'_> {
        Raised::new(&mut self.interrupts)
    }

    /// A namespace, past the controller.
    pub fn namespace(&self, id: u32) -> Option<&Namespace> {
        self.namespaces.get((id as usize).checked_sub(1)?)?.as_ref()
    }

    pub(crate) fn cap(&self) -> u64 {
        let config = &self.config;
        u64::from(config.max_queue_entries - 1) // MQES
            | 1 << 16 // CQR: queues are contiguous
            | u64::from(config.timeout) << 24 // TO
            | u64::from(config.doorbell_stride) << 32 // DSTRD
            | u64::from(config.subsystem_reset) << 36 // NSSRS
            | 1 << 37 // CSS: the NVM command set
            | u64::from(config.max_page_shift) << 52 // MPSMAX
    }

    /// Base 2.0.0.
    pub(crate) const VERSION: u32 = 0x0002_0000;

    fn csts(&self) -> u32 {
        let ready = match self.life {
            Life::Ready | Life::Resetting(_) => reg::CSTS_READY,
            Life::Disabled | Life::Starting(_) => 0,
        };
        let shutdown = match self.shutdown {
            Shutdown::Not => 0,
            Shutdown::Occurring { .. } => reg::CSTS_SHUTDOWN_OCCURRING,
            Shutdown::Complete => reg::CSTS_SHUTDOWN_COMPLETE,
        };
        ready
            | shutdown
            | if self.broken.fatal {
                reg::CSTS_FATAL
            } else {
                0
            }
            | if self.subsystem_was_reset {
                reg::CSTS_SUBSYSTEM_RESET
            } else {
                0
            }
    }

    /// The aligned 64-bit register at an offset, of which a 32-bit one is a
    /// half. Nothing if there is none.
    fn register(&self, offset: u64) -> Option<u64> {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Some(match offset {
            reg::CAP => self.cap(),
            0x08 => pair(Self::VERSION, self.interrupts.mask),
            0x10 => pair(self.interrupts.mask, self.cc.0),
            0x18 => pair(0, self.csts()),
            0x20 => pair(0, self.admin_attributes),
            reg::ASQ => self.admin_sq,
            reg::ACQ => self.admin_cq,
            // Reserved, and registers of things that are not there (CMB, boot
            // partitions, PMR): zero.
            0x38..0x1000 => 0,
            _ => return None,
        })
    }

    fn undefined(&mut self) {
        self.counters.undefined_accesses += 1;
    }

    /// Counts a register read; what it gives without looking, by removal or by
    /// script.
    fn before_read(&mut self) -> Option<u64> {
        self.counters.register_reads += 1;
        let mut value = None;
        if self.faults.count(Kind::RegisterRead) {
            while let Some(action) = self.faults.take(Kind::RegisterRead) {
                match action {
                    Action::ReadAs(wrong) => value = Some(wrong),
                    action => self.happen(action),
                }
            }
        }
        if self.broken.removed {
            value = Some(u64::MAX);
        }
        value
    }

    /// Counts a register write; whether it arrives.
    fn before_write(&mut self) -> bool {
        self.counters.register_writes += 1;
        let mut arrives = true;
        if self.faults.count(Kind::RegisterWrite) {
            while let Some(action) = self.faults.take(Kind::RegisterWrite) {
                match action {
                    Action::Drop => arrives = false,
                    action => self.happen(action),
                }
            }
        }
        arrives && !self.broken.removed
    }

    /// Reads a register of 32 bits, or half of one of 64. What is not a
    /// register reads 0 and is counted.
    pub fn read32(&mut self, offset: u64) -> u32 {
        if let Some(value) = self.before_read() {
            return value as u32;
        }
        if let (Some(value), 0) = (self.register(offset & !7), offset % 4) {
            return (value >> (8 * (offset & 4))) as u32;
        }
        self.undefined(); // doorbells cannot be read (PCIe transport §3.1.2.1)
        0
    }

    /// Reads a register of 64 bits: CAP, ASQ, ACQ. Others are not to be read so
    /// (Base 2.0 §3.1.3); they read 0 and are counted.
    pub fn read64(&mut self, offset: u64) -> u64 {
        if let Some(value) = self.before_read() {
            return value;
        }
        match offset {
            reg::CAP => self.cap(),
            reg::ASQ => self.admin_sq,
            reg::ACQ => self.admin_cq,
            _ => {
                self.undefined();
                0
            }
        }
    }

    /// Writes a register of 32 bits, half of ASQ or ACQ, or a doorbell. What
    /// cannot be written is counted and ignored.
    pub fn write32(&mut self, offset: u64, value: u32) {
        if !self.before_write() {
            return;
        }
        if offset >= reg::DOORBELLS {
            self.ring(offset - reg::DOORBELLS, value);
            return;
        }
        let low = |old: u64| old & !0xffff_ffff | u64::from(value);
        let high = |old: u64| old & 0xffff_ffff | u64::from(value) << 32;
        match offset {
            reg::INTMS if self.interrupts.is_pin() => self.interrupts.mask |= value,
            reg::INTMC if self.interrupts.is_pin() => self.interrupts.mask &= !value,
            reg::CC => self.configure(ControllerConfiguration(
                value & ControllerConfiguration::DEFINED,
            )),
            reg::CSTS => {
                if value & reg::CSTS_SUBSYSTEM_RESET != 0 {
                    self.subsystem_was_reset = false;
                }
            }
            reg::NSSR if self.config.subsystem_reset => {
                if value == reg::NSSR_MAGIC {
                    self.power_on();
                    self.subsystem_was_reset = true;
                }
            }
            reg::AQA if self.is_off() => self.admin_attributes = value & 0x0fff_0fff,
            reg::ASQ if self.is_off() => self.admin_sq = low(self.admin_sq) & !0xfff,
            0x2c if self.is_off() => self.admin_sq = high(self.admin_sq),
            reg::ACQ if self.is_off() => self.admin_cq = low(self.admin_cq) & !0xfff,
            0x34 if self.is_off() => self.admin_cq = high(self.admin_cq),
            _ => self.undefined(),
        }
    }

    /// Writes a register of 64 bits: ASQ, ACQ. Others are not to be written so;
    /// they are counted and ignored.
    pub fn write64(&mut self, offset: u64, value: u64) {
        if !self.before_write() {
            return;
        }
        match offset {
            reg::ASQ if self.is_off() => self.admin_sq = value & !0xfff,
            reg::ACQ if self.is_off() => self.admin_cq = value & !0xfff,
            _ => self.undefined(),
        }
    }

    /// Whether the admin queue's registers may change.
    fn is_off(&self) -> bool {
        matches!(self.life, Life::Disabled)
    }

    /// A write of CC.
    fn configure(&mut self, new: ControllerConfiguration) {
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
    fn power_on(&mut self) {
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

    /// Makes a namespace, past the host, which may be told by an event.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there can be no such namespace, or is one already; then
    /// nothing changes.
    pub fn add_namespace(&mut self, namespace: &NamespaceConfig) -> Result<(), Invalid> {
        namespace.check(self.config.max_namespaces)?;
        let slot = &mut self.namespaces[namespace.id as usize - 1];
        if slot.is_some() {
            return Err(Invalid(format!(
                "namespace {}: it is there already; remove it first",
                namespace.id
            )));
        }
        *slot = Some(Namespace::new(namespace, self.config.write_cache));
        self.namespace_changed(namespace.id);
        Ok(())
    }

    /// Takes a namespace and its data away, past the host, which may be told by
    /// an event.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not there.
    pub fn remove_namespace(&mut self, id: u32) -> Result<(), Invalid> {
        self.namespace_mut(id)?;
        self.namespaces[id as usize - 1] = None;
        self.namespace_changed(id);
        Ok(())
    }

    /// Gives a namespace another size in blocks, past the host, which may be
    /// told by an event. Blocks beyond it are lost.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not there or cannot have that size; then nothing
    /// changes.
    pub fn resize_namespace(&mut self, id: u32, blocks: u64) -> Result<(), Invalid> {
        let namespace = self.namespace_mut(id)?;
        if blocks == 0 || blocks > 1 << (63 - namespace.shift()) {
            return Err(Invalid(format!(
                "namespace {id}: {blocks} blocks: it must be 1 to 2^63 bytes"
            )));
        }
        namespace.resize(blocks);
        self.namespace_changed(id);
        Ok(())
    }

    fn namespace_mut(&mut self, id: u32) -> Result<&mut Namespace, Invalid> {
        let slot = (id as usize).checked_sub(1);
        let found = slot.and_then(|slot| self.namespaces.get_mut(slot)?.as_mut());
        found.ok_or_else(|| Invalid(format!("namespace {id}: there is none; add it first")))
    }

    /// Applies a fault that is about the device as a whole. Others do not fit
    /// the event (`Script::check`).
    pub(crate) fn happen(&mut self, action: Action) {
        match action {
            Action::Stop => self.broken.stopped = true,
            Action::Fatal => self.broken.fatal = true,
            Action::Remove => self.broken.removed = true,
            Action::NeverReady => self.broken.never_ready = true,
            Action::LateReady(by) => self.broken.late_ready = Some(by),
            Action::NeverReset => self.broken.never_reset = true,
            Action::NeverShutDown => self.broken.never_shut_down = true,
            Action::SpuriousInterrupt(vector) if vector < self.config.vectors() => {
                self.interrupts.raise(vector);
            }
            _ => {}
        }
    }

    /// Whether it may touch the host's memory and raise interrupts.
    pub(crate) fn is_working(&self) -> bool {
        let alive = matches!(self.life, Life::Ready | Life::Resetting(_));
        alive && !self.broken.stopped && !self.broken.fatal && !self.broken.removed
    }

    /// Goes on, `now` being the time on the owner's clock, which never goes
    /// back. Fetches at most [`Config::commands_per_step`] commands.
    pub fn step(&mut self, now: Duration) -> Step {
        self.now = self.now.max(now);
        while let Some(action) = self.faults.take_due(self.now) {
            self.happen(action);
        }
        if self.broken.removed {
            return Step::Stopped;
        }
        let mut worked = self.live();
        if self.is_working() {
            worked |= self.late_work();
            worked |= self.report_events();
            if matches!(self.life, Life::Ready) && matches!(self.shutdown, Shutdown::Not) {
                worked |= self.fetch();
            }
        }
        if worked {
            Step::Worked
        } else if self.broken.removed
            || (self.broken.stopped || self.broken.fatal) && matches!(self.life, Life::Ready)
        {
            Step::Stopped
        } else {
            Step::Idle {
                until: self.next_time(),
            }
        }
    }

    /// Readiness, reset and shutdown.
    fn live(&mut self) -> bool {
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

    fn next_time(&self) -> Option<Duration> {
        let life = match self.life {
            Life::Starting(timer) | Life::Resetting(timer) => timer.due,
            _ => None,
        };
        let shutdown = match self.shutdown {
            Shutdown::Occurring { timer, .. } => timer.due,
            _ => None,
        };
        // What waits for room waits for the host, not for a time.
        let late = self.late.iter().map(|late| late.due);
        let late = late.filter(|due| *due > self.now).min();
        let script = self.faults.next_time();
        [life, shutdown, late, script].into_iter().flatten().min()
    }

    /// Executes and posts what was late.
    fn late_work(&mut self) -> bool {
        let mut worked = false;
        while self.is_working() && !self.late.is_empty() {
            let Self {
                late, queues, now, ..
            } = self;
            let found = late.iter().position(|late| {
                late.due <= *now
                    && match late.what {
                        LateWork::Command { .. } => true,
                        LateWork::Completion { cq, .. } => {
                            queues.cq(cq).is_none_or(|cq| !cq.is_full())
                        }
                    }
            });
            let Some(late) = found.and_then(|found| self.late.remove(found)) else {
                break;
            };
            match late.what {
                LateWork::Command {
                    sq,
                    command,
                    garble,
                } => self.execute(sq, &command, garble),
                LateWork::Completion {
                    cq,
                    entry,
                    wrong_phase,
                } => self.post(cq, entry, wrong_phase),
            }
            worked = true;
        }
        worked
    }

    /// Fetches commands, queue by queue.
    fn fetch(&mut self) -> bool {
        let mut left = self.config.commands_per_step;
        let mut worked = false;
        while left > 0 && self.is_working() {
            let Some(id) = self.queues.ready.next() else {
                break;
            };
            let burst = self.features.arbitration_burst().min(left);
            for _ in 0..burst {
                if !self.fetch_one(id) || !self.is_working() {
                    break;
                }
                left -= 1;
                worked = true;
            }
        }
        worked
    }

    /// Fetches and executes one command of a queue; whether there was one and
    /// room for its completion.
    fn fetch_one(&mut self, id: u16) -> bool {
        let has_command = match self.queues.sq(id) {
            None => false,
            Some(queue) => !queue.is_empty() || self.look_for_commands(id),
        };
        let Some(queue) = self.queues.sq(id).filter(|_| has_command) else {
            self.queues.ready.remove(id);
            return false;
        };
        let address = queue.base + Command::SIZE as u64 * u64::from(queue.head);
        let cq = queue.cq;
        if self.queues.cq(cq).is_some_and(|cq| cq.is_full()) && !self.look_for_room(cq) {
            self.queues.ready.remove(id);
            return false;
        }
        let mut bytes = [0; Command::SIZE];
        let fetched = self.memory.read(address, &mut bytes);
        let (Ok(()), Ok(command)) = (fetched, Command::read_from_bytes(&bytes)) else {
            self.fatal_access();
            return false;
        };
        if let Some(queue) = self.queues.sq(id) {
            queue.advance();
        }
        self.counters.commands += 1;

        let mut delay = self.config.latency;
        let mut garble = None;
        if self.faults.count(Kind::Command) {
            let mut dropped = false;
            while let Some(action) = self.faults.take(Kind::Command) {
                match action {
                    Action::Drop => dropped = true,
                    Action::Delay(by) => delay = delay.saturating_add(by),
                    Action::Garble(seed) => garble = Some(seed),
                    action => self.happen(action),
                }
            }
            if dropped || !self.is_working() {
                return true;
            }
        }
        if !delay.is_zero() {
            self.late.push_back(Late {
                due: self.now.saturating_add(delay),
                what: LateWork::Command {
                    sq: id,
                    command,
                    garble,
                },
            });
            return true;
        }
        self.execute(id, &command, garble);
        true
    }

    /// Executes a command and completes it, or holds it.
    fn execute(&mut self, sq: u16, command: &Command, garble: Option<u64>) {
        self.segments.clear();
        let outcome = if self.is_outstanding(sq, command.id.get()) {
            Outcome::Done(0, Status::COMMAND_ID_CONFLICT)
        } else if command.fused() != 0 {
            Outcome::Done(0, Status::INVALID_FIELD) // FUSES is 0
        } else if sq == 0 {
            self.admin(command)
        } else {
            self.io(command).into()
        };
        let Outcome::Done(result, mut status) = outcome else {
            return;
        };
        if let Some(seed) = garble {
            self.garble(command, seed);
        }
        if status != Status::SUCCESS {
            if status == Status::DATA_TRANSFER_ERROR {
                self.counters.refused_accesses += 1;
            }
            self.counters.failed_commands += 1;
            status = status.with_more();
            self.logs.add_error(sq, command, status);
        }
        self.complete(sq, command.id.get(), result, status);
    }

    /// Whether a command with that identifier was fetched and not completed.
    fn is_outstanding(&self, sq: u16, id: u16) -> bool {
        let late = self.late.iter().any(|late| match &late.what {
            LateWork::Command {
                sq: of, command, ..
            } => *of == sq && command.id.get() == id,
            LateWork::Completion { .. } => false,
        });
        late || sq == 0 && self.events.is_requested_by(id)
    }

    /// Overwrites what the command has given to the host.
    fn garble(&mut self, command: &Command, seed: u64) {
        // Bits 1:0 of an opcode are the direction: 10b is controller to host.
        if command.opcode & 0b11 != 0b10 {
            return;
        }
        let mut random = Random(seed);
        for segment in &self.segments {
            let Some(address) = segment.address else {
                continue;
            };
            let mut at = 0;
            while at < segment.length {
                let bytes = random.next().to_le_bytes();
                let now = (segment.length - at).min(8);
                let _ = self
                    .memory
                    .write(address + u64::from(at), &bytes[..now as usize]);
                at += now;
            }
        }
    }

    /// The host's memory refused a queue access: there is nowhere to say so but
    /// in CSTS.
    pub(crate) fn fatal_access(&mut self) {
        self.counters.refused_accesses += 1;
        self.broken.fatal = true;
    }

    /// Finds the data of a command, `length` bytes that the command moves, into
    /// `self.segments`.
    pub(crate) fn locate(
        &mut self,
        command: &Command,
        length: u64,
        direction: Direction,
        sgl: bool,
    ) -> Result<(), Status> {
        if length > self.config.max_transfer() {
            return Err(Status::INVALID_FIELD); // MDTS
        }
        let rules = Rules {
            page: 1 << self.cc.page_shift(),
            sgl: sgl && self.config.sgl,
        };
        crate::data::locate(
            &self.memory,
            command,
            length,
            direction,
            rules,
            &mut self.segments,
        )
    }
}
