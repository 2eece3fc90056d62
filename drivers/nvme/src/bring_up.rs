//! Bring-up of a controller that is enabled, by admin commands, one stage after
//! the other: what it is, its queues, its namespaces (NVMe Base 2.0 §3.5.1); and
//! the events that it tells of.

use core::time::Duration;

use kit::block::TAG_BITS;
use kit::device::Device;
use kit::dma::{Coherent, Dma};
use kit::memory::{OutOfMemory, PAGE_SIZE};

use crate::command::{Command, Feature, Identify, LogPage};
use crate::completion::Completion;
use crate::completion_queue::CompletionQueue;
use crate::controller::{Controller, Error, State, Step, POLL};
use crate::identify::{next_active, ControllerIdentity, Namespace};
use crate::io_queue::{Addresses, Completions, DoorbellOf, IoQueue, Memory, Submissions, Zeroing};
use crate::lists::Lists;
use crate::prp;
use crate::submission_queue::SubmissionQueue;

/// Namespaces that are looked at: a list's length.
const MAX_NAMESPACES: usize = PAGE_SIZE / 4;
/// Asynchronous event type of notices (figure 145), the notice of changed
/// namespaces (figure 148), and the bit that asks for it (figure 326).
const NOTICE: u32 = 2;
const NAMESPACE_CHANGED: u32 = 0;
const NAMESPACE_NOTICES: u32 = 1 << 8;

/// What an admin command was sent for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Stage(Stage),
    Ring,
    AsyncEvent,
}

/// Where bring-up is: whose answer it waits for.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
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

/// A queue pair in the making.
pub(crate) struct Half<D: Device> {
    vector: Option<u16>,
    completions: CompletionQueue<DoorbellOf<D>, Memory<D>>,
    submissions: SubmissionQueue<DoorbellOf<D>, Memory<D>>,
    addresses: Addresses,
    lists: Lists<Memory<D>>,
}

/// Where to go from a stage.
pub(crate) enum Next {
    Stage(Stage),
    Ready,
}

impl<D: Device> Controller<D> {
    /// Sends the command of a stage; or says which stage is next, if this one
    /// is not for this controller.
    pub(crate) fn begin(&mut self, stage: Stage, now: Duration) -> Result<Option<Next>, Error> {
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
                if !self.settings.doorbell_buffers || !self.has(|it| it.doorbell_buffers) {
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
                if !self.has(|it| it.namespace_events) {
                    return Ok(Some(Next::Ready));
                }
                let command =
                    Command::set_feature(Feature::AsyncEventConfiguration, NAMESPACE_NOTICES);
                self.order(stage, command, None, now)?;
            }
        }
        Ok(None)
    }

    /// Whether the controller said that it has something.
    fn has(&self, what: fn(&ControllerIdentity) -> bool) -> bool {
        self.identity.as_ref().is_some_and(what)
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
        let most = self.max_queue_entries().min(1 << TAG_BITS);
        let wanted = match self.settings.quirks.depth_one {
            true => 2,
            false => u32::from(self.settings.depth.max(1)) + 1,
        };
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
            _ if self.settings.quirks.single_vector => Some(0),
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
        let pages = prp::list_pages(self.max_transfer());
        let lists = dma.allocate(Lists::<Memory<D>>::bytes(entries.into(), pages))?;
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
            lists: Lists::new(lists, pages, self.settings.sgl && self.has(|it| it.sgl)),
        });
        Ok(command)
    }

    /// Looks for admin commands that came back, and for trouble.
    pub(crate) fn admin(&mut self, now: Duration) -> Result<Option<Step<D>>, Error> {
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

    pub(crate) fn go_to(&mut self, next: Next) -> Result<Option<Step<D>>, Error> {
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
                let quirks = self.settings.quirks;
                self.identity = ControllerIdentity::read(&page).map(|said| ControllerIdentity {
                    write_zeroes: match quirks.deallocate_zeroes {
                        true => said.dataset_management,
                        false => said.write_zeroes && !quirks.no_write_zeroes,
                    },
                    ..said
                });
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
                            zeroing: self.zeroing(),
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

    /// How blocks become zero.
    fn zeroing(&self) -> Zeroing {
        match self.has(|it| it.write_zeroes) {
            true if self.settings.quirks.deallocate_zeroes => Zeroing::Deallocate,
            true => Zeroing::Command,
            false => Zeroing::No,
        }
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
