//! Random requests, several at a time, and what each byte must be after them.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::block::Status;
use nvme::Settings;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use ring3::nvme::{Clock, Disk, Io, Operation};

use crate::rig::Rig;

pub const SETTINGS: Settings = Settings {
    queues: 2,
    poll_queues: 0,
    depth: 16,
    admin_timeout: Duration::from_secs(10),
    doorbell_buffers: true,
};

/// How long a request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

pub fn start<R: Rig>(rig: &mut R, settings: Settings, timeout: Duration) -> Disk<R::Device> {
    let device = rig.device();
    Disk::start(device, settings, timeout, rig.clock()).expect("it comes up")
}

/// What a sector must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    /// That byte, everywhere.
    Filled(u8),
    /// That byte or zeroes: it was discarded.
    Discarded(u8),
}

/// Sectors of the namespaces, as they must be.
#[derive(Default)]
pub struct World(BTreeMap<(u32, u64), Truth>);

impl World {
    fn check(&self, namespace: u32, sector: u64, bytes: &[u8]) {
        let all = |value| bytes.iter().all(|byte| *byte == value);
        // A new medium is zero.
        let truth = self.0.get(&(namespace, sector));
        let right = match *truth.unwrap_or(&Truth::Filled(0)) {
            Truth::Filled(value) => all(value),
            Truth::Discarded(value) => all(0) || all(value),
        };
        assert!(
            right,
            "namespace {namespace}, sector {sector}: {:?}...",
            &bytes[..8]
        );
    }

    fn done(&mut self, io: &Io, fill: u8) {
        for sector in io.sector..io.sector + u64::from(io.bytes) / 512 {
            let old = self.0.get(&(io.namespace, sector)).copied();
            let new = match (io.operation, old.unwrap_or(Truth::Filled(0))) {
                (Operation::Write, _) => Truth::Filled(fill),
                (Operation::WriteZeroes, _) => Truth::Filled(0),
                (Operation::Discard, Truth::Filled(old) | Truth::Discarded(old)) => {
                    Truth::Discarded(old)
                }
                (_, old) => old,
            };
            self.0.insert((io.namespace, sector), new);
        }
    }
}

/// Does `count` random requests on all namespaces, up to `most` bytes and 14 at a
/// time.
pub fn run<R: Rig>(
    rig: &mut R,
    disk: &mut Disk<R::Device>,
    world: &mut World,
    count: u64,
    most: u32,
    seed: u64,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let namespaces: Vec<_> = disk.namespaces().values().copied().collect();
    let mut flying: BTreeMap<u64, (Io, u8)> = BTreeMap::new();
    let (mut next, begin) = (0, rig.clock().now());
    while next < count || !flying.is_empty() {
        while next < count && flying.len() < 14 {
            let namespace = namespaces[random.random_range(0..namespaces.len())];
            let block = u64::from(namespace.block_size());
            let operation = match random.random_range(0..10) {
                0..=3 => Operation::Read,
                4..=6 => Operation::Write,
                7 => Operation::WriteZeroes,
                8 => Operation::Discard,
                _ => Operation::Flush,
            };
            // Many are small, some as large as can be.
            let largest = (u64::from(most) / block) >> random.random_range(0..8);
            let blocks = match operation {
                Operation::Flush => 0,
                _ => random.random_range(1..=largest.max(1)),
            };
            let first = random.random_range(0..=namespace.blocks - blocks);
            let io = Io {
                ticket: next,
                namespace: namespace.number,
                operation,
                sector: first * block / 512,
                bytes: (blocks * block) as u32,
                fua: random.random(),
            };
            let end = |io: &Io| io.sector + u64::from(io.bytes) / 512;
            let meets = |(other, _): &(Io, u8)| {
                other.namespace == io.namespace && other.sector < end(&io) && io.sector < end(other)
            };
            if flying.values().any(meets) {
                // Their order would not be known.
                break;
            }
            let fill = random.random();
            let data = operation.has_data().then(|| {
                let mut data = rig.arena().take(io.bytes as usize).expect("room");
                data.copy_from_slice(0, &vec![fill; io.bytes as usize]);
                data
            });
            let now = rig.clock().now();
            match disk.submit(io, data, now) {
                Ok(()) => flying.insert(next, (io, fill)),
                Err((why, _)) => panic!("{io:?} is not taken: {why:?}"),
            };
            next += 1;
        }
        let until = disk.work(rig.clock().now());
        while let Some(finished) = disk.finished() {
            let (io, fill) = flying.remove(&finished.ticket).expect("it ends once");
            assert_eq!(finished.status, Status::Ok, "{io:?}");
            if io.operation == Operation::Read {
                let mut bytes = vec![0; io.bytes as usize];
                let data = finished.data.expect("the buffer comes back");
                data.copy_to_slice(0, &mut bytes);
                for (sector, bytes) in (io.sector..).zip(bytes.chunks(512)) {
                    world.check(io.namespace, sector, bytes);
                }
            }
            world.done(&io, fill);
        }
        if !flying.is_empty() {
            rig.clock().wait(until);
        }
        assert!(rig.clock().now() - begin < Duration::from_secs(120));
    }
}
