//! Get Log Page (Base 2.0 §5.16).

use std::collections::{BTreeSet, VecDeque};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::Command;
use crate::config::{optional, Config};
use crate::controller::Controller;
use crate::events::EventType;
use crate::memory::Memory;
use crate::status::Status;
use crate::{admin, nvm};

/// Entries of the error log.
pub(crate) const ERRORS: usize = 64;

/// Log page identifiers.
mod lid {
    pub const SUPPORTED: u8 = 0x00;
    pub const ERRORS: u8 = 0x01;
    pub const HEALTH: u8 = 0x02;
    pub const FIRMWARE_SLOTS: u8 = 0x03;
    pub const CHANGED_NAMESPACES: u8 = 0x04;
    pub const EFFECTS: u8 = 0x05;
}

/// An entry of Error Information (§5.16.1.2).
#[derive(Clone, Copy, FromZeros, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ErrorEntry {
    count: U64,
    sq_id: U16,
    command_id: U16,
    /// Status field with phase tag 0.
    status: U16,
    /// FFFFh: no field of the command in particular.
    parameter: U16,
    lba: U64,
    nsid: U32,
    _28: [u8; 36],
}

const _: () = assert!(size_of::<ErrorEntry>() == 64);

/// SMART / Health Information (§5.16.1.3).
#[derive(FromZeros, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Health {
    critical_warning: u8,
    /// Kelvin.
    temperature: U16,
    /// Percent.
    spare: u8,
    spare_threshold: u8,
    used: u8,
    _6: [u8; 26],
    /// Thousands of 512-byte units, rounded up. Counters have 128 bits.
    data_read: [U64; 2],
    data_written: [U64; 2],
    reads: [U64; 2],
    writes: [U64; 2],
    busy_time: [U64; 2],
    power_cycles: [U64; 2],
    power_on_hours: [U64; 2],
    unsafe_shutdowns: [U64; 2],
    media_errors: [U64; 2],
    error_entries: [U64; 2],
    _192: [u8; 320],
}

const _: () = assert!(size_of::<Health>() == 512);

/// What log pages tell. Kept over resets.
pub(crate) struct Logs {
    /// Newest first.
    errors: VecDeque<ErrorEntry>,
    error_count: u64,
    /// Kelvin.
    pub temperature: u16,
    /// Bytes.
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
    pub power_cycles: u64,
    pub unsafe_shutdowns: u64,
    media_errors: u64,
    pub changed_namespaces: BTreeSet<u32>,
}

impl Logs {
    pub fn new() -> Self {
        Self {
            errors: VecDeque::with_capacity(ERRORS),
            error_count: 0,
            temperature: 300,
            read_bytes: 0,
            written_bytes: 0,
            reads: 0,
            writes: 0,
            power_cycles: 1,
            unsafe_shutdowns: 0,
            media_errors: 0,
            changed_namespaces: BTreeSet::new(),
        }
    }

    /// A command ended with an error.
    pub fn add_error(&mut self, sq_id: u16, command: &Command, status: Status) {
        self.error_count += 1;
        // Status code type 2: media and data integrity.
        self.media_errors += u64::from(status.0 >> 8 & 0b111 == 2);
        self.errors.truncate(ERRORS - 1);
        let is_io = sq_id != 0;
        let lba = u64::from(command.dw10.get()) | u64::from(command.dw11.get()) << 32;
        self.errors.push_front(ErrorEntry {
            count: U64::new(self.error_count),
            sq_id: U16::new(sq_id),
            command_id: command.id,
            status: U16::new(status.0 << 1),
            parameter: U16::new(0xffff),
            lba: U64::new(if is_io { lba } else { 0 }),
            nsid: command.nsid,
            _28: [0; 36],
        });
    }

    fn error_page(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(64 * ERRORS);
        for entry in &self.errors {
            page.extend_from_slice(entry.as_bytes());
        }
        page.resize(64 * ERRORS, 0);
        page
    }

    fn health(&self, warning: u8, hours: u64) -> Health {
        let units = |bytes: u64| bytes.div_ceil(512 * 1000);
        let wide = |value: u64| [U64::new(value), U64::ZERO];
        Health {
            critical_warning: warning,
            temperature: U16::new(self.temperature),
            spare: 100,
            spare_threshold: 10,
            data_read: wide(units(self.read_bytes)),
            data_written: wide(units(self.written_bytes)),
            reads: wide(self.reads),
            writes: wide(self.writes),
            power_cycles: wide(self.power_cycles),
            power_on_hours: wide(hours),
            unsafe_shutdowns: wide(self.unsafe_shutdowns),
            media_errors: wide(self.media_errors),
            error_entries: wide(self.error_count),
            ..Health::new_zeroed()
        }
    }

    /// Changed Namespace List (§5.16.1.5): all bits set stand for more than
    /// 1024.
    fn changed_page(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(4096);
        if self.changed_namespaces.len() > 1024 {
            page.extend_from_slice(&u32::MAX.to_le_bytes());
        } else {
            for id in &self.changed_namespaces {
                page.extend_from_slice(&id.to_le_bytes());
            }
        }
        page.resize(4096, 0);
        page
    }
}

/// Supported Log Pages (§5.16.1.1).
fn supported_page() -> Vec<u8> {
    let mut page = vec![0; 1024];
    for id in lid::SUPPORTED..=lid::EFFECTS {
        page[4 * usize::from(id)] = 1; // LSUPP
    }
    page
}

/// Commands Supported and Effects (§5.16.1.6): admin commands, then I/O
/// commands, four bytes an opcode.
fn effects_page(config: &Config) -> Vec<u8> {
    const SUPPORTED: u32 = 1;
    const CHANGES_DATA: u32 = 1 << 1;
    const CHANGES_NAMESPACE: u32 = 1 << 2;
    /// No other command to the same namespace at the same time (CSE 001b).
    const ALONE: u32 = 1 << 16;
    let mut page = vec![0; 4096];
    let mut set = |base: usize, opcode: u8, effects: u32| {
        let at = base + 4 * usize::from(opcode);
        page[at..at + 4].copy_from_slice(&effects.to_le_bytes());
    };
    for opcode in admin::opcode::ALWAYS {
        set(0, opcode, SUPPORTED);
    }
    let format = SUPPORTED | CHANGES_DATA | CHANGES_NAMESPACE | ALONE;
    set(0, admin::opcode::FORMAT_NVM, format);
    if config.doorbell_buffer {
        set(0, admin::opcode::DOORBELL_BUFFER_CONFIG, SUPPORTED);
    }
    for (opcode, changes) in [
        (nvm::opcode::FLUSH, 0),
        (nvm::opcode::WRITE, CHANGES_DATA),
        (nvm::opcode::READ, 0),
    ] {
        set(1024, opcode, SUPPORTED | changes);
    }
    for (bit, opcode, changes) in [
        (
            optional::WRITE_UNCORRECTABLE,
            nvm::opcode::WRITE_UNCORRECTABLE,
            CHANGES_DATA,
        ),
        (optional::COMPARE, nvm::opcode::COMPARE, 0),
        (
            optional::WRITE_ZEROES,
            nvm::opcode::WRITE_ZEROES,
            CHANGES_DATA,
        ),
        (
            optional::DATASET_MANAGEMENT,
            nvm::opcode::DATASET_MANAGEMENT,
            CHANGES_DATA,
        ),
        (optional::VERIFY, nvm::opcode::VERIFY, 0),
    ] {
        if config.optional_commands & bit != 0 {
            set(1024, opcode, SUPPORTED | changes);
        }
    }
    page
}

impl<M: Memory> Controller<M> {
    /// Get Log Page.
    pub(crate) fn get_log_page(&mut self, command: &Command) -> Result<(), Status> {
        let dw10 = command.dw10.get();
        let retain = dw10 & 1 << 15 != 0;
        let doublewords = u64::from(dw10 >> 16 | (command.dw11.get() & 0xffff) << 16) + 1;
        let length = 4 * doublewords;
        let offset = u64::from(command.dw12.get()) | u64::from(command.dw13.get()) << 32;
        let by_index = command.dw14.get() & 1 << 23 != 0; // OT
        if offset % 4 != 0 || by_index {
            return Err(Status::INVALID_FIELD);
        }
        if length > self.config.max_transfer() {
            return Err(Status::INVALID_FIELD);
        }
        let (page, event_type) = match dw10 as u8 {
            lid::SUPPORTED => (supported_page(), None),
            lid::ERRORS => (self.logs.error_page(), Some(EventType::Error)),
            lid::HEALTH => {
                let hot = self.features.is_too_hot_or_cold(self.logs.temperature);
                let hours = self.now.as_secs() / 3600;
                let page = self.logs.health(u8::from(hot) << 1, hours);
                (page.as_bytes().to_vec(), Some(EventType::Health))
            }
            lid::FIRMWARE_SLOTS => {
                let mut page = vec![0; 512];
                page[0] = 1; // slot 1 is active
                page[8..16].fill(b' ');
                page[8..8 + self.config.firmware.len()]
                    .copy_from_slice(self.config.firmware.as_bytes());
                (page, None)
            }
            lid::CHANGED_NAMESPACES => (self.logs.changed_page(), Some(EventType::Notice)),
            lid::EFFECTS => (effects_page(&self.config), None),
            _ => return Err(Status::INVALID_LOG_PAGE),
        };
        // What is beyond the page is undefined: nothing is written there.
        let page = usize::try_from(offset).ok().and_then(|at| page.get(at..));
        let page = page.ok_or(Status::INVALID_FIELD)?;
        let most = page
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX));
        self.locate_for_admin(command, length)?;
        crate::data::give(&self.memory, &self.segments, &page[..most])?;
        if let (Some(event_type), false) = (event_type, retain) {
            self.events.unmask(event_type);
            if event_type == EventType::Notice {
                self.logs.changed_namespaces.clear();
            }
        }
        Ok(())
    }
}
