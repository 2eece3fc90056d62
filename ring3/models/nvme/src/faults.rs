//! Faults to a script: what goes wrong, and when.
//!
//! A [`Script`] is data. The controller counts events of each kind from the
//! moment it is given the script, and applies a rule once, at the event that
//! it names.

use std::time::Duration;

/// When a rule applies. Events are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// That command is fetched, over all queues.
    Command(u64),
    /// That completion is about to be posted, over all queues.
    Completion(u64),
    /// That read of a register.
    RegisterRead(u64),
    /// That write of a register or doorbell.
    RegisterWrite(u64),
    /// That interrupt is about to be raised. A vector that was raised and not
    /// taken yet is not raised again.
    Interrupt(u64),
    /// The first step at that time or later.
    Time(Duration),
}

/// What is wrong in a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// Command identifier.
    CommandId(u16),
    /// Submission queue identifier.
    SubmissionQueue(u16),
    /// Submission queue head pointer.
    Head(u16),
    /// Status without phase tag, 15 bits.
    Status(u16),
    /// Doubleword 0.
    Result(u32),
    /// The phase tag is that of the round before, so that the entry seems not
    /// to be written.
    Phase,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command is never executed and never answered; a completion, a register
    /// write or an interrupt is lost.
    Drop,
    /// A command is executed that much later; a completion is posted that much
    /// later, its data having moved in time.
    Delay(Duration),
    /// A completion is posted twice.
    Twice,
    /// A completion is posted, and again that much later, when its identifier
    /// may be in use for another command.
    Again(Duration),
    /// A completion is wrong.
    Corrupt(Corruption),
    /// What the command gives to the host is overwritten with bytes from a
    /// generator with this seed.
    Garble(u64),
    /// The register reads as this, once.
    ReadAs(u64),

    /// Fetches and completes nothing more, until the next reset.
    Stop,
    /// Controller fatal status (CSTS.CFS), until the next reset.
    Fatal,
    /// Is pulled out: registers read all ones, memory is not touched, for ever.
    Remove,
    /// Never becomes ready again once it is disabled.
    NeverReady,
    /// Becomes ready that much later, the next time it is enabled.
    LateReady(Duration),
    /// Never resets when it is disabled (CSTS.RDY stays 1).
    NeverReset,
    /// A shutdown never completes.
    NeverShutDown,
    /// Raises this vector for no reason. Beyond the last vector: nothing.
    SpuriousInterrupt(u16),
}

impl Action {
    /// Whether the action can be applied to that kind of event. Those of the
    /// device as a whole can be, to any.
    pub fn fits(self, event: Event) -> bool {
        match self {
            Self::Drop => !matches!(event, Event::RegisterRead(_) | Event::Time(_)),
            Self::Delay(_) => matches!(event, Event::Command(_) | Event::Completion(_)),
            Self::Twice | Self::Again(_) | Self::Corrupt(_) => {
                matches!(event, Event::Completion(_))
            }
            Self::Garble(_) => matches!(event, Event::Command(_)),
            Self::ReadAs(_) => matches!(event, Event::RegisterRead(_)),
            _ => true,
        }
    }
}

/// One fault: at an event, an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// When.
    pub at: Event,
    /// What.
    pub action: Action,
}

/// A rule whose action does not fit its event, such as `Twice` at a register
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub Rule);

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "script: {:?} cannot happen at {:?}; see Action::fits",
            self.0.action, self.0.at
        )
    }
}

impl std::error::Error for Misfit {}

/// All faults of a run, in any order. Several rules may name one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(pub Vec<Rule>);

impl Script {
    /// One fault.
    pub fn one(at: Event, action: Action) -> Self {
        Self(vec![Rule { at, action }])
    }

    /// `rules` faults among the first `events` events of every kind (at least
    /// 1), the same for the same seed. Delays are up to `longest`, and so are
    /// times.
    pub fn random(seed: u64, rules: usize, events: u64, longest: Duration) -> Self {
        let mut random = Random(seed);
        let mut script = Vec::with_capacity(rules);
        while script.len() < rules {
            let rule = Rule {
                at: random.event(events.max(1), longest),
                action: random.action(longest),
            };
            if rule.action.fits(rule.at) {
                script.push(rule);
            }
        }
        Self(script)
    }

    /// Whether every action fits its event.
    ///
    /// # Errors
    ///
    /// The first rule that does not.
    pub fn check(&self) -> Result<(), Misfit> {
        match self.0.iter().find(|rule| !rule.action.fits(rule.at)) {
            Some(rule) => Err(Misfit(*rule)),
            None => Ok(()),
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 0 to `below` - 1.
    fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    fn duration(&mut self, longest: Duration) -> Duration {
        let nanoseconds = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanoseconds.max(1)))
    }

    fn event(&mut self, events: u64, longest: Duration) -> Event {
        let nth = 1 + self.below(events);
        match self.below(6) {
            0 => Event::Command(nth),
            1 => Event::Completion(nth),
            2 => Event::RegisterRead(nth),
            3 => Event::RegisterWrite(nth),
            4 => Event::Interrupt(nth),
            _ => Event::Time(self.duration(longest)),
        }
    }

    fn action(&mut self, longest: Duration) -> Action {
        match self.below(15) {
            0 => Action::Drop,
            1 => Action::Delay(self.duration(longest)),
            2 => Action::Twice,
            3 => Action::Corrupt(self.corruption()),
            4 => Action::Garble(self.next()),
            5 => Action::ReadAs(self.next()),
            6 => Action::Stop,
            7 => Action::Fatal,
            8 => Action::Remove,
            9 => Action::NeverReady,
            10 => Action::LateReady(self.duration(longest)),
            11 => Action::NeverReset,
            12 => Action::NeverShutDown,
            13 => Action::Again(self.duration(longest)),
            _ => Action::SpuriousInterrupt(self.below(64) as u16),
        }
    }

    fn corruption(&mut self) -> Corruption {
        let value = self.next();
        match self.below(6) {
            0 => Corruption::CommandId(value as u16),
            1 => Corruption::SubmissionQueue(value as u16),
            2 => Corruption::Head(value as u16),
            3 => Corruption::Status(value as u16 & 0x7fff),
            4 => Corruption::Result(value as u32),
            _ => Corruption::Phase,
        }
    }
}

/// The kinds of events that are counted.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Command,
    Completion,
    RegisterRead,
    RegisterWrite,
    Interrupt,
}

/// A script as it is played.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    seen: [u64; 5],
}

impl Faults {
    pub fn new(script: Script) -> Self {
        Self {
            rules: script.0,
            seen: [0; 5],
        }
    }

    /// The rules that were not applied yet.
    pub fn waiting(&self) -> &[Rule] {
        &self.rules
    }

    /// Counts an event; whether a rule may be waiting for one.
    #[inline]
    pub fn count(&mut self, kind: Kind) -> bool {
        self.seen[kind as usize] += 1;
        !self.rules.is_empty()
    }

    /// Takes a rule for the event of this kind that was counted last; ask until
    /// there is none.
    pub fn take(&mut self, kind: Kind) -> Option<Action> {
        let nth = self.seen[kind as usize];
        let event = match kind {
            Kind::Command => Event::Command(nth),
            Kind::Completion => Event::Completion(nth),
            Kind::RegisterRead => Event::RegisterRead(nth),
            Kind::RegisterWrite => Event::RegisterWrite(nth),
            Kind::Interrupt => Event::Interrupt(nth),
        };
        let found = self.rules.iter().position(|rule| rule.at == event)?;
        Some(self.rules.remove(found).action)
    }

    /// Takes a rule whose time has come.
    pub fn take_due(&mut self, now: Duration) -> Option<Action> {
        let due = |rule: &Rule| matches!(rule.at, Event::Time(at) if at <= now);
        let found = self.rules.iter().position(due)?;
        Some(self.rules.remove(found).action)
    }

    /// The earliest time that a rule waits for.
    pub fn next_time(&self) -> Option<Duration> {
        let times = self.rules.iter().filter_map(|rule| match rule.at {
            Event::Time(at) => Some(at),
            _ => None,
        });
        times.min()
    }
}
