//! Block devices: requests, and the driver that they are handed to.
//!
//! The shape is blk-mq's (`include/linux/blk-mq.h`): the ring owns tags,
//! queues and requests, and hands each request to the driver as an owned
//! token. Only the token can end the request, and ending consumes it.

use core::time::Duration;

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
    /// Open a zone (`REQ_OP_ZONE_OPEN`).
    ZoneOpen,
    /// Close a zone (`REQ_OP_ZONE_CLOSE`).
    ZoneClose,
    /// Make a zone full (`REQ_OP_ZONE_FINISH`).
    ZoneFinish,
    /// Write at a zone's write pointer, wherever that is
    /// (`REQ_OP_ZONE_APPEND`); the position is the zone's first sector.
    ZoneAppend,
    /// Empty a zone (`REQ_OP_ZONE_RESET`).
    ZoneReset,
    /// Empty every zone (`REQ_OP_ZONE_RESET_ALL`).
    ZoneResetAll,
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
    /// Too many zones are open (`BLK_STS_ZONE_OPEN_RESOURCE`).
    ZoneOpenResource,
    /// Too many zones are active (`BLK_STS_ZONE_ACTIVE_RESOURCE`).
    ZoneActiveResource,
}

/// A request that the driver owns, from the moment it is handed over until
/// it gives it back by one of the methods that consume it.
///
/// The ring guarantees that [`position`](Request::position) and
/// [`bytes`](Request::bytes) are multiples of the logical block size and lie
/// within the capacity.
///
/// Dropping a request instead of giving it back ends it with [`Status::Io`].
pub trait Request: Sized {
    /// A walk over the request's data; see [`data`](Request::data).
    type Data<'a>: Data
    where
        Self: 'a;

    /// What is asked for.
    fn operation(&self) -> Operation;

    /// First sector, in units of 512 bytes (`blk_rq_pos`).
    fn position(&self) -> u64;

    /// Length in bytes (`blk_rq_bytes`); 0 for a flush.
    fn bytes(&self) -> u32;

    /// Whether the data must be on the medium, past any volatile cache, when
    /// the request ends (`REQ_FUA`).
    fn fua(&self) -> bool;

    /// Whether its submitter waits for it by polling its hardware queue
    /// (`HCTX_TYPE_POLL`).
    fn polled(&self) -> bool;

    /// The request's data, from its first byte on.
    fn data(&mut self) -> Self::Data<'_>;

    /// Tells where the data of a [`Operation::ZoneAppend`] was written, in
    /// sectors; does nothing to other requests.
    fn set_position(&mut self, sector: u64);

    /// Ends the request at once (`blk_mq_end_request`).
    fn end(self, status: Status);

    /// Ends it in the ring's soft completion, on a CPU that suits its
    /// submitter (`blk_mq_complete_request`).
    fn complete(self, status: Status);

    /// Ends it by a timer, `nanoseconds` from now (`hrtimer_start`). If its
    /// time limit ends before, it ends then with [`Status::Timeout`].
    fn complete_after(self, nanoseconds: u64, status: Status);

    /// Ends it when its queue is polled next (`blk_mq_ops.poll`), or with
    /// [`Status::Timeout`] if nobody polls before its time limit ends. A
    /// request that is not [`polled`](Request::polled) ends at once.
    fn complete_on_poll(self, status: Status);

    /// Answers nothing, as a device that lost the request would: it ends
    /// with [`Status::Timeout`] at its time limit.
    fn lose(self);

    /// Gives it back to the queue, from which it comes again
    /// (`blk_mq_requeue_request`).
    fn requeue(self);
}

/// A request whose data a device can move, and which the device ends: between
/// [`launch`](DeviceRequest::launch) and [`InFlight::take`] the ring keeps it.
pub trait DeviceRequest: Request {
    /// A piece of its data, mapped.
    type Segment: crate::dma::Segment;
    /// The pieces in order.
    type Segments<'a>: Iterator<Item = Self::Segment>
    where
        Self: 'a;

    /// Maps the data for the device, for as long as the request lasts.
    fn segments(&mut self) -> Result<Self::Segments<'_>, Resource>;

    /// By which name the device is to end it: its [`tag`], and how often that
    /// was used. No other request of its queue has it until long after.
    fn identifier(&self) -> u16;

    /// Gives it to the device: from here on the identifier is good for one
    /// [`take`](InFlight::take). Before the device is told of it.
    fn launch(self);
}

/// Bits of an identifier that are the request's tag; those above count.
pub const TAG_BITS: u32 = 12;

/// The tag within an identifier: below the depth of its queue for one of
/// [`DeviceRequest::identifier`], anything for one that a device made up.
pub const fn tag(identifier: u16) -> u16 {
    identifier & ((1 << TAG_BITS) - 1)
}

/// The requests of a hardware queue that its device has.
pub trait InFlight {
    /// Those requests.
    type Request: Request;

    /// The request of this identifier, if the device has it; it can be taken
    /// once. Any number may be asked for: a device names them.
    fn take(&self, identifier: u16) -> Option<Self::Request>;
}

/// A walk over the data of a request, from its first byte to its last.
///
/// The memory belongs to whoever made the request, who may look at it and
/// change it meanwhile; so it is copied and never lent. What the operation
/// does not allow (reading the memory of a read, writing that of a write) and
/// what lies beyond the end is not done; each method says how many bytes were.
pub trait Data {
    /// Copies the next bytes of a write or append to `to`.
    fn get(&mut self, to: &mut [u8]) -> usize;

    /// Copies `from` to the next bytes of a read.
    fn put(&mut self, from: &[u8]) -> usize;

    /// Sets the next `count` bytes of a read to `byte`.
    fn fill(&mut self, byte: u8, count: usize) -> usize;
}

/// No data: that of requests which a device moves by itself.
#[derive(Clone, Copy, Debug)]
pub struct NoData;

impl Data for NoData {
    fn get(&mut self, _to: &mut [u8]) -> usize {
        0
    }

    fn put(&mut self, _from: &[u8]) -> usize {
        0
    }

    fn fill(&mut self, _byte: u8, _count: usize) -> usize {
        0
    }
}

/// What a driver cannot take a request for lack of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Memory or the like: the queue tries again after a while
    /// (`BLK_STS_RESOURCE`).
    Memory,
    /// Something of the device that a request in flight holds: the queue
    /// tries again when one ends (`BLK_STS_DEV_RESOURCE`). Not to be said
    /// when nothing is in flight.
    Device,
    /// Something that comes with the next [`tick`](Driver::tick): the
    /// device's queues stop until then.
    Tick,
}

/// A request that the driver cannot take now. The ring offers it again.
#[derive(Debug)]
pub struct Busy<R> {
    /// The request.
    pub request: R,
    /// What is lacking.
    pub lack: Resource,
}

/// What becomes of a request after [`Driver::queue`].
#[must_use]
#[derive(Debug)]
pub enum Next<R> {
    /// Nothing more: it was given back, or will be.
    Taken,
    /// It needs what is behind the lock: [`Driver::serve`] is next. Only on
    /// queues that may sleep; elsewhere the request ends with [`Status::Io`].
    Serve(R),
    /// It cannot be taken now.
    Busy(Busy<R>),
}

/// What is to become of a request after [`Driver::serve`]. The ring does it
/// once it has let the lock go, since the end of one request may be the start
/// of another.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It ends with this status: [`Driver::finish`] is next.
    Done(Status),
    /// [`Request::lose`].
    Lost,
    /// [`Request::requeue`].
    Requeued,
    /// It cannot be taken now, for lack of this.
    Busy(Resource),
}

/// A block driver: passive, called by the ring.
///
/// What never changes, or changes by atomic operations, is in the driver
/// itself, which several CPUs use at once as blk-mq does. What changes
/// otherwise is the driver's medium: the ring keeps it behind a lock and
/// hands it over with the requests that need it.
pub trait Driver: Send + Sync + 'static {
    /// What is behind the ring's lock.
    type Medium: Send + Unpin + 'static;

    /// Whether [`commit`](Driver::commit) is to be called.
    const COMMITS: bool = false;

    /// A request for the device (`queue_rq`). Must not block.
    fn queue<R: Request>(&self, request: R) -> Next<R>;

    /// A request that [`queue`](Driver::queue) wanted to be served with the
    /// medium at hand.
    fn serve<R: Request>(&self, medium: &mut Self::Medium, request: &mut R) -> Served;

    /// Gives back a request that was served.
    fn finish<R: Request>(&self, request: R, status: Status);

    /// Requests were queued on a hardware queue, and no more follow for now
    /// (`commit_rqs`).
    fn commit(&self, queue: u32) {
        let _ = queue;
    }

    /// Zone number `number`, from 0, as it is now; `None` beyond the last.
    fn zone(&self, medium: &mut Self::Medium, number: u32) -> Option<Zone> {
        let _ = (medium, number);
        None
    }

    /// How often [`tick`](Driver::tick) is to be called; `None` for never.
    fn tick_interval(&self) -> Option<Duration> {
        None
    }

    /// Called once in every [`tick_interval`](Driver::tick_interval), from an
    /// interrupt in ring 0.
    fn tick(&self) {}
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
    /// Sectors of the largest request; 0 leaves it to the ring
    /// (`max_hw_sectors`).
    pub max_sectors: u32,
    /// Mask of address bits that must be zero wherever a segment begins that
    /// is not the first, and wherever one ends that is not the last; 0 for no
    /// such rule (`virt_boundary_mask`).
    pub virt_boundary_mask: u32,
    /// Pieces of memory of the largest request, at most 65535; 0 leaves it to
    /// the ring (`max_segments`).
    pub max_segments: u32,
    /// Sectors of the largest discard; 0 for a device that does none
    /// (`max_hw_discard_sectors`).
    pub max_discard_sectors: u32,
    /// Sectors of the largest write of zeroes; 0 for a device that does none
    /// (`max_write_zeroes_sectors`).
    pub max_write_zeroes_sectors: u32,
    /// Whether the device has a volatile write cache, so that flushes are
    /// needed (`BLK_FEAT_WRITE_CACHE`).
    pub write_cache: bool,
    /// Whether it knows [`Request::fua`] (`BLK_FEAT_FUA`).
    pub fua: bool,
    /// Whether it is to be treated as a rotating disk (`BLK_FEAT_ROTATIONAL`).
    pub rotational: bool,
    /// Its zones, if it has any.
    pub zoned: Option<ZonedLimits>,
}

/// What is common to all zones of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZonedLimits {
    /// Sectors from one zone's start to the next one's, a power of two
    /// (`chunk_sectors`).
    pub zone_sectors: u32,
    /// Sectors of the largest append; 0 for a device that does none
    /// (`max_hw_zone_append_sectors`).
    pub max_append_sectors: u32,
    /// Zones that may be open at once; 0 for no limit.
    pub max_open: u32,
    /// Zones that may be open or closed at once; 0 for no limit.
    pub max_active: u32,
}

/// A zone (`struct blk_zone`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// First sector.
    pub start: u64,
    /// Sectors from its start to the next zone's, or to the end of the disk.
    pub length: u64,
    /// Sectors that can be written.
    pub capacity: u64,
    /// Where the next write goes (sector); `u64::MAX` where that means
    /// nothing.
    pub write_pointer: u64,
    /// Whether it must be written in sequence.
    pub kind: ZoneKind,
    /// Its condition.
    pub condition: ZoneCondition,
}

/// How a zone is written (`BLK_ZONE_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneKind {
    /// In any order.
    Conventional,
    /// Only at the write pointer.
    SequentialWriteRequired,
}

/// `BLK_ZONE_COND_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneCondition {
    /// A conventional zone.
    NotWritePointer,
    /// Nothing written since the last reset.
    Empty,
    /// Opened by a write.
    ImplicitOpen,
    /// Opened by [`Operation::ZoneOpen`].
    ExplicitOpen,
    /// Partly written and not open.
    Closed,
    /// Written to the end, or finished.
    Full,
    /// Can be read and not written.
    ReadOnly,
    /// Can be neither read nor written.
    Offline,
}

/// The size of a device's queues (`struct blk_mq_tag_set`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Hardware queues that interrupt or end requests by themselves, 1 or
    /// more.
    pub submit: u32,
    /// Hardware queues that are polled.
    pub poll: u32,
    /// Requests in flight in each hardware queue, 1..=[`MAX_DEPTH`].
    pub depth: u32,
    /// How long a request may take, whole milliseconds above zero.
    pub timeout: Duration,
}

/// The deepest hardware queue there is (`BLK_MQ_MAX_DEPTH`).
pub const MAX_DEPTH: u32 = 10240;
