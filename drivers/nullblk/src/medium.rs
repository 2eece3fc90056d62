//! What of a device changes, and so is behind the ring's lock.

use core::fmt::Write;

use kit::memory::{Memory, OutOfMemory};

use crate::bad_blocks::BadBlocks;
use crate::faults::Fault;
use crate::settings::{Attribute, Invalid, Settings};
use crate::store::Store;
use crate::zones::Zones;

/// Two seeds, so that one fault does not always come with the other.
const TIMEOUT_SEED: u32 = 0x9e37_79b9;
const REQUEUE_SEED: u32 = 0x85eb_ca6b;

/// Data, bad blocks, zones and faults of a device. Data and bad blocks are
/// there also while the device is off.
pub struct Medium<M: Memory> {
    pub(crate) store: Store<M::Pages>,
    pub(crate) bad_blocks: BadBlocks<M>,
    pub(crate) zones: Zones<M>,
    pub(crate) timeout: Fault,
    pub(crate) requeue: Fault,
    /// Requests that were not taken at first.
    pub(crate) requeues: u32,
}

impl<M: Memory> Medium<M> {
    /// The medium of a new device: no data, no bad blocks.
    pub fn new(settings: &Settings) -> Result<Medium<M>, OutOfMemory> {
        Ok(Medium {
            store: Store::new(M::pages(), M::pages()),
            bad_blocks: BadBlocks::new()?,
            zones: Zones::none(),
            timeout: Fault::new(settings.timeout(), TIMEOUT_SEED),
            requeue: Fault::new(settings.requeue(), REQUEUE_SEED),
            requeues: 0,
        })
    }

    /// The settings that a device with this medium has: [checked] ones, and
    /// queues that may sleep if there are bad blocks.
    ///
    /// [checked]: Settings::checked
    pub fn checked(&self, settings: Settings) -> Result<Settings, Invalid> {
        let checked = settings.checked()?;
        match self.bad_blocks.is_empty() {
            true => Ok(checked),
            false => checked.with(Attribute::Blocking, "1", 1),
        }
    }

    /// Makes it fit a device that is switched on with these settings, which
    /// are [checked](Medium::checked). Data beyond the disk's end goes.
    pub fn prepare(&mut self, settings: &Settings) -> Result<(), OutOfMemory> {
        self.zones = Zones::new(settings)?;
        self.store.prepare(settings);
        self.timeout = Fault::new(settings.timeout(), TIMEOUT_SEED);
        self.requeue = Fault::new(settings.requeue(), REQUEUE_SEED);
        self.requeues = 0;
        Ok(())
    }

    /// The device is switched off: what was only in the cache is lost.
    pub fn power_off(&mut self) {
        self.store.lose_cache();
        self.zones = Zones::none();
    }

    /// `+first-last` makes sectors bad, `-first-last` good, for a device that
    /// is off. `Invalid` also if there would be more than 512 ranges.
    pub fn set_bad_blocks(&mut self, text: &str) -> Result<(), Invalid> {
        self.bad_blocks.store(text)
    }

    /// A line a range of bad blocks: first sector and length.
    pub fn show_bad_blocks(&self, out: &mut dyn Write) -> core::fmt::Result {
        self.bad_blocks.show(out)
    }
}
