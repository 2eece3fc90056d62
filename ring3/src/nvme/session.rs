//! A controller with its memory and its clock: calls that return when they are
//! done.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure, Context, Result};
use kit::block::Status;
use kit::device::Device;
use nvme::{Command, Controller, ControllerIdentity, LogPage, Namespace, Settings};
use nvme_model::Config;

use super::transfer::{transfer, Data};
use super::{claim, Clock, Disk, FunctionClock, FunctionDevice, Io, Model, ModelDevice, Queue};
use crate::dma::{Arena, Block};
use crate::vfio::Address;

/// How long a request may take (C: `io_timeout`).
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an admin command may take (C: `admin_timeout`).
const ADMIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How often who attends looks.
const ATTEND: Duration = Duration::from_millis(10);
/// Bytes of memory of a session, and more for each queue pair.
const MEMORY: usize = 4 << 20;
const PAIR: usize = 2 << 20;
/// Where the model's memory is.
const BUS: u64 = 0x1_0000_0000;

/// A session with a PCI function, by VFIO.
pub type FunctionSession = Session<FunctionDevice, FunctionClock>;

/// A session with the controller model in this process.
pub type ModelSession = Session<ModelDevice, Model>;

/// A controller in use. It is shut down in order when this is dropped.
pub struct Session<D: Device<Dma = Arena>, C: Clock> {
    disk: Disk<D>,
    clock: C,
    arena: Arena,
}

/// Requests in flight in each queue pair, and doorbells in memory where the
/// controller has them.
fn settings(queues: u16, polled: bool) -> Settings {
    Settings {
        queues: if polled { 0 } else { queues },
        poll_queues: if polled { queues } else { 0 },
        depth: 128,
        admin_timeout: ADMIN_TIMEOUT,
        doorbell_buffers: true,
    }
}

impl FunctionSession {
    /// Takes the controller at an address from its driver and brings it up with
    /// so many queue pairs, 1 or more. It goes back to that driver when the
    /// session, and what came from it, is dropped.
    ///
    /// # Errors
    ///
    /// If it cannot be had, or does not come up.
    pub fn open(address: Address, queues: u16, polled: bool) -> Result<FunctionSession> {
        FunctionSession::open_with(address, queues, polled, 0)
    }

    /// The same, with so many bytes of memory for requests of one's own.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_with(
        address: Address,
        queues: u16,
        polled: bool,
        bytes: usize,
    ) -> Result<FunctionSession> {
        let vectors = if polled { 0 } else { queues.saturating_add(1) };
        let memory = bytes.saturating_add(MEMORY + usize::from(queues) * PAIR);
        let claimed = claim(address, memory, vectors)?;
        let settings = settings(queues, polled || claimed.vectors() == 0);
        Session::start(claimed.device, claimed.clock, claimed.arena, settings)
            .with_context(|| address.to_string())
    }
}

impl ModelSession {
    /// A controller model with one namespace of 64 MiB.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub fn model(queues: u16) -> Result<ModelSession> {
        let pages = (MEMORY + usize::from(queues) * PAIR) / 4096;
        let arena = Arena::new(pages, BUS);
        let config = Config {
            io_queues: queues,
            ..Config::default()
        };
        let model = Model::new(config, arena.clone())?;
        Session::start(model.device(1), model, arena, settings(queues, false))
    }
}

impl<D: Device<Dma = Arena>, C: Clock> Session<D, C> {
    /// Brings a controller up.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn start(
        device: D,
        mut clock: C,
        arena: Arena,
        settings: Settings,
    ) -> Result<Session<D, C>> {
        let disk = Disk::start(device, settings, TIMEOUT, &mut clock)?;
        Ok(Session { disk, clock, arena })
    }

    /// The controller and its queues, for requests of one's own.
    pub fn disk(&mut self) -> &mut Disk<D> {
        &mut self.disk
    }

    /// The time.
    pub fn clock(&mut self) -> &mut C {
        &mut self.clock
    }

    /// Memory that the controller reaches.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The controller.
    pub fn controller(&self) -> &Controller<D> {
        self.disk.controller()
    }

    /// What the controller says of itself.
    ///
    /// # Errors
    ///
    /// If it said nothing that can be read.
    pub fn identity(&self) -> Result<&ControllerIdentity> {
        let identity = self.disk.controller().identity();
        identity.context("the controller did not say what it is")
    }

    /// The namespaces that can be used, by number.
    pub fn namespaces(&self) -> &BTreeMap<u32, Namespace> {
        self.disk.namespaces()
    }

    /// A namespace.
    ///
    /// # Errors
    ///
    /// If there is none of that number; the error names those that there are.
    pub fn namespace(&self, number: u32) -> Result<Namespace> {
        let all = self.namespaces();
        let names = || {
            all.keys()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match all.get(&number) {
            Some(namespace) => Ok(*namespace),
            None if all.is_empty() => bail!("the controller has no namespace that can be used"),
            None => bail!("there is no namespace {number}; there is {}", names()),
        }
    }

    /// A log page of the controller's, its first bytes: a multiple of 4, at most
    /// 4096.
    ///
    /// # Errors
    ///
    /// If the controller refuses it, or fails.
    pub fn log_page(&mut self, page: LogPage, to: &mut [u8]) -> Result<()> {
        ensure!(
            (4..=4096).contains(&to.len()) && to.len() % 4 == 0,
            "a log page is read by 4 to 4096 bytes, a multiple of 4"
        );
        let data = self.block(to.len())?;
        let command = Command::log_page(page, to.len() as u32);
        let (completion, data) = self.disk.admin(command, Some(data), &mut self.clock)?;
        let status = completion.status();
        ensure!(
            status.is_success(),
            "the controller refuses log page {:02x}h: {status:?}",
            page as u8
        );
        let data = data.context("the log page did not come back")?;
        data.copy_to_slice(0, to);
        Ok(())
    }

    /// Reads whole blocks, `block` being the first.
    ///
    /// # Errors
    ///
    /// If they do not lie within the namespace, or the controller fails; then
    /// some of `to` may have been read.
    pub fn read(&mut self, namespace: u32, block: u64, to: &mut [u8]) -> Result<()> {
        self.transfer(namespace, block, Data::In(to))
    }

    /// Writes whole blocks, `block` being the first.
    ///
    /// # Errors
    ///
    /// If they do not lie within the namespace, which changes nothing, or the
    /// controller fails; then some may have been written.
    pub fn write(&mut self, namespace: u32, block: u64, from: &[u8]) -> Result<()> {
        self.transfer(namespace, block, Data::Out(from))
    }

    fn transfer(&mut self, namespace: u32, block: u64, data: Data<'_>) -> Result<()> {
        let namespace = self.namespace(namespace)?;
        let most = self.disk.controller().max_transfer();
        let (disk, clock) = (&mut self.disk, &mut self.clock);
        transfer(disk, clock, &self.arena, &namespace, most, block, data)
    }

    /// Has what was written reach the medium.
    ///
    /// # Errors
    ///
    /// If the controller does not do it.
    pub fn flush(&mut self, namespace: u32) -> Result<()> {
        let io = Io {
            namespace,
            ..Io::default()
        };
        let now = self.clock.now();
        let taken = self.disk.submit(io, None, now);
        taken.map_err(|(why, _)| anyhow!("a flush is not taken: {why:?}"))?;
        loop {
            let until = self.disk.work(self.clock.now());
            match self.disk.finished() {
                Some(finished) if finished.status == Status::Ok => return Ok(()),
                Some(finished) => bail!("a flush failed: {:?}", finished.status),
                None => self.clock.wait(until),
            }
        }
    }

    fn block(&self, bytes: usize) -> Result<Block> {
        let block = self.arena.take(bytes);
        block.map_err(|_| anyhow!("there is no memory left that the controller reaches"))
    }

    /// Keeps the controller going while `running`: looks at time limits, also of
    /// queue pairs that others have.
    pub fn attend(&mut self, mut running: impl FnMut() -> bool) {
        while running() {
            self.disk.work(self.clock.now());
            std::thread::sleep(ATTEND);
        }
    }
}

impl<D: Device<Dma = Arena>, C: Clock + Clone> Session<D, C> {
    /// A queue pair for another thread; `None` when only one is left. While it
    /// is used, this thread [`attend`](Session::attend)s.
    pub fn lend(&mut self) -> Option<QueueSession<D, C>> {
        let queue = self.disk.lend()?;
        Some(QueueSession {
            clock: self.clock.of(queue.vector()),
            queue,
            arena: self.arena.clone(),
        })
    }
}

impl<D: Device<Dma = Arena>, C: Clock> Drop for Session<D, C> {
    fn drop(&mut self) {
        self.disk.shutdown(&mut self.clock);
    }
}

/// A queue pair of a session, for one thread.
pub struct QueueSession<D: Device<Dma = Arena>, C: Clock> {
    queue: Queue<D>,
    clock: C,
    arena: Arena,
}

impl<D: Device<Dma = Arena>, C: Clock> QueueSession<D, C> {
    /// Reads whole blocks, as [`Session::read`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(&mut self, namespace: u32, block: u64, to: &mut [u8]) -> Result<()> {
        self.transfer(namespace, block, Data::In(to))
    }

    /// Writes whole blocks, as [`Session::write`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn write(&mut self, namespace: u32, block: u64, from: &[u8]) -> Result<()> {
        self.transfer(namespace, block, Data::Out(from))
    }

    fn transfer(&mut self, number: u32, block: u64, data: Data<'_>) -> Result<()> {
        let namespace = self.queue.namespace(number);
        let namespace = namespace.with_context(|| format!("there is no namespace {number}"))?;
        let most = self.queue.max_transfer();
        let (queue, clock) = (&mut self.queue, &mut self.clock);
        transfer(queue, clock, &self.arena, &namespace, most, block, data)
    }
}
