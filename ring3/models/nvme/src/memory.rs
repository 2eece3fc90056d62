//! The host's memory, as the controller reaches it.

/// An access to the host's memory that its owner refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bus address of the first byte.
    pub address: u64,
    /// Number of bytes.
    pub length: usize,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} bytes at {:#x} are not the device's: map them before it is told of them",
            self.length, self.address
        )
    }
}

impl std::error::Error for Fault {}

/// The host's memory by bus address. Whoever owns it checks every access: what
/// is not mapped for the device gives a [`Fault`], and a test can so find a
/// driver that takes memory back too early.
///
/// An access may start anywhere and cross pages. Where another thread looks at
/// the memory at the same time, writes must become visible in the order of the
/// calls, and a read must not be taken from before an earlier call: the
/// controller writes a completion's last doubleword, which has the phase tag,
/// in a call of its own, after the rest.
pub trait Memory {
    /// Reads `to.len()` bytes at `address`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if any byte is not the device's to read.
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault>;

    /// Writes `from` at `address`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if any byte is not the device's to write.
    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault>;
}

impl<T: Memory + ?Sized> Memory for &T {
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        (**self).read(address, to)
    }

    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        (**self).write(address, from)
    }
}

impl<T: Memory + ?Sized> Memory for std::rc::Rc<T> {
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        (**self).read(address, to)
    }

    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        (**self).write(address, from)
    }
}

impl<T: Memory + ?Sized> Memory for std::sync::Arc<T> {
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        (**self).read(address, to)
    }

    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        (**self).write(address, from)
    }
}
