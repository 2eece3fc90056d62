//! The admin queue pair (NVMe Base 2.0 §3.3): commands to the controller, few
//! at a time, each with a time limit.

use core::time::Duration;

use kit::device::Device;
use kit::dma::Coherent;

use crate::command::Command;
use crate::completion::Completion;
use crate::completion_queue::CompletionQueue;
use crate::io_queue::{DoorbellOf, Memory};
use crate::submission_queue::SubmissionQueue;

/// Entries of either queue; a command less may be under way.
pub(crate) const ENTRIES: u16 = 32;

/// The queue has as many commands under way as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// A command under way.
struct Sent<P, M> {
    identifier: u16,
    purpose: P,
    /// What the controller reads or writes for it.
    data: Option<M>,
    /// When the controller is late; `None` for one that may take for ever.
    deadline: Option<Duration>,
}

/// The admin queue pair. `P` says what a command was sent for.
pub(crate) struct AdminQueue<D: Device, P> {
    submissions: SubmissionQueue<DoorbellOf<D>, Memory<D>>,
    completions: CompletionQueue<DoorbellOf<D>, Memory<D>>,
    sent: [Option<Sent<P, Memory<D>>>; ENTRIES as usize - 1],
    /// Counts commands, for identifiers that do not come back soon.
    count: u16,
    /// Completions of nothing that was sent.
    pub(crate) unknown: u64,
}

impl<D: Device, P: Copy> AdminQueue<D, P> {
    pub(crate) fn new(
        submissions: SubmissionQueue<DoorbellOf<D>, Memory<D>>,
        completions: CompletionQueue<DoorbellOf<D>, Memory<D>>,
    ) -> AdminQueue<D, P> {
        AdminQueue {
            submissions,
            completions,
            sent: [const { None }; ENTRIES as usize - 1],
            count: 0,
            unknown: 0,
        }
    }

    /// Sends a command, whose data pointer is that of `data` if there is any,
    /// and answers its identifier: its place in the low five
    /// bits, a count above.
    pub(crate) fn send(
        &mut self,
        mut command: Command,
        data: Option<Memory<D>>,
        purpose: P,
        deadline: Option<Duration>,
    ) -> Result<u16, QueueFull> {
        let place = self
            .sent
            .iter()
            .position(Option::is_none)
            .ok_or(QueueFull)?;
        self.count = self.count.wrapping_add(1);
        let identifier = self.count << 5 | place as u16;
        command.identifier.set(identifier);
        if let Some(data) = &data {
            command = command.with_prp([data.address(), 0]);
        }
        self.sent[place] = Some(Sent {
            identifier,
            purpose,
            data,
            deadline,
        });
        self.submissions.push(&command);
        self.submissions.commit();
        Ok(identifier)
    }

    /// The next command that came back.
    pub(crate) fn next(&mut self) -> Option<(P, Completion, Option<Memory<D>>)> {
        // At most a queueful; more would be a device that makes them up.
        for _ in 0..ENTRIES {
            let completion = self.completions.next();
            self.completions.commit();
            let completion = completion?;
            let identifier = completion.identifier.get();
            let place = self.sent.get_mut(usize::from(identifier & 0x1f));
            match place {
                Some(slot)
                    if slot
                        .as_ref()
                        .is_some_and(|sent| sent.identifier == identifier) =>
                {
                    let sent = slot.take()?;
                    return Some((sent.purpose, completion, sent.data));
                }
                _ => self.unknown += 1,
            }
        }
        None
    }

    /// The earliest time at which a command is late.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.sent
            .iter()
            .flatten()
            .filter_map(|sent| sent.deadline)
            .min()
    }
}
