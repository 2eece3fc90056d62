//! What a controller is like: its shape, its limits and its delays.

use std::fmt;
use std::time::Duration;

/// A setting that no controller can have; says which, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub(crate) String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// How the controller interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptMode {
    /// MSI-X with that many vectors, 1 to 2048. The masks INTMS and INTMC are
    /// not to be touched then.
    Msix(u16),
    /// One pin, which is a level, masked by bit 0 of INTMS.
    Pin,
}

/// The optional NVM commands, as bits of ONCS (Base 2.0, Identify Controller).
pub mod optional {
    /// Compare.
    pub const COMPARE: u16 = 1 << 0;
    /// Write Uncorrectable.
    pub const WRITE_UNCORRECTABLE: u16 = 1 << 1;
    /// Dataset Management.
    pub const DATASET_MANAGEMENT: u16 = 1 << 2;
    /// Write Zeroes.
    pub const WRITE_ZEROES: u16 = 1 << 3;
    /// Verify.
    pub const VERIFY: u16 = 1 << 7;
    /// All of these.
    pub const ALL: u16 = COMPARE | WRITE_UNCORRECTABLE | DATASET_MANAGEMENT | WRITE_ZEROES | VERIFY;
}

/// A namespace to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceConfig {
    /// Namespace identifier, 1 to [`Config::max_namespaces`].
    pub id: u32,
    /// Size in blocks of the current format, at least 1.
    pub blocks: u64,
    /// The LBA formats, 1 to 16, as powers of two of the block size: 9 (512
    /// bytes) to 12 (4096 bytes).
    pub formats: Vec<u8>,
    /// Which of them is the current one.
    pub format: usize,
}

impl NamespaceConfig {
    /// A namespace of `blocks` blocks of 512 bytes that can be formatted to
    /// 4096.
    pub fn new(id: u32, blocks: u64) -> Self {
        Self {
            id,
            blocks,
            formats: vec![9, 12],
            format: 0,
        }
    }

    /// The same with 4096-byte blocks.
    pub fn with_4096(id: u32, blocks: u64) -> Self {
        Self {
            format: 1,
            ..Self::new(id, blocks)
        }
    }

    pub(crate) fn check(&self, max_namespaces: u32) -> Result<(), Invalid> {
        let id = self.id;
        let refuse = |why: String| Err(Invalid(format!("namespace {id}: {why}")));
        if id == 0 || id > max_namespaces {
            return refuse(format!("the identifier must be 1 to {max_namespaces}"));
        }
        if self.formats.is_empty()
            || self.formats.len() > 16
            || self.formats.iter().any(|f| !(9..=12).contains(f))
        {
            return refuse("give 1 to 16 formats, each 9 to 12 (512 to 4096 bytes)".into());
        }
        let Some(shift) = self.formats.get(self.format) else {
            return refuse(format!(
                "format {} of {}: name one that there is",
                self.format,
                self.formats.len()
            ));
        };
        if self.blocks == 0 || self.blocks > 1 << (63 - shift) {
            return refuse(format!(
                "{} blocks: it must be 1 to 2^63 bytes",
                self.blocks
            ));
        }
        Ok(())
    }
}

/// The shape of a controller. [`Config::default`] is an ordinary one; change
/// what matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// PCI vendor identifier, for the vendor and the subsystem vendor; 0 is
    /// nobody's.
    pub vendor: u16,
    /// Serial number, ASCII, up to 20 characters.
    pub serial: String,
    /// Model number, ASCII, up to 40 characters.
    pub model: String,
    /// Firmware revision, ASCII, up to 8 characters.
    pub firmware: String,
    /// Most entries of an I/O queue (CAP.MQES + 1), 2 to 65536.
    pub max_queue_entries: u32,
    /// I/O submission queues, and as many completion queues: 1 to 65534. With
    /// [`Config::doorbell_buffer`], all doorbells must fit into 4096 bytes.
    pub io_queues: u16,
    /// How it interrupts.
    pub interrupts: InterruptMode,
    /// Doorbells lie `4 << stride` bytes apart (CAP.DSTRD), 0 to 15.
    pub doorbell_stride: u8,
    /// The largest memory page is `2^(12 + this)` bytes (CAP.MPSMAX), 0 to 15.
    /// The smallest is 4096 bytes.
    pub max_page_shift: u8,
    /// Largest transfer is `2^this` pages of 4096 bytes; 0 is no limit (MDTS).
    pub mdts: u8,
    /// Takes SGLs for I/O commands.
    pub sgl: bool,
    /// Offers Doorbell Buffer Config; not with a pin, which falls by a doorbell
    /// register.
    pub doorbell_buffer: bool,
    /// Has a volatile write cache: what is neither flushed nor written with FUA
    /// can be lost by [`crate::Controller::power_loss`].
    pub write_cache: bool,
    /// Offers the NVM subsystem reset.
    pub subsystem_reset: bool,
    /// The optional NVM commands it has, of [`optional`].
    pub optional_commands: u16,
    /// Asynchronous Event Requests that may be outstanding, 1 to 256.
    pub async_event_requests: u16,
    /// Abort commands that may be outstanding, 1 to 256.
    pub aborts: u16,
    /// Number of namespaces it can have (NN), at least 1.
    pub max_namespaces: u32,
    /// The namespaces that it starts with; none is a valid list.
    pub namespaces: Vec<NamespaceConfig>,
    /// Longest time to become ready or to reset (CAP.TO), in units of 500 ms.
    pub timeout: u8,
    /// From CC.EN = 1 to CSTS.RDY = 1.
    pub ready_delay: Duration,
    /// From CC.EN = 0 to CSTS.RDY = 0. Until then, commands that were fetched
    /// may still move data.
    pub reset_delay: Duration,
    /// From CC.SHN to CSTS.SHST = complete.
    pub shutdown_delay: Duration,
    /// From the fetch of a command to its execution.
    pub latency: Duration,
    /// Most commands that one step fetches, at least 1.
    pub commands_per_step: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vendor: 0,
            serial: "RF0001".into(),
            model: "Ringfence NVMe model".into(),
            firmware: "1.0".into(),
            max_queue_entries: 2048,
            io_queues: 64,
            interrupts: InterruptMode::Msix(65),
            doorbell_stride: 0,
            max_page_shift: 4,
            mdts: 7,
            sgl: false,
            doorbell_buffer: false,
            write_cache: false,
            subsystem_reset: false,
            optional_commands: optional::ALL,
            async_event_requests: 4,
            aborts: 4,
            max_namespaces: 16,
            namespaces: vec![NamespaceConfig::new(1, 1 << 17)],
            timeout: 2,
            ready_delay: Duration::ZERO,
            reset_delay: Duration::ZERO,
            shutdown_delay: Duration::ZERO,
            latency: Duration::ZERO,
            commands_per_step: 64,
        }
    }
}

impl Config {
    /// Whether a controller can be like that.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the first setting that is out of its range.
    pub fn check(&self) -> Result<(), Invalid> {
        let text = |name: &str, text: &str, most: usize| {
            if text.len() > most || !text.bytes().all(|c| (0x20..0x7f).contains(&c)) {
                return Err(Invalid(format!(
                    "{name} {text:?}: at most {most} printable ASCII characters"
                )));
            }
            Ok(())
        };
        let range = |name: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Invalid(format!("{name} {value}: must be {low} to {high}")))
        };
        text("serial", &self.serial, 20)?;
        text("model", &self.model, 40)?;
        text("firmware", &self.firmware, 8)?;
        range("max_queue_entries", self.max_queue_entries.into(), 2, 65536)?;
        range("io_queues", self.io_queues.into(), 1, 65534)?;
        if let InterruptMode::Msix(vectors) = self.interrupts {
            range("interrupts", vectors.into(), 1, 2048)?;
        }
        range("doorbell_stride", self.doorbell_stride.into(), 0, 15)?;
        range("max_page_shift", self.max_page_shift.into(), 0, 15)?;
        range("mdts", self.mdts.into(), 0, 20)?;
        range(
            "async_event_requests",
            self.async_event_requests.into(),
            1,
            256,
        )?;
        range("aborts", self.aborts.into(), 1, 256)?;
        range("max_namespaces", self.max_namespaces.into(), 1, 1 << 20)?;
        range(
            "commands_per_step",
            self.commands_per_step.into(),
            1,
            u32::MAX.into(),
        )?;
        if self.optional_commands & !optional::ALL != 0 {
            return Err(Invalid(format!(
                "optional_commands {:#x}: take bits of `optional`, {:#x} in all",
                self.optional_commands,
                optional::ALL
            )));
        }
        if self.doorbell_buffer && self.interrupts == InterruptMode::Pin {
            return Err(Invalid(
                "doorbell_buffer: a pin falls by a doorbell register; take Msix interrupts".into(),
            ));
        }
        let doorbells = (u64::from(self.io_queues) + 1) * (8 << self.doorbell_stride);
        if self.doorbell_buffer && doorbells > 4096 {
            return Err(Invalid(format!(
                "doorbell_buffer: {doorbells} bytes of doorbells do not fit a page of 4096; \
                 take fewer io_queues or a smaller doorbell_stride"
            )));
        }
        for (i, namespace) in self.namespaces.iter().enumerate() {
            namespace.check(self.max_namespaces)?;
            if self.namespaces[..i].iter().any(|n| n.id == namespace.id) {
                return Err(Invalid(format!(
                    "namespace {}: there are two; give each its own identifier",
                    namespace.id
                )));
            }
        }
        Ok(())
    }

    /// Interrupt vectors, at least 1.
    pub(crate) fn vectors(&self) -> u16 {
        match self.interrupts {
            InterruptMode::Msix(vectors) => vectors,
            InterruptMode::Pin => 1,
        }
    }

    /// The largest transfer in bytes.
    pub(crate) fn max_transfer(&self) -> u64 {
        match self.mdts {
            0 => u64::MAX,
            mdts => 4096 << mdts,
        }
    }
}
