//! The settings of a null block device: their names, ranges and defaults.

use kit::block::MAX_DEPTH;

/// When a request ends (`irqmode`; C: `NULL_IRQ_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionMode {
    /// Before its submission returns (`irqmode` 0).
    None,
    /// In soft completion (`irqmode` 1).
    Soft,
}

/// A setting that a user can change. The names are C null_blk's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `size`: capacity in MiB, 1..=[`Settings::MAX_SIZE_MIB`], default
    /// 256000.
    Size,
    /// `blocksize`: logical block size in bytes, one of 512, 1024, 2048,
    /// 4096, default 512.
    BlockSize,
    /// `irqmode`: 0 (none) or 1 (soft), default 1.
    IrqMode,
    /// `submit_queues`: hardware queues, 1 up to what the ring offers (the
    /// number of possible CPUs in ring 0), default 1.
    SubmitQueues,
    /// `hw_queue_depth`: requests in flight in each hardware queue,
    /// 1..=10240, default 64.
    HwQueueDepth,
}

impl Attribute {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Attribute; 5] = [
        Attribute::Size,
        Attribute::BlockSize,
        Attribute::IrqMode,
        Attribute::SubmitQueues,
        Attribute::HwQueueDepth,
    ];

    /// The name under which users know it.
    pub const fn name(self) -> &'static str {
        match self {
            Attribute::Size => "size",
            Attribute::BlockSize => "blocksize",
            Attribute::IrqMode => "irqmode",
            Attribute::SubmitQueues => "submit_queues",
            Attribute::HwQueueDepth => "hw_queue_depth",
        }
    }

    /// The attribute of that name, if there is one.
    pub fn by_name(name: &str) -> Option<Attribute> {
        Attribute::ALL
            .into_iter()
            .find(|attribute| attribute.name() == name)
    }
}

/// A value that does not parse or is out of range. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// The settings of a device. Every value of this type is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    size_mib: u64,
    block_size: u32,
    irq_mode: CompletionMode,
    submit_queues: u32,
    hw_queue_depth: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            size_mib: 250 * 1024,
            block_size: 512,
            irq_mode: CompletionMode::Soft,
            submit_queues: 1,
            hw_queue_depth: 64,
        }
    }
}

impl Settings {
    /// The largest `size`: its bytes still fit a `loff_t`.
    pub const MAX_SIZE_MIB: u64 = (i64::MAX as u64) >> 20;

    /// These settings with one changed to what `text` says: a decimal
    /// number, white space around it allowed. `max_queues` is the largest
    /// `submit_queues` that the ring offers.
    pub fn with(
        self,
        attribute: Attribute,
        text: &str,
        max_queues: u32,
    ) -> Result<Settings, Invalid> {
        let value = parse(text)?;
        let mut new = self;
        match attribute {
            Attribute::Size => new.size_mib = within(value, 1, Settings::MAX_SIZE_MIB)?,
            Attribute::BlockSize => {
                new.block_size = match value {
                    512 | 1024 | 2048 | 4096 => value as u32,
                    _ => return Err(Invalid),
                }
            }
            Attribute::IrqMode => {
                new.irq_mode = match value {
                    0 => CompletionMode::None,
                    1 => CompletionMode::Soft,
                    _ => return Err(Invalid),
                }
            }
            Attribute::SubmitQueues => {
                new.submit_queues = within(value, 1, u64::from(max_queues))? as u32
            }
            Attribute::HwQueueDepth => {
                new.hw_queue_depth = within(value, 1, u64::from(MAX_DEPTH))? as u32
            }
        }
        Ok(new)
    }

    /// A setting as a number, as [`with`](Settings::with) takes it.
    pub fn value(&self, attribute: Attribute) -> u64 {
        match attribute {
            Attribute::Size => self.size_mib,
            Attribute::BlockSize => u64::from(self.block_size),
            Attribute::IrqMode => match self.irq_mode {
                CompletionMode::None => 0,
                CompletionMode::Soft => 1,
            },
            Attribute::SubmitQueues => u64::from(self.submit_queues),
            Attribute::HwQueueDepth => u64::from(self.hw_queue_depth),
        }
    }

    /// `size`, in MiB.
    pub fn size_mib(&self) -> u64 {
        self.size_mib
    }

    /// `blocksize`, in bytes.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    /// `irqmode`.
    #[inline]
    pub fn irq_mode(&self) -> CompletionMode {
        self.irq_mode
    }

    /// `submit_queues`.
    pub fn submit_queues(&self) -> u32 {
        self.submit_queues
    }

    /// `hw_queue_depth`.
    pub fn hw_queue_depth(&self) -> u32 {
        self.hw_queue_depth
    }
}

/// Digits only: `u64::from_str` would also take a plus sign.
fn parse(text: &str) -> Result<u64, Invalid> {
    let digits = text.trim();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid);
    }
    digits.parse().map_err(|_| Invalid)
}

fn within(value: u64, least: u64, most: u64) -> Result<u64, Invalid> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Invalid)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn defaults_can_be_written_back() {
        let settings = Settings::default();
        for attribute in Attribute::ALL {
            let text = std::format!("{}\n", settings.value(attribute));
            assert_eq!(settings.with(attribute, &text, 4), Ok(settings));
            assert_eq!(Attribute::by_name(attribute.name()), Some(attribute));
        }
    }

    #[test]
    fn what_does_not_parse_is_invalid_for_every_attribute() {
        for attribute in Attribute::ALL {
            for text in [
                "",
                "\n",
                "-1",
                "+1",
                "1x",
                "0x10",
                "1.0",
                "1 2",
                "text",
                "18446744073709551616",
                "99999999999999999999999999",
            ] {
                assert_eq!(
                    Settings::default().with(attribute, text, 4),
                    Err(Invalid),
                    "{}={text:?}",
                    attribute.name()
                );
            }
        }
    }

    #[test]
    fn ranges_end_where_the_table_says() {
        let good = [
            (Attribute::Size, "1"),
            (Attribute::Size, "8796093022207"),
            (Attribute::BlockSize, "512"),
            (Attribute::BlockSize, "4096"),
            (Attribute::IrqMode, "0"),
            (Attribute::IrqMode, "1"),
            (Attribute::SubmitQueues, "1"),
            (Attribute::SubmitQueues, "4"),
            (Attribute::HwQueueDepth, "1"),
            (Attribute::HwQueueDepth, "10240"),
        ];
        for (attribute, text) in good {
            assert!(
                Settings::default().with(attribute, text, 4).is_ok(),
                "{}={text}",
                attribute.name()
            );
        }
        let bad = [
            (Attribute::Size, "0"),
            (Attribute::Size, "8796093022208"),
            (Attribute::BlockSize, "0"),
            (Attribute::BlockSize, "3"),
            (Attribute::BlockSize, "256"),
            (Attribute::BlockSize, "513"),
            (Attribute::BlockSize, "8192"),
            (Attribute::IrqMode, "2"),
            (Attribute::SubmitQueues, "0"),
            (Attribute::SubmitQueues, "5"),
            (Attribute::HwQueueDepth, "0"),
            (Attribute::HwQueueDepth, "10241"),
        ];
        for (attribute, text) in bad {
            assert_eq!(
                Settings::default().with(attribute, text, 4),
                Err(Invalid),
                "{}={text}",
                attribute.name()
            );
        }
    }

    #[test]
    fn the_largest_size_still_fits_a_loff_t() {
        let bytes = Settings::MAX_SIZE_MIB.checked_mul(1 << 20).unwrap();
        assert!(i64::try_from(bytes).is_ok());
    }
}
