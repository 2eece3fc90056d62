//! I/O queues: their making and deletion, doorbells, wrapping, interrupts.

use std::time::Duration;

use nvme_model::{Config, InterruptMode, Status};

use crate::host::*;

#[test]
fn a_queue_wraps_with_its_phase_for_many_rounds() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 3, 2);
    let page = host.memory.pages(2);
    for i in 0..50_u16 {
        let completion = host.io(&mut pair, read(i.into(), 1, page));
        completion.ok();
        assert_eq!(completion.sq_head, (i + 1) % 3);
    }
}

#[test]
fn a_full_completion_queue_stops_fetching_until_there_is_room() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 16, 4);
    let page = host.memory.pages(2);
    for lba in 0..10 {
        host.write(&mut pair, read(lba, 1, page));
    }
    host.ring(&pair);
    let mut ends = Vec::new();
    for round in [3, 3, 3, 1] {
        host.run();
        let completions = host.reap(&mut pair);
        assert_eq!(completions.len(), round);
        ends.extend(completions.iter().map(|completion| completion.id));
    }
    assert_eq!(ends, (100..110).collect::<Vec<_>>());
}

#[test]
fn two_submission_queues_share_a_completion_queue_in_turns() {
    let mut host = Host::new();
    let mut first = host.make_pair(1, 32, 64);
    let mut second = Pair::new(&host.memory, 2, 32, 2);
    let shared = create_sq(&second).dw(11, 1 << 16 | 1);
    host.admin(shared).ok();
    let page = host.memory.pages(2);
    for lba in 0..16 {
        host.write(&mut first, read(lba, 1, page));
        host.write(&mut second, read(lba, 1, page));
    }
    host.ring(&first);
    host.ring(&second);
    host.run();
    let queues: Vec<_> = host.reap(&mut first).iter().map(|c| c.sq_id).collect();
    // Bursts of 8 (arbitration burst 3).
    let expected: Vec<_> = [1, 2, 1, 2].iter().flat_map(|id| [*id; 8]).collect();
    assert_eq!(queues, expected);

    // Not while a submission queue uses it.
    host.admin(command(0x00, 0).dw(10, 1)).ok();
    host.admin(command(0x04, 0).dw(10, 1))
        .fails(Status::INVALID_QUEUE_DELETION);
    host.admin(command(0x00, 0).dw(10, 2)).ok();
    host.admin(command(0x04, 0).dw(10, 1)).ok();
}

#[test]
fn a_completion_queue_is_refused_as_the_specification_says() {
    let mut host = Host::with(Config {
        max_queue_entries: 128,
        io_queues: 4,
        interrupts: InterruptMode::Msix(3),
        ..Config::default()
    });
    let pair = Pair::new(&host.memory, 1, 8, 8);
    let good = create_cq(&pair, 2);
    let cases = [
        (good.dw(10, 7 << 16), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(10, 7 << 16 | 5), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(10, 1), Status::INVALID_QUEUE_SIZE),
        (good.dw(10, 128 << 16 | 1), Status::INVALID_QUEUE_SIZE),
        (good.dw(11, 2 << 16 | 2), Status::INVALID_FIELD), // not contiguous
        (good.dw(11, 3 << 16 | 3), Status::INVALID_INTERRUPT_VECTOR),
        (good.prp(pair.cq + 16, 0), Status::INVALID_PRP_OFFSET),
    ];
    for (command, status) in cases {
        host.admin(command).fails(status);
    }
    host.admin(good).ok();
    host.admin(good).fails(Status::INVALID_QUEUE_IDENTIFIER);
    host.admin(good.dw(10, 127 << 16 | 2)).ok();
}

#[test]
fn a_submission_queue_is_refused_as_the_specification_says() {
    let mut host = Host::with(Config {
        max_queue_entries: 128,
        io_queues: 4,
        ..Config::default()
    });
    let pair = Pair::new(&host.memory, 1, 8, 8);
    let good = create_sq(&pair);
    host.admin(good).fails(Status::COMPLETION_QUEUE_INVALID);
    host.admin(create_cq(&pair, 0)).ok();
    let cases = [
        (good.dw(10, 7 << 16), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(10, 7 << 16 | 5), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(11, 1), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(11, 5 << 16 | 1), Status::INVALID_QUEUE_IDENTIFIER),
        (good.dw(11, 2 << 16 | 1), Status::COMPLETION_QUEUE_INVALID),
        (good.dw(10, 1), Status::INVALID_QUEUE_SIZE),
        (good.dw(10, 128 << 16 | 1), Status::INVALID_QUEUE_SIZE),
        (good.dw(11, 1 << 16), Status::INVALID_FIELD),
        (good.prp(pair.sq + 64, 0), Status::INVALID_PRP_OFFSET),
    ];
    for (command, status) in cases {
        host.admin(command).fails(status);
    }
    host.admin(good).ok();
    host.admin(good).fails(Status::INVALID_QUEUE_IDENTIFIER);
}

#[test]
fn entry_sizes_must_be_set_before_queues_are_made() {
    let mut host = Host::new();
    host.controller.write32(CC, CC_ENABLE & !(0xf << 20));
    let pair = Pair::new(&host.memory, 1, 8, 8);
    host.admin(create_cq(&pair, 0))
        .fails(Status::INVALID_QUEUE_SIZE);
    host.controller.write32(CC, CC_ENABLE & !(0xf << 16));
    host.admin(create_cq(&pair, 0)).ok();
    host.admin(create_sq(&pair))
        .fails(Status::INVALID_QUEUE_SIZE);
    host.controller.write32(CC, CC_ENABLE);
    host.admin(create_sq(&pair)).ok();
}

#[test]
fn queues_that_are_not_there_cannot_be_deleted() {
    let mut host = Host::new();
    for opcode in [0x00, 0x04] {
        for id in [0, 1, 64, 65, 0xffff] {
            host.admin(command(opcode, 0).dw(10, id))
                .fails(Status::INVALID_QUEUE_IDENTIFIER);
        }
    }
}

#[test]
fn deleting_a_queue_ends_what_was_fetched_from_it() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 8, 8);
    let page = host.memory.pages(2);
    host.controller
        .play(nvme_model::Script::one(
            nvme_model::Event::Command(1),
            nvme_model::Action::Delay(Duration::from_secs(1)),
        ))
        .unwrap();
    let id = host.write(&mut pair, read(0, 1, page));
    host.ring(&pair);
    host.run();
    host.admin(command(0x00, 0).dw(10, 1)).ok();
    let completions = host.reap(&mut pair);
    assert_eq!(completions.len(), 1);
    assert_eq!(completions[0].id, id);
    assert_eq!(completions[0].status, Status::ABORTED_SQ_DELETION.0);
    let writes = host.memory.writes();
    host.wait(Duration::from_secs(2));
    assert_eq!(host.memory.writes(), writes);
}

#[test]
fn invalid_doorbells_are_counted_ignored_and_told_by_an_event() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 4, 4);
    let page = host.memory.pages(2);
    let tail = host.tail_doorbell(1);
    let head = host.head_doorbell(1);
    let event = host.admin_later(command(0x0c, 0));
    // Beyond the queue, unchanged, more taken than was posted.
    for (doorbell, value) in [(tail, 4), (tail, 0), (tail, 0x1_0001), (head, 1), (head, 4)] {
        host.controller.write32(doorbell, value);
        host.run();
    }
    assert_eq!(host.controller.counters().invalid_doorbells, 5);
    let completions = host.reap_admin();
    assert_eq!(completions.len(), 1);
    assert_eq!(completions[0].id, event);
    assert_eq!(completions[0].ok(), 0x01_01_00); // error log, invalid value
    host.io(&mut pair, read(0, 1, page)).ok();

    // A queue that is not there. Its event waits until the log was read.
    host.admin_later(command(0x0c, 0));
    host.controller.write32(host.tail_doorbell(2), 1);
    host.run();
    assert_eq!(host.reap_admin(), []);
    let event = host.log_page(0x01, 64, false);
    assert_eq!(event.len(), 64);
    host.run();
    // One more "invalid value" waited since before.
    let results: Vec<_> = host.reap_admin().iter().map(|c| c.ok()).collect();
    assert_eq!(results, [0x01_01_00]);
}

#[test]
fn more_than_the_queue_holds_cannot_be_submitted() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 4, 2);
    let page = host.memory.pages(2);
    for lba in 0..3 {
        host.write(&mut pair, read(lba, 1, page));
    }
    host.ring(&pair);
    host.run();
    // One was fetched, two wait for room: one more fits, not two.
    let tail = host.tail_doorbell(1);
    host.controller.write32(tail, 1);
    assert_eq!(host.controller.counters().invalid_doorbells, 1);
    host.controller.write32(tail, 0);
    assert_eq!(host.controller.counters().invalid_doorbells, 1);
}

#[test]
fn doorbells_lie_a_stride_apart() {
    let mut host = Host::with(Config {
        doorbell_stride: 3,
        ..Config::default()
    });
    let mut pair = host.make_pair(5, 4, 4);
    let page = host.memory.pages(2);
    assert_eq!(host.tail_doorbell(5), 0x1000 + 10 * 32);
    for _ in 0..9 {
        host.io(&mut pair, read(0, 1, page)).ok();
    }
}

#[test]
fn each_queue_raises_its_own_vector() {
    let mut host = Host::with(Config {
        interrupts: InterruptMode::Msix(200),
        ..Config::default()
    });
    let page = host.memory.pages(2);
    let mut pairs = Vec::new();
    for (id, vector) in [(1, 130), (2, 63), (3, 64)] {
        let pair = Pair::new(&host.memory, id, 8, 8);
        host.admin(create_cq(&pair, vector)).ok();
        host.admin(create_sq(&pair)).ok();
        pairs.push(pair);
    }
    // The fourth has interrupts off.
    let quiet = Pair::new(&host.memory, 4, 8, 8);
    host.admin(create_cq(&quiet, 7).dw(11, 7 << 16 | 1)).ok();
    host.admin(create_sq(&quiet)).ok();
    pairs.push(quiet);
    assert_eq!(host.controller.interrupts().collect::<Vec<_>>(), [0]);
    for pair in &mut pairs {
        for _ in 0..2 {
            host.io(pair, read(0, 1, page)).ok();
        }
    }
    let raised: Vec<_> = host.controller.interrupts().collect();
    assert_eq!(raised, [63, 64, 130]);
    assert_eq!(host.controller.interrupts().next(), None);
    assert_eq!(host.controller.counters().interrupts, 1 + 3);
}

#[test]
fn a_pin_stays_up_until_all_is_taken_and_can_be_masked() {
    let mut host = Host::with(Config {
        interrupts: InterruptMode::Pin,
        ..Config::default()
    });
    assert_eq!(host.controller.interrupts().next(), None);
    let mut admin = host.admin.clone();
    for _ in 0..2 {
        host.write(&mut admin, command(0x0a, 0).dw(10, 7));
    }
    host.ring(&admin);
    host.run();
    for _ in 0..3 {
        assert_eq!(host.controller.interrupts().collect::<Vec<_>>(), [0]);
    }
    host.controller.write32(INTMS, 1);
    assert_eq!(host.controller.read32(INTMC), 1);
    assert_eq!(host.controller.interrupts().next(), None);
    host.controller.write32(INTMC, 1);
    assert_eq!(host.controller.read32(INTMS), 0);
    assert_eq!(host.controller.interrupts().next(), Some(0));
    let head = host.head_doorbell(0);
    host.controller.write32(head, 1);
    assert_eq!(host.controller.interrupts().next(), Some(0));
    host.controller.write32(head, 2);
    assert_eq!(host.controller.interrupts().next(), None);
    // A reset takes the mask away.
    host.controller.write32(INTMS, 0xffff);
    host.controller.write32(CC, 0);
    host.run();
    assert_eq!(host.controller.read32(INTMS), 0);
}

#[test]
fn a_pin_falls_with_the_queue_that_held_it_up() {
    let mut host = Host::with(Config {
        interrupts: InterruptMode::Pin,
        ..Config::default()
    });
    let mut pair = host.make_pair_at(1, 4, 4, 0);
    let page = host.memory.pages(2);
    host.write(&mut pair, read(0, 1, page));
    host.ring(&pair);
    host.run();
    assert_eq!(host.controller.interrupts().next(), Some(0));
    host.admin(command(0x00, 0).dw(10, 1)).ok();
    assert_eq!(host.controller.interrupts().next(), Some(0));
    host.admin(command(0x04, 0).dw(10, 1)).ok();
    assert_eq!(host.controller.interrupts().next(), None);
}

#[test]
fn one_queue_pair_and_one_vector_suffice() {
    let mut host = Host::with(Config {
        io_queues: 1,
        interrupts: InterruptMode::Msix(1),
        ..Config::default()
    });
    let number = command(0x09, 0).dw(10, 7).dw(11, 0x0007_0007);
    assert_eq!(host.admin(number).ok(), 0);
    let mut pair = Pair::new(&host.memory, 1, 4, 4);
    host.admin(create_cq(&pair, 0)).ok();
    host.admin(create_sq(&pair)).ok();
    let page = host.memory.pages(2);
    host.io(&mut pair, read(0, 8, page)).ok();
    let second = Pair::new(&host.memory, 2, 4, 4);
    host.admin(create_cq(&second, 0))
        .fails(Status::INVALID_QUEUE_IDENTIFIER);
}

#[test]
fn a_step_fetches_no_more_than_it_may() {
    let mut host = Host::with(Config {
        commands_per_step: 3,
        ..Config::default()
    });
    let mut pair = host.make_pair(1, 32, 32);
    let page = host.memory.pages(2);
    for _ in 0..7 {
        host.write(&mut pair, read(0, 1, page));
    }
    host.ring(&pair);
    for expected in [3, 3, 1, 0] {
        host.controller.step(host.now);
        assert_eq!(host.reap(&mut pair).len(), expected);
    }
}
