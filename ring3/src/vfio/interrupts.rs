//! MSI-X vectors of a function, as eventfds.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use rustix::event::{poll, EventfdFlags, PollFd, PollFlags, Timespec};
use vmm_sys_util::eventfd::EventFd;

use super::Function;

/// Vectors of a function, each an eventfd that counts its interrupts; a handle.
#[derive(Clone)]
pub struct Interrupts(Arc<Vec<EventFd>>);

impl Interrupts {
    /// Has vectors 0 and up, as many as `count`, raise eventfds.
    ///
    /// # Errors
    ///
    /// If the function has not so many, or the kernel refuses.
    pub fn new(function: &Arc<Function>, count: u16) -> Result<Interrupts> {
        let address = function.address();
        ensure!(
            count <= function.vectors(),
            "{address}: it has {} vectors, not {count}",
            function.vectors()
        );
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let made: Result<Vec<EventFd>, _> = (0..count)
            .map(|_| EventFd::new(flags.bits() as i32))
            .collect();
        let events = made.context("there are no eventfds")?;
        function
            .device
            .enable_msix(events.iter().collect())
            .with_context(|| format!("{address}: its interrupts cannot be had"))?;
        Ok(Interrupts(Arc::new(events)))
    }

    /// Waits until a vector of `vectors` was raised, or for so long; without a
    /// time for as long as it takes. What was raised since the last call counts.
    pub fn wait(&self, vectors: &[u16], time: Option<Duration>) {
        let chosen: Vec<&EventFd> = vectors
            .iter()
            .filter_map(|vector| self.0.get(usize::from(*vector)))
            .collect();
        let mut waiting: Vec<PollFd<'_>> = chosen
            .iter()
            .map(|event| {
                // SAFETY: The descriptor is the event's, which `self` keeps open.
                let descriptor = unsafe { BorrowedFd::borrow_raw(event.as_raw_fd()) };
                PollFd::from_borrowed_fd(descriptor, PollFlags::IN)
            })
            .collect();
        let time = time.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        // A signal ends the wait early, which whoever waits expects.
        let _ = poll(&mut waiting, time.as_ref());
        for event in chosen {
            // Sets its count to zero; there is nothing to read from others.
            let _ = event.read();
        }
    }
}
