//! A controller that is a PCI function of this machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use kit::device::Device;

use super::{Clock, CLASS};
use crate::dma::Arena;
use crate::vfio::{Address, Bar, DmaPages, Function, Interrupts};

/// A controller that was taken from its driver, and what is used with it.
pub struct Claimed {
    /// To be given to the driver.
    pub device: FunctionDevice,
    /// Waits for any of its interrupts, or spins if it has none.
    pub clock: FunctionClock,
    /// Its memory.
    pub arena: Arena,
}

impl Claimed {
    /// Interrupt vectors; with none it is polled.
    pub fn vectors(&self) -> u16 {
        self.device.vectors
    }
}

/// Takes the controller at an address from its driver, with so many bytes of
/// memory and so many MSI-X vectors, or as many as it has; with none it is
/// polled. It goes back when all that this gives is dropped.
///
/// # Errors
///
/// If it cannot be had (see [`Function::claim`]).
pub fn claim(address: Address, bytes: usize, vectors: u16) -> Result<Claimed> {
    let function = Function::claim(address, CLASS)?;
    let registers = Bar::map(&function, 0)?;
    let pages = DmaPages::new(&function, bytes)?;
    let arena = pages.arena()?;
    let vectors = vectors.min(function.vectors());
    let interrupts = match vectors {
        0 => None,
        count => Some(Interrupts::new(&function, count)?),
    };
    Ok(Claimed {
        device: FunctionDevice {
            function,
            registers,
            pages,
            arena: arena.clone(),
            vectors,
        },
        clock: FunctionClock {
            start: Instant::now(),
            interrupts,
            vectors: (0..vectors).collect(),
        },
        arena,
    })
}

/// It as its driver sees it. Dropping this keeps the function from memory.
pub struct FunctionDevice {
    function: Arc<Function>,
    registers: Bar,
    pages: DmaPages,
    arena: Arena,
    vectors: u16,
}

impl FunctionDevice {
    /// Whether its memory is huge pages.
    pub fn huge_pages(&self) -> bool {
        self.pages.huge()
    }
}

impl Device for FunctionDevice {
    type Registers = Bar;
    type Dma = Arena;

    fn registers(&self) -> &Bar {
        &self.registers
    }

    fn dma(&self) -> &Arena {
        &self.arena
    }

    fn vectors(&self) -> u16 {
        self.vectors
    }

    /// Certain is what the IOMMU does, also for a function that is gone.
    fn isolate(&mut self) -> bool {
        self.function.set_bus_master(false);
        self.pages.hide()
    }

    /// A function that is not admitted gets no further than its admin queue.
    fn admit(&mut self) {
        if self.pages.show().is_ok() {
            self.function.set_bus_master(true);
        }
    }
}

impl Drop for FunctionDevice {
    fn drop(&mut self) {
        self.isolate();
    }
}

/// Time, and the interrupts of a function.
#[derive(Clone)]
pub struct FunctionClock {
    start: Instant,
    interrupts: Option<Interrupts>,
    vectors: Vec<u16>,
}

impl Clock for FunctionClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&mut self, until: Option<Duration>) {
        match &self.interrupts {
            Some(interrupts) => {
                let time = until.map(|until| until.saturating_sub(self.start.elapsed()));
                interrupts.wait(&self.vectors, time);
            }
            None => std::hint::spin_loop(),
        }
    }

    fn of(&self, vector: Option<u16>) -> FunctionClock {
        FunctionClock {
            start: self.start,
            interrupts: self.interrupts.clone().filter(|_| vector.is_some()),
            vectors: vector.into_iter().collect(),
        }
    }
}
