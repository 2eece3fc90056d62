// SPDX-License-Identifier: GPL-2.0-only

//! All hardware queues of a device, and the disks that share them.

use core::sync::atomic::{AtomicBool, Ordering};

use kernel::bindings;
use kernel::error::to_result;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};
use kernel::types::Opaque;
use kit::block::{Limits, Queues, MAX_DEPTH};
use kit::device::Device as _;

use super::operations::Operations;
use super::queue::Queue;
use super::request::Target;
use super::Hardware;
use crate::block::gendisk::Gendisk;
use crate::pci::{Callback, Function};
use crate::shim;

/// The shape of a device's queues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Hardware queues, their depth, and the time limit of requests. Those
    /// that are polled are the last ones.
    pub queues: Queues,
    /// Pieces of memory of the largest request, 1..=65535.
    pub segments: u32,
}

/// What a queue's `queuedata` and a disk's `private_data` point to.
#[repr(C)]
pub(super) struct Namespaced<H: Hardware> {
    /// First, since `shim.c` looks for it there.
    hooks: shim::DiskHooks,
    pub(super) namespace: H::Namespace,
}

/// A disk of the device.
struct Disk<H: Hardware> {
    // Its reference is put before what it uses goes.
    gendisk: Gendisk,
    number: u32,
    namespaced: KBox<Namespaced<H>>,
}

struct Disks<H: Hardware> {
    disks: KVec<Disk<H>>,
    paused: bool,
}

/// The hardware queues of a device, and its disks (`struct blk_mq_tag_set`).
///
/// Disks are added to it and never handed out, so that none is forgotten.
///
/// # Invariants
///
/// While `allocated`, `set` was set up by `blk_mq_alloc_tag_set` with the
/// table of `H`, and its `driver_data` points here.
#[pin_data(PinnedDrop)]
pub struct HardwareQueues<H: Hardware> {
    #[pin]
    set: Opaque<bindings::blk_mq_tag_set>,
    allocated: AtomicBool,
    hardware: Arc<H>,
    queues: KVec<Pin<KBox<Queue<H>>>>,
    shape: Shape,
    function: Function,
    dead: AtomicBool,
    /// Held while a disk comes or goes; whether none may come any more.
    #[pin]
    changing: Mutex<bool>,
    #[pin]
    disks: Mutex<Disks<H>>,
}

// SAFETY: The set is not bound to the thread that allocated it; all else is
// `Send`.
unsafe impl<H: Hardware> Send for HardwareQueues<H> {}
// SAFETY: Shared references give no access to the set but by functions that
// lock; all else is `Sync`.
unsafe impl<H: Hardware> Sync for HardwareQueues<H> {}

impl<H: Hardware> HardwareQueues<H> {
    /// Queues of a function, without halves. They end with its driver at the
    /// latest.
    ///
    /// `EINVAL` for no queue, no depth or a depth above [`MAX_DEPTH`], no time
    /// or more than `u32::MAX` milliseconds of it, no segments or too many;
    /// `ENODEV` if the driver is being unbound; `ENOMEM` if memory is short.
    pub fn new(function: &Function, hardware: Arc<H>, shape: Shape) -> Result<Arc<Self>> {
        let sizes = shape.queues;
        let timeout = u32::try_from(sizes.timeout.as_millis()).map_err(|_| EINVAL)?;
        let count = sizes.submit.checked_add(sizes.poll).ok_or(EINVAL)?;
        if sizes.submit == 0
            || !(1..=MAX_DEPTH).contains(&sizes.depth)
            || !(1..=u32::from(u16::MAX)).contains(&shape.segments)
            || timeout == 0
        {
            return Err(EINVAL);
        }
        // SAFETY: The function is bound, or `register` fails below; it may do
        // DMA until `release` was called.
        let target = unsafe { Target::new(function.device()) };
        let mut queues = KVec::with_capacity(count as usize, GFP_KERNEL)?;
        for _ in 0..count {
            let queue = Queue::new(target, sizes.depth, shape.segments);
            queues.push(KBox::pin_init(queue, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let this = Arc::pin_init(
            pin_init!(Self {
                set <- Opaque::ffi_init(|slot: *mut bindings::blk_mq_tag_set| {
                    // SAFETY: `slot` is valid for writes; the set is plain data.
                    unsafe { slot.write(pin_init::zeroed()) }
                }),
                allocated: AtomicBool::new(false),
                hardware,
                queues,
                shape,
                function: function.clone(),
                dead: AtomicBool::new(false),
                changing <- new_mutex!(false),
                disks <- new_mutex!(Disks { disks: KVec::new(), paused: false }),
            }),
            GFP_KERNEL,
        )?;
        let set = this.set.get();
        // SAFETY: Nobody else has the set yet; it stays where it is. All that
        // its callbacks use is there.
        unsafe {
            (*set).ops = &Operations::<H>::TABLE;
            (*set).nr_hw_queues = count;
            (*set).queue_depth = sizes.depth;
            // Default, read and poll; without poll queues the first.
            (*set).nr_maps = if sizes.poll > 0 { 3 } else { 1 };
            (*set).numa_node = function.node();
            (*set).timeout = kernel::time::msecs_to_jiffies(timeout) as u32;
            (*set).cmd_size = size_of::<shim::Command>() as u32;
            (*set).driver_data = Arc::as_ptr(&this).cast_mut().cast();
            to_result(bindings::blk_mq_alloc_tag_set(set))?;
        }
        // INVARIANT: It was.
        this.allocated.store(true, Ordering::Release);
        function.register(this.clone(), || Ok(()))?;
        Ok(this)
    }

    /// The shape that it was made with.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn hardware(&self) -> &H {
        &self.hardware
    }

    pub(super) fn queue(&self, index: u32) -> Option<&Queue<H>> {
        self.queues.get(index as usize).map(|queue| &**queue)
    }

    /// Gives queue `index` its halves, after which requests may come by it.
    /// `EINVAL` if there is no such queue. May sleep.
    pub fn attach(
        &self,
        index: u32,
        submissions: H::Submissions,
        completions: H::Completions,
    ) -> Result {
        let queue = self.queue(index).ok_or(EINVAL)?;
        queue.attach(submissions, completions);
        Ok(())
    }

    /// Ends what the device has ended of queue `index`; how many completions
    /// there were. To be called by the handler of its vector.
    #[inline(always)]
    pub fn interrupt(&self, index: u32) -> u32 {
        self.queue(index).map_or(0, Queue::interrupt)
    }

    /// Takes no requests from here on, until [`resume`](Self::resume); they
    /// wait. When this returns, none is being submitted (C:
    /// `blk_mq_quiesce_tagset`). May sleep.
    pub fn pause(&self) {
        let mut disks = self.disks.lock();
        if !core::mem::replace(&mut disks.paused, true) {
            // SAFETY: By the type invariant.
            unsafe { bindings::blk_mq_quiesce_tagset(self.set.get()) };
        }
    }

    /// How many requests the device has.
    pub fn in_flight(&self) -> usize {
        self.queues.iter().map(|queue| queue.in_flight()).sum()
    }

    /// Takes requests again, those that waited first.
    pub fn resume(&self) {
        let mut disks = self.disks.lock();
        if core::mem::take(&mut disks.paused) {
            // SAFETY: By the type invariant; it was paused.
            unsafe { bindings::blk_mq_unquiesce_tagset(self.set.get()) };
        }
        for disk in &disks.disks {
            // SAFETY: The queue lives as long as its disk.
            unsafe { bindings::blk_mq_kick_requeue_list(disk.gendisk.queue()) };
        }
    }

    /// The device has surely stopped: takes the halves of all queues away and
    /// drops them. What the device had is offered again, three times at most,
    /// or ends with an error if it was [killed](Self::kill). May sleep.
    pub fn stopped(&self) {
        for queue in &self.queues {
            queue.stopped();
        }
    }

    /// The device will not come back: requests fail from here on, those that
    /// it has when it has [stopped](Self::stopped). May sleep.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Release);
        for queue in &self.queues {
            queue.kill();
        }
        for disk in &self.disks.lock().disks {
            disk.gendisk.mark_dead();
        }
    }

    /// Adds a disk of `capacity` sectors (512 bytes each) under `name` (1 to
    /// 31 printable ASCII characters but `/` and `!`). `number` is how it is
    /// called here. I/O starts before this returns, which waits for some of it.
    /// Not to be called by whoever the hardware needs to make its requests end.
    ///
    /// `EINVAL` for a name, capacity or limits out of range; `EEXIST` if the
    /// number or the name is taken; `EAGAIN` while it is paused; `ENODEV` if it
    /// was killed or closed; `ENOMEM` if memory is short.
    pub fn add_disk(
        &self,
        number: u32,
        name: &CStr,
        capacity: u64,
        limits: Limits,
        namespace: H::Namespace,
    ) -> Result {
        if limits.max_segments == 0 || limits.max_segments > self.shape.segments {
            return Err(EINVAL);
        }
        let changing = self.changing.lock();
        if *changing {
            return Err(ENODEV);
        }
        let namespaced = KBox::new(
            Namespaced {
                hooks: shim::DiskHooks { report_zones: None },
                namespace,
            },
            GFP_KERNEL,
        )?;
        let hooks = (&raw const *namespaced).cast_mut().cast();
        let mut disk = {
            let mut disks = self.disks.lock();
            if self.dead.load(Ordering::Acquire) {
                return Err(ENODEV);
            }
            if disks.paused {
                return Err(EAGAIN);
            }
            if disks.disks.iter().any(|disk| disk.number == number) {
                return Err(EEXIST);
            }
            disks.disks.reserve(1, GFP_KERNEL)?;
            Disk {
                // SAFETY: By the type invariant; the table takes a
                // `Namespaced<H>`, whose first field are the hooks. It goes
                // after the disk; the set does too, since `self` goes when it
                // has no disks.
                gendisk: unsafe { Gendisk::allocate(limits, self.set.get(), hooks)? },
                number,
                namespaced,
            }
        };
        // From here on pauses hold for it.
        let added = disk
            .gendisk
            .prepare(name.to_bytes(), capacity)
            // SAFETY: The disk is complete. The device is live, by the contract
            // of `new`.
            .and_then(|()| unsafe { disk.gendisk.add(self.function.device()) });
        match added {
            Ok(()) => {
                let mut disks = self.disks.lock();
                if self.dead.load(Ordering::Acquire) {
                    disk.gendisk.mark_dead();
                }
                // There is room.
                disks.disks.push(disk, GFP_KERNEL).map_err(Error::from)
            }
            Err(error) => {
                Self::let_go(disk);
                Err(error)
            }
        }
    }

    /// The number of a disk of which `wanted` is true. It must not call the
    /// queues.
    pub fn find_disk(&self, mut wanted: impl FnMut(u32, &H::Namespace) -> bool) -> Option<u32> {
        let disks = self.disks.lock();
        let mut disks = disks.disks.iter();
        let found = disks.find(|disk| wanted(disk.number, &disk.namespaced.namespace));
        found.map(|disk| disk.number)
    }

    /// Gives disk `number` another capacity in sectors. `ENODEV` if there is
    /// none, `EINVAL` for more than `i64::MAX` bytes.
    pub fn set_capacity(&self, number: u32, capacity: u64) -> Result {
        let _changing = self.changing.lock();
        let disks = self.disks.lock();
        let disk = disks.disks.iter().find(|disk| disk.number == number);
        disk.ok_or(ENODEV)?.gendisk.set_capacity(capacity)
    }

    /// Takes disk `number` away, if there is one, once its requests have
    /// ended; users that have it open get errors. Not to be called by whoever
    /// the hardware needs to make requests end. May sleep.
    pub fn remove_disk(&self, number: u32) {
        let _changing = self.changing.lock();
        self.take_away(number);
    }

    fn take_away(&self, number: u32) {
        let found = {
            let mut disks = self.disks.lock();
            let index = disks.disks.iter().position(|disk| disk.number == number);
            // It stays paused, if it is, until the device goes on.
            index.and_then(|index| disks.disks.remove(index).ok())
        };
        if let Some(disk) = found {
            Self::let_go(disk);
        }
    }

    /// [`remove_disk`](Self::remove_disk) for all of them; no other comes after
    /// this.
    pub fn close(&self) {
        let mut changing = self.changing.lock();
        *changing = true;
        while let Some(number) = self.find_disk(|_, _| true) {
            self.take_away(number);
        }
    }

    fn let_go(mut disk: Disk<H>) {
        disk.gendisk.delete();
        // Every request has ended, but `queue_rq` may still run, under RCU.
        // SAFETY: This runs where `delete` could sleep.
        unsafe { bindings::synchronize_rcu() };
        disk.gendisk.detach();
    }

    /// `map_queues`: each CPU's hardware queue is that of whose vector it is
    /// near; the poll queues are the last ones.
    ///
    /// # Safety
    ///
    /// `set` is the one of `self`, within a callback of blk-mq.
    pub(super) unsafe fn map(&self, set: *mut bindings::blk_mq_tag_set) {
        let Queues { submit, poll, .. } = self.shape.queues;
        // SAFETY: By this function's contract.
        let (maps, count) = unsafe { (&mut (*set).map, (*set).nr_maps as usize) };
        let queues = [(submit, 0), (0, 0), (poll, submit)];
        for (index, (map, (count, offset))) in maps.iter_mut().zip(queues).take(count).enumerate() {
            map.nr_queues = count;
            map.queue_offset = offset;
            // The first vector is not for requests if there are others.
            if index == 0 && u32::from(self.function.vectors()) > submit {
                // SAFETY: The device is live, by the contract of `new`.
                unsafe { bindings::blk_mq_map_hw_queues(map, self.function.device(), 1) };
            } else if count > 0 {
                // SAFETY: The map is valid. Without queues it is the default
                // map that is used.
                unsafe { bindings::blk_mq_map_queues(map) };
            }
        }
    }
}

impl<H: Hardware> Callback for HardwareQueues<H> {
    /// Interrupts and work end by themselves; requests are still the device's.
    fn stop(&self) {}

    /// The device cannot reach memory any more.
    fn release(&self) {
        self.kill();
        self.stopped();
        self.resume();
        self.close();
    }
}

#[pinned_drop]
impl<H: Hardware> PinnedDrop for HardwareQueues<H> {
    fn drop(self: Pin<&mut Self>) {
        // Its disks are gone: `release` was called, or there never was one.
        if self.allocated.load(Ordering::Acquire) {
            // SAFETY: By the type invariant, and no queue uses it.
            unsafe { bindings::blk_mq_free_tag_set(self.set.get()) };
        }
    }
}
