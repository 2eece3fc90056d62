//! A controller that does what it likes: the model, but registers may read as
//! anything, doorbells may be lost, memory may be written at any time, and with
//! completions of what was never sent. Nothing may panic, hang, or take a request twice.
//!
//! `RINGFENCE_HOSTILE_STEPS` sets how many things the device does, for a longer
//! run: `RINGFENCE_HOSTILE_STEPS=10000000 cargo test --release -p ringfence-ring3
//! --test nvme_hostile`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::block::Status;
use kit::device::Device;
use kit::registers::{Doorbell, Registers};
use nvme::Settings;
use nvme_model::Config;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ring3::dma::Arena;
use ring3::nvme::{Clock, Disk, Io, Model, ModelDevice, Operation};

const BUS: u64 = 0x1_0000_0000;
const PAGES: usize = 512;
const PAGE: u64 = 4096;

/// What it does beside what the model does.
struct Malice {
    random: StdRng,
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
struct Life {
    /// How often the device acted.
    steps: u64,
    came_up: bool,
    ended: u64,
    resets: u32,
}

/// One controller from its beginning to its end.
fn play(seed: u64) -> Life {
    let mut life = Life::default();
    let arena = Arena::new(PAGES, BUS);
    let mut random = StdRng::seed_from_u64(seed);
    let rate = [1, 5, 20, 100, 400][random.random_range(0..5)];
    let config = Config {
        doorbell_buffer: random.random(),
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
                assert!(flying.remove(&finished.ticket), "seed {seed}: ended twice");
                life.ended += u64::from(finished.status == Status::Ok);
            }
            clock.wait(until);
        }
        disk.shutdown(&mut clock);
        while let Some(finished) = disk.finished() {
            assert!(flying.remove(&finished.ticket), "seed {seed}: ended twice");
        }
        assert!(flying.is_empty(), "seed {seed}: lost {flying:?}");
        life.resets = disk.resets();
    }
    assert!(
        clock.now() < Duration::from_secs(600),
        "seed {seed}: it took {:?}",
        clock.now()
    );
    assert_eq!(arena.taken(), 0, "seed {seed}: memory is lost");
    life.steps = malice.with(|malice| malice.steps);
    life
}

#[test]
fn a_hostile_controller_neither_panics_nor_hangs_nor_ends_a_request_twice() {
    let wanted = match std::env::var("RINGFENCE_HOSTILE_STEPS") {
        Ok(steps) => steps.parse().expect("a number"),
        Err(_) => 200_000,
    };
    let mut all = Life::default();
    let (mut lives, mut up) = (0, 0);
    while all.steps < wanted {
        let life = play(lives);
        lives += 1;
        up += u64::from(life.came_up);
        all.steps += life.steps;
        all.ended += life.ended;
        all.resets += life.resets;
    }
    println!(
        "{} steps in {lives} lives: {up} came up, {} requests passed for done, {} resets",
        all.steps, all.ended, all.resets
    );
    // It has to get somewhere, or nothing was tried.
    assert!(up * 5 > lives && all.ended > 0 && all.resets > 0);
}
