//! A controller model that was brought up by the driver.

use std::time::Duration;

use anyhow::{anyhow, bail, Result};
use nvme::{Command, Controller, IoQueue, Namespace, Step};
use nvme_model::{Config, NamespaceConfig};

use super::doorbell::Called;
use super::Settings;
use crate::dma::Arena;
use crate::nvme::{Clock, Model};

/// Where its memory is on the bus.
const BUS: u64 = 0x1_0000_0000;

/// Steps of a bring-up at most.
const STEPS: u32 = 100_000;

/// A model, its memory and the driver's controller.
pub(super) struct Machine {
    pub(super) model: Model,
    pub(super) controller: Controller<Called>,
    pub(super) namespace: Namespace,
    pub(super) arena: Arena,
}

impl Machine {
    /// Brings a controller up, with queue pairs of the driver's; `pages` of
    /// memory are left for data and for queues of others.
    pub(super) fn start(
        settings: Settings,
        pages: usize,
    ) -> Result<(Machine, Vec<IoQueue<Called>>)> {
        let entries = usize::from(settings.depth) + 1;
        // Entries of 64 and 16 bytes, and a page of list for each.
        let pair = (entries * 80).div_ceil(4096) + entries + 2;
        // What is given back is taken again further on.
        let arena = Arena::new(
            64 + 2 * usize::from(settings.queues) * pair + 2 * pages,
            BUS,
        );
        let blocks = (u64::from(settings.size_mib) << 20) / u64::from(settings.block_size);
        let config = Config {
            io_queues: settings.queues,
            max_queue_entries: 4096,
            doorbell_buffer: settings.shadow_doorbells,
            // All of a load's requests in one step.
            commands_per_step: 4096,
            namespaces: vec![NamespaceConfig {
                formats: vec![settings.block_size.trailing_zeros() as u8],
                ..NamespaceConfig::new(1, blocks)
            }],
            ..Config::default()
        };
        let mut model = Model::new(config, arena.clone())?;
        let device = Called::new(model.device(0));
        let wanted = nvme::Settings {
            queues: 0,
            poll_queues: settings.queues,
            depth: settings.depth,
            admin_timeout: Duration::from_secs(60),
            doorbell_buffers: settings.shadow_doorbells,
            // The twin has none.
            sgl: false,
            quirks: nvme::Quirks::NONE,
        };
        let mut controller = Controller::new(device, wanted);
        controller.reset(model.now());
        let (mut queues, mut namespace) = (Vec::new(), None);
        for _ in 0..STEPS {
            match controller.step(model.now()) {
                Step::Wait(until) => model.wait(until),
                Step::Queue(queue) => queues.push(queue),
                Step::Namespace(found) => namespace = Some(found),
                Step::Failed(error) => bail!("the driver gave up: {error:?}"),
                Step::Ready => {
                    let machine = Machine {
                        model,
                        controller,
                        namespace: namespace.ok_or_else(|| anyhow!("it has no namespace"))?,
                        arena,
                    };
                    return Ok((machine, queues));
                }
                _ => {}
            }
        }
        bail!("it did not get ready")
    }

    /// Runs an admin command without data.
    pub(super) fn admin(&mut self, command: Command) -> Result<()> {
        let sent = self.controller.send(command, None, self.model.now());
        let sent = sent.map_err(|_| anyhow!("the admin queue is full"))?;
        for _ in 0..STEPS {
            match self.controller.step(self.model.now()) {
                Step::Wait(until) => self.model.wait(until),
                Step::Done(identifier, completion, _) if identifier == sent => {
                    return match completion.status() {
                        status if status.is_success() => Ok(()),
                        status => Err(anyhow!("an admin command was refused: {status:?}")),
                    };
                }
                Step::Failed(error) => bail!("the driver gave up: {error:?}"),
                _ => {}
            }
        }
        bail!("an admin command did not come back")
    }
}
