//! Block devices: requests, and the driver that they are handed to.
//!
//! The shape is blk-mq's (`include/linux/blk-mq.h`): the ring owns tags,
//! queues and requests, and hands each request to the driver as an owned
//! token. Only the token can end the request, and ending consumes it.

/// Shift between bytes and sectors; a sector has 512 bytes whatever the
/// device's logical block size is (`SECTOR_SHIFT`).
pub const SECTOR_SHIFT: u32 = 9;

/// Bytes of a sector (`SECTOR_SIZE`).
pub const SECTOR_SIZE: u32 = 1 << SECTOR_SHIFT;

/// What a request asks for (`enum req_op`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Data from the device to memory (`REQ_OP_READ`).
    Read,
    /// Data from memory to the device (`REQ_OP_WRITE`).
    Write,
    /// Empty the device's volatile write cache (`REQ_OP_FLUSH`).
    Flush,
    /// Forget a range (`REQ_OP_DISCARD`).
    Discard,
    /// Fill a range with zeroes (`REQ_OP_WRITE_ZEROES`).
    WriteZeroes,
    /// Anything that this kit has no name for yet.
    Other,
}

/// How a request ended (`BLK_STS_*` of `include/linux/blk_types.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done (`BLK_STS_OK`).
    Ok,
    /// The device does not do this operation (`BLK_STS_NOTSUPP`).
    NotSupported,
    /// The device did not answer in time (`BLK_STS_TIMEOUT`).
    Timeout,
    /// The device has no room left (`BLK_STS_NOSPC`).
    NoSpace,
    /// The way to the device failed (`BLK_STS_TRANSPORT`).
    Transport,
    /// The device failed, not its medium (`BLK_STS_TARGET`).
    Target,
    /// The medium failed (`BLK_STS_MEDIUM`).
    Medium,
    /// Integrity data did not match (`BLK_STS_PROTECTION`).
    Protection,
    /// Memory or another resource ran out (`BLK_STS_RESOURCE`).
    Resource,
    /// Any other failure (`BLK_STS_IOERR`).
    Io,
}

/// A request that the driver owns, from the moment it is handed over until
/// it is given back by [`end`](Request::end) or
/// [`complete`](Request::complete).
///
/// The ring guarantees that [`position`](Request::position) and
/// [`bytes`](Request::bytes) are multiples of the logical block size and lie
/// within the capacity.
///
/// Dropping a request instead of ending it ends it with [`Status::Io`].
pub trait Request: Sized {
    /// What is asked for.
    fn operation(&self) -> Operation;

    /// First sector, in units of 512 bytes (`blk_rq_pos`).
    fn position(&self) -> u64;

    /// Length in bytes (`blk_rq_bytes`); 0 for a flush.
    fn bytes(&self) -> u32;

    /// Ends the request (`blk_mq_end_request`).
    fn end(self, status: Status);

    /// Hands the request to the ring's soft completion, which gives it back
    /// to [`Driver::complete`] on a CPU that suits its submitter
    /// (`blk_mq_complete_request`).
    fn complete(self);
}

/// A block driver: passive, called by the ring.
///
/// Methods take `&self` since blk-mq calls them from several CPUs at once
/// without a lock; a driver whose queues change under way puts them behind
/// the ring's lock instead.
pub trait Driver: Send + Sync + 'static {
    /// A request for the device (`queue_rq`). Must not block.
    fn queue<R: Request>(&self, request: R);

    /// A request that [`Request::complete`] sent on its way, in soft
    /// completion (`complete`, softirq context in ring 0). Must not block.
    fn complete<R: Request>(&self, request: R);
}

/// What the ring has to know of a device before it can make requests for it
/// (`struct queue_limits`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the smallest addressable unit: a power of two, 512..=4096.
    pub logical_block_size: u32,
    /// Bytes of the smallest unit that is written without a
    /// read-modify-write: a power of two, at least the logical block size.
    pub physical_block_size: u32,
    /// Mask of address bits that must be zero in a data buffer: 1 asks for
    /// even addresses (`dma_alignment`).
    pub dma_alignment: u32,
}

/// The size of a device's queues (`struct blk_mq_tag_set`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Hardware queues, 1 or more.
    pub count: u32,
    /// Requests in flight in each hardware queue, 1..=[`MAX_DEPTH`].
    pub depth: u32,
}

/// The deepest hardware queue there is (`BLK_MQ_MAX_DEPTH`).
pub const MAX_DEPTH: u32 = 10240;
