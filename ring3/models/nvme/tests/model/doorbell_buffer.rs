//! Doorbell Buffer Config: shadow doorbells and EventIdx.

use nvme_model::{Action, Config, Event, Script, Status};

use crate::host::*;

struct Bench {
    host: Host,
    pair: Pair,
    shadow: u64,
    event: u64,
    page: u64,
}

impl Bench {
    fn new(doorbell_stride: u8) -> Self {
        let mut host = Host::with(Config {
            doorbell_buffer: true,
            io_queues: 8,
            doorbell_stride,
            ..Config::default()
        });
        let [shadow, event] = [(); 2].map(|()| host.memory.pages(1));
        host.admin(command(0x7c, 0).prp(shadow, event)).ok();
        let pair = host.make_pair(2, 8, 8);
        let page = host.memory.pages(2);
        Self {
            host,
            pair,
            shadow,
            event,
            page,
        }
    }

    fn tail_offset(&self) -> u64 {
        self.host.tail_doorbell(2) - 0x1000
    }

    fn head_offset(&self) -> u64 {
        self.host.head_doorbell(2) - 0x1000
    }

    fn tail_event(&self) -> u32 {
        self.host.memory.get32(self.event + self.tail_offset())
    }

    fn head_event(&self) -> u32 {
        self.host.memory.get32(self.event + self.head_offset())
    }

    fn submit(&mut self, count: u64) {
        for lba in 0..count {
            self.host.write(&mut self.pair, read(lba, 1, self.page));
        }
        let tail = self.pair.tail.to_le_bytes();
        self.host
            .memory
            .set(self.shadow + self.tail_offset(), &tail);
    }

    fn wake(&mut self) {
        let doorbell = self.host.tail_doorbell(2);
        self.host.controller.write32(doorbell, self.pair.tail);
        self.host.run();
    }

    fn take(&mut self) -> usize {
        let taken = self.host.take(&mut self.pair).len();
        let head = self.pair.head.to_le_bytes();
        self.host
            .memory
            .set(self.shadow + self.head_offset(), &head);
        taken
    }
}

#[test]
fn a_controller_at_rest_does_not_look_at_the_shadow() {
    for stride in [0, 2] {
        let mut bench = Bench::new(stride);
        assert_eq!(bench.tail_event(), 0);
        bench.submit(3);
        bench.host.run();
        assert_eq!(bench.take(), 0);
        bench.wake();
        assert_eq!(bench.take(), 3);
        // It rests and wants to be woken past 3.
        assert_eq!(bench.tail_event(), 3);
        bench.submit(1);
        bench.host.run();
        assert_eq!(bench.take(), 0);
        bench.wake();
        assert_eq!(bench.take(), 1);
        assert_eq!(bench.tail_event(), 4);
        let rings = bench.host.controller.counters().doorbell_writes;
        let admin = bench.host.controller.counters().commands - 4;
        assert_eq!(rings, 2 + 2 * admin);
    }
}

#[test]
fn a_controller_at_work_finds_what_is_added_without_being_woken() {
    let mut bench = Bench::new(0);
    let config = Config {
        doorbell_buffer: true,
        io_queues: 8,
        commands_per_step: 1,
        ..Config::default()
    };
    bench.host = Host::with(config);
    let host = &mut bench.host;
    [bench.shadow, bench.event] = [(); 2].map(|()| host.memory.pages(1));
    host.admin(command(0x7c, 0).prp(bench.shadow, bench.event))
        .ok();
    bench.pair = host.make_pair(2, 8, 8);
    bench.page = host.memory.pages(2);

    bench.submit(2);
    let doorbell = bench.host.tail_doorbell(2);
    bench.host.controller.write32(doorbell, 2);
    bench.host.controller.step(bench.host.now);
    assert_eq!(bench.take(), 1);
    assert_eq!(bench.tail_event(), 0); // EventIdx 0 is not passed from 2 to 4
    bench.submit(2);
    bench.host.run();
    assert_eq!(bench.take(), 3);
    assert_eq!(bench.tail_event(), 4);
}

#[test]
fn a_full_completion_queue_asks_to_be_told_of_room() {
    let mut bench = Bench::new(0);
    bench.submit(7);
    bench.wake();
    // Seven fill the queue; its head is looked at when the next is fetched.
    assert_eq!(bench.host.take(&mut bench.pair).len(), 7);
    bench.submit(3);
    bench.wake();
    assert_eq!(bench.take(), 0);
    assert_eq!(bench.head_event(), 0);
    // take() wrote the shadow; passing EventIdx, the host writes the register.
    bench.host.run();
    assert_eq!(bench.take(), 0);
    let doorbell = bench.host.head_doorbell(2);
    bench.host.controller.write32(doorbell, bench.pair.head);
    bench.host.run();
    assert_eq!(bench.take(), 3);

    // Room that was made in time is found without the register.
    let before = bench.host.controller.counters().doorbell_writes;
    for _ in 0..20 {
        bench.submit(5);
        bench.wake();
        assert_eq!(bench.take(), 5);
    }
    let after = bench.host.controller.counters().doorbell_writes;
    assert_eq!(after - before, 20);
}

#[test]
fn what_counts_is_the_shadow() {
    let mut bench = Bench::new(0);
    bench.submit(2);
    let doorbell = bench.host.tail_doorbell(2);
    bench.host.controller.write32(doorbell, 7);
    bench.host.run();
    assert_eq!(bench.take(), 2);
    // A value that the queue cannot have.
    let offset = bench.tail_offset();
    bench.host.memory.set(bench.shadow + offset, &[8, 0, 0, 0]);
    bench.wake();
    assert_eq!(bench.take(), 0);
    assert!(bench.host.controller.counters().invalid_doorbells > 0);
}

#[test]
fn a_new_queue_begins_with_event_index_0() {
    let mut bench = Bench::new(0);
    bench.submit(5);
    bench.wake();
    assert_eq!(bench.tail_event(), 5);
    bench.host.admin(command(0x00, 0).dw(10, 2)).ok();
    bench.host.admin(command(0x04, 0).dw(10, 2)).ok();
    let [tail, head] = [bench.tail_offset(), bench.head_offset()];
    bench.host.memory.set(bench.shadow + tail, &[0; 4]);
    bench.host.memory.set(bench.shadow + head, &[0; 4]);
    bench.pair = bench.host.make_pair(2, 8, 8);
    assert_eq!(bench.tail_event(), 0);
    bench.submit(1);
    bench.wake();
    assert_eq!(bench.take(), 1);
}

#[test]
fn queues_that_are_there_go_on_with_shadows() {
    let mut host = Host::with(Config {
        doorbell_buffer: true,
        io_queues: 8,
        ..Config::default()
    });
    let mut pair = host.make_pair(2, 8, 8);
    let page = host.memory.pages(2);
    for _ in 0..3 {
        host.io(&mut pair, read(0, 1, page)).ok();
    }
    let [shadow, event] = [(); 2].map(|()| host.memory.pages(1));
    for offset in [16, 20] {
        host.memory.set(shadow + offset, &3_u32.to_le_bytes());
    }
    host.admin(command(0x7c, 0).prp(shadow, event)).ok();
    assert_eq!(host.memory.get64(event + 16), 0x3_0000_0003);
    let mut bench = Bench {
        host,
        pair,
        shadow,
        event,
        page,
    };
    bench.submit(2);
    bench.wake();
    assert_eq!(bench.take(), 2);
}

#[test]
fn the_buffers_must_be_pages_and_end_with_a_reset() {
    let mut bench = Bench::new(0);
    for [shadow, event] in [[4, 0], [0, 4]] {
        let config = command(0x7c, 0).prp(bench.shadow + shadow, bench.event + event);
        bench.host.admin(config).fails(Status::INVALID_FIELD);
    }
    bench.host.controller.write32(CC, 0);
    bench.host.run();
    let host = &mut bench.host;
    host.memory.unmap(bench.shadow..bench.event + PAGE);
    host.admin = Pair::new(&host.memory, 0, 32, 32);
    host.enable();
    let mut pair = host.make_pair(2, 8, 8);
    host.io(&mut pair, read(0, 1, bench.page)).ok();
    assert_eq!(host.memory.refused(), 0);
}

#[test]
fn buffers_that_are_not_mapped_are_fatal() {
    let mut bench = Bench::new(0);
    bench.host.memory.unmap(bench.shadow..bench.shadow + PAGE);
    bench.wake();
    assert_eq!(bench.host.controller.read32(CSTS), CSTS_RDY | CSTS_CFS);
}

#[test]
fn a_command_added_while_event_index_is_written_is_not_missed() {
    let mut bench = Bench::new(0);
    bench.submit(1);
    let entry = read(7, 1, bench.page);
    bench.host.write(&mut bench.pair, entry);
    // The host has looked at EventIdx (0), and writes its shadow just after the
    // controller has written EventIdx (1).
    let offset = bench.tail_offset();
    let memory = &bench.host.memory;
    memory.set_on_write(bench.event + offset, bench.shadow + offset, 2);
    let doorbell = bench.host.tail_doorbell(2);
    bench.host.controller.write32(doorbell, 1);
    bench.host.run();
    assert_eq!(bench.take(), 2);
}

#[test]
fn room_made_while_event_index_is_written_is_not_missed() {
    let mut bench = Bench::new(0);
    bench.submit(7);
    bench.wake();
    assert_eq!(bench.host.take(&mut bench.pair).len(), 7);
    bench.submit(2);
    let offset = bench.head_offset();
    let memory = &bench.host.memory;
    memory.set_on_write(bench.event + offset, bench.shadow + offset, 7);
    bench.wake();
    assert_eq!(bench.take(), 2);
}

#[test]
fn completions_that_wait_for_room_are_posted_once_it_is_told() {
    let mut bench = Bench::new(0);
    let twice = Script::one(Event::Completion(7), Action::Twice);
    bench.host.controller.play(twice).unwrap();
    bench.submit(7);
    bench.wake();
    // The eighth does not fit, and no command waits with it.
    assert_eq!(bench.take(), 7);
    bench.host.run();
    assert_eq!(bench.take(), 0);
    assert_eq!(bench.head_event(), 0);
    let doorbell = bench.host.head_doorbell(2);
    bench.host.controller.write32(doorbell, bench.pair.head);
    bench.host.run();
    assert_eq!(bench.take(), 1);
}
