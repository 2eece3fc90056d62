//! Two controllers to run the same things on: QEMU's and the model's.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use kit::device::Device;
use kit::dma::Word as _;
use kit::registers::{Doorbell, Registers};
use nvme_model::{Config, NamespaceConfig};
use qtest::{Function, Machine, MEMORY};
use ring3::dma::{Arena, Block, BlockWord};
use ring3::nvme::{Clock, Model, ModelDevice};

/// A controller, its memory and its time.
pub trait Rig {
    type Device: Device<Dma = Arena>;
    type Clock: Clock;

    /// The controller for a driver, in whatever state it is.
    fn device(&mut self) -> Self::Device;
    fn clock(&mut self) -> &mut Self::Clock;
    fn arena(&self) -> &Arena;
}

/// Where the memory of devices is, in QEMU's RAM and on the model's bus: not
/// where a PC has its video memory.
pub const BUS: u64 = 16 << 20;
pub const PAGES: usize = (32 << 20) / 4096;

/// A namespace: its number, bytes of a block, blocks.
pub type Shape = (u32, u32, u64);

pub struct ModelRig {
    pub model: Model,
    arena: Arena,
}

impl ModelRig {
    pub fn new(config: Config, shapes: &[Shape]) -> ModelRig {
        let arena = Arena::new(PAGES, BUS);
        let namespaces = shapes.iter().map(|&(id, size, blocks)| NamespaceConfig {
            formats: vec![size.trailing_zeros() as u8],
            ..NamespaceConfig::new(id, blocks)
        });
        let config = Config {
            namespaces: namespaces.collect(),
            ..config
        };
        let model = Model::new(config, arena.clone()).expect("a shape that there is");
        ModelRig { model, arena }
    }
}

impl Rig for ModelRig {
    type Device = ModelDevice;
    type Clock = Model;

    fn device(&mut self) -> ModelDevice {
        self.model.device(3)
    }

    fn clock(&mut self) -> &mut Model {
        &mut self.model
    }

    fn arena(&self) -> &Arena {
        &self.arena
    }
}

/// The slot of bus 0 and QEMU's name of the controller.
const SLOT: u8 = 4;
const NAME: &str = "nvme0";

pub struct QemuRig {
    pub machine: Machine,
    function: Function,
    arena: Arena,
    clock: RealTime,
    /// Vectors that the controller has been given.
    vectors: u16,
    /// The words that they write.
    _words: Block,
}

impl QemuRig {
    /// Starts QEMU with a controller with these further properties (`,mdts=1`) and
    /// namespaces.
    pub fn new(program: &Path, properties: &str, shapes: &[Shape]) -> QemuRig {
        let mut arguments = vec![
            "-device".to_owned(),
            format!("nvme,id={NAME},serial=RF0001,addr={SLOT}{properties}"),
        ];
        for (id, size, _) in shapes {
            arguments.extend([
                "-blockdev".to_owned(),
                format!("raw,node-name=d{id},discard=unmap,file.driver=file,file.filename=FOLDER/disk{id}"),
                "-device".to_owned(),
                format!(
                    "nvme-ns,bus={NAME},nsid={id},drive=d{id},logical_block_size={size},physical_block_size={size}"
                ),
            ]);
        }
        let machine = Machine::start(program, &arguments, |folder| {
            for (id, size, blocks) in shapes {
                let file = File::create(folder.join(format!("disk{id}")))?;
                file.set_len(u64::from(*size) * blocks)?;
            }
            Ok(())
        });
        let machine = machine.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(BUS + PAGES as u64 * 4096 <= MEMORY);
        let arena = Arena::of_file(machine.memory(), BUS, PAGES, BUS).expect("QEMU's RAM");
        let function = Function::new(machine.bus().clone(), SLOT).expect("the controller");
        let words = arena.take(4096).expect("room");
        let place = |index: u64| kit::dma::Coherent::address(&words) + 4 * index;
        let vectors = function.set_vectors(&[0, 1, 2].map(place));
        let vectors = vectors.expect("it has MSI-X");
        let word = |index: u16| kit::dma::Coherent::word(&words, 4 * usize::from(index));
        let clock = RealTime {
            begin: Instant::now(),
            words: (0..vectors)
                .map(|index| word(index).expect("a page"))
                .collect(),
        };
        QemuRig {
            machine,
            function,
            arena,
            clock,
            vectors,
            _words: words,
        }
    }

    pub fn unplug(&mut self) {
        self.machine
            .unplug(NAME, SLOT)
            .expect("it can be unplugged");
    }
}

impl Rig for QemuRig {
    type Device = QemuDevice;
    type Clock = RealTime;

    fn device(&mut self) -> QemuDevice {
        QemuDevice {
            registers: Window(self.function.clone()),
            arena: self.arena.clone(),
            vectors: self.vectors,
        }
    }

    fn clock(&mut self) -> &mut RealTime {
        &mut self.clock
    }

    fn arena(&self) -> &Arena {
        &self.arena
    }
}

/// The clock on the wall, and vectors that are words of memory.
pub struct RealTime {
    begin: Instant,
    words: Vec<BlockWord>,
}

impl Clock for RealTime {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn wait(&mut self, until: Option<Duration>) {
        // Nobody is to wait for ever, even if an interrupt is lost.
        let until = until.unwrap_or(Duration::MAX);
        let until = until.min(self.now() + Duration::from_millis(100));
        loop {
            let mut raised = false;
            for word in &self.words {
                // The controller writes no other value, and we look at its
                // queues after this.
                if word.load() != 0 {
                    word.store(0);
                    raised = true;
                }
            }
            if raised || self.now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

/// QEMU's controller as its driver sees it.
pub struct QemuDevice {
    registers: Window,
    arena: Arena,
    vectors: u16,
}

impl Device for QemuDevice {
    type Registers = Window;
    type Dma = Arena;

    fn registers(&self) -> &Window {
        &self.registers
    }

    fn dma(&self) -> &Arena {
        &self.arena
    }

    fn vectors(&self) -> u16 {
        self.vectors
    }

    fn isolate(&mut self) -> bool {
        self.registers.0.set_master(false)
    }

    fn admit(&mut self) {
        self.registers.0.set_master(true);
    }
}

/// Its registers.
pub struct Window(Function);

impl Registers for Window {
    type Doorbell = Bell;

    fn length(&self) -> usize {
        self.0.length()
    }

    fn read32(&self, offset: usize) -> u32 {
        match self.has(offset) {
            true => self.0.bus().read32(self.0.window() + offset as u64),
            false => u32::MAX,
        }
    }

    fn write32(&self, offset: usize, value: u32) {
        if self.has(offset) {
            self.0.bus().write32(self.0.window() + offset as u64, value);
        }
    }

    fn doorbell(&self, offset: usize) -> Option<Bell> {
        self.has(offset)
            .then(|| Bell(self.0.clone(), offset as u64))
    }
}

impl Window {
    fn has(&self, offset: usize) -> bool {
        offset % 4 == 0
            && offset
                .checked_add(4)
                .is_some_and(|end| end <= self.0.length())
    }
}

/// One of its doorbells.
pub struct Bell(Function, u64);

impl Doorbell for Bell {
    fn ring(&mut self, value: u32) {
        self.0.bus().write32(self.0.window() + self.1, value);
    }
}
