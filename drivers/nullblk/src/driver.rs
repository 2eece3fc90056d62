//! What happens to a request.

use kit::block::{Driver, Limits, Operation, Queues, Request, Status, SECTOR_SHIFT};

use crate::settings::{CompletionMode, Settings};

/// A null block device. It keeps no data and no state that changes: any
/// number of queues may use it at once.
#[derive(Debug)]
pub struct NullBlock {
    settings: Settings,
}

impl NullBlock {
    /// A device with these settings.
    pub fn new(settings: Settings) -> NullBlock {
        NullBlock { settings }
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Capacity in sectors of 512 bytes.
    pub fn capacity(&self) -> u64 {
        self.settings.size_mib() << (20 - SECTOR_SHIFT)
    }

    /// The queue limits to register, those of C's `null_add_dev`.
    pub fn limits(&self) -> Limits {
        Limits {
            logical_block_size: self.settings.block_size(),
            physical_block_size: self.settings.block_size(),
            dma_alignment: 1,
        }
    }

    /// The queues to register.
    pub fn queues(&self) -> Queues {
        Queues {
            count: self.settings.submit_queues(),
            depth: self.settings.hw_queue_depth(),
        }
    }
}

impl Driver for NullBlock {
    /// C: `null_queue_rq`, `nullb_complete_cmd`.
    #[inline]
    fn queue<R: Request>(&self, request: R) {
        match request.operation() {
            Operation::Read | Operation::Write | Operation::Flush => {}
            Operation::Discard | Operation::WriteZeroes | Operation::Other => {
                return request.end(Status::NotSupported);
            }
        }
        match self.settings.irq_mode() {
            CompletionMode::None => request.end(Status::Ok),
            CompletionMode::Soft => request.complete(),
        }
    }

    /// C: `null_complete_rq`. Only what succeeded comes this way.
    #[inline]
    fn complete<R: Request>(&self, request: R) {
        request.end(Status::Ok);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::cell::Cell;

    use super::*;

    /// Where a request went.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        Held,
        Ended(Status),
        Completing,
    }

    struct Probe<'a> {
        operation: Operation,
        fate: &'a Cell<Fate>,
    }

    impl Request for Probe<'_> {
        fn operation(&self) -> Operation {
            self.operation
        }
        fn position(&self) -> u64 {
            0
        }
        fn bytes(&self) -> u32 {
            4096
        }
        fn end(self, status: Status) {
            self.fate.set(Fate::Ended(status));
        }
        fn complete(self) {
            self.fate.set(Fate::Completing);
        }
    }

    fn fate_of(mode: &str, operation: Operation) -> Fate {
        let settings = Settings::default()
            .with(crate::Attribute::IrqMode, mode, 1)
            .unwrap();
        let fate = Cell::new(Fate::Held);
        NullBlock::new(settings).queue(Probe {
            operation,
            fate: &fate,
        });
        fate.get()
    }

    #[test]
    fn a_read_ends_at_once_in_mode_none() {
        assert_eq!(fate_of("0", Operation::Read), Fate::Ended(Status::Ok));
    }

    #[test]
    fn a_write_goes_through_soft_completion_in_mode_soft() {
        assert_eq!(fate_of("1", Operation::Write), Fate::Completing);
        let fate = Cell::new(Fate::Held);
        NullBlock::new(Settings::default()).complete(Probe {
            operation: Operation::Write,
            fate: &fate,
        });
        assert_eq!(fate.get(), Fate::Ended(Status::Ok));
    }

    #[test]
    fn what_the_device_does_not_do_ends_as_not_supported_in_both_modes() {
        for mode in ["0", "1"] {
            for operation in [Operation::Discard, Operation::WriteZeroes, Operation::Other] {
                assert_eq!(fate_of(mode, operation), Fate::Ended(Status::NotSupported));
            }
        }
    }

    #[test]
    fn capacity_is_counted_in_sectors() {
        let settings = Settings::default()
            .with(crate::Attribute::Size, "3", 1)
            .unwrap();
        assert_eq!(NullBlock::new(settings).capacity(), 3 * 2048);
    }
}
