//! Where a load's operations go.

use kit::block::SECTOR_SHIFT;

use super::Load;

/// Where the next operation goes.
pub(crate) struct Positions {
    random: bool,
    /// Sectors an operation.
    step: u64,
    /// Operations that fit the device.
    slots: u64,
    state: u64,
}

impl Positions {
    /// Those of job `job` on a device of `capacity` bytes.
    pub(crate) fn new(load: &Load, capacity: u64, job: u32) -> Positions {
        let slots = capacity / u64::from(load.block_size);
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
    pub(crate) fn next(&mut self) -> u64 {
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
