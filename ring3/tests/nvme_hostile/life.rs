//! A controller that does what it likes: the model, but registers may read as
//! anything, doorbells may be lost, memory may be written at any time, and with
//! completions of what was never sent. Nothing may panic, hang, or take a request
//! twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::block::Status;
use kit::device::Device;
use kit::registers::{Doorbell, Registers};
use nvme::Settings;
use nvme_model::Config;
use rand::{Rng, RngCore};
use ring3::dma::Arena;
use ring3::nvme::{Clock, Disk, Io, Model, ModelDevice, Operation};

const BUS: u64 = 0x1_0000_0000;
const PAGES: usize = 512;
const PAGE: u64 = 4096;

/// What it does beside what the model does.
struct Malice {
    random: Box<dyn RngCore + Send>,
    arena: Arena,
    /// How often it does something, in a thousand of its chances.
    rate: u32,
    /// Chances that it had.
    steps: u64,
}

impl Malice {
    fn strikes(&mut self) -> bool {
        self.random.random_range(0..1000) < self.rate
    }

    /// A register's value, or something else.
    fn read(&mut self, truth: u32) -> u32 {
        if !self.strikes() {
            return truth;
        }
        match self.random.random_range(0..4) {
            0 => u32::MAX,
            1 => 0,
            2 => truth ^ 1 << self.random.random_range(0..32),
            _ => self.random.random(),
        }
    }

    /// A chance to write to memory that it was given.
    fn act(&mut self) {
        self.steps += 1;
        if !self.strikes() {
            return;
        }
        let base = BUS + self.random.random_range(0..PAGES as u64) * PAGE;
        if self.random.random() {
            // A completion, if there is a completion queue there.
            let mut entry = [0; 16];
            let identifier: u16 = match self.random.random() {
                true => self.random.random_range(0..256),
                false => self.random.random(),
            };
            let status: u16 = match self.random.random() {
                true => self.random.random_range(0..2),
                false => self.random.random(),
            };
            entry[0..4].copy_from_slice(&self.random.random::<u32>().to_le_bytes());
            entry[12..14].copy_from_slice(&identifier.to_le_bytes());
            entry[14..16].copy_from_slice(&status.to_le_bytes());
            for at in 0..self.random.random_range(1..32) {
                let _ = self.arena.device_write(base + 16 * at, &entry);
            }
        } else {
            let offset = self.random.random_range(0..PAGE - 64);
            let mut bytes = [0; 64];
            self.random.fill(&mut bytes[..]);
            let _ = self.arena.device_write(base + offset, &bytes);
        }
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Malice>>);

impl Shared {
    fn with<T>(&self, what: impl FnOnce(&mut Malice) -> T) -> T {
        what(&mut self.0.lock().expect("no panic while it is held"))
    }
}

/// The model, and malice between it and its driver.
struct Hostile {
    malice: Shared,
    model: ModelDevice,
}

struct HostileDevice {
    registers: Hostile,
    arena: Arena,
}

impl Device for HostileDevice {
    type Registers = Hostile;
    type Dma = Arena;

    fn registers(&self) -> &Hostile {
        &self.registers
    }

    fn dma(&self) -> &Arena {
        &self.arena
    }

    fn vectors(&self) -> u16 {
        2
    }

    fn isolate(&mut self) -> bool {
        self.registers.model.isolate()
    }

    fn admit(&mut self) {
        self.registers.model.admit();
    }
}

impl Registers for Hostile {
    type Doorbell = Bell;

    fn length(&self) -> usize {
        self.model.registers().length()
    }

    fn read32(&self, offset: usize) -> u32 {
        let truth = self.model.registers().read32(offset);
        self.malice.with(|malice| {
            malice.act();
            malice.read(truth)
        })
    }

    fn write32(&self, offset: usize, value: u32) {
        self.malice.with(Malice::act);
        self.model.registers().write32(offset, value);
    }

    fn doorbell(&self, offset: usize) -> Option<Bell> {
        Some(Bell {
            malice: self.malice.clone(),
            model: self.model.registers().doorbell(offset)?,
        })
    }
}

struct Bell {
    malice: Shared,
    model: <<ModelDevice as Device>::Registers as Registers>::Doorbell,
}

impl Doorbell for Bell {
    fn ring(&mut self, value: u32) {
        self.malice.with(Malice::act);
        if !self.malice.with(Malice::strikes) {
            self.model.ring(value);
        }
    }
}

/// The model's clock.
struct Ticks {
    model: Model,
    malice: Shared,
}

impl Clock for Ticks {
    fn now(&self) -> Duration {
        self.model.now()
    }

    fn wait(&mut self, until: Option<Duration>) {
        self.malice.with(Malice::act);
        self.model.wait(until);
    }
}

/// What became of a controller.
#[derive(Default)]
pub struct Life {
    /// How often the device acted.
    pub steps: u64,
    pub came_up: bool,
    /// Requests that passed for done.
    pub ended: u64,
    pub resets: u32,
}

/// One controller from its beginning to its end. Whatever it does follows from
/// `random`.
///
/// # Panics
///
/// If the driver loses a request or memory, ends a request twice or does not come
/// to an end: that is what is looked for.
pub fn play(mut random: Box<dyn RngCore + Send>) -> Life {
    let mut life = Life::default();
    let arena = Arena::new(PAGES, BUS);
    let rate = [1, 5, 20, 100, 400][random.random_range(0..5)];
    let config = Config {
        doorbell_buffer: random.random(),
        sgl: random.random(),
        latency: Duration::from_micros(random.random_range(0..50)),
        ..Config::default()
    };
    let model = Model::new(config, arena.clone()).expect("a shape that there is");
    let malice = Shared(Arc::new(Mutex::new(Malice {
        random,
        arena: arena.clone(),
        rate,
        steps: 0,
    })));
    let mut clock = Ticks {
        model: model.clone(),
        malice: malice.clone(),
    };
    let settings = Settings {
        queues: 2,
        poll_queues: 1,
        depth: 16,
        admin_timeout: Duration::from_millis(200),
        doorbell_buffers: true,
        sgl: true,
        quirks: nvme::Quirks::NONE,
    };
    let hostile = HostileDevice {
        registers: Hostile {
            malice: malice.clone(),
            model: model.device(2),
        },
        arena: arena.clone(),
    };
    let timeout = Duration::from_millis(50);
    if let Ok(mut disk) = Disk::start(hostile, settings, timeout, &mut clock) {
        life.came_up = true;
        let mut flying = BTreeSet::new();
        for ticket in 0..200u64 {
            let operation =
                [Operation::Read, Operation::Write, Operation::Discard][ticket as usize % 3];
            let io = Io {
                ticket,
                namespace: 1,
                operation,
                sector: 8 * (ticket % 64),
                bytes: 4096 * (1 + ticket as u32 % 3),
                fua: false,
            };
            let data = operation
                .has_data()
                .then(|| arena.take(io.bytes as usize).ok())
                .flatten();
            if disk.submit(io, data, clock.now()).is_ok() {
                flying.insert(ticket);
            }
            let until = disk.work(clock.now());
            while let Some(finished) = disk.finished() {
                assert!(flying.remove(&finished.ticket), "ended twice");
                life.ended += u64::from(finished.status == Status::Ok);
            }
            clock.wait(until);
        }
        disk.shutdown(&mut clock);
        while let Some(finished) = disk.finished() {
            assert!(flying.remove(&finished.ticket), "ended twice");
        }
        assert!(flying.is_empty(), "lost {flying:?}");
        life.resets = disk.resets();
    }
    assert!(
        clock.now() < Duration::from_secs(600),
        "it took {:?}",
        clock.now()
    );
    assert_eq!(arena.taken(), 0, "memory is lost");
    life.steps = malice.with(|malice| malice.steps);
    life
}
