//! A load on one queue pair of a controller, as fio has it: so many requests in
//! flight, a new one for each that ends.

use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use kit::block::Status;
use kit::device::Device;

use super::{check_range, Clock, Io, Operation, Queue, Session};
use crate::dma::{Arena, Block};
use crate::load::positions::Positions;
use crate::load::Load;

/// How often time limits are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After so many operations.
    Operations(u64),
    /// After its runtime, and its ramp before, which is not counted.
    Time,
}

/// What a load did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Operations, those of the ramp not among them.
    pub operations: u64,
    /// The time that they took.
    pub elapsed: Duration,
}

/// What marks the begin and the end of all operations.
pub struct Marks {
    /// Before the first one.
    pub begin: fn(),
    /// After the last one.
    pub end: fn(),
}

/// Drives a namespace with one job. The session has two queue pairs or more, of
/// which one is left to it. Written is what memory holds.
///
/// # Errors
///
/// If the load does not fit the namespace, or an operation fails.
pub fn load<D: Device<Dma = Arena>, C: Clock + Clone>(
    session: &mut Session<D, C>,
    namespace: u32,
    load: &Load,
    extent: Extent,
    marks: &Marks,
) -> Result<Done> {
    ensure!(load.jobs == 1 && load.depth > 0, "a load here is one job");
    let namespace = session.namespace(namespace)?;
    check_range(&namespace, 0, load.block_size.into())?;
    let capacity = namespace.blocks << namespace.block_shift;
    let queue = session.disk().lend();
    let queue = queue.context("the controller has one queue pair only, where two are needed")?;
    let mut job = Job {
        clock: session.clock().of(queue.vector()),
        queue,
        positions: Positions::new(load, capacity, 0),
        io: Io {
            namespace: namespace.number,
            operation: match load.write {
                true => Operation::Write,
                false => Operation::Read,
            },
            bytes: load.block_size,
            ..Io::default()
        },
        spare: Vec::new(),
        given: 0,
        done: 0,
    };
    for _ in 0..load.depth {
        let buffer = session.arena().take(load.block_size as usize);
        let buffer = buffer.map_err(|_| anyhow!("there is no memory for so many requests"))?;
        job.spare.push(buffer);
    }
    (marks.begin)();
    let done = job.run(session, load, extent);
    (marks.end)();
    done
}

/// The requests of a load.
struct Job<D: Device<Dma = Arena>, C: Clock> {
    queue: Queue<D>,
    clock: C,
    positions: Positions,
    io: Io,
    /// Buffers that no request has.
    spare: Vec<Block>,
    given: u64,
    done: u64,
}

impl<D: Device<Dma = Arena>, C: Clock> Job<D, C> {
    fn run<S: Clock>(
        &mut self,
        session: &mut Session<D, S>,
        load: &Load,
        extent: Extent,
    ) -> Result<Done> {
        let begin = self.clock.now();
        // When counting begins, and ends.
        let (from, to) = match extent {
            Extent::Operations(_) => (begin, Duration::MAX),
            Extent::Time => (begin + load.ramp, begin + load.ramp + load.runtime),
        };
        let most = match extent {
            Extent::Operations(operations) => operations,
            Extent::Time => u64::MAX,
        };
        let mut counted = None;
        let mut look = begin + LOOK;
        loop {
            let now = self.clock.now();
            if now >= to {
                break;
            }
            if counted.is_none() && now >= from {
                counted = Some((now, self.done));
            }
            if now >= look {
                session.disk().work(now);
                look = now + LOOK;
            }
            self.round(most, now)?;
            if self.done == most {
                break;
            }
        }
        let (since, before) = counted.unwrap_or((begin, 0));
        let done = Done {
            operations: self.done - before,
            elapsed: self.clock.now() - since,
        };
        while self.done < self.given {
            let now = self.clock.now();
            session.disk().work(now);
            self.round(0, now)?;
        }
        Ok(done)
    }

    /// Gives what may be given, of `most` in all, and takes what has ended; waits
    /// if nothing has.
    #[inline]
    fn round(&mut self, most: u64, now: Duration) -> Result<()> {
        while self.given < most {
            let Some(buffer) = self.spare.pop() else {
                break;
            };
            self.io.sector = self.positions.next();
            let taken = self.queue.submit(self.io, Some(buffer), now);
            taken.map_err(|(why, _)| anyhow!("a request is not taken: {why:?}"))?;
            self.given += 1;
        }
        let until = self.queue.work(now);
        let before = self.done;
        while let Some(finished) = self.queue.finished() {
            ensure!(
                finished.status == Status::Ok,
                "a request failed: {:?}",
                finished.status
            );
            self.spare.extend(finished.data);
            self.done += 1;
        }
        if self.done == before && self.done < self.given {
            self.clock.wait(until);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;
    use crate::nvme::{Model, ModelSession};

    const MARKS: Marks = Marks {
        begin: || {},
        end: || {},
    };

    fn wanted(write: bool, depth: u32, block_size: u32) -> Load {
        Load {
            write,
            random: true,
            block_size,
            depth,
            jobs: 1,
            runtime: Duration::from_millis(50),
            ramp: Duration::from_millis(10),
        }
    }

    #[test]
    fn so_many_operations_are_done_and_no_more() -> Result<()> {
        let counts =
            |session: &mut ModelSession| session.clock().controller().counters().completions;
        for (write, depth, count) in [(false, 1, 100), (true, 32, 1000), (false, 32, 5)] {
            let mut session = ModelSession::model(2)?;
            let before = counts(&mut session);
            let extent = Extent::Operations(count);
            let done = load(&mut session, 1, &wanted(write, depth, 4096), extent, &MARKS)?;
            assert_eq!(done.operations, count);
            assert_eq!(counts(&mut session), before + count);
        }
        Ok(())
    }

    #[test]
    fn time_ends_a_load_and_marks_bound_it() -> Result<()> {
        static SEEN: AtomicU32 = AtomicU32::new(0);
        let marks = Marks {
            begin: || assert_eq!(SEEN.fetch_add(1, SeqCst), 0),
            end: || assert_eq!(SEEN.fetch_add(1, SeqCst), 1),
        };
        // The model's time passes while it waits.
        let arena = Arena::new(2048, 0x1_0000_0000);
        let config = nvme_model::Config {
            latency: Duration::from_micros(100),
            ..Default::default()
        };
        let model = Model::new(config, arena.clone())?;
        let settings = nvme::Settings {
            queues: 2,
            poll_queues: 0,
            depth: 8,
            admin_timeout: LOOK,
            doorbell_buffers: true,
        };
        let mut session = Session::start(model.device(1), model, arena, settings)?;
        let load = super::load(
            &mut session,
            1,
            &wanted(false, 4, 4096),
            Extent::Time,
            &marks,
        )?;
        assert!(load.operations > 1000 && load.elapsed >= Duration::from_millis(50));
        assert_eq!(SEEN.load(SeqCst), 2);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let refused = |queues: u16, load: &Load, words: &str| -> Result<()> {
            let mut session = ModelSession::model(queues)?;
            let extent = Extent::Operations(1);
            let error = super::load(&mut session, 1, load, extent, &MARKS).err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(words), "{text}");
            Ok(())
        };
        refused(1, &wanted(false, 1, 4096), "two are needed")?;
        refused(2, &wanted(false, 1, 100), "no whole number")?;
        refused(2, &wanted(false, 0, 4096), "one job")?;
        refused(2, &wanted(false, 1, 4 << 20), "not taken")
    }
}
