// SPDX-License-Identifier: GPL-2.0-only

//! The control build of the module (`--cfg rf_control`): the driver, and a
//! known delay that a measurement must find.

use core::ops::Deref;
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use core::time::Duration;

use kernel::configfs::AttributeOperations;
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;
use kernel::time::{Instant, Monotonic};
use kit::block::{Driver, Next, Request, Served, Status, Zone};
use nullblk::{Medium, NullBlock, Settings};
use ring0::memory::Memory;

use crate::configfs::{text, Device};

/// The delay of so many requests comes at once: a single one's would be less
/// than what a look at the clock takes.
const TOGETHER: u32 = 64;

/// A null block device that waits now and then.
pub(crate) struct Delayed {
    driver: NullBlock<Memory>,
    /// Nanoseconds a request.
    nsec: AtomicI64,
    /// Requests so far, wrapping.
    requests: AtomicU32,
}

impl Delayed {
    pub(crate) fn new(settings: Settings, medium: &Medium<Memory>) -> Delayed {
        Delayed {
            driver: NullBlock::new(settings, medium),
            nsec: AtomicI64::new(0),
            requests: AtomicU32::new(0),
        }
    }

    pub(crate) fn set_delay(&self, nsec: u32) {
        self.nsec.store(nsec.into(), Ordering::Relaxed);
    }

    fn wait(&self) {
        if self.requests.fetch_add(1, Ordering::Relaxed) % TOGETHER != 0 {
            return;
        }
        let wait = self.nsec.load(Ordering::Relaxed) * i64::from(TOGETHER);
        let start = Instant::<Monotonic>::now();
        while start.elapsed().as_nanos() < wait {
            core::hint::spin_loop();
        }
    }
}

impl Deref for Delayed {
    type Target = NullBlock<Memory>;

    fn deref(&self) -> &NullBlock<Memory> {
        &self.driver
    }
}

impl Driver for Delayed {
    type Medium = Medium<Memory>;

    #[inline(always)]
    fn queue<R: Request>(&self, request: R) -> Next<R> {
        self.wait();
        self.driver.queue(request)
    }

    fn serve<R: Request>(&self, medium: &mut Medium<Memory>, request: &mut R) -> Served {
        self.driver.serve(medium, request)
    }

    #[inline(always)]
    fn finish<R: Request>(&self, request: R, status: Status) {
        self.driver.finish(request, status);
    }

    fn zone(&self, medium: &mut Medium<Memory>, number: u32) -> Option<Zone> {
        self.driver.zone(medium, number)
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.driver.tick_interval()
    }

    fn tick(&self) {
        self.driver.tick();
    }
}

/// `delay_nsec`: nanoseconds a request, of a device that is on.
#[vtable]
impl AttributeOperations<39> for Device {
    type Data = Device;

    fn show(_this: &Device, _page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        Err(EPERM)
    }

    fn store(this: &Device, page: &[u8]) -> Result {
        let nsec = text(page)?.trim().parse().map_err(|_| EINVAL)?;
        this.with_disk(|disk| disk.with_medium(|driver, _| driver.set_delay(nsec)))
    }
}
