//! A closed-loop load: each job keeps its requests in flight and starts the
//! next when one ends.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use kit::block::SECTOR_SHIFT;

use crate::nullblk::Device;
use crate::placement::{self, Placed, COMPLETIONS};
use crate::request::{CompletionQueue, RawRequest, ENDED, IN_FLIGHT};
use crate::table::DriverTable;

/// A load on a block device.
#[derive(Clone, Debug)]
pub struct Load {
    /// Writes instead of reads.
    pub write: bool,
    /// Random positions instead of one after another.
    pub random: bool,
    /// Bytes an operation: a multiple of the device's logical block size, at
    /// most its capacity.
    pub block_size: u32,
    /// Requests that each job keeps in flight, 1 or more.
    pub depth: u32,
    /// Threads, 1 or more.
    pub jobs: u32,
    /// Measured time.
    pub runtime: Duration,
    /// Time under load before the measurement starts.
    pub ramp: Duration,
}

/// What a load found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Operations that were served in the measured time, all jobs.
    pub operations: u64,
    /// Operations among them that ended with an error.
    pub failed: u64,
    /// Operations a second while the jobs run, all jobs: the sum over jobs of
    /// the rate in a fast window of [`WINDOW`] operations, the one at the
    /// first decile of the job's window times.
    ///
    /// Nothing here waits and every window has the same work, so what makes
    /// one slower than another is the machine: another process, another
    /// hardware thread of the core, an interrupt. The first decile leaves that
    /// out. [`mean_iops`](Outcome::mean_iops) leaves it in.
    pub iops: f64,
    /// Operations a second of the whole measured time, all jobs.
    pub mean_iops: f64,
}

impl Outcome {
    fn of(jobs: Vec<Windows>) -> Outcome {
        let mut total = Outcome::default();
        for job in jobs {
            total.operations += job.operations();
            total.failed += job.failed;
            total.mean_iops += rate(job.operations(), job.elapsed);
            total.iops += job.fast_rate();
        }
        total
    }
}

/// Operations between two looks at the clock, at least: some tens of
/// microseconds, so that the look costs next to nothing and a window is much
/// shorter than a time slice.
pub const WINDOW: u32 = 16384;

/// Pieces of a run. Where threads and buffers come to lie, and what state the
/// processor's predictors settle in, stays as it is within a piece; several
/// pieces draw it several times. The devices of a run take turns, so that a
/// neighbour's burst meets all of them.
pub const PIECES: u32 = 16;

/// Between pieces the processor is let go, so that it forgets.
const PAUSE: Duration = Duration::from_millis(3);

impl Load {
    /// Checks the load against a device.
    ///
    /// Each job uses one hardware queue (job number modulo queues); jobs that
    /// share a queue share its depth.
    pub fn check(&self, device: &Device) -> Result<()> {
        let settings = device.settings();
        let unit = settings.block_size();
        if self.block_size == 0
            || self.block_size % unit != 0
            || u64::from(self.block_size) > device.capacity()
        {
            bail!(
                "load: a block size of {} does not fit a device of {} bytes in blocks of {unit}; \
                 choose a multiple",
                self.block_size,
                device.capacity()
            );
        }
        if !(1..=MAX_JOBS).contains(&self.jobs) || self.depth == 0 || self.runtime.is_zero() {
            bail!("load: depth and runtime must be above zero, jobs in 1..={MAX_JOBS}");
        }
        let sharing = self.jobs.div_ceil(settings.submit_queues());
        if self
            .depth
            .checked_mul(sharing)
            .is_none_or(|wanted| wanted > settings.hw_queue_depth())
        {
            bail!(
                "load: {sharing} jobs with {} requests each do not fit a hardware queue of {}; \
                 raise hw_queue_depth or submit_queues",
                self.depth,
                settings.hw_queue_depth()
            );
        }
        Ok(())
    }

    /// Runs the load on each of `devices`, in [`PIECES`] that take turns, each
    /// with a device like the one given, threads and buffers of its own. An
    /// error if a request was lost or ended twice.
    pub fn run(&self, devices: &[&Device]) -> Result<Vec<Outcome>> {
        for device in devices {
            self.check(device)?;
        }
        // All there at once, so that each is somewhere else.
        let copies: Vec<Vec<Device>> = (0..PIECES)
            .map(|_| devices.iter().map(|device| device.another()).collect())
            .collect();
        let mut jobs = vec![vec![Windows::default(); self.jobs as usize]; devices.len()];
        for turn in &copies {
            for (jobs, device) in jobs.iter_mut().zip(turn) {
                thread::sleep(PAUSE);
                for (job, piece) in jobs.iter_mut().zip(self.piece(device)) {
                    job.add(piece?);
                }
            }
        }
        Ok(jobs.into_iter().map(Outcome::of).collect())
    }

    /// Runs `rounds` rounds of one job on this thread, between the two
    /// functions of [`count`](crate::count).
    pub fn count(&self, device: &Device, rounds: u32) -> Result<()> {
        self.check(device)?;
        let mut job = Job::new(self, device, 0);
        let (table, pointer) = std::hint::black_box(device.table());
        let soft = device.soft();
        let mut failed = 0;
        crate::count::begin();
        for _ in 0..rounds {
            // SAFETY: Table and pointer are this device's, which outlives
            // `job`.
            failed += unsafe { job.round(self, table, pointer, soft) };
        }
        crate::count::end();
        if device.serves() && failed > 0 {
            bail!("load: requests failed or were lost while they were counted");
        }
        Ok(())
    }

    /// One piece, all jobs at once.
    fn piece(&self, device: &Device) -> Vec<Result<Windows>> {
        let start = Barrier::new(self.jobs as usize);
        thread::scope(|scope| {
            let handles: Vec<_> = (0..self.jobs)
                .map(|number| {
                    let start = &start;
                    scope.spawn(move || {
                        let mut job = Job::new(self, device, number);
                        start.wait();
                        job.run_for(self, self.ramp / PIECES)?;
                        job.run_for(self, self.runtime / PIECES)
                    })
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| {
                    handle
                        .join()
                        .unwrap_or_else(|_| bail!("load: a job panicked"))
                })
                .collect()
        })
    }
}

/// The windows of one job.
#[derive(Clone, Default)]
struct Windows {
    /// How long each took.
    times: Vec<Duration>,
    /// Operations in each.
    operations: u64,
    failed: u64,
    /// All of them and the looks at the clock between.
    elapsed: Duration,
}

impl Windows {
    fn add(&mut self, other: Windows) {
        self.times.extend(other.times);
        self.operations = other.operations;
        self.failed += other.failed;
        self.elapsed += other.elapsed;
    }

    fn operations(&self) -> u64 {
        self.operations * self.times.len() as u64
    }

    /// Operations a second at the first decile of the times.
    fn fast_rate(mut self) -> f64 {
        let decile = self.times.len() / 10;
        match self.times.is_empty() {
            true => 0.0,
            false => rate(self.operations, *self.times.select_nth_unstable(decile).1),
        }
    }
}

fn rate(operations: u64, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        operations as f64 / time.as_secs_f64()
    }
}

/// A request that was not given back, beside failed ones in one sum. No
/// piece has as many operations.
const LOST: u64 = 1 << 40;

/// Jobs of a load at most: a thread each.
const MAX_JOBS: u32 = 1024;

struct Job<'a> {
    device: &'a Device,
    /// Those in use are the last `depth`, from the start of a page on.
    requests: Vec<RawRequest>,
    first: usize,
    completions: NonNull<CompletionQueue>,
    /// What `completions` points into: a box that was taken apart, since
    /// requests point there too; drop puts it together again.
    allocation: *mut Placed<CompletionQueue, COMPLETIONS>,
    positions: Positions,
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        // SAFETY: From `Box::into_raw` in `new`; the requests that point to
        // it are not used any more.
        drop(unsafe { Box::from_raw(self.allocation) });
    }
}

impl<'a> Job<'a> {
    fn new(load: &Load, device: &'a Device, number: u32) -> Job<'a> {
        let allocation = Box::into_raw(Placed::new(CompletionQueue::new()));
        // SAFETY: The box was valid just now and is not at address zero.
        let completions = unsafe { NonNull::new_unchecked(&raw mut (*allocation).value) };
        let page = 4096 / size_of::<RawRequest>();
        let mut requests: Vec<RawRequest> = (0..load.depth as usize + page)
            .map(|_| RawRequest::new(completions.as_ptr()))
            .collect();
        let first = placement::to_page(&requests);
        requests.truncate(first + load.depth as usize);
        Job {
            device,
            requests,
            first,
            completions,
            allocation,
            positions: Positions::new(load, device, number),
        }
    }

    /// Runs rounds until `time` has passed.
    fn run_for(&mut self, load: &Load, time: Duration) -> Result<Windows> {
        let rounds = WINDOW.div_ceil(load.depth);
        // Opaque, so that no subject's functions can be seen through and
        // inlined.
        let (table, pointer) = std::hint::black_box(self.device.table());
        let soft = self.device.soft();
        let mut failed = 0;
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < time {
            let window = Instant::now();
            for _ in 0..rounds {
                // SAFETY: Table and pointer are this device's, which outlives
                // `self`.
                failed += unsafe { self.round(load, table, pointer, soft) };
            }
            times.push(window.elapsed());
        }
        let elapsed = begin.elapsed();
        // SAFETY: Valid until drop, and used by this thread only.
        if unsafe { self.completions.as_ref() }.misuses > 0 {
            bail!("load: the driver gave a request back that it did not own");
        }
        if self.device.serves() && failed >= LOST {
            bail!("load: the driver lost a request");
        }
        Ok(Windows {
            times,
            operations: u64::from(rounds) * u64::from(load.depth),
            failed: failed % LOST,
            elapsed,
        })
    }

    /// Starts every request once, runs soft completion, takes them back;
    /// gives how many failed, and [`LOST`] for each that was not given back. The same instructions for every subject.
    ///
    /// # Safety
    ///
    /// `table` and `pointer` belong to a live device.
    #[inline]
    unsafe fn round(
        &mut self,
        load: &Load,
        table: DriverTable,
        pointer: *mut c_void,
        soft: bool,
    ) -> u64 {
        let operation = u8::from(load.write);
        for request in &mut self.requests[self.first..] {
            request.position = self.positions.next();
            request.bytes = load.block_size;
            request.operation = operation;
            request.state = IN_FLIGHT;
            // SAFETY: The device is live by this function's contract; the
            // request and its completion queue are live and this thread's,
            // the request was put in flight just now, and nothing else may
            // end it.
            unsafe { (table.queue)(pointer, request) };
        }
        if soft {
            // SAFETY: The queue is valid until drop, and only live requests
            // of `self.requests` are on it.
            while let Some(request) = unsafe { self.completions.as_mut().pop() } {
                // SAFETY: The request is live, and its token was consumed
                // when it came onto the queue.
                unsafe {
                    (*request).state = IN_FLIGHT;
                    (table.complete)(pointer, request);
                }
            }
        }
        self.requests[self.first..]
            .iter()
            .map(|request| {
                u64::from(request.status != 0) + u64::from(request.state != ENDED) * LOST
            })
            .sum()
    }
}

/// Where the next operation goes.
struct Positions {
    random: bool,
    /// Sectors an operation.
    step: u64,
    /// Operations that fit the device.
    slots: u64,
    state: u64,
}

impl Positions {
    fn new(load: &Load, device: &Device, job: u32) -> Positions {
        let slots = device.capacity() / u64::from(load.block_size);
        Positions {
            random: load.random,
            step: u64::from(load.block_size >> SECTOR_SHIFT),
            slots,
            state: if load.random {
                u64::from(job) << 32
            } else {
                slots / u64::from(load.jobs) * u64::from(job)
            },
        }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        let slot = if self.random {
            // SplitMix64 (Steele, Lea, Flood 2014): one position does not
            // wait for the one before, so that the processor is as busy with
            // the load as with the driver. Then the high half of a product
            // instead of a division.
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            ((u128::from(mixed) * u128::from(self.slots)) >> 64) as u64
        } else {
            self.state = if self.state + 1 < self.slots {
                self.state + 1
            } else {
                0
            };
            self.state
        };
        slot * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nullblk::Subject;
    use ::nullblk::{Attribute, Settings};

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

    #[test]
    fn every_subject_serves_both_modes_at_every_depth() {
        for subject in [Subject::Rust, Subject::C, Subject::Empty] {
            for mode in ["0", "1"] {
                for (depth, jobs) in [(1, 1), (32, 1), (7, 3)] {
                    let device = Device::new(
                        subject,
                        settings(&[
                            (Attribute::IrqMode, mode),
                            (Attribute::SubmitQueues, "2"),
                            (Attribute::HwQueueDepth, "64"),
                        ]),
                    );
                    let outcome = load(depth, jobs).run(&[&device]).unwrap()[0];
                    assert!(outcome.operations > 0 && outcome.iops > 0.0);
                    assert_eq!(outcome.failed, 0, "{subject:?} {mode} {depth}");
                }
            }
        }
    }

    #[test]
    fn a_request_that_is_given_back_twice_is_found() {
        unsafe extern "C" fn twice(_: *mut c_void, request: *mut RawRequest) {
            for _ in 0..2 {
                // SAFETY: The test's request is live; the second time is the
                // misuse under test, which the ring must survive.
                drop(unsafe { crate::request::Request::from_raw(request) });
            }
        }
        let device = Device::new(Subject::Rust, settings(&[]));
        let mut job = Job::new(&load(1, 1), &device, 0);
        let table = DriverTable {
            queue: twice,
            complete: twice,
        };
        // SAFETY: `twice` ignores its device.
        let failed = unsafe { job.round(&load(1, 1), table, std::ptr::null_mut(), false) };
        assert_eq!(failed, 1, "a dropped token ends its request with an error");
        // SAFETY: Valid until drop.
        assert_eq!(unsafe { job.completions.as_ref() }.misuses, 1);
    }

    #[test]
    fn a_request_that_is_not_given_back_is_found_in_its_own_round() {
        unsafe extern "C" fn never(_: *mut c_void, _: *mut RawRequest) {}
        let device = Device::new(Subject::Rust, settings(&[]));
        let mut job = Job::new(&load(3, 1), &device, 0);
        let table = DriverTable {
            queue: never,
            complete: never,
        };
        // SAFETY: `never` touches nothing.
        let sum = unsafe { job.round(&load(3, 1), table, std::ptr::null_mut(), false) };
        assert_eq!(sum, 3 * LOST);
    }

    #[test]
    fn driver_and_twin_agree_on_every_operation_in_both_modes() {
        // Status and state of one request after submission.
        fn after(subject: Subject, mode: &str, operation: u8) -> (u8, u8) {
            let device = Device::new(subject, settings(&[(Attribute::IrqMode, mode)]));
            let (table, pointer) = device.table();
            let mut job = Job::new(&load(1, 1), &device, 0);
            let first = job.first;
            job.requests[first].operation = operation;
            job.requests[first].state = IN_FLIGHT;
            // SAFETY: As in `round`.
            unsafe { (table.queue)(pointer, &mut job.requests[first]) };
            (job.requests[first].status, job.requests[first].state)
        }
        for mode in ["0", "1"] {
            for operation in 0..=5 {
                assert_eq!(
                    after(Subject::Rust, mode, operation),
                    after(Subject::C, mode, operation),
                    "mode {mode}, operation {operation}"
                );
            }
        }
    }

    #[test]
    fn a_load_that_does_not_fit_is_refused() {
        let device = Device::new(Subject::Rust, settings(&[(Attribute::BlockSize, "4096")]));
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
        let device = Device::new(
            Subject::Rust,
            settings(&[(Attribute::Size, "1"), (Attribute::BlockSize, "512")]),
        );
        for random in [false, true] {
            let load = Load {
                random,
                ..load(1, 1)
            };
            let mut positions = Positions::new(&load, &device, 0);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..20_000 {
                let position = positions.next();
                assert!(position + 8 <= 2048 && position % 8 == 0);
                seen.insert(position);
            }
            assert_eq!(seen.len(), 256, "random: {random}");
        }
    }
}
