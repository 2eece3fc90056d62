// SPDX-License-Identifier: GPL-2.0-only

//! What differs between the kernels: `cfg(rf_kernel_7_2)` or a later one.

use kernel::dma::{Coherent, DmaAddress};
use kernel::prelude::*;

/// Function not implemented.
#[cfg(not(rf_kernel_7_2))]
pub(crate) fn enosys() -> Error {
    ENOSYS
}
#[cfg(rf_kernel_7_2)]
pub(crate) fn enosys() -> Error {
    Error::from_errno(-38)
}

/// What a PCI driver's `probe` is told of the entry of its table that matched.
#[cfg(not(rf_kernel_7_2))]
pub(crate) type IdInfo<'a, T> = Option<&'a T>;
#[cfg(rf_kernel_7_2)]
pub(crate) type IdInfo<'a, T> = &'a T;

/// A PCI driver's table that matches no device by itself, since no device ID has
/// 17 bits: the driver binds where `driver_override` says so. (There is no way
/// to set `override_only` from Rust.)
#[cfg(not(rf_kernel_7_2))]
macro_rules! edu_table {
    ($table:ident, $info:ty) => {
        kernel::pci_device_table!(
            $table,
            $info,
            [(
                kernel::pci::DeviceId::from_id(kernel::pci::Vendor::REDHAT, 0x1_0000),
                ()
            )]
        );
    };
}
#[cfg(rf_kernel_7_2)]
macro_rules! edu_table {
    ($table:ident, $info:ty) => {
        kernel::pci_device_table!(
            $table,
            MODULE_TABLE,
            $info,
            [(
                kernel::pci::DeviceId::from_id(kernel::pci::Vendor::REDHAT, 0x1_0000),
                ()
            )]
        );
    };
}
pub(crate) use edu_table;

/// The address that a device knows coherent memory by.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn dma_address<const SIZE: usize>(memory: &Coherent<[u8; SIZE]>) -> DmaAddress {
    #[cfg(not(rf_kernel_7_2))]
    return memory.dma_address();
    #[cfg(rf_kernel_7_2)]
    return memory.dma_handle();
}

/// Operations that 7.2 lacks: its crate has no spinlock that disables interrupts.
#[cfg(rf_kernel_7_2)]
#[allow(dead_code)]
pub(crate) fn rf_api_spinlock_irq(_run: &mut crate::measure::Run) -> Result {
    Err(enosys())
}
