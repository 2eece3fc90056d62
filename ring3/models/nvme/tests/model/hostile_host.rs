//! A host that does anything: the controller never panics, never hangs, and
//! never touches memory that is not its own; and after a reset it works.

use std::time::Duration;

use nvme_model::{Config, Controller, Fault, InterruptMode, Memory, Script};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::host::*;

fn config(random: &mut SmallRng) -> Config {
    let interrupts = match random.random_range(0..3) {
        0 => InterruptMode::Pin,
        1 => InterruptMode::Msix(1),
        _ => InterruptMode::Msix(5),
    };
    Config {
        sgl: random.random(),
        doorbell_buffer: interrupts != InterruptMode::Pin && random.random(),
        write_cache: random.random(),
        subsystem_reset: random.random(),
        io_queues: random.random_range(1..5),
        max_queue_entries: random.random_range(2..40),
        doorbell_stride: random.random_range(0..3),
        mdts: random.random_range(0..4),
        commands_per_step: random.random_range(1..20),
        latency: Duration::from_micros(random.random_range(0..2)),
        reset_delay: Duration::from_micros(random.random_range(0..9)),
        interrupts,
        ..Config::default()
    }
}

/// A number that is often near an interesting one.
fn word(random: &mut SmallRng) -> u32 {
    match random.random_range(0..6) {
        0 => random.random_range(0..8),
        1 => 0,
        2 => u32::MAX,
        3 => random.random_range(0..0x1_0000),
        4 => random.random_range(0..8) << 16 | random.random_range(0..8),
        _ => random.random(),
    }
}

fn any_command(random: &mut SmallRng, page: u64) -> Command {
    let mut words = [0; 16];
    words.fill_with(|| word(random));
    words[0] = u32::from(random.random::<u16>()) << 16 | random.random_range(0..0x10);
    match random.random_range(0..20) {
        0 => words[0] = random.random(),
        1 => words[0] |= 1 << 14,
        2 => words[0] |= 0x80,
        3 => words[0] = words[0] & !0xff | 0x7c,
        _ => {}
    }
    if random.random_bool(0.8) {
        words[1] = 1;
    }
    if random.random_bool(0.7) {
        words[11] &= 0xffff_0000 | 0xf;
        words[12] &= 0x6200_001f;
    }
    let pointer = |random: &mut SmallRng| match random.random_range(0..5) {
        0 => random.random(),
        1 => page + random.random_range(0..PAGE),
        2 => page + random.random_range(0..PAGE / 8) * 8,
        _ => page,
    };
    let [prp1, prp2] = [pointer(random), pointer(random)];
    Command(words).prp(prp1, prp2)
}

/// Plays a host of that seed; gives the number of commands that were fetched.
fn play(seed: u64, steps: u32, faults: usize) -> u64 {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut host = Host::cold(config(&mut random));
    let script = Script::random(seed, faults, 3000, Duration::from_millis(1));
    host.controller.play(script).unwrap();
    // All that the device may touch: eight pages, queues among them.
    let page = host.memory.pages(8);
    host.memory.set(page, &pattern(seed as u8, 8 * 4096));
    let guard = host.memory.pages(2);
    host.memory.unmap(guard..guard + 2 * PAGE);
    let mut pair = host.admin.clone();
    for _ in 0..steps {
        match random.random_range(0..20) {
            0 => {
                let offset = random.random_range(0..0x40) & !3;
                host.controller.write32(offset, word(&mut random));
            }
            1 => {
                let offset = random.random_range(0..0x1080);
                host.controller.read32(offset);
                host.controller.read64(offset);
            }
            2 => {
                let doorbell = 0x1000 + 4 * random.random_range(0..24);
                host.controller.write32(doorbell, word(&mut random));
            }
            3 => {
                // Bring it up, whatever it is doing.
                host.controller.write32(CC, 0);
                host.now += Duration::from_micros(20);
                host.run();
                host.set_admin_queue();
                host.controller.write32(CC, CC_ENABLE);
                host.run();
                pair = host.admin.clone();
            }
            4 => {
                let queue = Pair {
                    id: random.random_range(0..6),
                    sq: page + PAGE * random.random_range(0..8),
                    cq: page + PAGE * random.random_range(0..8),
                    ..pair.clone()
                };
                host.write(&mut pair, create_cq(&queue, 0));
                host.write(&mut pair, create_sq(&queue));
            }
            5 => {
                for _ in host.controller.interrupts() {}
                host.reap(&mut pair);
            }
            _ => {
                let command = any_command(&mut random, page);
                host.write_as(&mut pair, command);
                host.ring(&pair);
            }
        }
        host.now += Duration::from_micros(random.random_range(0..3));
        host.controller.step(host.now);
    }
    let commands = host.controller.counters().commands;
    if faults == 0 {
        works_after_reset(host);
    }
    commands
}

fn works_after_reset(mut host: Host) {
    host.controller.write32(CC, 0);
    host.run();
    host.wait(Duration::from_secs(1));
    let csts = host.controller.read32(CSTS);
    // But for "subsystem reset occurred", and a shutdown while it was disabled.
    assert_eq!(csts & !(1 << 4 | 2 << 2), 0);
    host.controller.write32(CSTS, 1 << 4);
    host.admin = Pair::new(&host.memory, 0, 2, 2);
    host.enable();
    let page = host.memory.pages(3);
    host.memory.set(page, &pattern(0x77, 4096));
    let mut pair = Pair::new(&host.memory, 1, 2, 2);
    let mut admin = |command| {
        host.admin_later(command);
        host.run();
        host.wait(Duration::from_micros(1));
        let done = host.reap_admin();
        assert_eq!(done.len(), 1, "{:?}", command.0);
        done[0].ok()
    };
    admin(command(0x80, 1)); // 512-byte blocks
    admin(create_cq(&pair, 0));
    admin(create_sq(&pair));
    for command in [write(9, 8, page), read(9, 8, page + PAGE)] {
        host.write(&mut pair, command);
        host.ring(&pair);
        host.run();
        host.wait(Duration::from_micros(1));
        let completions = host.reap(&mut pair);
        assert_eq!(completions.len(), 1);
        completions[0].ok();
    }
    assert_eq!(host.memory.get(page + PAGE, 4096), pattern(0x77, 4096));
}

#[test]
fn no_host_makes_the_controller_panic() {
    let commands: u64 = (0..60).map(|seed| play(seed, 1500, 0)).sum();
    assert!(commands > 10_000, "only {commands} commands got through");
}

#[test]
fn nor_does_one_with_a_faulty_device() {
    let commands: u64 = (1000..1060).map(|seed| play(seed, 1500, 30)).sum();
    assert!(commands > 1_000, "only {commands} commands got through");
}

/// Memory everywhere, which reads as one byte.
struct Everywhere(u8);

impl Memory for Everywhere {
    fn read(&self, _: u64, to: &mut [u8]) -> Result<(), Fault> {
        to.fill(self.0);
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn queues_and_data_at_the_end_of_all_addresses_wrap() {
    for byte in [0x00, 0x01, 0x02, 0x05, 0x06, 0x09, 0x0c, 0x10, 0xff] {
        let config = Config {
            sgl: true,
            ..Config::default()
        };
        let mut controller = Controller::new(config, Everywhere(byte)).unwrap();
        controller.write32(AQA, 0x0fff_0fff);
        controller.write64(ASQ, u64::MAX);
        controller.write64(ACQ, u64::MAX);
        controller.write32(CC, CC_ENABLE);
        controller.step(Duration::ZERO);
        controller.write32(0x1000, 4095);
        for _ in 0..100 {
            controller.step(Duration::ZERO);
        }
        let counters = controller.counters();
        assert_eq!(counters.commands, 4095);
        // Of Asynchronous Event Request, the first waits, and it is the same
        // identifier ever after.
        let waits = u64::from(byte == 0x0c);
        assert_eq!(counters.completions, 4095 - waits);
    }
}
