//! The subjects under a load, and the twins against the driver.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::job::Queue;
use super::*;
use crate::dma::Piece;
use crate::request::{RawRequest, IN_FLIGHT};

#[test]
fn every_subject_serves_its_requests() {
    for subject in Subject::ALL {
        for (write, block_size, depth, queues, shadow) in [
            (false, 4096, 1, 1, false),
            (true, 512, 8, 2, true),
            (false, 32 << 10, 100, 1, false),
            (true, 128 << 10, 12, 1, true),
        ] {
            let settings = Settings {
                block_size: if block_size == 512 { 512 } else { 4096 },
                queues,
                shadow_doorbells: shadow,
                ..Settings::default()
            };
            let device = match Device::new(subject, settings).expect("a model") {
                Ok(device) => device,
                Err(unable) => {
                    assert!(matches!(subject, Subject::CClang | Subject::RustNochecks));
                    assert!(!unable.0.is_empty());
                    continue;
                }
            };
            let load = Load {
                write,
                depth,
                ..Load::smallest(block_size)
            };
            load.check(&device).expect("it fits");
            let mut job = Job::new(&load, subject, settings, None).expect("a job");
            // More than two passes through the queues.
            let rounds = 300 * u32::from(queues) / depth + 1;
            let failed = job.rounds(&load, rounds).expect("nothing is lost");
            assert_eq!(failed, 0, "{subject:?} {write} {block_size} {depth}");
            let counters = job.machine.model.controller().counters();
            let done = u64::from(depth * rounds);
            assert!(counters.completions >= done, "{subject:?} {counters:?}");
            assert_eq!(counters.failed_commands, 0, "{subject:?}");
            assert_eq!(counters.invalid_doorbells, 0, "{subject:?}");
            assert_eq!(counters.undefined_accesses, 0, "{subject:?}");
            let made = job.made();
            assert_eq!(made.shadow_doorbells, shadow);
            assert_eq!(
                (made.entries, made.depth, made.queues),
                (129, 128, queues.into())
            );
        }
    }
}

/// A job of the driver and one of each twin that there is, with the same
/// settings.
fn all(settings: Settings) -> Vec<Job> {
    let load = Load::smallest(settings.block_size);
    [Subject::Rust, Subject::C, Subject::CClang]
        .into_iter()
        .filter(|subject| subject.check().is_ok())
        .map(|subject| Job::new(&load, subject, settings, None).expect("a job"))
        .collect()
}

/// What a device reads there.
fn read<const N: usize>(job: &Job, address: u64) -> [u8; N] {
    let mut bytes = [0; N];
    assert!(job.machine.arena.device_read(address, &mut bytes));
    bytes
}

/// The request of a tag, to be looked at or filled in while no driver runs.
#[allow(clippy::mut_from_ref)]
fn request(queue: &Queue, tag: usize) -> &mut RawRequest {
    // SAFETY: It is live as long as the queue, and a test holds one at a time.
    unsafe { &mut *queue.requests.get(tag) }
}

/// Segments as a ring may have them, and now and then as it may not.
fn segments(random: &mut StdRng) -> Vec<Piece> {
    let whole = random.random_bool(0.7);
    let page = |random: &mut StdRng| random.random_range(1..1u64 << 20) * 4096;
    let count = random.random_range(0..5);
    let piece = |at| {
        let first = at == 0;
        let offset = match (first, whole) {
            (true, true) => random.random_range(0..1024) * 4,
            (_, true) => 0,
            (..) => random.random_range(0..3) * random.random_range(0..4096),
        };
        // Up to what a list has room for, and beyond.
        let pages: u64 = random.random_range(1..180);
        let end = match whole && at + 1 < count {
            true => 0,
            false => random.random_range(0..8) * 512,
        };
        let length = (pages * 4096 + end).saturating_sub(if first { offset } else { 0 });
        Piece::at(page(random) + offset, (length as u32).max(1))
    };
    (0..count).map(piece).collect()
}

#[test]
fn twins_write_the_entries_and_lists_that_the_driver_writes() {
    let mut lists = 0;
    for (block_size, shadow_doorbells) in [(512, false), (4096, true)] {
        let settings = Settings {
            block_size,
            shadow_doorbells,
            depth: 30,
            ..Settings::default()
        };
        let jobs = all(settings);
        assert!(jobs.len() > 1);
        let mut random = StdRng::seed_from_u64(u64::from(block_size));
        let mut tail = 0;
        for _ in 0..3000 {
            let segments = segments(&mut random);
            let tag = random.random_range(0..30);
            let blocks = random.random_range(0..600);
            let operation = random.random_range(0..7);
            let position = random.random_range(0..1u64 << 50) * 8;
            let (identifier, fua) = (random.random::<u16>() & 0xf000 | tag, random.random());
            let commit = random.random_bool(0.3);
            let outcome = jobs.iter().map(|job| {
                let queue = &job.queues[0];
                let mine = request(queue, tag.into());
                mine.identifier = identifier;
                mine.position = position;
                mine.bytes = blocks * block_size;
                mine.operation = operation;
                mine.fua = fua;
                mine.status = 0xee;
                (mine.segments, mine.segment_count) = (segments.as_ptr(), segments.len() as u32);
                // SAFETY: One of the pair's; what the test did before with it
                // is over.
                unsafe { queue.queue(queue.requests.get(tag.into())) };
                if commit {
                    queue.commit();
                }
                let mine = request(queue, tag.into());
                let addresses = queue.addresses();
                let mut entry: [u8; 64] = read(job, addresses.submissions + 64 * tail);
                let prp2 = u64::from_le_bytes(entry[32..40].try_into().expect("8 bytes"));
                let mut list = Vec::new();
                if (addresses.lists..addresses.lists + 31 * 4096).contains(&prp2) {
                    let relative = prp2 - addresses.lists;
                    entry[32..40].copy_from_slice(&relative.to_le_bytes());
                    list = read::<4096>(job, prp2).to_vec();
                    lists += 1;
                }
                // A range of deallocate is named by PRP entry 1.
                let prp1 = u64::from_le_bytes(entry[24..32].try_into().expect("8 bytes"));
                if entry[0] == 9 {
                    entry[24..32].copy_from_slice(&(prp1 - addresses.lists).to_le_bytes());
                    list = read::<16>(job, prp1).to_vec();
                }
                let counters = job.machine.model.controller().counters();
                assert_eq!(counters.failed_commands, 0);
                (mine.state, mine.status, entry, list)
            });
            let outcomes: Vec<_> = outcome.collect();
            for other in &outcomes[1..] {
                assert_eq!(outcomes[0], *other, "{operation} {segments:?}");
            }
            if outcomes[0].0 == crate::request::LAUNCHED {
                tail = (tail + 1) % 31;
            }
        }
    }
    assert!(lists > 2000, "{lists}");
}

/// Doorbells that a model has seen since `before`.
fn doorbells(job: &Job, before: u64) -> u64 {
    job.machine.model.controller().counters().doorbell_writes - before
}

#[test]
fn twins_take_up_the_completions_that_the_driver_takes_up() {
    const DEPTH: u16 = 20;
    let settings = Settings {
        depth: DEPTH,
        ..Settings::default()
    };
    let jobs = all(settings);
    let before: Vec<u64> = jobs.iter().map(|job| doorbells(job, 0)).collect();
    let mut random = StdRng::seed_from_u64(7);
    // Where the device writes, and with which phase.
    let (mut place, mut phase) = (0, 1);
    let mut ended = 0;
    for _ in 0..4000 {
        // Some requests go to the device.
        for _ in 0..random.random_range(0..4) {
            let tag = random.random_range(0..DEPTH);
            let count = random.random::<u16>() & 0xf000;
            for job in &jobs {
                let queue = &job.queues[0];
                if request(queue, tag.into()).state == crate::request::LAUNCHED {
                    continue;
                }
                request(queue, tag.into()).identifier = count | tag;
                request(queue, tag.into()).bytes = 4096;
                // SAFETY: One of the pair's, which no driver has.
                unsafe { queue.queue(queue.requests.get(tag.into())) };
            }
        }
        // It answers, rightly or not, and in the end with what is not for now.
        let entries = random.random_range(0..DEPTH + 4).min(DEPTH);
        for _ in 0..entries {
            let tag = random.random_range(0..DEPTH);
            let named = request(&jobs[0].queues[0], tag.into()).identifier;
            let identifier = match random.random_range(0..10) {
                0 => random.random(),
                1 => named ^ 1 << random.random_range(12..16),
                2 => random.random_range(DEPTH..4096),
                _ => named,
            };
            let status = match random.random_range(0..4) {
                0 => random.random::<u16>() & !1,
                1 => {
                    [
                        0x80u16, 0x81, 0x21, 0x82, 1, 2, 0xb, 0x180, 0x280, 0x281, 0x285, 0x182,
                        0x282, 0x181, 0x370,
                    ][random.random_range(0..15)]
                        << 1
                }
                _ => 0,
            };
            complete(&jobs, place, identifier, status | phase);
            place += 1;
            if place == u64::from(DEPTH) + 1 {
                (place, phase) = (0, 1 - phase);
            }
        }
        complete(&jobs, place, random.random(), 1 - phase);
        let outcomes = jobs.iter().zip(&before).map(|(job, before)| {
            let queue = &job.queues[0];
            let found = queue.poll();
            let requests: Vec<_> = (0..DEPTH.into())
                .map(|tag| request(queue, tag))
                .map(|request| (request.state, request.status, request.identifier))
                .collect();
            (
                found,
                requests,
                queue.unknown(),
                doorbells(job, *before),
                queue.requests.misuses(),
            )
        });
        let outcomes: Vec<_> = outcomes.collect();
        for other in &outcomes[1..] {
            assert_eq!(outcomes[0], *other);
        }
        assert_eq!(outcomes[0].0, u32::from(entries));
        assert_eq!(outcomes[0].4, 0, "none ends twice");
        assert!(outcomes[0].1.iter().all(|request| request.0 != IN_FLIGHT));
        ended += u64::from(outcomes[0].0);
    }
    let unknown = jobs[0].queues[0].unknown();
    assert!(
        unknown > 1000 && ended > unknown + 1000,
        "{unknown} of {ended}"
    );
}

/// Writes a completion at a place as the device of each job does.
fn complete(jobs: &[Job], place: u64, identifier: u16, status: u16) {
    for job in jobs {
        let at = job.queues[0].addresses().completions + 16 * place;
        let last = u32::from(status) << 16 | u32::from(identifier);
        assert!(job.machine.arena.device_write(at + 12, &last.to_le_bytes()));
    }
}
