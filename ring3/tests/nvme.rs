//! The NVMe driver against the controller model: bring-up, data, odd shapes,
//! and every fault at every step.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::block::Status;
use nvme::{Command, Feature, LogPage, Quirks, Settings};
use nvme_model::{
    optional, Action, Config, Corruption, Event, InterruptMode, NamespaceConfig, Script,
};
use ring3::dma::{Arena, Block};
use ring3::nvme::{Clock, Disk, Io, Model, ModelDevice, Operation};

const SETTINGS: Settings = Settings {
    queues: 2,
    poll_queues: 0,
    depth: 8,
    admin_timeout: Duration::from_secs(5),
    doorbell_buffers: true,
    sgl: true,
    quirks: Quirks::NONE,
};
const TIMEOUT: Duration = Duration::from_secs(2);

struct Bench {
    arena: Arena,
    model: Model,
    vectors: u16,
}

impl Bench {
    fn new(config: Config) -> Bench {
        let arena = Arena::new(1024, 0x1_0000_0000);
        let vectors = match config.interrupts {
            InterruptMode::Msix(count) => count.min(3),
            InterruptMode::Pin => 1,
        };
        let model = Model::new(config, arena.clone()).expect("a shape that there is");
        Bench {
            arena,
            model,
            vectors,
        }
    }

    fn start(&mut self) -> Disk<ModelDevice> {
        self.try_start().expect("it comes up")
    }

    fn try_start(&mut self) -> Result<Disk<ModelDevice>, ring3::nvme::Failure> {
        self.start_with(SETTINGS)
    }

    fn start_with(
        &mut self,
        settings: Settings,
    ) -> Result<Disk<ModelDevice>, ring3::nvme::Failure> {
        let device = self.model.device(self.vectors);
        Disk::start(device, settings, TIMEOUT, &mut self.model)
    }

    fn buffer(&self, bytes: &[u8]) -> Block {
        let mut block = self.arena.take(bytes.len()).expect("the arena has room");
        block.copy_from_slice(0, bytes);
        block
    }

    /// Does one request and waits for it.
    fn one(
        &mut self,
        disk: &mut Disk<ModelDevice>,
        io: Io,
        data: Option<Block>,
    ) -> (Status, Option<Block>) {
        let now = self.model.now();
        if let Err((why, _)) = disk.submit(io, data, now) {
            panic!("{io:?} is not taken: {why:?}");
        }
        loop {
            let until = disk.work(self.model.now());
            if let Some(finished) = disk.finished() {
                return (finished.status, finished.data);
            }
            self.model.wait(until);
        }
    }

    fn write(&mut self, disk: &mut Disk<ModelDevice>, namespace: u32, sector: u64, bytes: &[u8]) {
        let data = self.buffer(bytes);
        let io = io(Operation::Write, namespace, sector, bytes.len());
        assert_eq!(self.one(disk, io, Some(data)).0, Status::Ok);
    }

    fn read(
        &mut self,
        disk: &mut Disk<ModelDevice>,
        namespace: u32,
        sector: u64,
        length: usize,
    ) -> Vec<u8> {
        let data = self.buffer(&vec![0xee; length]);
        let io = io(Operation::Read, namespace, sector, length);
        let (status, data) = self.one(disk, io, Some(data));
        assert_eq!(status, Status::Ok);
        let mut bytes = vec![0; length];
        data.expect("given back").copy_to_slice(0, &mut bytes);
        bytes
    }
}

fn io(operation: Operation, namespace: u32, sector: u64, bytes: usize) -> Io {
    Io {
        namespace,
        operation,
        sector,
        bytes: bytes as u32,
        ..Io::default()
    }
}

fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let word = |at: usize| {
        let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at / 8) as u64;
        x = (x ^ x >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> (at % 8 * 8)) as u8
    };
    (0..length).map(word).collect()
}

#[test]
fn a_controller_comes_up_is_used_and_is_shut_down() {
    let mut bench = Bench::new(Config::default());
    let mut disk = bench.start();
    let identity = *disk.controller().identity().expect("it was asked");
    assert_eq!(&identity.serial[..6], b"RF0001");
    assert_eq!(disk.queues(), 2);
    let namespaces: Vec<u32> = disk.namespaces().keys().copied().collect();
    assert_eq!(namespaces, [1]);
    for (at, length) in [512, 4096, 8192, 12288, 65536, 512 << 10]
        .into_iter()
        .enumerate()
    {
        let bytes = pattern(at as u64, length);
        let sector = 4096 * at as u64;
        bench.write(&mut disk, 1, sector, &bytes);
        assert!(
            bench.read(&mut disk, 1, sector, length) == bytes,
            "{length} bytes"
        );
    }
    assert_eq!(
        bench.one(&mut disk, io(Operation::Flush, 1, 0, 0), None).0,
        Status::Ok
    );
    assert_eq!(
        bench
            .one(&mut disk, io(Operation::WriteZeroes, 1, 0, 512), None)
            .0,
        Status::Ok
    );
    assert_eq!(bench.read(&mut disk, 1, 0, 512), [0; 512]);
    assert_eq!(
        bench
            .one(&mut disk, io(Operation::Discard, 1, 4096, 4096), None)
            .0,
        Status::Ok
    );
    assert_eq!(bench.read(&mut disk, 1, 4096, 512), [0; 512]);
    disk.shutdown(&mut bench.model);
    assert_eq!((disk.resets(), disk.unknown()), (0, 0));
    drop(disk);
    assert_eq!(bench.arena.taken(), 0, "all memory is given back");
    assert_eq!(bench.model.controller().counters().refused_accesses, 0);
}

#[test]
fn odd_shapes_carry_data() {
    let one = InterruptMode::Msix(1);
    let ordinary = Config::default;
    let large = || vec![NamespaceConfig::with_4096(1, 4096)];
    let two = || {
        vec![
            NamespaceConfig::new(2, 1 << 16),
            NamespaceConfig::with_4096(7, 4096),
        ]
    };
    let shapes: [Config; 10] = [
        Config {
            sgl: true,
            ..ordinary()
        },
        Config {
            mdts: 1,
            ..ordinary()
        },
        Config {
            mdts: 0,
            ..ordinary()
        },
        Config {
            io_queues: 1,
            ..ordinary()
        },
        Config {
            interrupts: one,
            ..ordinary()
        },
        Config {
            namespaces: large(),
            ..ordinary()
        },
        Config {
            namespaces: two(),
            ..ordinary()
        },
        Config {
            doorbell_buffer: true,
            ..ordinary()
        },
        Config {
            doorbell_stride: 3,
            ..ordinary()
        },
        Config {
            max_queue_entries: 2,
            ..ordinary()
        },
    ];
    for config in shapes {
        let mut bench = Bench::new(config.clone());
        let mut disk = bench.start();
        let most = disk.controller().max_transfer().min(1 << 20) as usize;
        let namespaces = disk.namespaces().clone();
        assert_eq!(namespaces.len(), config.namespaces.len(), "{config:?}");
        for (number, namespace) in namespaces {
            for length in [namespace.block_size() as usize, 4096, most] {
                let bytes = pattern(number.into(), length);
                bench.write(&mut disk, number, 64, &bytes);
                assert!(
                    bench.read(&mut disk, number, 64, length) == bytes,
                    "{config:?}"
                );
            }
        }
        disk.shutdown(&mut bench.model);
        drop(disk);
        assert_eq!(bench.arena.taken(), 0, "{config:?}");
        assert_eq!(
            bench.model.controller().counters().refused_accesses,
            0,
            "{config:?}"
        );
    }
}

#[test]
fn quirks_are_heeded() {
    let with = |quirks| Settings { quirks, ..SETTINGS };
    let zeroes = io(Operation::WriteZeroes, 1, 0, 512);
    // Vendor and device of a drive of each kind.
    let (samsung, intel, sandisk) = ((0x144d, 0xa822), (0x8086, 0x0953), (0x15b7, 0x2001));
    let (old_apple, apple) = ((0x106b, 0x2001), (0x106b, 0x2005));
    let of = |(vendor, device)| Quirks::of(vendor, device);
    assert_eq!(of((0x1b36, 0x0010)), Quirks::NONE);

    // CSTS.RDY is not looked at for 2.3 s, nor does the bring-up fail for it.
    let mut bench = Bench::new(Config::default());
    let mut disk = bench.start_with(with(of(samsung))).expect("it comes up");
    let taken = bench.model.now();
    assert!(taken >= Duration::from_millis(2300), "{taken:?}");
    assert!(taken < Duration::from_millis(2900), "{taken:?}");
    assert!(!disk.controller().identity().expect("asked").write_zeroes);
    assert_eq!(bench.one(&mut disk, zeroes, None).0, Status::NotSupported);

    // What write zeroes does is done by deallocating, or not at all.
    for (quirks, commands, status) in [
        (Quirks::NONE, optional::ALL, Status::Ok),
        (of(intel), optional::DATASET_MANAGEMENT, Status::Ok),
        (of(intel), optional::WRITE_ZEROES, Status::NotSupported),
        (of(sandisk), optional::ALL, Status::NotSupported),
        (Quirks::NONE, 0, Status::NotSupported),
    ] {
        let mut bench = Bench::new(Config {
            optional_commands: commands,
            ..Config::default()
        });
        let mut disk = bench.start_with(with(quirks)).expect("it comes up");
        bench.write(&mut disk, 1, 0, &[7; 512]);
        assert_eq!(bench.one(&mut disk, zeroes, None).0, status);
        let byte = if status == Status::Ok { 0 } else { 7 };
        assert_eq!(bench.read(&mut disk, 1, 0, 512), [byte; 512]);
        // The device was never asked for what it does not do.
        assert_eq!(bench.model.controller().counters().failed_commands, 0);
    }

    // One request at a time, and one vector.
    let mut bench = Bench::new(Config::default());
    let mut disk = bench.start_with(with(of(old_apple))).expect("it comes up");
    let submit = |disk: &mut Disk<_>, bench: &Bench, sector| {
        let request = io(Operation::Read, 1, sector, 512);
        disk.submit(request, Some(bench.buffer(&[0; 512])), bench.model.now())
            .is_ok()
    };
    assert!(submit(&mut disk, &bench, 0) && submit(&mut disk, &bench, 8));
    assert!(!submit(&mut disk, &bench, 16), "two queues have one each");
    disk.shutdown(&mut bench.model);
    assert!(bench
        .model
        .controller()
        .interrupts()
        .all(|vector| vector == 0));

    let refused = bench.start_with(with(of(apple))).err().map(|error| error.0);
    assert_eq!(refused, Some(nvme::Error::Unsupported));
}

#[test]
fn a_controller_without_namespaces_comes_up_empty_and_gets_one() {
    let mut bench = Bench::new(Config {
        namespaces: Vec::new(),
        ..Config::default()
    });
    let mut disk = bench.start();
    assert!(disk.namespaces().is_empty());
    let added = bench
        .model
        .controller()
        .add_namespace(&NamespaceConfig::new(3, 4096));
    added.expect("there is room");
    for _ in 0..200 {
        let until = disk.work(bench.model.now());
        bench.model.wait(until);
    }
    assert_eq!(disk.namespaces().len(), 1);
    bench.write(&mut disk, 3, 0, &[5; 512]);
    assert_eq!(bench.read(&mut disk, 3, 0, 512), [5; 512]);
    bench
        .model
        .controller()
        .remove_namespace(3)
        .expect("it is there");
    for _ in 0..200 {
        let until = disk.work(bench.model.now());
        bench.model.wait(until);
    }
    assert!(disk.namespaces().is_empty());
}

#[test]
fn requests_that_do_not_fit_are_refused_with_their_buffer() {
    let mut bench = Bench::new(Config::default());
    let mut disk = bench.start();
    let end = 1 << 17;
    for (operation, sector, bytes, buffer) in [
        (Operation::Read, end, 512, 512),
        (Operation::Read, end - 1, 1024, 1024),
        (Operation::Read, u64::MAX, 512, 512),
        (Operation::Read, 0, 100, 512),
        (Operation::Write, 0, 1024, 512),
        (Operation::Flush, 0, 512, 0),
        (Operation::Read, 0, 0, 512),
    ] {
        let data = (buffer > 0).then(|| bench.buffer(&vec![0; buffer]));
        let request = io(operation, 1, sector, bytes);
        let refused = disk.submit(request, data, Duration::ZERO);
        let (_, data) = refused.expect_err("it does not fit");
        assert_eq!(data.is_some(), buffer > 0, "{request:?}");
    }
    let elsewhere = io(Operation::Flush, 9, 0, 0);
    assert!(disk.submit(elsewhere, None, Duration::ZERO).is_err());
    assert_eq!(disk.outstanding(), 0);
}

#[test]
fn admin_commands_bring_their_data_back() {
    let mut bench = Bench::new(Config {
        write_cache: true,
        ..Config::default()
    });
    let mut disk = bench.start();
    let page = bench.arena.take(512).expect("room");
    let smart = Command::log_page(LogPage::Smart, 512);
    let (completion, page) = disk
        .admin(smart, Some(page), &mut bench.model)
        .expect("sent");
    assert!(completion.status().is_success());
    let mut bytes = [0; 512];
    page.expect("given back").copy_to_slice(0, &mut bytes);
    let kelvin = u16::from_le_bytes([bytes[1], bytes[2]]);
    assert!((273..400).contains(&kelvin), "{kelvin} K");
    for (value, wanted) in [(1, 1), (0, 0)] {
        let set = Command::set_feature(Feature::VolatileWriteCache, value);
        let (completion, _) = disk.admin(set, None, &mut bench.model).expect("sent");
        assert!(completion.status().is_success());
        let get = Command::get_feature(Feature::VolatileWriteCache);
        let (completion, _) = disk.admin(get, None, &mut bench.model).expect("sent");
        assert_eq!(completion.result.get(), wanted);
    }
    let bad = Command::format(99, 0);
    let (completion, _) = disk.admin(bad, None, &mut bench.model).expect("sent");
    assert!(!completion.status().is_success());
}

/// What may be said of a run with a fault.
struct Outcome {
    /// Requests that ended well.
    good: u64,
    /// Whether it came up.
    up: bool,
}

/// Brings a controller up under a script, writes and reads a few hundred times
/// with several requests in flight, and checks what must hold whatever the
/// device does.
fn survive(script: &Script, commands: u64) -> Outcome {
    // A controller that is not told where its queues are looks elsewhere: the
    // IOMMU's affair.
    let astray = |rule: &nvme_model::Rule| {
        matches!(rule.at, Event::RegisterWrite(_)) && rule.action == Action::Drop
    };
    let astray = script.0.iter().any(astray);
    let garbles = script.0.iter().any(|rule| {
        matches!(rule.action, Action::Garble(_)) || matches!(rule.action, Action::ReadAs(_))
    });
    let mut bench = Bench::new(Config {
        latency: Duration::from_micros(10),
        ready_delay: Duration::from_millis(3),
        reset_delay: Duration::from_millis(2),
        shutdown_delay: Duration::from_millis(5),
        ..Config::default()
    });
    bench
        .model
        .controller()
        .play(script.clone())
        .expect("it fits");
    let Ok(mut disk) = bench.try_start() else {
        assert!(bench.model.now() < Duration::from_secs(60), "{script:?}");
        assert_eq!(bench.arena.taken(), 0, "{script:?}");
        return Outcome { good: 0, up: false };
    };
    // What each sector must hold: unknown after a write that failed.
    let mut truth: BTreeMap<u64, Option<u64>> = BTreeMap::new();
    let mut flying: BTreeMap<u64, Io> = BTreeMap::new();
    let (mut next, mut good, mut steps) = (0, 0, 0u64);
    let begin = bench.model.now();
    while next < commands || !flying.is_empty() {
        while next < commands && flying.len() < 6 && disk.failed().is_none() {
            let sector = 8 * (next % 16);
            // One request a place at a time, so that its truth is known.
            if flying.values().any(|io| io.sector == sector) || !disk.namespaces().contains_key(&1)
            {
                break;
            }
            let writes = next / 16 % 2 == 0;
            let operation = if writes {
                Operation::Write
            } else {
                Operation::Read
            };
            let request = Io {
                ticket: next,
                ..io(operation, 1, sector, 4096)
            };
            let fill = if writes {
                pattern(next, 4096)
            } else {
                vec![0xee; 4096]
            };
            let data = bench.buffer(&fill);
            match disk.submit(request, Some(data), bench.model.now()) {
                Ok(()) => {
                    if writes {
                        truth.insert(sector, None);
                    }
                    flying.insert(next, request);
                    next += 1;
                }
                Err(_) => break,
            }
        }
        let until = disk.work(bench.model.now());
        while let Some(finished) = disk.finished() {
            let io = flying.remove(&finished.ticket);
            let io = io.unwrap_or_else(|| panic!("{} ended twice: {script:?}", finished.ticket));
            let data = finished.data.expect("the buffer comes back");
            if finished.status != Status::Ok {
                continue;
            }
            good += 1;
            match io.operation {
                Operation::Write => {
                    truth.insert(io.sector, Some(finished.ticket));
                }
                _ => {
                    let mut bytes = vec![0; 4096];
                    data.copy_to_slice(0, &mut bytes);
                    if let Some(Some(ticket)) = truth.get(&io.sector) {
                        let right = bytes == pattern(*ticket, 4096);
                        assert!(right || garbles, "wrong data: {script:?}");
                    }
                }
            }
        }
        if disk.failed().is_some() && flying.is_empty() {
            break;
        }
        // A namespace may be lost by a garbled identification.
        if flying.is_empty() && !disk.namespaces().contains_key(&1) && until.is_none() {
            break;
        }
        bench.model.wait(until);
        steps += 1;
        assert!(steps < 1_000_000, "it does not end: {script:?}");
        assert!(
            bench.model.now() - begin < Duration::from_secs(120),
            "it is late: {script:?}, {} in flight, failed {:?}",
            flying.len(),
            disk.failed()
        );
    }
    disk.shutdown(&mut bench.model);
    drop(disk);
    assert_eq!(bench.arena.taken(), 0, "{script:?}");
    let faults = bench.model.controller().counters().refused_accesses;
    assert!(
        faults == 0 || garbles || astray,
        "memory is touched that was taken back: {script:?}"
    );
    Outcome { good, up: true }
}

#[test]
fn without_a_fault_all_is_well() {
    let outcome = survive(&Script::default(), 10_000);
    assert!(outcome.up);
    assert_eq!(outcome.good, 10_000);
}

#[test]
fn every_fault_at_every_step_of_bring_up_and_of_a_run_ends_well() {
    let long = Duration::from_secs(3);
    let completion = [
        Action::Drop,
        Action::Delay(Duration::from_millis(1)),
        Action::Delay(long),
        Action::Twice,
        Action::Corrupt(Corruption::CommandId(0x0fff)),
        Action::Corrupt(Corruption::CommandId(0)),
        Action::Corrupt(Corruption::SubmissionQueue(9)),
        Action::Corrupt(Corruption::Head(0xffff)),
        Action::Corrupt(Corruption::Status(0x0002)),
        Action::Corrupt(Corruption::Status(0x4281)),
        Action::Corrupt(Corruption::Result(u32::MAX)),
        Action::Corrupt(Corruption::Phase),
    ];
    let command = [Action::Drop, Action::Delay(long), Action::Garble(3)];
    let read = [
        Action::ReadAs(u64::MAX),
        Action::ReadAs(0),
        Action::ReadAs(3),
    ];
    let device = [
        Action::Stop,
        Action::Fatal,
        Action::Remove,
        Action::NeverReady,
        Action::LateReady(long),
        Action::NeverReset,
        Action::NeverShutDown,
        Action::SpuriousInterrupt(1),
    ];
    let mut played = 0;
    let (mut up, mut down) = (0, 0);
    let mut play = |event: Event, action: Action| {
        let outcome = survive(&Script::one(event, action), 60);
        played += 1;
        match outcome.up {
            true => up += 1,
            false => down += 1,
        }
    };
    for at in 1..=40 {
        for action in completion.into_iter().chain(device) {
            play(Event::Completion(at), action);
        }
        for action in command {
            play(Event::Command(at), action);
        }
        for action in read.into_iter().chain(device) {
            play(Event::RegisterRead(at), action);
        }
        for action in device.into_iter().chain([Action::Drop]) {
            play(Event::RegisterWrite(at), action);
        }
        play(Event::Interrupt(at), Action::Drop);
    }
    assert_eq!(played, 40 * (12 + 8 + 3 + 3 + 8 + 9 + 1));
    assert!(up > down && down > 0, "{up} came up, {down} did not");
}

#[test]
fn random_scripts_of_many_faults_end() {
    for seed in 0..300 {
        let script = Script::random(seed, 6, 120, Duration::from_secs(4));
        survive(&script, 100);
    }
}
