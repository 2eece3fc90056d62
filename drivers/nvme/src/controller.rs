//! A controller: bring-up, admin commands, reset and shutdown (NVMe Base 2.0
//! §3.5 and §3.6).
//!
//! It never waits: [`Controller::step`] does what can be done now and says
//! until when there is nothing to do. The ring calls it again then, and after
//! each interrupt of vector 0.

use core::time::Duration;

use kit::block::TAG_BITS;
use kit::device::Device;
use kit::dma::{Coherent, Dma};
use kit::memory::{OutOfMemory, PAGE_SIZE};

use crate::admin_queue::{self, AdminQueue, QueueFull};
use crate::command::{Command, Feature, Identify, LogPage};
use crate::completion::{Completion, Status};
use crate::completion_queue::CompletionQueue;
use crate::doorbell::{Doorbell, Shadow};
use crate::identify::{next_active, ControllerIdentity, Namespace, Unusable};
use crate::io_queue::{Addresses, Completions, DoorbellOf, IoQueue, Memory, Submissions};
use crate::prp::PrpLists;
use crate::registers::{Capabilities, ControllerRegisters, ControllerStatus, Shutdown, DOORBELLS};
use crate::submission_queue::SubmissionQueue;

/// How often a register is looked at that no interrupt tells of.
const POLL: Duration = Duration::from_millis(1);
/// How long a controller may take for a shutdown (C: `shutdown_timeout`).
const SHUTDOWN: Duration = Duration::from_secs(5);
/// Namespaces that are looked at: a list's length.
const MAX_NAMESPACES: usize = PAGE_SIZE / 4;
/// Asynchronous event type of notices (figure 145), the notice of changed
/// namespaces (figure 148), and the bit that asks for it (figure 326).
const NOTICE: u32 = 2;
const NAMESPACE_CHANGED: u32 = 0;
const NAMESPACE_NOTICES: u32 = 1 << 8;
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
    /// or no doorbells within its window.
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

/// What an admin command was sent for.
#[derive(Clone, Copy)]
enum Purpose {
    Stage(Stage),
    Ring,
    AsyncEvent,
}

/// Where bring-up is: whose answer it waits for.
#[derive(Clone, Copy)]
enum Stage {
    Controller,
    Queues,
    DoorbellBuffers,
    CompletionQueue(u16),
    SubmissionQueue(u16),
    /// The log of what changed, which has to be read before another change is
    /// told (§5.16.1.5).
    ChangedNamespaces,
    /// The active namespaces above this one.
    ActiveNamespaces(u32),
    /// An entry of their list.
    Namespace(usize, u32),
    AsyncEvents,
}

#[derive(Clone, Copy)]
enum State {
    /// Nothing was done yet, or nothing is to be done any more.
    Off,
    /// Waits for CSTS.RDY to be clear, until then.
    Disabling(Duration),
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

/// A queue pair in the making.
struct Half<D: Device> {
    vector: Option<u16>,
    completions: CompletionQueue<DoorbellOf<D>, Memory<D>>,
    submissions: SubmissionQueue<DoorbellOf<D>, Memory<D>>,
    addresses: Addresses,
    lists: PrpLists<Memory<D>>,
}

/// A word of a device's memory.
type WordOf<D> = <Memory<D> as Coherent>::Word;

/// A controller.
pub struct Controller<D: Device> {
    device: D,
    settings: Settings,
    capabilities: Capabilities,
    state: State,
    /// Whether it is to run after the reset that is under way.
    start: bool,
    /// Whether it has been told of memory and not been stopped since.
    armed: bool,
    admin: Option<AdminQueue<D, Purpose>>,
    /// The active namespaces, of which one after the other is identified.
    list: Option<Memory<D>>,
    /// Doorbells and event indices.
    shadows: Option<[Memory<D>; 2]>,
    identity: Option<ControllerIdentity>,
    /// Queue pairs that it grants.
    queues: u16,
    half: Option<Half<D>>,
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
        self.state = State::Disabling(now.saturating_add(patience));
    }

    /// One thing that can be done now; `None` if there may be more.
    fn advance(&mut self, now: Duration) -> Result<Option<Step<D>>, Error> {
        match self.state {
            State::Off | State::Failed => Ok(Some(Step::Wait(None))),
            State::Failing(error) => {
                self.state = State::Failed;
                Ok(Some(Step::Failed(error)))
            }
            State::Disabling(deadline) => self.disabling(deadline, now),
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
    fn look(&self) -> Result<ControllerStatus, Error> {
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

    fn disabling(&mut self, deadline: Duration, now: Duration) -> Result<Option<Step<D>>, Error> {
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
            || capabilities.max_queue_entries() < 2
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
    fn doorbell(
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

    /// Sends the command of a stage; or says which stage is next, if this one
    /// is not for this controller.
    fn begin(&mut self, stage: Stage, now: Duration) -> Result<Option<Next>, Error> {
        let identity = self.identity;
        let has = |what: fn(&ControllerIdentity) -> bool| identity.as_ref().is_some_and(what);
        match stage {
            Stage::Controller => {
                let page = self.page()?;
                self.order(
                    stage,
                    Command::identify(Identify::Controller),
                    Some(page),
                    now,
                )?;
            }
            Stage::Queues => {
                let wanted = self
                    .settings
                    .queues
                    .saturating_add(self.settings.poll_queues);
                let count = u32::from(wanted.max(1)) - 1;
                let command = Command::set_feature(Feature::NumberOfQueues, count << 16 | count);
                self.order(stage, command, None, now)?;
            }
            Stage::DoorbellBuffers => {
                if !self.settings.doorbell_buffers || !has(|identity| identity.doorbell_buffers) {
                    return Ok(Some(Next::Stage(Stage::CompletionQueue(1))));
                }
                let (doorbells, events) = (self.page()?, self.page()?);
                let command =
                    Command::doorbell_buffer_config(doorbells.address(), events.address());
                self.shadows = Some([doorbells, events]);
                self.order(stage, command, None, now)?;
            }
            Stage::CompletionQueue(number) => {
                if number > self.queues {
                    return Ok(Some(Next::Stage(Stage::ActiveNamespaces(0))));
                }
                let command = self.make_half(number)?;
                self.order(stage, command, None, now)?;
            }
            Stage::SubmissionQueue(number) => {
                let address = self
                    .half
                    .as_ref()
                    .map_or(0, |half| half.addresses.submissions);
                let command =
                    Command::create_submission_queue(number, self.queue_entries(), address);
                self.order(stage, command, None, now)?;
            }
            Stage::ChangedNamespaces => {
                let page = self.page()?;
                let command = Command::log_page(LogPage::ChangedNamespaces, PAGE_SIZE as u32);
                self.order(stage, command, Some(page), now)?;
            }
            Stage::ActiveNamespaces(above) => {
                let page = self.page()?;
                let command = Command::identify(Identify::ActiveNamespaces(above));
                self.order(stage, command, Some(page), now)?;
            }
            Stage::Namespace(_, number) => {
                let page = self.page()?;
                let command = Command::identify(Identify::Namespace(number));
                self.order(stage, command, Some(page), now)?;
            }
            Stage::AsyncEvents => {
                if !has(|identity| identity.namespace_events) {
                    return Ok(Some(Next::Ready));
                }
                let command =
                    Command::set_feature(Feature::AsyncEventConfiguration, NAMESPACE_NOTICES);
                self.order(stage, command, None, now)?;
            }
        }
        Ok(None)
    }

    fn order(
        &mut self,
        stage: Stage,
        command: Command,
        data: Option<Memory<D>>,
        now: Duration,
    ) -> Result<(), Error> {
        let deadline = now.saturating_add(self.settings.admin_timeout);
        let admin = self.admin.as_mut().ok_or(Error::QueueFull)?;
        admin.send(command, data, Purpose::Stage(stage), Some(deadline))?;
        Ok(())
    }

    fn page(&self) -> Result<Memory<D>, OutOfMemory> {
        self.device.dma().allocate(PAGE_SIZE)
    }

    /// Entries of an I/O queue: one more than requests.
    fn queue_entries(&self) -> u16 {
        let most = self.capabilities.max_queue_entries().min(1 << TAG_BITS);
        let wanted = u32::from(self.settings.depth.max(1)) + 1;
        // At most 4096.
        wanted.min(most) as u16
    }

    /// The vector of queue pair `number`: vector 0 is the admin queue's, and
    /// shared where there is no other.
    fn vector(&self, number: u16) -> Option<u16> {
        let polled = number > self.queues.saturating_sub(self.settings.poll_queues).max(1);
        match self.device.vectors() {
            0 => None,
            _ if polled && self.settings.poll_queues > 0 => None,
            1 => Some(0),
            vectors => Some(1 + (number - 1) % (vectors - 1)),
        }
    }

    /// Makes both queues of a pair; answers the command that creates the first.
    fn make_half(&mut self, number: u16) -> Result<Command, Error> {
        let entries = self.queue_entries();
        let dma = self.device.dma();
        let submissions =
            dma.allocate(SubmissionQueue::<DoorbellOf<D>, Memory<D>>::bytes(entries))?;
        let completions =
            dma.allocate(CompletionQueue::<DoorbellOf<D>, Memory<D>>::bytes(entries))?;
        let pages = PrpLists::<Memory<D>>::pages_for(self.max_transfer());
        let lists = dma.allocate(PrpLists::<Memory<D>>::bytes(entries.into(), pages))?;
        let vector = self.vector(number);
        let command =
            Command::create_completion_queue(number, entries, completions.address(), vector);
        self.half = Some(Half {
            vector,
            addresses: Addresses {
                submissions: submissions.address(),
                completions: completions.address(),
                lists: lists.address(),
            },
            completions: CompletionQueue::new(completions, entries, self.doorbell(number, true)?),
            submissions: SubmissionQueue::new(submissions, entries, self.doorbell(number, false)?),
            lists: PrpLists::new(lists, pages),
        });
        Ok(command)
    }

    /// Looks for admin commands that came back, and for trouble.
    fn admin(&mut self, now: Duration) -> Result<Option<Step<D>>, Error> {
        let admin = self.admin.as_mut().ok_or(Error::Gone)?;
        let Some((purpose, completion, data)) = admin.next() else {
            let deadline = admin.deadline();
            self.look()?;
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Err(Error::Late);
            }
            let polled = self.device.vectors() == 0 && deadline.is_some();
            let until = match polled {
                true => Some(now.saturating_add(POLL)),
                false => deadline,
            };
            return Ok(Some(Step::Wait(until)));
        };
        match purpose {
            Purpose::Ring => Ok(Some(Step::Done(
                completion.identifier.get(),
                completion,
                data,
            ))),
            Purpose::AsyncEvent => self.async_event(&completion),
            Purpose::Stage(stage) => {
                let (step, next) = self.answered(stage, &completion, data)?;
                // The step is told first; the stage follows with the next call.
                match (step, self.go_to(next)?) {
                    (None, ready) => Ok(ready),
                    (step, _) => Ok(step),
                }
            }
        }
    }

    fn go_to(&mut self, next: Next) -> Result<Option<Step<D>>, Error> {
        match next {
            Next::Stage(stage) => {
                self.state = State::Next(stage);
                Ok(None)
            }
            Next::Ready => {
                self.state = State::Ready;
                Ok(Some(Step::Ready))
            }
        }
    }

    /// What follows from a stage's answer.
    fn answered(
        &mut self,
        stage: Stage,
        completion: &Completion,
        data: Option<Memory<D>>,
    ) -> Result<(Option<Step<D>>, Next), Error> {
        let status = completion.status();
        let refused = || match status.is_success() {
            true => Ok(()),
            false => Err(Error::Refused(status)),
        };
        let (step, next) = match stage {
            Stage::Controller => {
                refused()?;
                let page = data.ok_or(Error::Unsupported)?;
                self.identity = ControllerIdentity::read(&page);
                (None, Stage::Queues)
            }
            Stage::Queues => {
                refused()?;
                // Each counts from zero.
                let result = completion.result.get();
                let granted = (result & 0xffff).min(result >> 16) + 1;
                let wanted = self
                    .settings
                    .queues
                    .saturating_add(self.settings.poll_queues);
                self.queues = granted.min(u32::from(wanted.max(1))) as u16;
                (None, Stage::DoorbellBuffers)
            }
            Stage::DoorbellBuffers => {
                // It may not want them; it has not been told of a queue that
                // would use them.
                if !status.is_success() {
                    self.shadows = None;
                }
                (None, Stage::CompletionQueue(1))
            }
            Stage::CompletionQueue(number) => {
                refused()?;
                (None, Stage::SubmissionQueue(number))
            }
            Stage::SubmissionQueue(number) => {
                refused()?;
                let step = self.half.take().map(|half| {
                    Step::Queue(IoQueue {
                        number,
                        vector: half.vector,
                        depth: self.queue_entries() - 1,
                        addresses: half.addresses,
                        submissions: Submissions {
                            queue: half.submissions,
                            lists: half.lists,
                        },
                        completions: Completions {
                            queue: half.completions,
                            unknown: 0,
                        },
                    })
                });
                return Ok((step, Next::Stage(Stage::CompletionQueue(number + 1))));
            }
            // All namespaces are looked at, whatever it says.
            Stage::ChangedNamespaces => (None, Stage::ActiveNamespaces(0)),
            Stage::ActiveNamespaces(above) => {
                refused()?;
                self.list = data;
                (None, self.namespace_after(0, above))
            }
            Stage::Namespace(entry, number) => {
                let page = data.ok_or(Error::Unsupported)?;
                // One that went meanwhile is no reason to fail.
                let read = match status.is_success() {
                    true => Namespace::read(number, &page),
                    false => None,
                };
                let step = read.map(|usable| match usable {
                    Ok(namespace) => Step::Namespace(namespace),
                    Err(why) => Step::Unusable(number, why),
                });
                (step, self.namespace_after(entry + 1, number))
            }
            Stage::AsyncEvents => {
                // One that does not tell is one to be asked.
                if status.is_success() {
                    self.request_event()?;
                }
                return Ok((None, Next::Ready));
            }
        };
        Ok((step, Next::Stage(next)))
    }

    /// What follows namespace `number` in the list.
    fn namespace_after(&mut self, entry: usize, number: u32) -> Stage {
        let list = self.list.as_ref().filter(|_| entry < MAX_NAMESPACES);
        match list.and_then(|list| next_active(list, entry, number)) {
            Some(next) => Stage::Namespace(entry, next),
            None => {
                self.list = None;
                Stage::AsyncEvents
            }
        }
    }

    fn request_event(&mut self) -> Result<(), Error> {
        let admin = self.admin.as_mut().ok_or(Error::QueueFull)?;
        let command = Command::async_event_request();
        admin.send(command, None, Purpose::AsyncEvent, None)?;
        Ok(())
    }

    /// An event (§5.2.1): a notice of changed namespaces is told, others are
    /// not; then the next one is awaited.
    fn async_event(&mut self, completion: &Completion) -> Result<Option<Step<D>>, Error> {
        if !completion.status().is_success() {
            return Ok(None);
        }
        self.request_event()?;
        let result = completion.result.get();
        let (kind, information) = (result & 7, result >> 8 & 0xff);
        let changed = kind == NOTICE && information == NAMESPACE_CHANGED;
        Ok(changed.then_some(Step::NamespacesChanged))
    }
}

/// Where to go from a stage.
enum Next {
    Stage(Stage),
    Ready,
}
