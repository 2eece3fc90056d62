//! What the ring may ask a namespace for.

use kit::block::{Limits, SECTOR_SHIFT};
use kit::device::Device;
use kit::memory::PAGE_SIZE;

use crate::controller::Controller;
use crate::identify::Namespace;

/// Blocks of the largest command without data: its count is 16 bits wide and
/// counts from zero.
const MAX_BLOCKS: u64 = 1 << 16;

impl<D: Device> Controller<D> {
    /// The limits of requests for a namespace (C: `nvme_set_ctrl_limits` and
    /// `nvme_config_discard`). A segment may begin or end within a page only
    /// where the data does, since PRP entries say nothing else (NVMe Base 2.0
    /// §4.1.1).
    pub fn limits(&self, namespace: &Namespace) -> Limits {
        let transfer = self.max_transfer();
        let has = |what: bool, most: u32| if what { most } else { 0 };
        let identity = self.identity();
        let blocks = u32::try_from(MAX_BLOCKS << (u32::from(namespace.block_shift) - SECTOR_SHIFT))
            .unwrap_or(u32::MAX);
        Limits {
            logical_block_size: namespace.block_size(),
            physical_block_size: namespace.block_size(),
            dma_alignment: 3,
            max_sectors: transfer >> SECTOR_SHIFT,
            virt_boundary_mask: PAGE_SIZE as u32 - 1,
            max_segments: transfer / PAGE_SIZE as u32 + 1,
            max_discard_sectors: has(
                identity.is_some_and(|identity| identity.dataset_management),
                u32::MAX >> SECTOR_SHIFT,
            ),
            max_write_zeroes_sectors: has(
                identity.is_some_and(|identity| identity.write_zeroes),
                (transfer >> SECTOR_SHIFT).min(blocks),
            ),
            write_cache: identity.is_some_and(|identity| identity.write_cache),
            fua: identity.is_some_and(|identity| identity.write_cache),
            rotational: false,
            zoned: None,
        }
    }
}
