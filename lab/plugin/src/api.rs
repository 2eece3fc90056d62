//! The modules that run an API's operations, as the guest's agent calls them:
//! one ioctl on a device of each.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::ioctl::{ioctl, opcode, Updater};

/// Bytes of user memory that an operation may copy from and to, as the modules
/// ask for.
const BUFFER: usize = 64 << 10;

/// What is asked of a loop, and what it gave: `struct rf_api_run` of the
/// modules.
#[repr(C)]
#[derive(Default)]
struct Run {
    operation: u32,
    flags: u32,
    iterations: u64,
    buffer: u64,
    buffer_length: u64,
    nanoseconds: u64,
    effect: u64,
}

/// `RF_API_RUN`.
const RUN: rustix::ioctl::Opcode = opcode::read_write::<Run>(b'R', 1);

/// A page of memory, where a page begins.
#[repr(C, align(4096))]
#[derive(Clone)]
struct Page([u8; 4096]);

/// What a loop gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looped {
    /// Time of the loop alone, in nanoseconds.
    pub nanoseconds: u64,
    /// Iterations whose effect was seen.
    pub effect: u64,
}

/// The device of a module.
pub struct Device {
    file: File,
    buffer: Vec<Page>,
}

impl Device {
    /// Opens the device of that name below `/dev`, which must be a module's of
    /// `ring0/modules` or `ring0/twins`: `rf_api_c` and the like.
    pub fn open(name: &str) -> io::Result<Device> {
        if !name.starts_with("rf_api_") || name.contains('/') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let path = Path::new("/dev").join(name);
        Ok(Device {
            file: OpenOptions::new().read(true).write(true).open(path)?,
            // Written, so that no loop meets a page that is not there.
            buffer: vec![Page([1; 4096]); BUFFER / 4096],
        })
    }

    /// Runs an operation's loop; it is named by its place in the table of
    /// operations.
    ///
    /// # Errors
    ///
    /// `ENOSYS`: the module or its kernel lacks the operation. `ENODEV`: it
    /// needs a PCI device, and the module has none. `EINVAL`: there is no such
    /// operation, or `iterations` is 0 or above 2^32.
    pub fn run(&mut self, operation: u32, iterations: u64) -> io::Result<Looped> {
        let mut run = Run {
            operation,
            iterations,
            buffer: self.buffer.as_mut_ptr() as u64,
            buffer_length: BUFFER as u64,
            ..Run::default()
        };
        // SAFETY: `file` is a device that a module of ours made (`open`), so
        // the request means a `struct rf_api_run`, which `Run` is field by
        // field, is written in place, and is not kept. The buffer is as long as
        // it is said to be, and nobody else's while `self` is borrowed; any
        // bytes may be written to it.
        unsafe { ioctl(&self.file, Updater::<RUN, Run>::new(&mut run)) }?;
        Ok(Looped {
            nanoseconds: run.nanoseconds,
            effect: run.effect,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_number_that_c_gives_it() {
        // _IOWR('R', 1, struct rf_api_run), of 48 bytes.
        assert_eq!(RUN as u64, 0xc030_5201);
    }

    #[test]
    fn other_devices_are_refused() {
        for name in ["null", "../dev/null", "rf_api_/../null"] {
            let error = Device::open(name).err().expect(name);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
