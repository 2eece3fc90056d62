// SPDX-License-Identifier: GPL-2.0-only

//! Open files.

use kernel::fs::file::{flags::O_CLOEXEC, FileDescriptorReservation, LocalFile};
use kernel::prelude::*;
use kernel::sync::aref::ARef;

use crate::measure::{opaque, Run};

/// The lowest open file descriptor of the caller.
fn any_descriptor() -> Result<u32> {
    (0..1024)
        .find(|&descriptor| LocalFile::fget(descriptor).is_ok())
        .ok_or(EBADF)
}

/// The file behind it.
pub(crate) fn any_file() -> Result<ARef<LocalFile>> {
    Ok(LocalFile::fget(any_descriptor()?)?)
}

#[inline(never)]
pub(crate) fn rf_api_fget(run: &mut Run) -> Result {
    let descriptor = any_descriptor()?;
    let first = any_file()?;
    let mut effect = 0u64;
    measure!(run, |_| {
        let file = opaque(LocalFile::fget(opaque(descriptor))?);
        count!(effect, file.as_ptr() == first.as_ptr());
    });
    run.effect = effect;
    Ok(())
}

/// The number of a file to be: taken, and given back.
#[inline(never)]
pub(crate) fn rf_api_fd_reserve(run: &mut Run) -> Result {
    let number = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?.reserved_fd();
    let mut effect = 0u64;
    measure!(run, |_| {
        let reservation = opaque(FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?);
        count!(effect, reservation.reserved_fd() == number);
    });
    run.effect = effect;
    Ok(())
}
