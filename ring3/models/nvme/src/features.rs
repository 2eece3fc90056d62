//! Get Features and Set Features (Base 2.0 §5.15, §5.27; NVM command set 1.0
//! §4.1.3).

use crate::command::Command;
use crate::config::Config;
use crate::controller::Controller;
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::status::Status;

/// Feature identifiers.
pub(crate) mod id {
    pub const ARBITRATION: u8 = 0x01;
    pub const POWER_MANAGEMENT: u8 = 0x02;
    pub const TEMPERATURE_THRESHOLD: u8 = 0x04;
    pub const ERROR_RECOVERY: u8 = 0x05;
    pub const VOLATILE_WRITE_CACHE: u8 = 0x06;
    pub const NUMBER_OF_QUEUES: u8 = 0x07;
    pub const INTERRUPT_COALESCING: u8 = 0x08;
    pub const INTERRUPT_VECTOR: u8 = 0x09;
    pub const WRITE_ATOMICITY: u8 = 0x0a;
    pub const ASYNC_EVENTS: u8 = 0x0b;
}

/// What the host has set. Nothing is saved over a reset.
#[derive(Clone)]
pub(crate) struct Features {
    arbitration: u32,
    /// Thresholds of the composite temperature in kelvin: over, under.
    temperature: [u16; 2],
    error_recovery: u32,
    pub write_cache: bool,
    /// Kept and given back. Interrupts are never held back, which the
    /// specification leaves to the controller.
    coalescing: u32,
    /// Vectors without coalescing.
    uncoalesced: Vec<bool>,
    write_atomicity: u32,
    async_events: u32,
    /// I/O queues that the host may make: submission, completion.
    queues: [u16; 2],
}

impl Features {
    pub fn new(config: &Config) -> Self {
        Self {
            arbitration: 3, // bursts of 8
            temperature: [0xffff, 0],
            error_recovery: 0,
            write_cache: config.write_cache,
            coalescing: 0,
            uncoalesced: vec![false; config.vectors().into()],
            write_atomicity: 0,
            async_events: 0,
            queues: [config.io_queues; 2],
        }
    }

    /// Commands that one queue may give in its turn (AB; 7 is no limit).
    pub fn arbitration_burst(&self) -> u32 {
        match self.arbitration & 0b111 {
            7 => u32::MAX,
            burst => 1 << burst,
        }
    }

    pub fn submission_queues(&self) -> u16 {
        self.queues[0]
    }

    pub fn completion_queues(&self) -> u16 {
        self.queues[1]
    }

    pub fn reports_namespaces(&self) -> bool {
        self.async_events & 1 << 8 != 0
    }

    pub fn reports_temperature(&self) -> bool {
        self.async_events & 1 << 1 != 0
    }

    pub fn is_too_hot_or_cold(&self, kelvin: u16) -> bool {
        kelvin >= self.temperature[0] || kelvin <= self.temperature[1]
    }

    /// The value of a feature. `dw11` says which, where there are several.
    fn get(&self, feature: u8, dw11: u32, config: &Config) -> Result<u32, Status> {
        Ok(match feature {
            id::ARBITRATION => self.arbitration,
            id::POWER_MANAGEMENT => 0,
            id::TEMPERATURE_THRESHOLD => self.temperature[threshold(dw11)?].into(),
            id::ERROR_RECOVERY => self.error_recovery,
            id::VOLATILE_WRITE_CACHE if config.write_cache => self.write_cache.into(),
            id::NUMBER_OF_QUEUES => self.number_of_queues(),
            id::INTERRUPT_COALESCING => self.coalescing,
            id::INTERRUPT_VECTOR => {
                let vector = dw11 & 0xffff;
                let off = self.uncoalesced.get(vector as usize);
                vector | u32::from(*off.ok_or(Status::INVALID_FIELD)?) << 16
            }
            id::WRITE_ATOMICITY => self.write_atomicity,
            id::ASYNC_EVENTS => self.async_events,
            _ => return Err(Status::INVALID_FIELD),
        })
    }

    /// NCQA and NSQA, both counted from 0.
    fn number_of_queues(&self) -> u32 {
        u32::from(self.queues[1] - 1) << 16 | u32::from(self.queues[0] - 1)
    }
}

/// Which temperature threshold: THSEL (21:20), of TMPSEL (19:16) composite or
/// all.
fn threshold(dw11: u32) -> Result<usize, Status> {
    match (dw11 >> 20 & 0b11, dw11 >> 16 & 0xf) {
        (which @ 0..=1, 0x0 | 0xf) => Ok(which as usize),
        _ => Err(Status::INVALID_FIELD),
    }
}

impl<M: Memory> Controller<M> {
    /// Get Features.
    pub(crate) fn get_features(&mut self, command: &Command) -> Result<u32, Status> {
        let feature = command.dw10.get() as u8;
        let dw11 = command.dw11.get();
        let current = self.features.get(feature, dw11, &self.config)?;
        match command.dw10.get() >> 8 & 0b111 {
            0 => Ok(current),
            // Default; saved, which is the default as nothing can be saved.
            1 | 2 => Features::new(&self.config).get(feature, dw11, &self.config),
            3 => Ok(1 << 2), // changeable; not saveable, not by namespace
            _ => Err(Status::INVALID_FIELD),
        }
    }

    /// Set Features.
    pub(crate) fn set_features(&mut self, command: &Command) -> Result<u32, Status> {
        let feature = command.dw10.get() as u8;
        let dw11 = command.dw11.get();
        self.features.get(feature, dw11, &self.config)?; // it is there
        if command.dw10.get() >> 31 != 0 {
            return Err(Status::FEATURE_NOT_SAVEABLE);
        }
        if !matches!(command.nsid.get(), 0 | u32::MAX) && feature != id::ERROR_RECOVERY {
            return Err(Status::FEATURE_NOT_NAMESPACE_SPECIFIC);
        }
        match feature {
            id::ARBITRATION => self.features.arbitration = dw11 & 0xffff_ff07,
            id::POWER_MANAGEMENT if dw11 & 0x1f == 0 => {} // the only state
            id::TEMPERATURE_THRESHOLD => {
                self.features.temperature[threshold(dw11)?] = dw11 as u16;
                self.check_temperature();
            }
            // DULBE is not offered (NSFEAT bit 2).
            id::ERROR_RECOVERY if dw11 >> 16 & 1 == 0 => {
                self.features.error_recovery = dw11 & 0xffff;
            }
            id::VOLATILE_WRITE_CACHE => {
                self.features.write_cache = dw11 & 1 != 0;
                if !self.features.write_cache {
                    self.namespaces
                        .iter_mut()
                        .flatten()
                        .for_each(Namespace::flush);
                }
            }
            id::NUMBER_OF_QUEUES => return self.set_number_of_queues(dw11),
            id::INTERRUPT_COALESCING => self.features.coalescing = dw11 & 0xffff,
            id::INTERRUPT_VECTOR => {
                let off = &mut self.features.uncoalesced[(dw11 & 0xffff) as usize];
                *off = dw11 >> 16 & 1 != 0;
            }
            id::WRITE_ATOMICITY => self.features.write_atomicity = dw11 & 1,
            // SMART warnings (7:0), namespace attribute notices (8).
            id::ASYNC_EVENTS => {
                self.features.async_events = dw11 & 0x1ff;
                self.check_temperature();
            }
            _ => return Err(Status::INVALID_FIELD),
        }
        Ok(0)
    }

    /// Number of Queues (§5.27.1.5): not after an I/O queue was made.
    fn set_number_of_queues(&mut self, dw11: u32) -> Result<u32, Status> {
        let wanted = [dw11 & 0xffff, dw11 >> 16];
        if wanted.contains(&0xffff) {
            return Err(Status::INVALID_FIELD);
        }
        if self.queues.any_io() {
            return Err(Status::COMMAND_SEQUENCE_ERROR);
        }
        let most = u32::from(self.config.io_queues);
        self.features.queues = wanted.map(|wanted| (wanted + 1).min(most) as u16);
        Ok(self.features.number_of_queues())
    }
}
