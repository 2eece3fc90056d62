//! The status of a command (Base 2.0 §3.3.3.2.1).

/// Status of a command as in bits 31:17 of a completion's doubleword 3: code
/// (7:0), code type (10:8), more (13), do not retry (14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

/// Do Not Retry: the same command would fail again.
const DNR: u16 = 1 << 14;
/// More: the error log tells more of it.
const MORE: u16 = 1 << 13;

/// Command specific status.
const SPECIFIC: u16 = 1 << 8;
/// Media and data integrity errors.
const MEDIA: u16 = 2 << 8;

#[allow(missing_docs)] // the names are the specification's
impl Status {
    pub const SUCCESS: Self = Self(0);

    // Generic command status (figure "Generic Command Status Values").
    pub const INVALID_OPCODE: Self = Self(0x01 | DNR);
    pub const INVALID_FIELD: Self = Self(0x02 | DNR);
    pub const COMMAND_ID_CONFLICT: Self = Self(0x03 | DNR);
    /// A retry may find the memory mapped: no DNR.
    pub const DATA_TRANSFER_ERROR: Self = Self(0x04);
    pub const ABORT_REQUESTED: Self = Self(0x07);
    pub const ABORTED_SQ_DELETION: Self = Self(0x08);
    pub const INVALID_NAMESPACE_OR_FORMAT: Self = Self(0x0b | DNR);
    pub const COMMAND_SEQUENCE_ERROR: Self = Self(0x0c | DNR);
    pub const INVALID_SGL_SEGMENT: Self = Self(0x0d | DNR);
    pub const INVALID_SGL_COUNT: Self = Self(0x0e | DNR);
    pub const DATA_SGL_LENGTH_INVALID: Self = Self(0x0f | DNR);
    pub const SGL_TYPE_INVALID: Self = Self(0x11 | DNR);
    pub const INVALID_PRP_OFFSET: Self = Self(0x13 | DNR);
    pub const LBA_OUT_OF_RANGE: Self = Self(0x80 | DNR);

    // Command specific status.
    pub const COMPLETION_QUEUE_INVALID: Self = Self(SPECIFIC | DNR);
    pub const INVALID_QUEUE_IDENTIFIER: Self = Self(SPECIFIC | 0x01 | DNR);
    pub const INVALID_QUEUE_SIZE: Self = Self(SPECIFIC | 0x02 | DNR);
    pub const ABORT_LIMIT_EXCEEDED: Self = Self(SPECIFIC | 0x03);
    pub const ASYNC_EVENT_LIMIT_EXCEEDED: Self = Self(SPECIFIC | 0x05 | DNR);
    pub const INVALID_INTERRUPT_VECTOR: Self = Self(SPECIFIC | 0x08 | DNR);
    pub const INVALID_LOG_PAGE: Self = Self(SPECIFIC | 0x09 | DNR);
    pub const INVALID_FORMAT: Self = Self(SPECIFIC | 0x0a | DNR);
    pub const INVALID_QUEUE_DELETION: Self = Self(SPECIFIC | 0x0c | DNR);
    pub const FEATURE_NOT_SAVEABLE: Self = Self(SPECIFIC | 0x0d | DNR);
    pub const FEATURE_NOT_NAMESPACE_SPECIFIC: Self = Self(SPECIFIC | 0x0f | DNR);

    // Media and data integrity errors.
    pub const UNRECOVERED_READ_ERROR: Self = Self(MEDIA | 0x81 | DNR);
    pub const COMPARE_FAILURE: Self = Self(MEDIA | 0x85 | DNR);

    /// The same status with More set.
    pub(crate) fn with_more(self) -> Self {
        Self(self.0 | MORE)
    }
}

impl From<crate::memory::Fault> for Status {
    fn from(_: crate::memory::Fault) -> Self {
        Self::DATA_TRANSFER_ERROR
    }
}
