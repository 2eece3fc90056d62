//! The load, and the drivers under it.

use std::ffi::c_void;
use std::time::Instant;

use ::nullblk::{Attribute, Settings};

use super::job::{Job, LOST};
use super::positions::Positions;
use super::*;
use crate::nullblk::Device;
use crate::request::{RawRequest, COMPLETING, ENDED, TIMED_OUT, TIME_LIMIT};
use crate::subject::Subject;
use crate::table::{DriverTable, AGAIN};

fn settings(changes: &[(Attribute, &str)]) -> Settings {
    changes
        .iter()
        .fold(Settings::default(), |settings, (attribute, text)| {
            settings.with(*attribute, text, 64).unwrap()
        })
}

fn load(depth: u32, jobs: u32) -> Load {
    Load {
        write: false,
        random: true,
        block_size: 4096,
        depth,
        jobs,
        runtime: Duration::from_millis(5),
        ramp: Duration::ZERO,
    }
}

/// Everything that a device can be set to complete by.
const MODES: [&[(Attribute, &str)]; 5] = [
    &[(Attribute::IrqMode, "0")],
    &[(Attribute::IrqMode, "1")],
    &[(Attribute::IrqMode, "2"), (Attribute::CompletionNsec, "0")],
    &[(Attribute::IrqMode, "2"), (Attribute::CompletionNsec, "50")],
    &[(Attribute::PollQueues, "1")],
];

#[test]
fn every_subject_serves_every_mode_at_every_depth() {
    for subject in Subject::ALL {
        for mode in MODES {
            for (depth, jobs) in [(1, 1), (32, 1), (7, 3)] {
                let settings = settings(&[mode, &[(Attribute::SubmitQueues, "2")][..]].concat());
                let device = match Device::new(subject, settings) {
                    Ok(device) => device,
                    Err(unable) if subject == Subject::CClang && crate::CLANG.is_none() => {
                        assert!(unable.0.contains("clang"));
                        continue;
                    }
                    Err(unable) if subject == Subject::RustNochecks => {
                        assert!(unable.0.contains("overflow checks"));
                        continue;
                    }
                    Err(unable) => panic!("{subject:?} {mode:?}: {unable:?}"),
                };
                let outcome = load(depth, jobs).run(&[&device]).unwrap()[0];
                assert!(outcome.operations > 0 && outcome.iops > 0.0);
                assert_eq!(outcome.failed, 0, "{subject:?} {mode:?} {depth}");
            }
        }
    }
}

/// A job with one request, as a test wants it.
fn job<'a>(device: &'a Device, depth: u32) -> Job<'a> {
    Job::new(&load(depth, 1), device, 0)
}

fn rust(changes: &[(Attribute, &str)]) -> Device {
    Device::new(Subject::Rust, settings(changes)).unwrap()
}

#[test]
fn a_request_that_is_given_back_twice_is_found() {
    unsafe extern "C" fn twice(request: *mut RawRequest, _: *mut c_void) -> i32 {
        for _ in 0..2 {
            // SAFETY: The test's request is live; the second time is the
            // misuse under test, which the ring must survive.
            drop(unsafe { crate::request::Request::from_raw(request) });
        }
        0
    }
    let device = rust(&[]);
    let mut job = job(&device, 1);
    let table = DriverTable::new(twice);
    // SAFETY: `twice` ignores its device.
    let failed = unsafe { job.round(&load(1, 1), table, std::ptr::null_mut()) };
    assert_eq!(failed, 1, "a dropped token ends its request with an error");
    // SAFETY: Valid until drop.
    assert_eq!(unsafe { job.completions.as_ref() }.misuses, 1);
}

#[test]
fn a_request_that_is_not_given_back_is_found_in_its_own_round() {
    unsafe extern "C" fn never(_: *mut RawRequest, _: *mut c_void) -> i32 {
        0
    }
    let device = rust(&[]);
    let mut job = job(&device, 3);
    let table = DriverTable::new(never);
    // SAFETY: `never` touches nothing.
    let sum = unsafe { job.round(&load(3, 1), table, std::ptr::null_mut()) };
    assert_eq!(sum, 3 * LOST);
}

/// Status, and state right after submission and after it settled.
fn after(device: &Device, operation: u8) -> (u8, u8, u8) {
    let (table, pointer) = device.table();
    let mut job = job(device, 1);
    let at = job.first;
    job.requests[at].operation = operation;
    // SAFETY: As in `round`.
    unsafe { job.submit(at, table, pointer) };
    let submitted = job.requests[at].state;
    // SAFETY: As in `round`.
    unsafe { job.settle(table, pointer) };
    (job.requests[at].status, submitted, job.requests[at].state)
}

#[test]
fn driver_and_twins_agree_on_every_operation_in_every_mode() {
    for mode in MODES {
        for operation in 0..=5 {
            let ours = after(&rust(mode), operation);
            for twin in [Subject::C, Subject::CClang] {
                if let Ok(device) = Device::new(twin, settings(mode)) {
                    assert_eq!(after(&device, operation), ours, "{twin:?} {mode:?}");
                }
            }
        }
    }
}

#[test]
fn faults_end_by_time_limit_or_come_again() {
    let lost = rust(&[(Attribute::Timeout, "1,100,0,1")]);
    assert_eq!(after(&lost, 0), (2, COMPLETING, ENDED));
    assert_eq!(after(&lost, 0), (0, COMPLETING, ENDED), "only once");
    // Both ways of coming again: refused, and queued again.
    let again = rust(&[(Attribute::Requeue, "1,100,0,2"), (Attribute::IrqMode, "0")]);
    assert_eq!(after(&again, 1), (0, COMPLETING, ENDED));
    assert_eq!(after(&again, 1), (0, ENDED, ENDED));
}

#[test]
fn a_lost_request_is_one_timeout_under_load_and_a_requeued_one_is_none() {
    let limit = Duration::from_nanos(TIME_LIMIT);
    for mode in MODES {
        let with = |fault, times| rust(&[mode, &[(fault, times)][..]].concat());
        let begin = Instant::now();
        // Each piece has a device of its own, which loses three.
        let lost = with(Attribute::Timeout, "1,100,0,3");
        let outcome = load(32, 1).run(&[&lost]).unwrap()[0];
        assert_eq!(outcome.failed, 3 * u64::from(PIECES), "{mode:?}");
        assert!(begin.elapsed() >= limit * PIECES, "{mode:?}");
        let again = with(Attribute::Requeue, "1,50,0,-1");
        let outcome = load(32, 2).run(&[&again]).unwrap()[0];
        assert_eq!(outcome.failed, 0, "{mode:?}");
        assert!(outcome.operations > 0);
    }
}

#[test]
fn what_takes_longer_than_the_time_limit_is_a_timeout_for_every_subject() {
    let limit = Duration::from_nanos(TIME_LIMIT);
    let slow = [
        (Attribute::IrqMode, "2"),
        (Attribute::CompletionNsec, "10000000000"),
    ];
    for subject in [Subject::Rust, Subject::C, Subject::CClang] {
        if let Ok(device) = Device::new(subject, settings(&slow)) {
            let begin = Instant::now();
            assert_eq!(after(&device, 0), (TIMED_OUT, COMPLETING, ENDED));
            let took = begin.elapsed();
            assert!((limit..limit * 50).contains(&took), "{subject:?} {took:?}");
        }
    }
    // Never taken, whichever way it is refused.
    let never = rust(&[(Attribute::Requeue, "1,100,0,-1")]);
    assert_eq!(after(&never, 0), (TIMED_OUT, COMPLETING, ENDED));
}

#[test]
fn a_request_that_is_refused_slowly_is_not_given_up() {
    /// Refuses ten times, for three time limits in all.
    unsafe extern "C" fn slow(request: *mut RawRequest, refusals: *mut c_void) -> i32 {
        // SAFETY: The test's own counter.
        let refusals = unsafe { &mut *refusals.cast::<u32>() };
        *refusals += 1;
        if *refusals <= 10 {
            thread::sleep(Duration::from_nanos(TIME_LIMIT * 3 / 10));
            return AGAIN;
        }
        // SAFETY: The request is live and in flight.
        let request = unsafe { crate::request::Request::from_raw(request) };
        kit::block::Request::end(request, kit::block::Status::Ok);
        0
    }
    let device = rust(&[]);
    let mut job = job(&device, 1);
    let mut refusals = 0u32;
    let table = DriverTable::new(slow);
    // SAFETY: `slow` gets its counter.
    let failed = unsafe { job.round(&load(1, 1), table, (&raw mut refusals).cast()) };
    assert_eq!((failed, refusals), (0, 11));
}

#[test]
fn a_timer_ends_no_earlier_than_it_is_set_to() {
    let nanoseconds = 20_000_000;
    for subject in [Subject::Rust, Subject::C, Subject::CClang] {
        let timer = [
            (Attribute::IrqMode, "2"),
            (Attribute::CompletionNsec, "20000000"),
        ];
        if let Ok(device) = Device::new(subject, settings(&timer)) {
            let begin = Instant::now();
            assert_eq!(after(&device, 0), (0, COMPLETING, ENDED));
            assert!(begin.elapsed() >= Duration::from_nanos(nanoseconds));
        }
    }
}

#[test]
fn twins_refuse_what_they_have_not() {
    for needs in [
        (Attribute::MemoryBacked, "1"),
        (Attribute::Timeout, "1,100,0,1"),
        (Attribute::Requeue, "1,100,0,1"),
    ] {
        let refused = Device::new(Subject::C, settings(&[needs]));
        assert!(
            refused.is_err_and(|why| why.0.contains("twin")),
            "{needs:?}"
        );
    }
}

#[test]
fn data_survives_threads_and_ends_at_the_limit() {
    for mode in MODES {
        data_survives(mode);
    }
}

fn data_survives(mode: &[(Attribute, &str)]) {
    let backed = [
        (Attribute::MemoryBacked, "1"),
        (Attribute::MemoryLimit, "1"),
        (Attribute::CacheSize, "1"),
        (Attribute::Size, "4"),
    ];
    let device = rust(&[mode, &backed].concat());
    let transfer = |operation: u8, block: u64, data: &mut [u8; 4096]| {
        let (table, pointer) = device.table();
        let mut job = job(&device, 1);
        let at = job.first;
        let request = &mut job.requests[at];
        request.operation = operation;
        request.position = block * 8;
        request.bytes = 4096;
        request.data = data.as_mut_ptr();
        // SAFETY: As in `round`; the data outlives the request.
        unsafe {
            job.submit(at, table, pointer);
            job.settle(table, pointer);
        }
        (job.requests[at].status, job.requests[at].state)
    };
    thread::scope(|scope| {
        for number in 0..4u64 {
            let transfer = &transfer;
            scope.spawn(move || {
                for block in (number..200).step_by(4) {
                    let mut data = [block as u8; 4096];
                    assert_eq!(transfer(1, block, &mut data), (0, ENDED));
                    let mut back = [0xaa; 4096];
                    assert_eq!(transfer(0, block, &mut back), (0, ENDED));
                    assert_eq!(back, data, "block {block}");
                }
            });
        }
    });
    // 256 pages are the limit; what is there can still be written.
    let mut data = [1; 4096];
    let full = (200..300).filter(|block| transfer(1, *block, &mut data).0 == 3);
    assert_eq!(full.count(), 44);
    assert_eq!(transfer(1, 7, &mut data), (0, ENDED));
    assert_eq!(transfer(0, 299, &mut data), (0, ENDED));
    assert_eq!(data, [0; 4096], "a hole reads as zeroes");
}

#[test]
fn a_load_that_does_not_fit_is_refused() {
    let device = rust(&[(Attribute::BlockSize, "4096")]);
    let bad = [
        Load {
            block_size: 512,
            ..load(1, 1)
        },
        Load {
            block_size: 0,
            ..load(1, 1)
        },
        load(65, 1),
        load(33, 2),
        load(0, 1),
        load(1, 0),
        Load {
            runtime: Duration::ZERO,
            ..load(1, 1)
        },
    ];
    for load in bad {
        assert!(load.run(&[&device]).is_err(), "{load:?}");
    }
}

#[test]
fn positions_stay_within_the_device_and_cover_it() {
    let device = rust(&[(Attribute::Size, "1"), (Attribute::BlockSize, "512")]);
    for random in [false, true] {
        let load = Load {
            random,
            ..load(1, 1)
        };
        let mut positions = Positions::new(&load, device.capacity(), 0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            let position = positions.next();
            assert!(position + 8 <= 2048 && position % 8 == 0);
            seen.insert(position);
        }
        assert_eq!(seen.len(), 256, "random: {random}");
    }
}

#[test]
fn a_delay_is_there_and_every_request_is_served() {
    for subject in [Subject::Rust, Subject::C] {
        let device = Device::new(subject, settings(&[])).unwrap().delayed(200.0);
        let outcomes = load(4, 2).run(&[&device]).unwrap();
        assert_eq!(outcomes[0].failed, 0);
        // Each of two jobs waits 200 ns an operation at least; ends of windows
        // cut some of it off.
        let time = 2e9 / outcomes[0].iops;
        assert!(time > 190.0, "{time} ns");
    }
}

#[test]
fn the_switches_of_all_jobs_and_pieces_add_up() {
    let one = |voluntary| Windows {
        switches: Some(Switches {
            voluntary,
            involuntary: 1,
        }),
        ..Windows::default()
    };
    let mut job = one(3);
    job.add(one(4));
    let sum = Outcome::of(vec![job, one(10)]).switches;
    let expected = Switches {
        voluntary: 17,
        involuntary: 3,
    };
    assert_eq!(sum, Some(expected));
    let unknown = Windows {
        switches: None,
        ..Windows::default()
    };
    assert_eq!(Outcome::of(vec![one(1), unknown]).switches, None);
}
