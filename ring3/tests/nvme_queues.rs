//! Queue pairs that a disk has lent, on the controller model.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::block::Status;
use nvme::Settings;
use nvme_model::{Action, Config, Event, Script};
use ring3::dma::Arena;
use ring3::nvme::{Clock, Disk, Io, Model, ModelDevice, Operation, Queue, Rejected};

/// Queues that are lent, requests of each, and how many are in flight.
const QUEUES: usize = 2;
const REQUESTS: u64 = 40;
const DEPTH: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(2);

fn start(script: Script) -> (Arena, Model, Option<Disk<ModelDevice>>) {
    let arena = Arena::new(1024, 0x1_0000_0000);
    let config = Config {
        latency: Duration::from_micros(10),
        ..Config::default()
    };
    let mut model = Model::new(config, arena.clone()).expect("a shape that there is");
    model.controller().play(script).expect("it fits");
    let settings = Settings {
        queues: QUEUES as u16 + 1,
        poll_queues: 0,
        depth: 8,
        admin_timeout: Duration::from_secs(5),
        doorbell_buffers: true,
    };
    let disk = Disk::start(model.device(1), settings, TIMEOUT, &mut model);
    (arena, model, disk.ok())
}

/// What a queue's user is at: writes a place, reads it, and goes to the next.
struct User {
    queue: Queue<ModelDevice>,
    number: u64,
    next: u64,
    flying: BTreeMap<u64, Operation>,
    good: u64,
    refused: bool,
}

impl User {
    fn fill(&self, ticket: u64) -> [u8; 4096] {
        [(1 + self.number * 97 + ticket / 2) as u8; 4096]
    }

    fn step(&mut self, arena: &Arena, now: Duration, script: &Script) {
        while self.next < REQUESTS && self.flying.len() < DEPTH && !self.refused {
            let ticket = self.next;
            let operation = match ticket % 2 {
                0 => Operation::Write,
                _ => Operation::Read,
            };
            // A read waits for the write before it.
            if operation == Operation::Read && self.flying.contains_key(&(ticket - 1)) {
                break;
            }
            let mut data = arena.take(4096).expect("room");
            if operation == Operation::Write {
                data.copy_from_slice(0, &self.fill(ticket));
            }
            let io = Io {
                ticket,
                namespace: 1,
                operation,
                sector: (self.number * REQUESTS + ticket / 2) * 8,
                bytes: 4096,
                fua: false,
            };
            match self.queue.submit(io, Some(data), now) {
                Ok(()) => {
                    self.flying.insert(ticket, operation);
                    self.next += 1;
                }
                Err((why, data)) => {
                    assert!(data.is_some(), "the buffer comes back");
                    let end = matches!(why, Rejected::Failed(_) | Rejected::Off);
                    assert!(end || why == Rejected::Full, "{why:?}: {script:?}");
                    self.refused = end;
                    break;
                }
            }
        }
        self.queue.work(now);
        while let Some(finished) = self.queue.finished() {
            let operation = self.flying.remove(&finished.ticket);
            let operation = operation.unwrap_or_else(|| panic!("it ended twice: {script:?}"));
            let data = finished.data.expect("the buffer comes back");
            if finished.status != Status::Ok {
                continue;
            }
            self.good += 1;
            if operation == Operation::Read {
                let mut bytes = [0; 4096];
                data.copy_to_slice(0, &mut bytes);
                let written = self.fill(finished.ticket);
                // A write that failed may have left what was there.
                assert!(bytes == written || bytes == [0; 4096], "{script:?}");
            }
        }
    }
}

/// Uses two queues of a disk under a script; how many requests ended well, and
/// how often the controller was reset. `None` if it did not come up.
fn run(script: &Script) -> Option<(u64, u32)> {
    let (arena, mut model, disk) = start(script.clone());
    let mut disk = disk?;
    let mut users: Vec<User> = (0..QUEUES as u64)
        .filter_map(|number| {
            Some(User {
                queue: disk.lend()?,
                number,
                next: 0,
                flying: BTreeMap::new(),
                good: 0,
                refused: false,
            })
        })
        .collect();
    let mut rounds = 0;
    let busy = |user: &User| !user.flying.is_empty() || (user.next < REQUESTS && !user.refused);
    while users.iter().any(busy) {
        for user in &mut users {
            user.step(&arena, model.now(), script);
        }
        let until = disk.work(model.now());
        model.wait(until);
        rounds += 1;
        assert!(rounds < 1_000_000, "it does not end: {script:?}");
        assert!(model.now() < Duration::from_secs(200), "late: {script:?}");
    }
    let good = users.iter().map(|user| user.good).sum();
    let resets = disk.resets();
    disk.shutdown(&mut model);
    drop((disk, users));
    assert_eq!(arena.taken(), 0, "memory is lost: {script:?}");
    let astray = model.controller().counters().refused_accesses;
    assert_eq!(
        astray, 0,
        "memory is touched that was taken back: {script:?}"
    );
    Some((good, resets))
}

#[test]
fn lent_queues_carry_data_and_one_is_left() {
    let (_arena, _model, disk) = start(Script::default());
    let mut disk = disk.expect("it comes up");
    assert_eq!(disk.queues(), QUEUES + 1);
    let lent: Vec<_> = std::iter::from_fn(|| disk.lend()).collect();
    assert_eq!((lent.len(), disk.queues()), (QUEUES, 1));
    assert_eq!(run(&Script::default()), Some((80, 0)));
}

#[test]
fn a_reset_gives_each_queue_its_requests_back() {
    let long = Duration::from_secs(3);
    let actions = [
        Action::Drop,
        Action::Delay(long),
        Action::Twice,
        Action::Stop,
        Action::Fatal,
        Action::Remove,
        Action::NeverReset,
        Action::LateReady(long),
    ];
    let (mut whole, mut reset, mut lost) = (0, 0, 0);
    for at in 1..=70 {
        for action in actions {
            let script = Script::one(Event::Completion(at), action);
            match run(&script) {
                Some((80, 0)) => whole += 1,
                Some((80, _)) => reset += 1,
                _ => lost += 1,
            }
        }
    }
    // Most end whole, many of them by a reset; a controller that was pulled
    // loses some.
    assert_eq!(whole + reset + lost, 70 * actions.len());
    assert!(reset > 60 && lost > 40, "{whole} {reset} {lost}");
    assert!(whole > reset, "{whole} {reset} {lost}");
}

#[test]
fn a_queue_outlives_its_disk() {
    let (arena, model, disk) = start(Script::default());
    let mut disk = disk.expect("it comes up");
    let mut queue = disk.lend().expect("there are three");
    let io = Io {
        ticket: 7,
        namespace: 1,
        operation: Operation::Read,
        bytes: 4096,
        ..Io::default()
    };
    let buffer = || Some(arena.take(4096).expect("room"));
    assert!(queue.submit(io, buffer(), model.now()).is_ok());
    queue.work(model.now());
    drop(disk);
    let ended = queue.finished().expect("it came to an end");
    assert_eq!((ended.ticket, ended.data.is_some()), (7, true));
    assert_ne!(ended.status, Status::Ok);
    let refused = queue.submit(io, buffer(), model.now());
    assert!(matches!(refused, Err((Rejected::Off, Some(_)))));
    drop((queue, ended, refused));
    assert_eq!(arena.taken(), 0);
}
