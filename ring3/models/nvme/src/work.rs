//! Steps: fetching, executing, and what waits for its time (Base 2.0 §3.4).

use std::time::Duration;

use zerocopy::FromBytes;

use crate::command::{Command, Completion};
use crate::controller::Controller;
use crate::data::{Direction, Rules};
use crate::faults::{Action, Kind, Random};
use crate::life::{Life, Shutdown};
use crate::memory::Memory;
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

impl<M: Memory> Controller<M> {
    /// Goes on, `now` being the time on the owner's clock, which never goes
    /// back. Fetches at most [`Config::commands_per_step`](crate::Config::commands_per_step) commands.
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

    /// Whether it may touch the host's memory and raise interrupts.
    pub(crate) fn is_working(&self) -> bool {
        let alive = matches!(self.life, Life::Ready | Life::Resetting(_));
        alive
            && !matches!(self.shutdown, Shutdown::Complete)
            && !self.broken.stopped
            && !self.broken.fatal
            && !self.broken.removed
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
        let address = queue
            .base
            .wrapping_add(Command::SIZE as u64 * u64::from(queue.head));
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
                    .write(address.wrapping_add(at.into()), &bytes[..now as usize]);
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
    ) -> Result<(), Status> {
        if length > self.config.max_transfer() {
            return Err(Status::INVALID_FIELD); // MDTS
        }
        let rules = Rules {
            page: 1 << self.cc.page_shift(),
            sgl: self.config.sgl,
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
