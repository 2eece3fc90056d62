//! The settings of a null block device: their names, ranges and defaults.

use core::fmt::Write;
use core::time::Duration;

use kit::block::{Queues, MAX_DEPTH, SECTOR_SHIFT};

use crate::faults::Injection;

/// When a request ends (`irqmode`; C: `NULL_IRQ_*`). The values leave room
/// between them, so that a compiler tells all three apart by one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CompletionMode {
    /// Before its submission returns (`irqmode` 0).
    None = 0,
    /// In soft completion (`irqmode` 1).
    Soft = 2,
    /// By a timer, after `completion_nsec` (`irqmode` 2).
    Timer = 4,
}

/// Declares [`Attribute`]: variant, name and default of each.
macro_rules! attributes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $default:expr;)*) => {
        /// A setting that a user can change while the disk is off. The names
        /// are C null_blk's but for `memory_limit`. Switches are 0 or 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Attribute {
            $($(#[$doc])* $variant,)*
        }

        impl Attribute {
            /// All of them, in the order in which they are listed.
            pub const ALL: [Attribute; [$($name),*].len()] = [$(Attribute::$variant),*];

            /// The name under which users know it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Attribute::$variant => $name,)*
                }
            }
        }

        const DEFAULTS: [u64; Attribute::ALL.len()] = [$($default),*];
    };
}

attributes! {
    /// Capacity in MiB, 1..=[`Settings::MAX_SIZE_MIB`].
    Size = "size", 250 * 1024;
    /// Logical block size in bytes: 512, 1024, 2048 or 4096.
    BlockSize = "blocksize", 512;
    /// 0, 1 or 2: [`CompletionMode`].
    IrqMode = "irqmode", 1;
    /// Hardware queues that are not polled, 1 up to what the ring offers (the
    /// number of possible CPUs in ring 0).
    SubmitQueues = "submit_queues", 1;
    /// Requests in flight in each hardware queue, 1..=10240.
    HwQueueDepth = "hw_queue_depth", 64;
    /// Time of the timer of `irqmode` 2, in nanoseconds.
    CompletionNsec = "completion_nsec", 10_000;
    /// Hardware queues that are polled, 0 up to what the ring offers. C
    /// starts with 1.
    PollQueues = "poll_queues", 0;
    /// Whether data is kept.
    MemoryBacked = "memory_backed", 0;
    /// Whether discards are taken; needs memory backing, not in zoned mode.
    Discard = "discard", 0;
    /// MiB of volatile write cache; needs memory backing.
    CacheSize = "cache_size", 0;
    /// Whether a device with a cache knows forced unit access.
    Fua = "fua", 1;
    /// Limit of bandwidth in MiB/s, up to 40960; 0 for none.
    Mbps = "mbps", 0;
    /// MiB of memory that data and cache may have; 0 for no limit.
    MemoryLimit = "memory_limit", 0;
    /// Sectors of the largest request, 8 or more; 0 leaves it to the ring.
    MaxSectors = "max_sectors", 0;
    /// Whether it is called a rotating disk.
    Rotational = "rotational", 0;
    /// Whether segments have to meet at page borders.
    VirtBoundary = "virt_boundary", 0;
    /// Whether it starts without an I/O scheduler.
    NoSched = "no_sched", 0;
    /// Whether its queues may sleep.
    Blocking = "blocking", 0;
    /// Whether it shares its tags with other devices.
    SharedTags = "shared_tags", 0;
    /// Whether its hardware queues share one set of tags.
    SharedTagBitmap = "shared_tag_bitmap", 0;
    /// Memory node: -1 only, for any.
    HomeNode = "home_node", 0;
    /// A hardware queue for each memory node: 0 only.
    UsePerNodeHctx = "use_per_node_hctx", 0;
    /// 2: multi-queue; 0, once for bios, becomes 2.
    QueueMode = "queue_mode", 2;
    /// Whether a bad block fails only once, and with it its whole range.
    BadblocksOnce = "badblocks_once", 0;
    /// Whether what lies before a bad block is read or written.
    BadblocksPartialIo = "badblocks_partial_io", 0;
    /// Whether it is a host-managed zoned device.
    Zoned = "zoned", 0;
    /// MiB from zone to zone, a power of two up to 2^20.
    ZoneSize = "zone_size", 256;
    /// MiB that can be written in a zone; 0 for its size.
    ZoneCapacity = "zone_capacity", 0;
    /// Conventional zones, the first ones.
    ZoneNrConv = "zone_nr_conv", 0;
    /// Zones that may be open; 0 for no limit.
    ZoneMaxOpen = "zone_max_open", 0;
    /// Zones that may be open or closed; 0 for no limit.
    ZoneMaxActive = "zone_max_active", 0;
    /// Sectors of the largest append; 0 for none.
    ZoneAppendMaxSectors = "zone_append_max_sectors", i32::MAX as u64;
    /// Whether zones start full.
    ZoneFull = "zone_full", 0;
    /// Requests that are never answered: [`Injection`].
    Timeout = "timeout", 0;
    /// Requests that are not taken at first: [`Injection`].
    Requeue = "requeue", 0;
}

impl Attribute {
    /// The attribute of that name, if there is one.
    pub fn by_name(name: &str) -> Option<Attribute> {
        Attribute::ALL
            .into_iter()
            .find(|attribute| attribute.name() == name)
    }

    /// Whether a number is within its range.
    fn allows(self, value: u64, max_queues: u32) -> bool {
        let at_most = |most: u64| value <= most;
        match self {
            Attribute::Size => (1..=Settings::MAX_SIZE_MIB).contains(&value),
            Attribute::BlockSize => matches!(value, 512 | 1024 | 2048 | 4096),
            Attribute::IrqMode => at_most(2),
            Attribute::SubmitQueues => (1..=u64::from(max_queues)).contains(&value),
            Attribute::PollQueues => at_most(u64::from(max_queues)),
            Attribute::HwQueueDepth => (1..=u64::from(MAX_DEPTH)).contains(&value),
            Attribute::CompletionNsec => at_most(i64::MAX as u64),
            Attribute::CacheSize | Attribute::MemoryLimit => at_most(Settings::MAX_SIZE_MIB),
            Attribute::Mbps => at_most(40 * 1024),
            Attribute::MaxSectors => value == 0 || (8..=u64::from(u32::MAX)).contains(&value),
            Attribute::QueueMode => matches!(value, 0 | 2),
            Attribute::UsePerNodeHctx => value == 0,
            Attribute::ZoneSize => value.is_power_of_two() && at_most(1 << 20),
            Attribute::ZoneCapacity => at_most(1 << 20),
            Attribute::ZoneNrConv
            | Attribute::ZoneMaxOpen
            | Attribute::ZoneMaxActive
            | Attribute::ZoneAppendMaxSectors => at_most(u64::from(u32::MAX)),
            Attribute::MemoryBacked
            | Attribute::Discard
            | Attribute::Fua
            | Attribute::Rotational
            | Attribute::VirtBoundary
            | Attribute::NoSched
            | Attribute::Blocking
            | Attribute::SharedTags
            | Attribute::SharedTagBitmap
            | Attribute::BadblocksOnce
            | Attribute::BadblocksPartialIo
            | Attribute::Zoned
            | Attribute::ZoneFull => at_most(1),
            // No numbers.
            Attribute::HomeNode | Attribute::Timeout | Attribute::Requeue => false,
        }
    }
}

/// A value that does not parse or is out of range. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// The settings of a device. Each value by itself is within its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    values: [u64; Attribute::ALL.len()],
    timeout: Injection,
    requeue: Injection,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            values: DEFAULTS,
            timeout: Injection::OFF,
            requeue: Injection::OFF,
        }
    }
}

impl Settings {
    /// The largest `size`: its bytes still fit a `loff_t`.
    pub const MAX_SIZE_MIB: u64 = (i64::MAX as u64) >> 20;

    /// These settings with one changed to what `text` says: as a rule a
    /// decimal number; white space around it is allowed. `max_queues` is the
    /// most queues of a kind that the ring offers.
    pub fn with(
        self,
        attribute: Attribute,
        text: &str,
        max_queues: u32,
    ) -> Result<Settings, Invalid> {
        let text = text.trim();
        let mut new = self;
        match attribute {
            Attribute::HomeNode if text == "-1" => {}
            Attribute::Timeout => new.timeout = Injection::parse(text)?,
            Attribute::Requeue => new.requeue = Injection::parse(text)?,
            _ => {
                let value = parse(text)?;
                if !attribute.allows(value, max_queues) {
                    return Err(Invalid);
                }
                new.values[attribute as usize] = value;
            }
        }
        Ok(new)
    }

    /// Writes a setting as [`with`](Settings::with) takes it.
    pub fn show(&self, attribute: Attribute, out: &mut dyn Write) -> core::fmt::Result {
        match attribute {
            Attribute::HomeNode => write!(out, "-1"),
            Attribute::Timeout => self.timeout.show(out),
            Attribute::Requeue => self.requeue.show(out),
            _ => write!(out, "{}", self.value(attribute)),
        }
    }

    /// A setting that is a number; 0 for the others.
    pub fn value(&self, attribute: Attribute) -> u64 {
        self.values[attribute as usize]
    }

    /// What a device with these settings has: settings that mean nothing
    /// beside others are changed as C changes them (`null_validate_conf`,
    /// `null_init_zoned_dev`). `Invalid` for zones that do not fit the disk.
    pub fn checked(self) -> Result<Settings, Invalid> {
        let mut new = self;
        let mut set = |attribute: Attribute, value: u64| new.values[attribute as usize] = value;
        set(Attribute::QueueMode, 2);
        if !self.on(Attribute::MemoryBacked) {
            set(Attribute::CacheSize, 0);
        }
        if !self.on(Attribute::MemoryBacked) || self.on(Attribute::Zoned) {
            set(Attribute::Discard, 0);
        }
        if self.needs_medium() {
            set(Attribute::Blocking, 1);
        }
        if self.on(Attribute::Zoned) {
            let (size, zone) = (self.value(Attribute::Size), self.value(Attribute::ZoneSize));
            let mut capacity = self.value(Attribute::ZoneCapacity);
            if capacity == 0 {
                capacity = zone;
            }
            if zone == 0 || zone > size || capacity > zone {
                return Err(Invalid);
            }
            let zones = size.div_ceil(zone);
            // A last zone that is smaller goes with zones of full capacity.
            if (capacity != zone && size % zone != 0) || zones > u64::from(u32::MAX) {
                return Err(Invalid);
            }
            set(Attribute::ZoneCapacity, capacity);
            let conventional = self
                .value(Attribute::ZoneNrConv)
                .min(zones.saturating_sub(1));
            set(Attribute::ZoneNrConv, conventional);
            let block_sectors = self.value(Attribute::BlockSize) >> SECTOR_SHIFT;
            let append = self.value(Attribute::ZoneAppendMaxSectors);
            set(
                Attribute::ZoneAppendMaxSectors,
                align_down(append, block_sectors).min(capacity << (20 - SECTOR_SHIFT)),
            );
            let sequential = zones.saturating_sub(conventional);
            let mut active = self.value(Attribute::ZoneMaxActive);
            if active >= sequential {
                active = 0;
            }
            set(Attribute::ZoneMaxActive, active);
            let mut open = self.value(Attribute::ZoneMaxOpen);
            if active != 0 && open > active {
                open = active;
            } else if open >= sequential {
                open = 0;
            }
            set(Attribute::ZoneMaxOpen, open);
        }
        Ok(new)
    }

    /// Whether a switch is on.
    pub fn on(&self, attribute: Attribute) -> bool {
        self.value(attribute) != 0
    }

    /// `size`, in MiB.
    pub fn size_mib(&self) -> u64 {
        self.value(Attribute::Size)
    }

    /// Sectors of the disk.
    pub fn sectors(&self) -> u64 {
        self.size_mib() << (20 - SECTOR_SHIFT)
    }

    /// `blocksize`, in bytes.
    pub fn block_size(&self) -> u32 {
        self.value(Attribute::BlockSize) as u32
    }

    /// `irqmode`.
    pub fn irq_mode(&self) -> CompletionMode {
        match self.value(Attribute::IrqMode) {
            0 => CompletionMode::None,
            1 => CompletionMode::Soft,
            _ => CompletionMode::Timer,
        }
    }

    /// `submit_queues`.
    pub fn submit_queues(&self) -> u32 {
        self.value(Attribute::SubmitQueues) as u32
    }

    /// `poll_queues`.
    pub fn poll_queues(&self) -> u32 {
        self.value(Attribute::PollQueues) as u32
    }

    /// `hw_queue_depth`.
    pub fn hw_queue_depth(&self) -> u32 {
        self.value(Attribute::HwQueueDepth) as u32
    }

    /// The queues to register; the time limit is C's.
    pub fn queues(&self) -> Queues {
        Queues {
            submit: self.submit_queues(),
            poll: self.poll_queues(),
            depth: self.hw_queue_depth(),
            timeout: Duration::from_secs(5),
        }
    }

    /// `timeout`.
    pub fn timeout(&self) -> Injection {
        self.timeout
    }

    /// `requeue`.
    pub fn requeue(&self) -> Injection {
        self.requeue
    }

    /// Whether its queues may sleep.
    pub fn blocking(&self) -> bool {
        self.on(Attribute::Blocking) || self.needs_medium()
    }

    /// Whether requests need more than the device itself. Bad blocks do too.
    pub(crate) fn needs_medium(&self) -> bool {
        self.on(Attribute::MemoryBacked)
            || self.on(Attribute::Zoned)
            || self.on(Attribute::Mbps)
            || !self.timeout.is_off()
            || !self.requeue.is_off()
    }
}

/// The next multiple of a power of two at `value` or below (`ALIGN_DOWN`).
pub(crate) fn align_down(value: u64, power: u64) -> u64 {
    value & !power.saturating_sub(1)
}

/// Digits only: `u64::from_str` would also take a plus sign.
pub(crate) fn parse(digits: &str) -> Result<u64, Invalid> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid);
    }
    digits.parse().map_err(|_| Invalid)
}
