//! A closed-loop load: each job keeps its requests in flight and starts the
//! next when one ends.

pub(crate) mod job;
pub(crate) mod positions;
#[cfg(test)]
mod tests;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Result};

use crate::switches::Switches;

/// What a load drives: a device of a driver, by one of its subjects.
pub trait Target: Sync {
    /// What fits it.
    fn shape(&self) -> Shape;

    /// Its settings by name, as it has them.
    fn read_back(&self) -> Vec<(&'static str, u64)>;

    /// Whether requests that come back unserved are a failure.
    fn serves(&self) -> bool;

    /// Another one of the same subject and settings, elsewhere in memory.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    fn another(&self) -> Result<Box<dyn Target>>;

    /// The same with a delay in its call table: so many nanoseconds an
    /// operation on average, 0 or more. With 0 it has the cost of what waits.
    fn delayed(self: Box<Self>, nanoseconds: f64) -> Box<dyn Target>;

    /// Job `number` of a load that fits the shape, on this thread.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    fn job<'a>(&'a self, load: &Load, number: u32) -> Result<Box<dyn Rounds + 'a>>;
}

/// Which loads fit a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a logical block.
    pub block_size: u32,
    /// Bytes in all.
    pub capacity: u64,
    /// Bytes of the largest operation.
    pub max_transfer: u32,
    /// Hardware queues.
    pub queues: u32,
    /// Requests in flight in each.
    pub depth: u32,
    /// Threads that may drive it at once.
    pub jobs: u32,
    /// Operations between two looks at the clock, at least: some tens of
    /// microseconds of them, so that the look costs next to nothing and a window
    /// is much shorter than a time slice.
    pub window: u32,
}

/// A job of a load on one thread.
pub trait Rounds {
    /// Starts every request once and takes it back, `count` times; answers how
    /// many failed.
    ///
    /// # Errors
    ///
    /// If a request was lost, or ended twice.
    fn rounds(&mut self, load: &Load, count: u32) -> Result<u64>;
}

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
    /// the rate in a fast window ([`Shape::window`]), the one at the
    /// first decile of the job's window times.
    ///
    /// Nothing here waits and every window has the same work, so what makes
    /// one slower than another is the machine: another process, another
    /// hardware thread of the core, an interrupt. The first decile leaves that
    /// out. [`mean_iops`](Outcome::mean_iops) leaves it in.
    pub iops: f64,
    /// Operations a second of the whole measured time, all jobs.
    pub mean_iops: f64,
    /// Context switches of the jobs' threads in the measured time; `None` where
    /// the kernel does not tell.
    pub switches: Option<Switches>,
}

impl Outcome {
    fn of(jobs: Vec<Windows>) -> Outcome {
        let mut total = Outcome {
            switches: Some(Switches::default()),
            ..Outcome::default()
        };
        for job in jobs {
            let both = total.switches.zip(job.switches);
            total.switches = both.map(|(sum, own)| sum.and(own));
            total.operations += job.operations();
            total.failed += job.failed;
            total.mean_iops += rate(job.operations(), job.elapsed);
            total.iops += job.fast_rate();
        }
        total
    }
}

/// Pieces of a run. Where threads and buffers come to lie, and what state the
/// processor's predictors settle in, stays as it is within a piece; several
/// pieces draw it several times. The devices of a run take turns, so that a
/// neighbour's burst meets all of them.
pub const PIECES: u32 = 8;

/// Between pieces the processor is let go, so that it forgets.
const PAUSE: Duration = Duration::from_millis(3);

impl Load {
    /// One operation of a block at a time.
    pub(crate) fn smallest(block_size: u32) -> Load {
        Load {
            write: false,
            random: true,
            block_size,
            depth: 1,
            jobs: 1,
            runtime: Duration::from_millis(1),
            ramp: Duration::ZERO,
        }
    }

    /// Checks the load against a device.
    ///
    /// Each job uses one hardware queue (job number modulo queues); jobs that
    /// share a queue share its depth.
    pub fn check(&self, target: &dyn Target) -> Result<()> {
        let shape = target.shape();
        let unit = shape.block_size;
        if self.block_size == 0
            || self.block_size % unit != 0
            || u64::from(self.block_size) > shape.capacity
            || self.block_size > shape.max_transfer
        {
            bail!(
                "load: a block size of {} does not fit a device of {} bytes in blocks of {unit}, \
                 at most {} at once; choose a multiple",
                self.block_size,
                shape.capacity,
                shape.max_transfer
            );
        }
        let most = shape.jobs;
        if !(1..=most).contains(&self.jobs) || self.depth == 0 || self.runtime.is_zero() {
            bail!("load: depth and runtime must be above zero, jobs in 1..={most}");
        }
        let sharing = self.jobs.div_ceil(shape.queues);
        if self
            .depth
            .checked_mul(sharing)
            .is_none_or(|wanted| wanted > shape.depth)
        {
            bail!(
                "load: {sharing} jobs with {} requests each do not fit a hardware queue of {}; \
                 raise hw_queue_depth or submit_queues",
                self.depth,
                shape.depth
            );
        }
        Ok(())
    }

    /// Runs the load on each of `devices`, in [`PIECES`] that take turns, each
    /// with a device like the one given, threads and buffers of its own. An
    /// error if a request was lost or ended twice.
    pub fn run(&self, devices: &[&dyn Target]) -> Result<Vec<Outcome>> {
        for device in devices {
            self.check(*device)?;
        }
        // All there at once, so that each is somewhere else.
        let copies: Vec<Vec<Box<dyn Target>>> = (0..PIECES)
            .map(|_| devices.iter().map(|device| device.another()).collect())
            .collect::<Result<_>>()?;
        let mut jobs = vec![vec![Windows::default(); self.jobs as usize]; devices.len()];
        for turn in &copies {
            for (jobs, device) in jobs.iter_mut().zip(turn) {
                thread::sleep(PAUSE);
                for (job, piece) in jobs.iter_mut().zip(self.piece(&**device)) {
                    job.add(piece?);
                }
            }
        }
        Ok(jobs.into_iter().map(Outcome::of).collect())
    }

    /// Runs `rounds` rounds of one job on this thread, between the two
    /// functions of [`count`](crate::count).
    pub fn count(&self, device: &dyn Target, rounds: u32) -> Result<()> {
        self.check(device)?;
        let mut job = device.job(self, 0)?;
        crate::count::begin();
        let failed = job.rounds(self, rounds);
        crate::count::end();
        if failed? > 0 && device.serves() {
            bail!("load: requests failed while they were counted");
        }
        Ok(())
    }

    /// One piece, all jobs at once.
    fn piece(&self, device: &dyn Target) -> Vec<Result<Windows>> {
        let start = Barrier::new(self.jobs as usize);
        thread::scope(|scope| {
            let handles: Vec<_> = (0..self.jobs)
                .map(|number| {
                    let start = &start;
                    scope.spawn(move || {
                        let job = device.job(self, number);
                        start.wait();
                        let mut job = job?;
                        let window = device.shape().window;
                        self.run_for(&mut *job, window, self.ramp / PIECES)?;
                        self.run_for(&mut *job, window, self.runtime / PIECES)
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

impl Load {
    /// Runs rounds until `time` has passed.
    fn run_for(&self, job: &mut dyn Rounds, window: u32, time: Duration) -> Result<Windows> {
        let rounds = window.div_ceil(self.depth);
        let mut failed = 0;
        let mut times = Vec::new();
        let before = Switches::of_this_thread();
        let begin = Instant::now();
        while begin.elapsed() < time {
            let window = Instant::now();
            failed += job.rounds(self, rounds)?;
            times.push(window.elapsed());
        }
        let elapsed = begin.elapsed();
        let after = Switches::of_this_thread();
        Ok(Windows {
            times,
            operations: u64::from(rounds) * u64::from(self.depth),
            failed,
            elapsed,
            switches: after.zip(before).map(|(now, then)| now.since(then)),
        })
    }
}

/// The windows of one job.
#[derive(Clone)]
struct Windows {
    /// How long each took.
    times: Vec<Duration>,
    /// Operations in each.
    operations: u64,
    failed: u64,
    /// All of them and the looks at the clock between.
    elapsed: Duration,
    /// Context switches meanwhile; `None` where the kernel does not tell.
    switches: Option<Switches>,
}

impl Default for Windows {
    fn default() -> Windows {
        Windows {
            times: Vec::new(),
            operations: 0,
            failed: 0,
            elapsed: Duration::ZERO,
            switches: Some(Switches::default()),
        }
    }
}

impl Windows {
    fn add(&mut self, other: Windows) {
        self.times.extend(other.times);
        self.operations = other.operations;
        self.failed += other.failed;
        self.elapsed += other.elapsed;
        let both = self.switches.zip(other.switches);
        self.switches = both.map(|(own, other)| own.and(other));
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
