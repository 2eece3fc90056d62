// SPDX-License-Identifier: GPL-2.0-only

//! QEMU's `edu`: BAR 0 at 4 gives the inversion of what was written there.

use kernel::device::Bound;
use kernel::dma::{Coherent, DataDirection};
use kernel::io::Io;
use kernel::pci::{Bar, Device};
use kernel::prelude::*;
use kernel::scatterlist::SGTable;

use crate::edu::with_device;
use crate::measure::{opaque, Run};
use crate::versions::dma_address;

const INVERSION: usize = 4;

type Registers<'a> = Bar<'a, 8>;

fn registers(device: &Device<Bound>) -> Result<Registers<'_>> {
    device.iomap_region_sized::<8>(0, c"rf_api")
}

#[inline(never)]
pub(crate) fn rf_api_mmio_read(run: &mut Run) -> Result {
    with_device(|device| {
        let registers = registers(device)?;
        registers.write32(0x12345678, INVERSION);
        let mut effect = 0u64;
        measure!(run, |_| {
            count!(effect, registers.read32(INVERSION) == !0x12345678);
        });
        run.effect = effect;
        Ok(())
    })
}

/// The last write is read back; posted writes have no other witness.
#[inline(never)]
pub(crate) fn rf_api_mmio_write(run: &mut Run) -> Result {
    with_device(|device| {
        let registers = registers(device)?;
        measure!(run, |index| {
            registers.write32(index as u32, INVERSION);
        });
        let last = !registers.read32(INVERSION);
        if last == run.iterations.wrapping_sub(1) as u32 {
            run.effect = run.iterations;
        }
        Ok(())
    })
}

#[inline(never)]
pub(crate) fn rf_api_pci_config_read(run: &mut Run) -> Result {
    with_device(|device| {
        let space = device.config_space();
        let mut effect = 0u64;
        measure!(run, |_| {
            count!(effect, space.read16(2) == 0x11e8);
        });
        run.effect = effect;
        Ok(())
    })
}

#[inline(always)]
fn coherent<const SIZE: usize>(run: &mut Run, device: &Device<Bound>) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let memory = Coherent::<[u8; SIZE]>::zeroed(device.as_ref(), GFP_KERNEL)?;
        let memory = opaque(memory);
        count!(
            effect,
            memory.as_ptr() as usize >> 47 == 0x1ffff && dma_address(&memory) & 4095 == 0
        );
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_dma_coherent_4k(run: &mut Run) -> Result {
    with_device(|device| coherent::<4096>(run, device))
}

#[inline(never)]
pub(crate) fn rf_api_dma_coherent_64k(run: &mut Run) -> Result {
    with_device(|device| coherent::<65536>(run, device))
}

/// Sixteen KiB of vmalloc's pages, allocated, mapped for the device, and back.
#[inline(never)]
pub(crate) fn rf_api_dma_sg_16k(run: &mut Run) -> Result {
    with_device(|device| {
        let mut effect = 0u64;
        measure!(run, |_| {
            let pages = VVec::<u8>::with_capacity(16384, GFP_KERNEL)?;
            let table = KBox::pin_init(
                SGTable::new(device.as_ref(), pages, DataDirection::ToDevice, GFP_KERNEL),
                GFP_KERNEL,
            )?;
            let first = table.iter().next();
            count!(
                effect,
                first.is_some_and(|first| opaque(first).dma_len() >= 4096)
            );
        });
        run.effect = effect;
        Ok(())
    })
}
