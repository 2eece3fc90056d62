//! NVMe controllers in user space: the driver of `drivers/nvme` with memory, a
//! clock and somebody who waits.

pub mod bench;
mod disk;
mod function;
pub mod load;
mod model;
mod queue;
mod queue_pair;
mod session;
mod transfer;

pub use disk::{Disk, Failure, Finished, Io, Operation, Rejected, Ticket};
pub use function::{claim, Claimed, FunctionClock, FunctionDevice};
pub use model::{Model, ModelDevice};
pub use queue::Queue;
pub use session::{FunctionSession, ModelSession, QueueSession, Session};
pub use transfer::check_range;

use std::time::Duration;

/// PCI class, subclass and interface of an NVMe I/O controller (PCI Code and ID
/// Assignment 1.11 §1.2).
pub const CLASS: u32 = 0x01_08_02;

/// Time, and how to let it pass.
pub trait Clock {
    /// The time since some beginning; it does not run backwards.
    fn now(&self) -> Duration;

    /// Returns when the device may have done something, or at `until`; at once
    /// if it has.
    fn wait(&mut self, until: Option<Duration>);

    /// The same time, for who waits for one vector only; `None` for one whose
    /// queue is polled.
    fn of(&self, _vector: Option<u16>) -> Self
    where
        Self: Sized + Clone,
    {
        self.clone()
    }
}
