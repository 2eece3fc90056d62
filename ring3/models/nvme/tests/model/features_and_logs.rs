//! Features and log pages.

use nvme_model::{Config, Status};

use crate::host::*;

fn get(feature: u32) -> Command {
    command(0x0a, 0).dw(10, feature)
}

fn set(feature: u32, value: u32) -> Command {
    command(0x09, 0).dw(10, feature).dw(11, value)
}

#[test]
fn features_keep_what_is_set_and_know_their_defaults() {
    let mut host = Host::with(Config {
        write_cache: true,
        ..Config::default()
    });
    let cases = [
        // feature, default, set, then
        (0x01, 3, 0x0403_0207, 0x0403_0207),
        (0x02, 0, 0, 0),
        (0x04, 0xffff, 350, 350),
        (0x05, 0, 0x1234, 0x1234),
        (0x06, 1, 0, 0),
        (0x08, 0, 0x0a05, 0x0a05),
        (0x09, 0, 1 << 16, 1 << 16),
        (0x0a, 0, 1, 1),
        (0x0b, 0, 0x1ff, 0x1ff),
    ];
    for (feature, default, value, then) in cases {
        assert_eq!(host.admin(get(feature)).ok(), default, "{feature:#x}");
        host.admin(set(feature, value)).ok();
        assert_eq!(host.admin(get(feature)).ok(), then, "{feature:#x}");
        for select in [1, 2] {
            let default_now = host.admin(get(feature | select << 8)).ok();
            assert_eq!(default_now, default, "{feature:#x}");
        }
        assert_eq!(host.admin(get(feature | 3 << 8)).ok(), 0b100);
    }
}

#[test]
fn features_refuse_what_they_cannot_be() {
    let mut host = Host::new();
    host.admin(get(0x7f)).fails(Status::INVALID_FIELD);
    host.admin(set(0x7f, 0)).fails(Status::INVALID_FIELD);
    host.admin(get(0x06)).fails(Status::INVALID_FIELD); // no write cache
    host.admin(set(0x06, 0)).fails(Status::INVALID_FIELD);
    host.admin(set(0x02, 1)).fails(Status::INVALID_FIELD); // one power state
    host.admin(set(0x05, 1 << 16)).fails(Status::INVALID_FIELD); // DULBE
    host.admin(set(0x04, 2 << 20)).fails(Status::INVALID_FIELD); // THSEL
    host.admin(get(0x04).dw(11, 1 << 16))
        .fails(Status::INVALID_FIELD); // TMPSEL
    host.admin(set(0x09, 65)).fails(Status::INVALID_FIELD); // 65 vectors
    host.admin(get(0x01 | 4 << 8)).fails(Status::INVALID_FIELD);
    host.admin(set(0x01 | 1 << 31, 0))
        .fails(Status::FEATURE_NOT_SAVEABLE);
    host.admin(set(0x01, 0).dw(1, 1))
        .fails(Status::FEATURE_NOT_NAMESPACE_SPECIFIC);
    assert_eq!(host.admin(get(0x01)).ok(), 3);
}

#[test]
fn the_number_of_queues_is_negotiated_before_any_is_made() {
    let mut host = Host::with(Config {
        io_queues: 10,
        ..Config::default()
    });
    assert_eq!(host.admin(get(7)).ok(), 0x0009_0009);
    host.admin(set(7, 0xffff)).fails(Status::INVALID_FIELD);
    host.admin(set(7, 0xffff_0000)).fails(Status::INVALID_FIELD);
    assert_eq!(host.admin(set(7, 0x0063_0001)).ok(), 0x0009_0001);
    assert_eq!(host.admin(get(7)).ok(), 0x0009_0001);
    let third = Pair::new(&host.memory, 3, 4, 4);
    host.admin(create_cq(&third, 0)).ok();
    host.admin(create_sq(&third))
        .fails(Status::INVALID_QUEUE_IDENTIFIER);
    host.admin(set(7, 0x0001_0001))
        .fails(Status::COMMAND_SEQUENCE_ERROR);
}

#[test]
fn the_error_log_has_the_newest_first() {
    let mut host = Host::new();
    assert_eq!(host.log_page(1, 4096, false), [0; 4096]);
    let mut pair = host.make_pair(1, 8, 8);
    let page = host.memory.pages(2);
    for i in 0..70 {
        host.io(&mut pair, read(u64::MAX - 100 + i, 1, page))
            .fails(Status::LBA_OUT_OF_RANGE);
    }
    let log = host.log_page(1, 4096, false);
    for (i, entry) in log.chunks(64).enumerate() {
        let nth = 70 - i as u64;
        assert_eq!(entry[..8], nth.to_le_bytes());
        assert_eq!(entry[8..10], [1, 0]); // queue
        assert_eq!(entry[10..12], (99 + nth as u16).to_le_bytes());
        let status = (Status::LBA_OUT_OF_RANGE.0 | MORE) << 1;
        assert_eq!(entry[12..14], status.to_le_bytes());
        assert_eq!(entry[16..24], (u64::MAX - 101 + nth).to_le_bytes());
        assert_eq!(entry[24..28], [1, 0, 0, 0]);
    }
    assert_eq!(host.controller.counters().failed_commands, 70);
}

#[test]
fn the_health_log_counts() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 8, 8);
    let pages = host.memory.pages(2);
    for _ in 0..3 {
        host.io(&mut pair, write(0, 16, pages)).ok();
    }
    for _ in 0..126 {
        host.io(&mut pair, read(0, 8, pages)).ok();
    }
    host.io(&mut pair, command(0x04, 1).blocks(0, 1)).ok();
    host.io(&mut pair, read(0, 1, pages))
        .fails(Status::UNRECOVERED_READ_ERROR);
    let log = host.log_page(2, 512, false);
    let counter = |at: usize| u128::from_le_bytes(log[at..at + 16].try_into().unwrap());
    assert_eq!(log[0], 0);
    assert_eq!(log[1..3], 300_u16.to_le_bytes());
    assert_eq!(log[3..6], [100, 10, 0]);
    assert_eq!(counter(32), 2); // 1008 blocks read, in thousands
    assert_eq!(counter(48), 1); // 48 written
    assert_eq!(counter(64), 126);
    assert_eq!(counter(80), 3);
    assert_eq!(counter(112), 1); // power cycles
    assert_eq!(counter(144), 0); // unsafe shutdowns
    assert_eq!(counter(160), 1); // media errors
    assert_eq!(counter(176), 1); // error log entries
    assert_eq!(log[192..], [0; 320]);
}

#[test]
fn temperature_beyond_a_threshold_is_a_warning_and_an_event() {
    let mut host = Host::new();
    host.admin(set(0x04, 350)).ok(); // over
    host.admin(set(0x04, 1 << 20 | 280)).ok(); // under
    host.admin_later(command(0x0c, 0));
    host.controller.set_temperature(360);
    host.run();
    assert_eq!(host.reap_admin(), []); // not asked for
    host.admin_later(set(0x0b, 0b10));
    let completions = host.reap_admin();
    assert_eq!(completions.len(), 2);
    assert_eq!(completions[1].ok(), 0x02_01_01);
    assert_eq!(host.log_page(2, 512, false)[..3], [0b10, 104, 1]);
    host.controller.set_temperature(300);
    assert_eq!(host.log_page(2, 512, false)[0], 0);
    host.controller.set_temperature(280);
    assert_eq!(host.log_page(2, 512, false)[0], 0b10);
}

#[test]
fn log_pages_are_read_in_parts() {
    let mut host = Host::new();
    let page = host.memory.pages(2);
    let whole = host.log_page(5, 4096, false);
    let get = command(0x02, 0).dw(10, 5 | 3 << 16).prp(page, 0);
    host.admin(get.dw(12, 1024)).ok();
    assert_eq!(host.memory.get(page, 16), whole[1024..1040]);
    host.admin(get.dw(12, 4096)).ok(); // at the end: nothing
    host.admin(get.dw(12, 4100)).fails(Status::INVALID_FIELD);
    host.admin(get.dw(12, 2)).fails(Status::INVALID_FIELD);
    host.admin(get.dw(13, 1)).fails(Status::INVALID_FIELD);
    host.admin(get.dw(14, 1 << 23)).fails(Status::INVALID_FIELD);
    host.admin(get.dw(10, 0x70)).fails(Status::INVALID_LOG_PAGE);
    // Longer than MDTS.
    host.admin(get.dw(10, 5 | 0xffff << 16).dw(11, 2))
        .fails(Status::INVALID_FIELD);
}

#[test]
fn the_effects_log_names_what_is_offered() {
    let mut host = Host::with(Config {
        optional_commands: nvme_model::optional::COMPARE,
        doorbell_buffer: true,
        ..Config::default()
    });
    let log = host.log_page(5, 4096, false);
    let supported = |base: usize, opcodes: &[u8]| {
        for opcode in 0..=255_u8 {
            let is_there = log[base + 4 * usize::from(opcode)] & 1 != 0;
            assert_eq!(is_there, opcodes.contains(&opcode), "{opcode:#x}");
        }
    };
    supported(0, &[0, 1, 2, 4, 5, 6, 8, 9, 0x0a, 0x0c, 0x7c, 0x80]);
    supported(1024, &[0, 1, 2, 5]);
    assert_eq!(log[4 * 0x80], 0b111); // format changes data and namespace
}

#[test]
fn the_other_logs_are_there() {
    let mut host = Host::new();
    let slots = host.log_page(3, 512, false);
    assert_eq!(slots[0], 1);
    assert_eq!(slots[8..16], *b"1.0     ");
    let supported = host.log_page(0, 1024, false);
    let ids: Vec<_> = (0..256).filter(|i| supported[4 * i] & 1 != 0).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
}
