//! A controller: enabling, admin commands, reset and shutdown (NVMe Base 2.0
//! §3.5 and §3.6); what follows when it is enabled is in `bring_up.rs`.
//!
//! It never waits: [`Controller::step`] does what can be done now and says
//! until when there is nothing to do. The ring calls it again then, and after
//! each interrupt of vector 0.

use core::time::Duration;

use kit::device::Device;
use kit::dma::{Coherent, Dma};
use kit::memory::OutOfMemory;

use crate::admin_queue::{self, AdminQueue, QueueFull};
use crate::bring_up::{Half, Purpose, Stage};
use crate::command::Command;
use crate::completion::{Completion, Status};
use crate::completion_queue::CompletionQueue;
use crate::doorbell::{Doorbell, Shadow};
use crate::identify::{ControllerIdentity, Namespace, Unusable};
use crate::io_queue::{DoorbellOf, IoQueue, Memory};
use crate::quirks::Quirks;
use crate::registers::{Capabilities, ControllerRegisters, ControllerStatus, Shutdown, DOORBELLS};
use crate::submission_queue::SubmissionQueue;

/// How often a register is looked at that no interrupt tells of.
pub(crate) const POLL: Duration = Duration::from_millis(1);
/// How long a controller with late status bits gets (C:
/// `NVME_QUIRK_DELAY_AMOUNT`).
const LATE_READY: Duration = Duration::from_millis(2300);
/// How long a controller may take for a shutdown (C: `shutdown_timeout`).
const SHUTDOWN: Duration = Duration::from_secs(5);
/// The largest transfer that lists have room for: one page of list.
const MAX_TRANSFER: u32 = 1 << 20;

/// What a controller is brought up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// I/O queue pairs that interrupt, wanted; the controller may give fewer.
    pub queues: u16,
    /// I/O queue pairs that are polled, wanted; the last ones.
    pub poll_queues: u16,
    /// Requests in flight in each, 1..=4095, wanted.
    pub depth: u16,
    /// How long an admin command may take (C: `admin_timeout`).
    pub admin_timeout: Duration,
    /// Whether doorbell buffers are used where the controller has them.
    pub doorbell_buffers: bool,
    /// Whether SGLs are used where the controller takes them.
    pub sgl: bool,
    /// What this controller does otherwise than it says: [`Quirks::of`].
    pub quirks: Quirks,
}

impl Default for Settings {
    /// A queue pair of 128 requests, a minute for an admin command, all that the
    /// controller has, no quirks.
    fn default() -> Settings {
        Settings {
            queues: 1,
            poll_queues: 0,
            depth: 128,
            admin_timeout: Duration::from_secs(60),
            doorbell_buffers: true,
            sgl: true,
            quirks: Quirks::NONE,
        }
    }
}

/// Why a controller cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// All registers read as ones: it is not there any more.
    Gone,
    /// It says that it failed for good (CSTS.CFS).
    Fatal,
    /// It did not get ready, or not disabled, in the time that it asks for
    /// (CAP.TO).
    NotReady,
    /// An admin command took too long.
    Late,
    /// An admin command failed that has to succeed.
    Refused(Status),
    /// It offers no NVM command set, no pages of 4 KiB, no queues of 2 entries
    /// or no doorbells within its window, or its queues are of another kind
    /// ([`Quirks::other_queues`]).
    Unsupported,
    /// There is no memory.
    OutOfMemory,
    /// The driver sent more admin commands than the queue holds.
    QueueFull,
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Error {
        Error::OutOfMemory
    }
}

impl From<QueueFull> for Error {
    fn from(_: QueueFull) -> Error {
        Error::QueueFull
    }
}

/// What [`Controller::step`] has for the ring.
#[must_use]
pub enum Step<D: Device> {
    /// Nothing to do before this time, or before an interrupt.
    Wait(Option<Duration>),
    /// The controller has stopped, surely: it reads and writes no memory of
    /// its queues, nor what was given with commands. Queue pairs of before are
    /// to be dropped, and what was in flight given back or kept for later.
    Stopped,
    /// An I/O queue pair was made.
    Queue(IoQueue<D>),
    /// A namespace is there; again, if its size or format may be new.
    Namespace(Namespace),
    /// A namespace is there that cannot be used.
    Unusable(u32, Unusable),
    /// Bring-up is through, and so is a [`Controller::scan`]: the queues may
    /// be used, and the namespaces are those that were named since it began.
    Ready,
    /// A command of [`Controller::send`] came back, with its data.
    Done(u16, Completion, Option<Memory<D>>),
    /// Namespaces changed; [`Controller::scan`] finds out how.
    NamespacesChanged,
    /// It is shut down.
    Off,
    /// It cannot be used, and why. [`Controller::reset`] tries again;
    /// [`Controller::stop`] gives up. What it was given is with it still,
    /// until [`Step::Stopped`] is said.
    Failed(Error),
}

#[derive(Clone, Copy)]
pub(crate) enum State {
    /// Nothing was done yet, or nothing is to be done any more.
    Off,
    /// Waits for CSTS.RDY to be clear: from when it means something, and until
    /// when.
    Disabling(Duration, Duration),
    /// Waits for it to be set.
    Enabling(Duration),
    /// Has to send a stage's command.
    Next(Stage),
    /// Sent it.
    Sent,
    Ready,
    /// Waits for CSTS.SHST.
    ShuttingDown(Duration),
    /// Has to say so.
    Failing(Error),
    Failed,
}

/// A word of a device's memory.
type WordOf<D> = <Memory<D> as Coherent>::Word;

/// A controller.
pub struct Controller<D: Device> {
    pub(crate) device: D,
    pub(crate) settings: Settings,
    pub(crate) capabilities: Capabilities,
    pub(crate) state: State,
    /// Whether it is to run after the reset that is under way.
    start: bool,
    /// Whether it has been told of memory and not been stopped since.
    pub(crate) armed: bool,
    pub(crate) admin: Option<AdminQueue<D, Purpose>>,
    /// The active namespaces, of which one after the other is identified.
    pub(crate) list: Option<Memory<D>>,
    /// Doorbells and event indices.
    pub(crate) shadows: Option<[Memory<D>; 2]>,
    pub(crate) identity: Option<ControllerIdentity>,
    /// Queue pairs that it grants.
    pub(crate) queues: u16,
    pub(crate) half: Option<Half<D>>,
}

impl<D: Device> Controller<D> {
    /// A controller that nothing is known of; [`reset`](Controller::reset)
    /// brings it up.
    pub fn new(device: D, settings: Settings) -> Controller<D> {
        let capabilities = ControllerRegisters(device.registers()).capabilities();
        Controller {
            device,
            settings,
            capabilities,
            state: State::Off,
            start: false,
            armed: false,
            admin: None,
            list: None,
            shadows: None,
            identity: None,
            queues: 0,
            half: None,
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// What the controller can do.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Its version: major, minor and tertiary number from the highest byte on.
    pub fn version(&self) -> u32 {
        self.registers().version()
    }

    /// Its status register.
    pub fn status(&self) -> ControllerStatus {
        self.registers().status()
    }

    /// What it said of itself, once it was asked.
    pub fn identity(&self) -> Option<&ControllerIdentity> {
        self.identity.as_ref()
    }

    /// Bytes of the largest transfer, a multiple of 4096.
    pub fn max_transfer(&self) -> u32 {
        let own = self.identity.and_then(|identity| identity.max_transfer);
        own.map_or(MAX_TRANSFER, |bytes| bytes.get().min(MAX_TRANSFER))
    }

    /// Entries of the largest I/O queue.
    pub(crate) fn max_queue_entries(&self) -> u32 {
        match self.capabilities.max_queue_entries() {
            1 if self.settings.quirks.no_mqes => 64,
            entries => entries,
        }
    }

    /// Completions of admin commands that were not under way.
    pub fn unknown(&self) -> u64 {
        self.admin.as_ref().map_or(0, |admin| admin.unknown)
    }

    /// Stops the controller, whatever it does, and brings it up (§3.5.1).
    pub fn reset(&mut self, now: Duration) {
        self.disable(now, true);
    }

    /// Stops the controller, whatever it does: [`Step::Stopped`] follows, or
    /// [`Step::Failed`], and [`Step::Off`].
    pub fn stop(&mut self, now: Duration) {
        self.disable(now, false);
    }

    /// Shuts the controller down in order (§3.6.1), so that what it has cached
    /// reaches its medium. No I/O may be in flight.
    pub fn shutdown(&mut self, now: Duration) {
        if !matches!(self.state, State::Ready) {
            return self.stop(now);
        }
        self.registers().configure(true, Shutdown::Normal);
        self.state = State::ShuttingDown(now.saturating_add(SHUTDOWN));
    }

    /// Looks for namespaces again, if it is ready.
    pub fn scan(&mut self) {
        if matches!(self.state, State::Ready) {
            self.state = State::Next(Stage::ChangedNamespaces);
        }
    }

    /// Sends an admin command, with a page or more of data if it has any, and
    /// answers its identifier, by which [`Step::Done`] tells of it.
    ///
    /// # Errors
    /// If too many are under way, or the controller is not running.
    pub fn send(
        &mut self,
        command: Command,
        data: Option<Memory<D>>,
        now: Duration,
    ) -> Result<u16, QueueFull> {
        if !matches!(self.state, State::Ready | State::Next(_) | State::Sent) {
            return Err(QueueFull);
        }
        let deadline = now.saturating_add(self.settings.admin_timeout);
        let admin = self.admin.as_mut().ok_or(QueueFull)?;
        admin.send(command, data, Purpose::Ring, Some(deadline))
    }

    /// Does what can be done now. To be called until it answers
    /// [`Step::Wait`]; then at that time, and after an interrupt of vector 0.
    /// `now` is a time that does not run backwards.
    pub fn step(&mut self, now: Duration) -> Step<D> {
        loop {
            match self.advance(now) {
                Ok(Some(step)) => return step,
                Ok(None) => {}
                Err(error) => self.state = State::Failing(error),
            }
        }
    }

    fn registers(&self) -> ControllerRegisters<'_, D::Registers> {
        ControllerRegisters(self.device.registers())
    }

    fn disable(&mut self, now: Duration, start: bool) {
        self.start = start;
        self.registers().disable();
        // At least a unit of CAP.TO: some controllers say 0.
        let patience = self.capabilities.timeout().max(Duration::from_millis(500));
        let from = match self.settings.quirks.late_ready {
            true => now.saturating_add(LATE_READY),
            false => now,
        };
        self.state = State::Disabling(from, from.saturating_add(patience));
    }

    /// One thing that can be done now; `None` if there may be more.
    fn advance(&mut self, now: Duration) -> Result<Option<Step<D>>, Error> {
        match self.state {
            State::Off | State::Failed => Ok(Some(Step::Wait(None))),
            State::Failing(error) => {
                self.state = State::Failed;
                Ok(Some(Step::Failed(error)))
            }
            State::Disabling(from, deadline) => self.disabling(from, deadline, now),
            State::Enabling(deadline) => {
                let status = self.look()?;
                if status.ready() {
                    self.state = State::Next(Stage::Controller);
                    return Ok(None);
                }
                self.wait_until(deadline, now, Error::NotReady)
            }
            State::Next(stage) => {
                self.state = State::Sent;
                match self.begin(stage, now)? {
                    Some(next) => self.go_to(next),
                    None => Ok(None),
                }
            }
            State::Sent | State::Ready => self.admin(now),
            State::ShuttingDown(deadline) => {
                let status = self.status();
                if status.gone() || status.shut_down() || now >= deadline {
                    self.stop(now);
                    return Ok(None);
                }
                self.wait_until(deadline, now, Error::NotReady)
            }
        }
    }

    /// The status of a controller that works.
    pub(crate) fn look(&self) -> Result<ControllerStatus, Error> {
        let status = self.status();
        if status.gone() {
            return Err(Error::Gone);
        }
        if status.fatal() {
            return Err(Error::Fatal);
        }
        Ok(status)
    }

    fn wait_until(
        &self,
        deadline: Duration,
        now: Duration,
        late: Error,
    ) -> Result<Option<Step<D>>, Error> {
        if now >= deadline {
            return Err(late);
        }
        Ok(Some(Step::Wait(Some(
            deadline.min(now.saturating_add(POLL)),
        ))))
    }

    fn disabling(
        &mut self,
        from: Duration,
        deadline: Duration,
        now: Duration,
    ) -> Result<Option<Step<D>>, Error> {
        if now < from {
            return Ok(Some(Step::Wait(Some(from))));
        }
        let status = self.status();
        let gone = status.gone();
        if !gone && status.ready() && now < deadline {
            return self.wait_until(deadline, now, Error::NotReady);
        }
        let disabled = !gone && !status.ready();
        // One that is gone or does not obey is kept from memory otherwise.
        let stopped = disabled || !self.armed || self.device.isolate();
        if stopped {
            self.admin = None;
            self.half = None;
            self.list = None;
            self.shadows = None;
            if core::mem::take(&mut self.armed) {
                return Ok(Some(Step::Stopped));
            }
        }
        if !disabled {
            return Err(if gone { Error::Gone } else { Error::NotReady });
        }
        if self.start {
            self.enable(now)?;
            return Ok(None);
        }
        self.state = State::Off;
        Ok(Some(Step::Off))
    }

    /// Sets the admin queues up and enables the controller (§3.5.1). Apart from
    /// its caller, whose stack would have to hold the queues as well.
    #[inline(never)]
    fn enable(&mut self, now: Duration) -> Result<(), Error> {
        self.device.admit();
        self.capabilities = self.registers().capabilities();
        let capabilities = self.capabilities;
        if !capabilities.nvm_command_set()
            || !capabilities.takes_page_size()
            || self.max_queue_entries() < 2
            || self.settings.quirks.other_queues
        {
            return Err(Error::Unsupported);
        }
        let entries = admin_queue::ENTRIES;
        let dma = self.device.dma();
        let submissions =
            dma.allocate(SubmissionQueue::<DoorbellOf<D>, Memory<D>>::bytes(entries))?;
        let completions =
            dma.allocate(CompletionQueue::<DoorbellOf<D>, Memory<D>>::bytes(entries))?;
        self.registers()
            .set_admin_queues(entries, submissions.address(), completions.address());
        self.admin = Some(AdminQueue::new(
            SubmissionQueue::new(submissions, entries, self.doorbell(0, false)?),
            CompletionQueue::new(completions, entries, self.doorbell(0, true)?),
        ));
        self.armed = true;
        self.registers().configure(true, Shutdown::None);
        self.state = State::Enabling(now.saturating_add(self.capabilities.timeout()));
        Ok(())
    }

    /// A queue's doorbell, in memory too if the controller looks there.
    pub(crate) fn doorbell(
        &self,
        queue: u16,
        head: bool,
    ) -> Result<Doorbell<DoorbellOf<D>, Memory<D>>, Error> {
        let registers = self.registers();
        let register = registers.doorbell(queue, head).ok_or(Error::Unsupported)?;
        Ok(Doorbell::new(register, self.shadow(queue, head)))
    }

    /// The doorbell of an I/O queue in memory, that of its tail or of its head,
    /// for a queue that the ring makes itself; `None` where the controller looks
    /// at its registers.
    pub fn shadow(&self, queue: u16, head: bool) -> Option<Shadow<WordOf<D>>> {
        // The admin queue stays with its registers.
        let [values, events] = self.shadows.as_ref().filter(|_| queue != 0)?;
        let offset = self.registers().doorbell_offset(queue, head);
        let words = values.word(offset).zip(events.word(offset));
        words.map(|(value, event)| Shadow { value, event })
    }

    /// Where a queue's doorbell is among the registers.
    pub fn doorbell_offset(&self, queue: u16, head: bool) -> usize {
        DOORBELLS + self.registers().doorbell_offset(queue, head)
    }
}
