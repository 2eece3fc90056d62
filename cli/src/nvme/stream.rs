//! Files, and pipes that wait: reads and writes that a signal ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use super::go_on;

/// How long a pipe is waited for before signals are looked at again.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// What a pipe that is ready takes without waiting (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// Fills `to` as far as there is data, and answers how much there was.
///
/// # Errors
///
/// If it cannot be read, or a signal came.
pub fn fill(from: &mut (impl Read + AsFd), to: &mut [u8]) -> Result<usize> {
    let mut at = 0;
    while at < to.len() {
        wait(from.as_fd(), PollFlags::IN)?;
        match from.read(&mut to[at..]) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(at)
}

/// Writes all of `from`.
///
/// # Errors
///
/// If it cannot be written, or a signal came.
pub fn put(to: &mut File, from: &[u8]) -> Result<()> {
    for piece in from.chunks(AT_ONCE) {
        wait(to.as_fd(), PollFlags::OUT)?;
        to.write_all(piece)?;
    }
    Ok(())
}

/// Waits until a file or pipe is ready.
fn wait(file: BorrowedFd<'_>, what: PollFlags) -> Result<()> {
    loop {
        go_on()?;
        let mut waiting = [PollFd::from_borrowed_fd(file, what)];
        match poll(&mut waiting, Some(&PATIENCE)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}
