//! The driver as a ring uses it.

extern crate std;

mod data;
mod faults;
mod plain;
mod settings;
mod zones;

use std::vec;
use std::vec::Vec;

use kit::block::{Driver, Next, Operation, Request, Resource, Served, Status};

use crate::testing::{End, Fate, Probe, StdMemory};
use crate::{Attribute, Medium, NullBlock, Settings};

/// C's settings with these changes, as a device gets them.
fn checked(changes: &[(Attribute, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (attribute, text) in changes {
        settings = settings.with(*attribute, text, 4).unwrap();
    }
    settings.checked().unwrap()
}

/// A device that is on.
struct Device {
    driver: NullBlock<StdMemory>,
    medium: Medium<StdMemory>,
}

impl Device {
    fn new(changes: &[(Attribute, &str)]) -> Device {
        let settings = checked(changes);
        let mut medium = Medium::new(&settings).unwrap();
        medium.prepare(&settings).unwrap();
        let driver = NullBlock::new(settings, &medium);
        Device { driver, medium }
    }

    /// Switches it off, and on again with other settings.
    fn restart(&mut self, changes: &[(Attribute, &str)]) {
        let settings = checked(changes);
        self.medium.power_off();
        self.medium.prepare(&settings).unwrap();
        self.driver = NullBlock::new(settings, &self.medium);
    }

    /// What becomes of a request: fate, lack, data, position.
    fn submit(
        &mut self,
        operation: Operation,
        sector: u64,
        data: &[u8],
        flags: (bool, bool),
    ) -> (Fate, Option<Resource>, Vec<u8>, Option<u64>) {
        let end = End::new(data);
        let request = Probe {
            operation,
            position: sector,
            bytes: data.len() as u32,
            fua: flags.0,
            polled: flags.1,
            end: &end,
        };
        let mut lack = None;
        match self.driver.queue(request) {
            Next::Taken => {}
            Next::Busy(busy) => lack = Some(busy.lack),
            Next::Serve(mut request) => match self.driver.serve(&mut self.medium, &mut request) {
                Served::Done(status) => self.driver.finish(request, status),
                Served::Lost => request.lose(),
                Served::Requeued => request.requeue(),
                Served::Busy(resource) => lack = Some(resource),
            },
        }
        let end = end.into_inner();
        (end.fate, lack, end.data, end.position)
    }

    /// The status of a request of a device in mode none.
    fn status(&mut self, operation: Operation, sector: u64, data: &[u8]) -> Status {
        match self.submit(operation, sector, data, (false, false)).0 {
            Fate::Ended(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, sector: u64, bytes: usize) -> Vec<u8> {
        let (fate, _, data, _) =
            self.submit(Operation::Read, sector, &vec![0xee; bytes], (false, false));
        assert_eq!(fate, Fate::Ended(Status::Ok));
        data
    }
}

const MODE_NONE: (Attribute, &str) = (Attribute::IrqMode, "0");

/// A repeatable source of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}
