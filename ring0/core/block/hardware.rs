// SPDX-License-Identifier: GPL-2.0-only

//! Block devices whose requests a device ends: hardware queues that are the
//! two halves of a driver's, and the disks that share them.
//!
//! A request goes to the half that submits, under a lock, and is the device's
//! from [`launch`](kit::block::DeviceRequest::launch) on. It comes back by the
//! half that completes, from an interrupt or a poll, or when the device has
//! surely stopped ([`HardwareQueues::stopped`]).

mod operations;
mod queue;
mod queues;
mod request;
mod slots;
mod turn;

use kit::block::{Busy, DeviceRequest, InFlight, Status};

pub use queues::{HardwareQueues, Shape};

/// How a driver uses its hardware queues.
pub trait Hardware: Send + Sync + 'static {
    /// The half of a queue that submits.
    type Submissions: Send + Unpin + 'static;
    /// The half that completes.
    type Completions: Send + 'static;
    /// What the driver knows of a disk.
    type Namespace: Send + Sync + 'static;

    /// Puts a request into a queue.
    ///
    /// # Errors
    ///
    /// The request, if it cannot be taken now.
    fn submit<R: DeviceRequest>(
        submissions: &mut Self::Submissions,
        namespace: &Self::Namespace,
        request: R,
    ) -> Result<(), Busy<R>>;

    /// Tells the device of all that was put there.
    fn commit(submissions: &mut Self::Submissions);

    /// Gives back by `end` what the device has ended; how many completions
    /// there were.
    fn process<F: InFlight>(
        completions: &mut Self::Completions,
        requests: &F,
        end: impl FnMut(F::Request, Status),
    ) -> u32;

    /// A request's time limit has ended and the device has it still: number of
    /// the hardware queue, from 0, identifier, and whether that was said of it
    /// before. From a work item; the request has another time limit now.
    fn late(&self, queue: u32, identifier: u16, again: bool);
}
