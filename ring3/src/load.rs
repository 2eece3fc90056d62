//! A closed-loop load: each job keeps its requests in flight and starts the
//! next when one ends.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ::nullblk::Attribute;
use anyhow::{anyhow, bail, Result};
use kit::block::SECTOR_SHIFT;
use kit::memory::PAGE_SIZE;

use crate::nullblk::Device;
use crate::placement::{self, Placed, COMPLETIONS};
use crate::request::{
    self, CompletionQueue, RawRequest, COMPLETING, ENDED, IN_FLIGHT, TIMED_OUT, TIME_LIMIT,
};
use crate::table::{DriverTable, AGAIN};

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
pub const PIECES: u32 = 8;

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
            .collect::<Result<_, _>>()
            .map_err(|unable| anyhow!("load: a device cannot be made again: {}", unable.0))?;
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
        let mut failed = 0;
        crate::count::begin();
        for _ in 0..rounds {
            // SAFETY: Table and pointer are this device's, which outlives
            // `job`.
            failed += unsafe { job.round(self, table, pointer) };
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

/// How often requests are offered again, at least, before one that is still
/// refused after [`TIME_LIMIT`] is given up. Time alone would be wrong: this
/// thread, or one that holds the medium's lock, may have been off the
/// processor for that long.
const OFFERS: u32 = 1 << 18;

/// Jobs of a load at most: a thread each.
const MAX_JOBS: u32 = 1024;

/// A page of a request's buffer.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_SIZE]);

struct Job<'a> {
    device: &'a Device,
    /// Those in use are the last `depth`, from the start of a page on.
    requests: Vec<RawRequest>,
    first: usize,
    /// What they read and write, if the device keeps data.
    _buffers: Vec<Vec<Page>>,
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
        let mut buffers = Vec::new();
        let polled = u8::from(device.settings().poll_queues() > 0);
        for request in &mut requests[first..] {
            request.polled = polled;
            if device.settings().on(Attribute::MemoryBacked) {
                let pages = (load.block_size as usize).div_ceil(PAGE_SIZE);
                let mut buffer = vec![Page([0; PAGE_SIZE]); pages];
                request.data = buffer.as_mut_ptr().cast();
                buffers.push(buffer);
            }
        }
        Job {
            device,
            requests,
            first,
            _buffers: buffers,
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
        let mut failed = 0;
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < time {
            let window = Instant::now();
            for _ in 0..rounds {
                // SAFETY: Table and pointer are this device's, which outlives
                // `self`.
                failed += unsafe { self.round(load, table, pointer) };
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

    /// Starts every request once, ends those that wait, takes them back;
    /// gives how many failed, and [`LOST`] for each that was not given back.
    /// The same instructions for every subject.
    ///
    /// # Safety
    ///
    /// `table` and `pointer` belong to a live device.
    #[inline]
    unsafe fn round(&mut self, load: &Load, table: DriverTable, pointer: *mut c_void) -> u64 {
        let operation = u8::from(load.write);
        for at in self.first..self.requests.len() {
            let request = &mut self.requests[at];
            request.position = self.positions.next();
            request.bytes = load.block_size;
            request.operation = operation;
            // SAFETY: The device is live by this function's contract; the
            // request and its completion queue are live and this thread's.
            unsafe { self.submit(at, table, pointer) };
        }
        // SAFETY: As above.
        unsafe { self.settle(table, pointer) };
        self.requests[self.first..]
            .iter()
            .map(|request| {
                u64::from(request.status != 0) + u64::from(request.state != ENDED) * LOST
            })
            .sum()
    }

    /// Hands a request to the driver.
    ///
    /// # Safety
    ///
    /// As for [`round`](Job::round).
    #[inline]
    unsafe fn submit(&mut self, at: usize, table: DriverTable, pointer: *mut c_void) {
        let request = &mut self.requests[at];
        request.state = IN_FLIGHT;
        // SAFETY: The request was put in flight just now, and nothing else
        // may end it; the driver gives back what it does not take.
        unsafe {
            if (table.queue)(request, pointer) == AGAIN {
                request::offer_again(request);
            }
        }
    }

    /// Ends what waits: soft completion and poll, timers, time limits; and
    /// offers again what was not taken, until nothing waits. What is refused
    /// beyond the time limit and [`OFFERS`] ends with a timeout.
    ///
    /// # Safety
    ///
    /// As for [`round`](Job::round).
    #[inline]
    unsafe fn settle(&mut self, table: DriverTable, pointer: *mut c_void) {
        // SAFETY: The queue is valid until drop, and only live requests of
        // `self.requests` are on its lists, in state COMPLETING.
        unsafe {
            let queue = self.completions.as_ptr();
            let mut offers = 0;
            let mut give_up_at = 0;
            loop {
                while let Some(request) = (*queue).ready.pop() {
                    Job::end(request);
                }
                if let Some(request) = (*queue).timed.pop() {
                    while (*request).due != 0 && request::now() < (*request).due {
                        std::hint::spin_loop();
                    }
                    Job::end(request);
                } else if let Some(request) = (*queue).again.pop() {
                    if offers == 0 {
                        give_up_at = request::now() + TIME_LIMIT;
                    }
                    if offers >= OFFERS && request::now() > give_up_at {
                        (*request).status = TIMED_OUT;
                        Job::end(request);
                        continue;
                    }
                    offers = offers.saturating_add(1);
                    (*request).state = IN_FLIGHT;
                    if (table.queue)(request, pointer) == AGAIN {
                        request::offer_again(request);
                    }
                } else if let Some(request) = (*queue).lost.pop() {
                    let left = (*request).due.saturating_sub(request::now());
                    thread::sleep(Duration::from_nanos(left));
                    Job::end(request);
                } else {
                    return;
                }
            }
        }
    }

    /// # Safety
    ///
    /// `request` is live, and was on a list.
    #[inline]
    unsafe fn end(request: *mut RawRequest) {
        // SAFETY: By this function's contract.
        unsafe {
            debug_assert_eq!((*request).state, COMPLETING);
            (*request).state = ENDED;
        }
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
    use ::nullblk::Settings;

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
                    let settings =
                        settings(&[mode, &[(Attribute::SubmitQueues, "2")][..]].concat());
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
        let table = DriverTable { queue: twice };
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
        let table = DriverTable { queue: never };
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
        let table = DriverTable { queue: slow };
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
