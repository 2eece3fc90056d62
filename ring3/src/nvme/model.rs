//! The controller model of `ring3/models/nvme` as a device.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit::device::Device;
use kit::registers::{Doorbell, Registers};
use nvme_model::{Config, Controller, Fault, Invalid, Memory, Step};

use crate::dma::Arena;
use crate::nvme::Clock;

/// The host's memory as the model sees it.
pub struct DeviceSide(Arena);

impl Memory for DeviceSide {
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        match self.0.device_read(address, to) {
            true => Ok(()),
            false => Err(Fault {
                address,
                length: to.len(),
            }),
        }
    }

    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        match self.0.device_write(address, from) {
            true => Ok(()),
            false => Err(Fault {
                address,
                length: from.len(),
            }),
        }
    }
}

/// A controller in this process, with a clock that runs only while nothing
/// else does: what it is asked to wait for happens at once.
#[derive(Clone)]
pub struct Model {
    controller: Arc<Mutex<Controller<DeviceSide>>>,
    arena: Arena,
    /// Nanoseconds, for all handles.
    now: Arc<AtomicU64>,
}

impl Model {
    /// A controller of that shape, which reaches `arena`.
    ///
    /// # Errors
    ///
    /// If no controller can have that shape.
    pub fn new(config: Config, arena: Arena) -> Result<Model, Invalid> {
        let controller = Controller::new(config, DeviceSide(arena.clone()))?;
        Ok(Model {
            controller: Arc::new(Mutex::new(controller)),
            arena,
            now: Arc::default(),
        })
    }

    /// The controller itself.
    pub fn controller(&self) -> MutexGuard<'_, Controller<DeviceSide>> {
        lock(&self.controller)
    }

    /// The device to give to a driver. With `vectors` 0 it is polled.
    pub fn device(&self, vectors: u16) -> ModelDevice {
        ModelDevice {
            registers: ModelRegisters(self.controller.clone()),
            arena: self.arena.clone(),
            vectors,
        }
    }
}

fn lock(controller: &Mutex<Controller<DeviceSide>>) -> MutexGuard<'_, Controller<DeviceSide>> {
    controller.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock for Model {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now.load(SeqCst))
    }

    /// Lets the controller work; if it has nothing to do, time passes.
    fn wait(&mut self, until: Option<Duration>) {
        let now = self.now();
        let own = match lock(&self.controller).step(now) {
            Step::Worked => return,
            Step::Idle { until: own } => own,
            Step::Stopped => None,
        };
        let next = own.into_iter().chain(until).min();
        // Nobody waits for anything: a tick passes all the same, so that
        // whoever counts time gets on.
        let next = next.unwrap_or(now + Duration::from_millis(1));
        let next = u64::try_from(next.as_nanos()).unwrap_or(u64::MAX);
        self.now.fetch_max(next, SeqCst);
    }
}

/// A model as its driver sees it.
pub struct ModelDevice {
    registers: ModelRegisters,
    arena: Arena,
    vectors: u16,
}

impl Device for ModelDevice {
    type Registers = ModelRegisters;
    type Dma = Arena;

    fn registers(&self) -> &ModelRegisters {
        &self.registers
    }

    fn dma(&self) -> &Arena {
        &self.arena
    }

    fn vectors(&self) -> u16 {
        self.vectors
    }

    fn isolate(&mut self) -> bool {
        self.arena.isolate(true);
        true
    }

    fn admit(&mut self) {
        self.arena.isolate(false);
    }
}

impl Drop for ModelDevice {
    /// Whoever drives it frees its memory next.
    fn drop(&mut self) {
        self.isolate();
    }
}

/// Its registers.
#[derive(Clone)]
pub struct ModelRegisters(Arc<Mutex<Controller<DeviceSide>>>);

impl Registers for ModelRegisters {
    type Doorbell = ModelDoorbell;

    fn length(&self) -> usize {
        usize::try_from(lock(&self.0).register_space()).unwrap_or(usize::MAX)
    }

    fn read32(&self, offset: usize) -> u32 {
        lock(&self.0).read32(offset as u64)
    }

    fn write32(&self, offset: usize, value: u32) {
        lock(&self.0).write32(offset as u64, value);
    }

    fn doorbell(&self, offset: usize) -> Option<ModelDoorbell> {
        let within = offset % 4 == 0 && offset.checked_add(4)? <= self.length();
        within.then(|| ModelDoorbell {
            controller: self.0.clone(),
            offset: offset as u64,
        })
    }
}

/// One of its doorbells.
pub struct ModelDoorbell {
    controller: Arc<Mutex<Controller<DeviceSide>>>,
    offset: u64,
}

impl Doorbell for ModelDoorbell {
    fn ring(&mut self, value: u32) {
        lock(&self.controller).write32(self.offset, value);
    }
}
