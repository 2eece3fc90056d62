//! Commands of any kind, one at a time, and how a controller answers them: its
//! admin queue is the driver's, its I/O queue pair our own.

use std::time::Duration;

use kit::dma::{Coherent, Dma};
use kit::registers::{Doorbell, Registers};
use nvme::{Command, Completion, Controller, IoQueue, Settings, Step};
use ring3::dma::Block;
use ring3::nvme::Clock;

use crate::rig::Rig;

const ENTRIES: u16 = 8;

type Bell<R> = <<<R as Rig>::Device as kit::device::Device>::Registers as Registers>::Doorbell;

pub struct Raw<'a, R: Rig> {
    pub rig: &'a mut R,
    pub controller: Controller<R::Device>,
    submissions: Block,
    completions: Block,
    doorbells: [Bell<R>; 2],
    /// How many commands were sent to the I/O queue.
    sent: u64,
    /// What the controller has as long as it runs.
    second: Option<IoQueue<R::Device>>,
}

impl<'a, R: Rig> Raw<'a, R> {
    /// Brings a controller up, with queue pair 1 for our commands, number 2 for
    /// nobody's, and a number 3 that there might be. Ours interrupts by vector 1.
    pub fn start(rig: &'a mut R) -> Raw<'a, R> {
        use kit::device::Device;
        let settings = Settings {
            queues: 3,
            poll_queues: 0,
            depth: 8,
            admin_timeout: Duration::from_secs(10),
            doorbell_buffers: false,
        };
        let mut controller = Controller::new(rig.device(), settings);
        controller.reset(rig.clock().now());
        let mut queues = Vec::new();
        loop {
            match controller.step(rig.clock().now()) {
                Step::Wait(until) => rig.clock().wait(until),
                Step::Queue(queue) => queues.push(queue),
                Step::Ready => break,
                Step::Failed(error) => panic!("it does not come up: {error:?}"),
                _ => {}
            }
        }
        let doorbell = |head| {
            let offset = controller.doorbell_offset(1, head);
            let registers = controller.device().registers();
            registers.doorbell(offset).expect("within the window")
        };
        let mut raw = Raw {
            doorbells: [doorbell(false), doorbell(true)],
            submissions: rig.arena().allocate(4096).expect("room"),
            completions: rig.arena().allocate(4096).expect("room"),
            controller,
            rig,
            sent: 0,
            second: None,
        };
        for command in [
            Command::delete_submission_queue(1),
            Command::delete_completion_queue(1),
            Command::delete_submission_queue(3),
            Command::delete_completion_queue(3),
            Command::create_completion_queue(1, ENTRIES, raw.completions.address(), Some(1)),
            Command::create_submission_queue(1, ENTRIES, raw.submissions.address()),
        ] {
            let completion = raw.admin(command);
            assert!(completion.status().is_success(), "{command:?}");
        }
        raw.second = queues.into_iter().nth(1);
        raw
    }

    /// Memory for a command's data, all of it `fill`.
    pub fn buffer(&self, bytes: usize, fill: u8) -> Block {
        let mut block = self.rig.arena().take(bytes).expect("room");
        block.copy_from_slice(0, &vec![fill; bytes]);
        block
    }

    /// Sends an admin command and waits for its answer.
    pub fn admin(&mut self, command: Command) -> Completion {
        let now = self.rig.clock().now();
        let sent = self.controller.send(command, None, now).expect("room");
        loop {
            match self.controller.step(self.rig.clock().now()) {
                Step::Wait(until) => self.rig.clock().wait(until),
                Step::Done(identifier, completion, _) if identifier == sent => return completion,
                Step::Failed(error) => panic!("{command:?} ends all: {error:?}"),
                _ => {}
            }
        }
    }

    /// Sends an I/O command and waits for its answer.
    pub fn io(&mut self, mut command: Command) -> Completion {
        let entries = u64::from(ENTRIES);
        let (at, pass) = (self.sent % entries, self.sent / entries);
        self.sent += 1;
        command.identifier.set(self.sent as u16);
        let written = self.submissions.write(at as usize * 64, &command);
        written.expect("within the queue");
        let next = (self.sent % entries) as u32;
        self.doorbells[0].ring(next);
        let begin = self.rig.clock().now();
        let completion = loop {
            let read = self.completions.read(at as usize * 16);
            let completion: Completion = read.expect("within the queue");
            if u64::from(completion.status.get() & 1) != pass % 2 {
                break completion;
            }
            let now = self.rig.clock().now();
            assert!(
                now - begin < Duration::from_secs(10),
                "no answer: {command:?}"
            );
            self.rig.clock().wait(Some(now + Duration::from_millis(1)));
        };
        self.doorbells[1].ring(next);
        assert_eq!(completion.identifier.get(), self.sent as u16);
        completion
    }

    /// Stops the controller.
    pub fn stop(mut self) {
        self.controller.stop(self.rig.clock().now());
        loop {
            match self.controller.step(self.rig.clock().now()) {
                Step::Wait(until) => self.rig.clock().wait(until),
                Step::Off => return,
                Step::Failed(error) => panic!("it does not stop: {error:?}"),
                _ => {}
            }
        }
    }
}
