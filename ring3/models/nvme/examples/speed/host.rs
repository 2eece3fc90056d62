//! A host that does nothing but write entries and doorbells.

use std::cell::RefCell;
use std::time::Duration;

use nvme_model::{Config, Controller, Fault, Memory, NamespaceConfig};

const PAGE: u64 = 4096;
const QUEUE: u32 = 64;
/// Pages of the host: queues, then data.
const ADMIN_SQ: u64 = 0;
const ADMIN_CQ: u64 = PAGE;
const SQ: u64 = 2 * PAGE;
const CQ: u64 = 3 * PAGE;
const DATA: u64 = 4 * PAGE;

/// One flat piece of memory, checked for its end.
struct Flat(RefCell<Vec<u8>>);

impl Memory for Flat {
    #[inline]
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        let bytes = self.0.borrow();
        let length = to.len();
        let at = address as usize;
        let from = bytes.get(at..at.wrapping_add(length));
        to.copy_from_slice(from.ok_or(Fault { address, length })?);
        Ok(())
    }

    #[inline]
    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        let mut bytes = self.0.borrow_mut();
        let length = from.len();
        let at = address as usize;
        let to = bytes.get_mut(at..at.wrapping_add(length));
        to.ok_or(Fault { address, length })?.copy_from_slice(from);
        Ok(())
    }
}

/// A host with one I/O queue pair of 64 entries and a page for each.
pub struct Host {
    controller: Controller<Flat>,
    tail: u32,
    head: u32,
    phase: u16,
}

impl Host {
    /// `blocks` blocks of 512 bytes.
    pub fn new(blocks: u64) -> Self {
        let config = Config {
            namespaces: vec![NamespaceConfig::new(1, blocks)],
            ..Config::default()
        };
        let memory = vec![0; (DATA + u64::from(QUEUE) * PAGE) as usize];
        let controller = Controller::new(config, Flat(RefCell::new(memory)));
        let mut controller = controller.expect("a possible controller");
        controller.write32(0x24, 0x000f_000f);
        controller.write64(0x28, ADMIN_SQ);
        controller.write64(0x30, ADMIN_CQ);
        controller.write32(0x14, 4 << 20 | 6 << 16 | 1);
        controller.step(Duration::ZERO);
        let mut host = Self {
            controller,
            tail: 0,
            head: 0,
            phase: 1,
        };
        // Create the completion queue and the submission queue.
        let size = (QUEUE - 1) << 16 | 1;
        host.put(ADMIN_SQ, 0x05, CQ, [size, 0b11]);
        host.put(ADMIN_SQ + 64, 0x01, SQ, [size, 1 << 16 | 1]);
        host.controller.write32(0x1000, 2);
        host.controller.step(Duration::ZERO);
        assert_eq!(host.controller.counters().failed_commands, 0);
        host
    }

    fn put(&mut self, at: u64, opcode: u8, data: u64, words: [u32; 2]) {
        let mut entry = [0_u8; 64];
        entry[0] = opcode;
        entry[4] = 1;
        entry[24..32].copy_from_slice(&data.to_le_bytes());
        entry[40..44].copy_from_slice(&words[0].to_le_bytes());
        entry[44..48].copy_from_slice(&words[1].to_le_bytes());
        entry[48] = 7; // eight blocks
        self.controller.memory().write(at, &entry).expect("memory");
    }

    /// `depth` commands, up to 63, of eight blocks at `lba(i)`, from their doorbell to their completions.
    pub fn round(&mut self, opcode: u8, depth: u32, lba: impl Fn(u32) -> u32) {
        for i in 0..depth {
            let data = DATA + u64::from(i) * PAGE;
            self.put(SQ + 64 * u64::from(self.tail), opcode, data, [lba(i), 0]);
            self.tail = (self.tail + 1) % QUEUE;
        }
        self.controller.write32(0x1008, self.tail);
        self.controller.step(Duration::ZERO);
        for _ in 0..depth {
            let mut status = [0; 2];
            let at = CQ + 16 * u64::from(self.head) + 14;
            self.controller
                .memory()
                .read(at, &mut status)
                .expect("memory");
            assert_eq!(u16::from_le_bytes(status), self.phase);
            self.head = (self.head + 1) % QUEUE;
            self.phase ^= u16::from(self.head == 0);
        }
        self.controller.write32(0x100c, self.head);
        self.controller.interrupts().for_each(drop);
    }
}
