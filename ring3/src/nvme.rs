//! NVMe controllers in user space: the driver of `drivers/nvme` with memory, a
//! clock and somebody who waits.

pub mod bench;
mod disk;
mod model;
mod queue_pair;

pub use disk::{Disk, Failure, Finished, Io, Operation, Rejected, Ticket};
pub use model::{Model, ModelDevice};

use std::time::Duration;

/// Time, and how to let it pass.
pub trait Clock {
    /// The time since some beginning; it does not run backwards.
    fn now(&self) -> Duration;

    /// Returns when the device may have done something, or at `until`; at once
    /// if it has.
    fn wait(&mut self, until: Option<Duration>);
}
