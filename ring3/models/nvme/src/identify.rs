//! Identify (Base 2.0 §5.17; NVM command set 1.0 §4.1.5).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::Command;
use crate::controller::Controller;
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::status::Status;

/// Bytes of every Identify data structure.
const SIZE: usize = 4096;

/// Controller or Namespace Structure, which of the structures.
mod cns {
    pub const NAMESPACE: u8 = 0x00;
    pub const CONTROLLER: u8 = 0x01;
    pub const ACTIVE_NAMESPACES: u8 = 0x02;
    pub const DESCRIPTORS: u8 = 0x03;
    pub const NAMESPACE_OF_COMMAND_SET: u8 = 0x05;
    pub const CONTROLLER_OF_COMMAND_SET: u8 = 0x06;
}

/// Identify Controller (CNS 01h). Fields that are always 0 here have no name.
#[derive(FromZeros, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IdentifyController {
    pci_vendor: U16,
    pci_subsystem_vendor: U16,
    serial: [u8; 20],
    model: [u8; 40],
    firmware: [u8; 8],
    /// RAB
    arbitration_burst: u8,
    ieee_oui: [u8; 3],
    cmic: u8,
    mdts: u8,
    controller_id: U16,
    version: U32,
    _84: [u8; 8],
    /// OAES
    optional_async_events: U32,
    _96: [u8; 15],
    /// CNTRLTYPE
    controller_type: u8,
    _112: [u8; 144],
    /// OACS
    optional_admin_commands: U16,
    /// ACL, from 0
    abort_limit: u8,
    /// AERL, from 0
    async_event_limit: u8,
    /// FRMW
    firmware_updates: u8,
    /// LPA
    log_page_attributes: u8,
    /// ELPE, from 0
    error_log_entries: u8,
    /// NPSS, from 0
    power_states: u8,
    _264: [u8; 2],
    /// WCTEMP, kelvin
    warning_temperature: U16,
    /// CCTEMP, kelvin
    critical_temperature: U16,
    _270: [u8; 242],
    /// SQES: required (3:0), maximum (7:4)
    sq_entry_size: u8,
    /// CQES
    cq_entry_size: u8,
    max_commands: U16,
    /// NN
    namespaces: U32,
    /// ONCS
    optional_nvm_commands: U16,
    /// FUSES
    fused: U16,
    /// FNA
    format_attributes: u8,
    /// VWC
    volatile_write_cache: u8,
    /// AWUN, blocks from 0
    atomic_write_unit: U16,
    /// AWUPF
    atomic_write_unit_power_fail: U16,
    _530: [u8; 6],
    /// SGLS
    sgl: U32,
    _540: [u8; 228],
    /// SUBNQN
    subsystem_name: [u8; 256],
    _1024: [u8; 1024],
    /// PSD0: maximum power, in 0.01 W
    power_state_0_max: U16,
    _2050: [u8; 2046],
}

const _: () = assert!(size_of::<IdentifyController>() == SIZE);
const _: () = assert!(std::mem::offset_of!(IdentifyController, optional_async_events) == 92);
const _: () = assert!(std::mem::offset_of!(IdentifyController, optional_admin_commands) == 256);
const _: () = assert!(std::mem::offset_of!(IdentifyController, sq_entry_size) == 512);
const _: () = assert!(std::mem::offset_of!(IdentifyController, sgl) == 536);
const _: () = assert!(std::mem::offset_of!(IdentifyController, subsystem_name) == 768);
const _: () = assert!(std::mem::offset_of!(IdentifyController, power_state_0_max) == 2048);

/// LBA Format.
#[derive(Clone, Copy, FromZeros, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct LbaFormat {
    metadata_size: U16,
    /// LBADS
    data_shift: u8,
    relative_performance: u8,
}

/// Identify Namespace (CNS 00h).
#[derive(FromZeros, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IdentifyNamespace {
    /// NSZE, NCAP, NUSE, in blocks
    size: U64,
    capacity: U64,
    used: U64,
    /// NSFEAT
    features: u8,
    /// NLBAF, from 0
    formats: u8,
    /// FLBAS
    format: u8,
    _27: [u8; 6],
    /// DLFEAT
    deallocate: u8,
    _34: [u8; 14],
    /// NVMCAP, bytes
    nvm_capacity: [U64; 2],
    _64: [u8; 40],
    nguid: [u8; 16],
    eui64: [u8; 8],
    lba_formats: [LbaFormat; 64],
    _384: [u8; 3712],
}

const _: () = assert!(size_of::<IdentifyNamespace>() == SIZE);
const _: () = assert!(std::mem::offset_of!(IdentifyNamespace, nvm_capacity) == 48);
const _: () = assert!(std::mem::offset_of!(IdentifyNamespace, nguid) == 104);
const _: () = assert!(std::mem::offset_of!(IdentifyNamespace, lba_formats) == 128);

/// ASCII, padded with spaces.
fn pad<const N: usize>(text: &str) -> [u8; N] {
    let mut padded = [b' '; N];
    padded[..text.len()].copy_from_slice(text.as_bytes());
    padded
}

/// A namespace's NGUID: no vendor's, the serial number and the identifier.
fn nguid(serial: &str, id: u32) -> [u8; 16] {
    // FNV-1a, so that controllers differ.
    let hash = serial
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut nguid = [0; 16];
    nguid[..8].copy_from_slice(&hash.to_be_bytes());
    nguid[12..].copy_from_slice(&id.to_be_bytes());
    nguid
}

impl<M: Memory> Controller<M> {
    /// Identify.
    pub(crate) fn identify(&mut self, command: &Command) -> Result<(), Status> {
        let nsid = command.nsid.get();
        let nvm_command_set = command.dw11.get() >> 24 == 0;
        match command.dw10.get() as u8 {
            cns::NAMESPACE => {
                // An identifier that is valid and not active gives zeroes.
                self.check_nsid(nsid)?;
                let namespace = self.namespace(nsid);
                let data = namespace.map(|namespace| self.identify_namespace(nsid, namespace));
                let data = data.unwrap_or_else(IdentifyNamespace::new_zeroed);
                self.give(command, data.as_bytes())
            }
            cns::CONTROLLER => self.give(command, self.identify_controller().as_bytes()),
            cns::ACTIVE_NAMESPACES => {
                if nsid >= u32::MAX - 1 {
                    return Err(Status::INVALID_NAMESPACE_OR_FORMAT);
                }
                let mut list = [U32::ZERO; SIZE / 4];
                let active = (1..).zip(&self.namespaces);
                let active = active.filter(|(id, namespace)| *id > nsid && namespace.is_some());
                for (entry, (id, _)) in list.iter_mut().zip(active) {
                    *entry = U32::new(id);
                }
                self.give(command, list.as_bytes())
            }
            cns::DESCRIPTORS => {
                self.active_namespace(nsid)?;
                let mut list = [0; SIZE];
                // NIDT 2 (NGUID) with NIDL 16; NIDT 4 (command set) with NIDL 1,
                // command set 0.
                list[..2].copy_from_slice(&[2, 16]);
                list[4..20].copy_from_slice(&nguid(&self.config.serial, nsid));
                list[20..22].copy_from_slice(&[4, 1]);
                self.give(command, &list)
            }
            // The NVM command set's own: nothing is limited or extended.
            cns::NAMESPACE_OF_COMMAND_SET if nvm_command_set => {
                self.check_nsid(nsid)?;
                self.give(command, &[0; SIZE])
            }
            cns::CONTROLLER_OF_COMMAND_SET if nvm_command_set => self.give(command, &[0; SIZE]),
            _ => Err(Status::INVALID_FIELD),
        }
    }

    fn identify_controller(&self) -> Box<IdentifyController> {
        let config = &self.config;
        let mut data = Box::new(IdentifyController::new_zeroed());
        data.pci_vendor = U16::new(config.vendor);
        data.pci_subsystem_vendor = data.pci_vendor;
        data.serial = pad(&config.serial);
        data.model = pad(&config.model);
        data.firmware = pad(&config.firmware);
        data.arbitration_burst = 3;
        data.mdts = config.mdts;
        data.version = U32::new(Self::VERSION);
        data.optional_async_events = U32::new(1 << 8); // namespace attributes
        data.controller_type = 1; // I/O controller
        let doorbell_buffer = u16::from(config.doorbell_buffer) << 8;
        data.optional_admin_commands = U16::new(1 << 1 | doorbell_buffer); // Format
        data.abort_limit = (config.aborts - 1) as u8;
        data.async_event_limit = (config.async_event_requests - 1) as u8;
        data.firmware_updates = 1 << 1 | 1; // one slot, read only
                                            // Commands Supported and Effects; offsets and long reads.
        data.log_page_attributes = 1 << 1 | 1 << 2;
        data.error_log_entries = (crate::log_page::ERRORS - 1) as u8;
        data.warning_temperature = U16::new(343);
        data.critical_temperature = U16::new(373);
        data.sq_entry_size = 0x66;
        data.cq_entry_size = 0x44;
        data.namespaces = U32::new(config.max_namespaces);
        // Bit 4: Select of Get Features.
        data.optional_nvm_commands = U16::new(config.optional_commands | 1 << 4);
        // Present; Flush takes the broadcast identifier (2:1 = 11b).
        data.volatile_write_cache = u8::from(config.write_cache) | 0b110;
        if config.sgl {
            data.sgl = U32::new(1 | 1 << 16); // any alignment, bit buckets
        }
        let name = format!("nqn.2014-08.org.nvmexpress:ringfence:{}", config.serial);
        data.subsystem_name[..name.len()].copy_from_slice(name.as_bytes());
        data.power_state_0_max = U16::new(2500);
        data
    }

    fn identify_namespace(&self, id: u32, namespace: &Namespace) -> IdentifyNamespace {
        let mut data = IdentifyNamespace::new_zeroed();
        data.size = U64::new(namespace.blocks());
        data.capacity = data.size;
        data.used = U64::new(namespace.allocated_blocks());
        data.features = 1; // thin provisioning: NUSE tells what is used
        data.formats = (namespace.formats().len() - 1) as u8;
        data.format = namespace.format_index() as u8;
        // Deallocated blocks read 0 (001b); Write Zeroes may deallocate.
        data.deallocate = 0b1001;
        data.nvm_capacity[0] = U64::new(namespace.blocks() << namespace.shift());
        data.nguid = nguid(&self.config.serial, id);
        for (format, shift) in data.lba_formats.iter_mut().zip(namespace.formats()) {
            format.data_shift = *shift;
        }
        data
    }

    /// Whether an identifier is valid: 1 to NN (Base 2.0 §3.2.1.2).
    fn check_nsid(&self, id: u32) -> Result<(), Status> {
        if id == 0 || id > self.config.max_namespaces {
            return Err(Status::INVALID_NAMESPACE_OR_FORMAT);
        }
        Ok(())
    }

    /// A namespace of a command: valid, else "Invalid Namespace or Format", and
    /// active, else "Invalid Field in Command" (Base 2.0 §3.2.1.4).
    pub(crate) fn active_namespace(&mut self, id: u32) -> Result<&mut Namespace, Status> {
        self.check_nsid(id)?;
        let slot = self.namespaces[id as usize - 1].as_mut();
        slot.ok_or(Status::INVALID_FIELD)
    }
}
