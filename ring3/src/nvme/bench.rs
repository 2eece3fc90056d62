//! The data path of the NVMe driver and of its C twin under a load, on a
//! controller model that nobody but the load steps.
//!
//! Both sit behind the same C function table, write the same entries into
//! queues of the same model, and ring its doorbells through the same function.

mod doorbell;
mod job;
mod machine;
mod requests;
mod rust;
#[cfg(test)]
mod tests;
mod twin;

use anyhow::{Context, Result};

use crate::load::{Load, Rounds, Shape, Target};
use crate::subject::{Subject, Unable};
use job::Job;

/// Operations of a window: some hundred microseconds of them, most of which
/// are the model's.
const WINDOW: u32 = 1024;

/// What a controller and its queues are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a logical block (`blocksize`): 512, 1024, 2048 or 4096.
    pub block_size: u32,
    /// MiB of the namespace (`size`), 1..=1024.
    pub size_mib: u32,
    /// Queue pairs (`submit_queues`), 1..=64.
    pub queues: u16,
    /// Requests in flight in each (`hw_queue_depth`), 1..=4095.
    pub depth: u16,
    /// Whether doorbells are in memory (`shadow_doorbells`: 0 or 1).
    pub shadow_doorbells: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            block_size: 4096,
            size_mib: 4,
            queues: 1,
            depth: 128,
            shadow_doorbells: false,
        }
    }
}

impl Settings {
    /// The names of the settings.
    pub const NAMES: [&'static str; 5] = [
        "blocksize",
        "size",
        "submit_queues",
        "hw_queue_depth",
        "shadow_doorbells",
    ];

    /// The same with a setting of that name changed; `None` for an unknown name
    /// or a value out of its range.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Option<Settings> {
        let value: u32 = value.parse().ok()?;
        let within = |low: u32, high: u32| (low..=high).contains(&value).then_some(value);
        match name {
            "blocksize" => {
                self.block_size = within(512, 4096).filter(|size| size.is_power_of_two())?;
            }
            "size" => self.size_mib = within(1, 1024)?,
            "submit_queues" => self.queues = within(1, 64)? as u16,
            "hw_queue_depth" => self.depth = within(1, 4095)? as u16,
            "shadow_doorbells" => self.shadow_doorbells = within(0, 1)? == 1,
            _ => return None,
        }
        Some(self)
    }
}

/// Queue pairs of a controller model, served by one of the subjects. Each job
/// has a model of its own.
#[derive(Clone, Debug)]
pub struct Device {
    subject: Subject,
    settings: Settings,
    made: Made,
    /// Nanoseconds an operation.
    delay: Option<f64>,
}

/// What came of the settings, as the subject has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    block_size: u32,
    capacity: u64,
    /// Entries of each queue.
    entries: u16,
    depth: u32,
    queues: u32,
    max_transfer: u32,
    shadow_doorbells: bool,
}

impl Device {
    /// A device with these settings: it is brought up once and read back.
    ///
    /// # Errors
    ///
    /// [`Unable`] within if the subject cannot be one; otherwise if the model
    /// cannot be brought up.
    pub fn new(subject: Subject, settings: Settings) -> Result<Result<Device, Unable>> {
        if let Err(unable) = subject.check() {
            return Ok(Err(unable));
        }
        let load = Load::smallest(settings.block_size);
        let job = Job::new(&load, subject, settings, None)
            .context("nvme: the controller model cannot be brought up")?;
        Ok(Ok(Device {
            subject,
            settings,
            made: job.made(),
            delay: None,
        }))
    }
}

impl Target for Device {
    fn shape(&self) -> Shape {
        Shape {
            block_size: self.made.block_size,
            capacity: self.made.capacity,
            max_transfer: self.made.max_transfer,
            queues: self.made.queues,
            depth: self.made.depth,
            // Whoever polls steps the model, which is one thread's.
            jobs: 1,
            window: WINDOW,
        }
    }

    fn read_back(&self) -> Vec<(&'static str, u64)> {
        let made = &self.made;
        vec![
            ("size", made.capacity >> 20),
            ("blocksize", made.block_size.into()),
            ("submit_queues", made.queues.into()),
            ("hw_queue_depth", made.depth.into()),
            ("queue_entries", made.entries.into()),
            ("max_transfer", made.max_transfer.into()),
            ("shadow_doorbells", made.shadow_doorbells.into()),
        ]
    }

    fn serves(&self) -> bool {
        self.subject != Subject::Empty
    }

    fn another(&self) -> Result<Box<dyn Target>> {
        Ok(Box::new(self.clone()))
    }

    fn delayed(self: Box<Self>, nanoseconds: f64) -> Box<dyn Target> {
        Box::new(Device {
            delay: Some(nanoseconds),
            ..*self
        })
    }

    fn job<'a>(&'a self, load: &Load, _number: u32) -> Result<Box<dyn Rounds + 'a>> {
        let job = Job::new(load, self.subject, self.settings, self.delay)?;
        Ok(Box::new(job))
    }
}
