//! The controller: what it consists of, and what its owner sees of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::{Config, Invalid};
use crate::data::Segment;
use crate::doorbells::Shadow;
use crate::events::Events;
use crate::faults::{Action, Faults, Misfit, Rule, Script};
use crate::features::Features;
use crate::interrupts::{Interrupts, Raised};
use crate::life::{Life, Shutdown};
use crate::log_page::Logs;
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::queues::Queues;
use crate::registers::ControllerConfiguration;
use crate::work::Late;

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

/// What scripted faults did to the device as a whole.
#[derive(Default)]
pub(crate) struct Broken {
    pub stopped: bool,
    pub fatal: bool,
    pub removed: bool,
    pub never_ready: bool,
    pub late_ready: Option<Duration>,
    pub never_reset: bool,
    pub never_shut_down: bool,
}

/// An NVMe controller with the host's memory `M`.
pub struct Controller<M: Memory> {
    pub(crate) memory: M,
    pub(crate) config: Config,
    pub(crate) cc: ControllerConfiguration,
    pub(crate) admin_attributes: u32,
    pub(crate) admin_sq: u64,
    pub(crate) admin_cq: u64,
    pub(crate) subsystem_was_reset: bool,
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

    /// The rules of the script that were not applied yet: a test can so see
    /// whether its fault has happened.
    pub fn waiting_rules(&self) -> &[Rule] {
        self.faults.waiting()
    }

    /// The host's memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The vectors raised since the last call, each once, lowest first: an
    /// iterator that clears what it gives. A pin is vector 0 and stays raised,
    /// call by call, until the host has taken all completions or masks it.
    pub fn interrupts(&mut self) -> Raised<'_> {
        Raised::new(&mut self.interrupts)
    }

    /// Applies a fault that is about the device as a whole. Others do not fit
    /// the event (`Script::check`).
    pub(crate) fn happen(&mut self, action: Action) {
        match action {
            Action::Stop => self.broken.stopped = true,
            Action::Fatal => self.broken.fatal = true,
            Action::Remove => {
                self.broken.removed = true;
                self.interrupts.clear();
            }
            Action::NeverReady => self.broken.never_ready = true,
            Action::LateReady(by) => self.broken.late_ready = Some(by),
            Action::NeverReset => self.broken.never_reset = true,
            Action::NeverShutDown => self.broken.never_shut_down = true,
            Action::SpuriousInterrupt(vector)
                if vector < self.config.vectors() && !self.broken.removed =>
            {
                self.interrupts.raise(vector);
            }
            _ => {}
        }
    }
}
