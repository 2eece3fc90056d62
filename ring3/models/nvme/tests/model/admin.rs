//! Identify, Abort, asynchronous events, Format NVM, namespaces that come and
//! go.

use std::time::Duration;

use nvme_model::{Action, Config, Event, NamespaceConfig, Script, Status};

use crate::host::*;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn identify_controller_tells_the_configuration() {
    let mut host = Host::with(Config {
        vendor: 0x1234,
        serial: "S1".into(),
        model: "A model".into(),
        firmware: "fw".into(),
        mdts: 5,
        sgl: true,
        doorbell_buffer: true,
        write_cache: true,
        optional_commands: 0b1001,
        async_event_requests: 9,
        aborts: 3,
        max_namespaces: 77,
        ..Config::default()
    });
    let data = host.identify(1, 0);
    assert_eq!(data[..4], [0x34, 0x12, 0x34, 0x12]); // VID, SSVID
    assert_eq!(data[4..24], *b"S1                  ");
    assert_eq!(&data[24..64], format!("{:40}", "A model").as_bytes());
    assert_eq!(data[64..72], *b"fw      ");
    assert_eq!(data[77], 5); // MDTS
    assert_eq!(u32_at(&data, 80), 0x0002_0000); // VER
    assert_eq!(u32_at(&data, 92), 1 << 8); // OAES
    assert_eq!(data[111], 1); // CNTRLTYPE
    assert_eq!(u16_at(&data, 256), 1 << 8 | 1 << 1); // OACS
    assert_eq!(data[258], 2); // ACL
    assert_eq!(data[259], 8); // AERL
    assert_eq!(data[262], 63); // ELPE
    assert_eq!(data[512..514], [0x66, 0x44]); // SQES, CQES
    assert_eq!(u32_at(&data, 516), 77); // NN
    assert_eq!(u16_at(&data, 520), 0b1_1001); // ONCS
    assert_eq!(data[525], 0b111); // VWC
    assert_eq!(u32_at(&data, 536), 1 << 16 | 1); // SGLS
    assert_eq!(data[768..775], *b"nqn.201");

    let plain = Host::new().identify(1, 0);
    assert_eq!(u16_at(&plain, 256), 1 << 1);
    assert_eq!(plain[525], 0b110);
    assert_eq!(u32_at(&plain, 536), 0);
}

#[test]
fn identify_namespace_tells_size_and_formats() {
    let mut host = Host::with(Config {
        namespaces: vec![NamespaceConfig {
            id: 3,
            blocks: 1000,
            formats: vec![9, 10, 12],
            format: 2,
        }],
        ..Config::default()
    });
    let data = host.identify(0, 3);
    assert_eq!(u64_at(&data, 0), 1000); // NSZE
    assert_eq!(u64_at(&data, 8), 1000); // NCAP
    assert_eq!(u64_at(&data, 16), 0); // NUSE
    assert_eq!(data[25], 2); // NLBAF
    assert_eq!(data[26], 2); // FLBAS
    assert_eq!(u64_at(&data, 48), 4_096_000); // NVMCAP
    let shifts: Vec<_> = (0..4).map(|i| data[128 + 4 * i + 2]).collect();
    assert_eq!(shifts, [9, 10, 12, 0]); // LBADS
    assert_eq!(host.identify(0, 2), [0; 4096]); // valid, not active
    for id in [0, 17, u32::MAX] {
        host.admin(command(0x06, id).prp(host.memory.pages(1), 0))
            .fails(Status::INVALID_NAMESPACE_OR_FORMAT);
    }
}

#[test]
fn active_namespaces_are_listed_after_the_given_one() {
    let mut host = Host::with(Config {
        max_namespaces: 3000,
        namespaces: [2, 5, 9].map(|id| NamespaceConfig::new(id, 8)).to_vec(),
        ..Config::default()
    });
    let mut list = |nsid| {
        let data = host.identify(2, nsid);
        let ids = (0..1024).map(|i| u32_at(&data, 4 * i));
        ids.take_while(|id| *id != 0).collect::<Vec<_>>()
    };
    assert_eq!(list(0), [2, 5, 9]);
    assert_eq!(list(2), [5, 9]);
    assert_eq!(list(9), []);
    host.admin(command(0x06, u32::MAX - 1).prp(0, 0).dw(10, 2))
        .fails(Status::INVALID_NAMESPACE_OR_FORMAT);

    for id in (1..=3000).filter(|id| ![2, 5, 9].contains(id)) {
        let namespace = NamespaceConfig::new(id, 8);
        host.controller.add_namespace(&namespace).unwrap();
    }
    let data = host.identify(2, 0);
    assert_eq!(u32_at(&data, 4092), 1024);
    let data = host.identify(2, 2048);
    assert_eq!((u32_at(&data, 0), u32_at(&data, 4 * 951)), (2049, 3000));
    assert_eq!(u32_at(&data, 4 * 952), 0);
}

#[test]
fn no_namespace_is_an_empty_list() {
    let mut host = Host::with(Config {
        namespaces: vec![],
        ..Config::default()
    });
    assert_eq!(host.identify(2, 0), [0; 4096]);
    let mut pair = host.make_pair(1, 4, 4);
    let page = host.memory.pages(2);
    host.io(&mut pair, read(0, 1, page))
        .fails(Status::INVALID_FIELD);
}

#[test]
fn namespace_descriptors_have_an_identifier_of_their_own() {
    let mut host = Host::with(Config {
        namespaces: [1, 2].map(|id| NamespaceConfig::new(id, 8)).to_vec(),
        ..Config::default()
    });
    let [first, second] = [1, 2].map(|id| host.identify(3, id));
    assert_eq!(first[..4], [2, 16, 0, 0]); // NGUID
    assert_ne!(first[4..20], [0; 16]);
    assert_ne!(first[4..20], second[4..20]);
    assert_eq!(first[4..20], host.identify(0, 1)[104..120]);
    assert_eq!(first[20..25], [4, 1, 0, 0, 0]); // command set: NVM
    assert_eq!(first[25..32], [0; 7]);
    host.admin(command(0x06, 3).prp(host.memory.pages(1), 0).dw(10, 3))
        .fails(Status::INVALID_FIELD);
}

#[test]
fn unknown_opcodes_and_fields_are_refused() {
    let mut host = Host::with(Config {
        sgl: true,
        ..Config::default()
    });
    let page = host.memory.pages(1);
    host.admin(command(0x55, 0)).fails(Status::INVALID_OPCODE);
    host.admin(command(0x7c, 0).prp(page, page))
        .fails(Status::INVALID_OPCODE); // not offered
    host.admin(command(0x06, 0).prp(page, 0).dw(10, 0x77))
        .fails(Status::INVALID_FIELD);
    // An SGL in an admin command, and a fused one.
    let identify = command(0x06, 0).prp(page, 0).dw(10, 1);
    host.admin(identify.dw(0, 0x06 | 1 << 14))
        .fails(Status::INVALID_FIELD);
    host.admin(identify.dw(0, 0x06 | 1 << 8))
        .fails(Status::INVALID_FIELD);
    // Pages that are not mapped.
    host.memory.unmap(page..page + PAGE);
    host.admin(identify).fails(Status::DATA_TRANSFER_ERROR);
    assert_eq!(host.memory.refused(), 1);
}

#[test]
fn abort_ends_a_command_that_waits_and_no_other() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 8, 8);
    let page = host.memory.pages(2);
    let abort = |sq: u16, id: u16| command(0x08, 0).dw(10, u32::from(id) << 16 | u32::from(sq));
    assert_eq!(host.admin(abort(1, 100)).ok(), 1);
    host.controller
        .play(Script::one(
            Event::Command(1),
            Action::Delay(Duration::from_secs(1)),
        ))
        .unwrap();
    let id = host.write(&mut pair, read(0, 8, page));
    host.ring(&pair);
    host.run();
    assert_eq!(host.admin(abort(2, id)).ok(), 1);
    assert_eq!(host.admin(abort(1, id)).ok(), 0);
    let completions = host.reap(&mut pair);
    assert_eq!(completions.len(), 1);
    assert_eq!(completions[0].id, id);
    assert_eq!(completions[0].status, Status::ABORT_REQUESTED.0);
    let writes = host.memory.writes();
    host.wait(Duration::from_secs(2));
    assert_eq!(host.memory.writes(), writes);

    // An Asynchronous Event Request.
    let event = host.admin_later(command(0x0c, 0));
    host.admin_later(abort(0, event));
    let completions = host.reap_admin();
    assert_eq!(completions.len(), 2);
    assert_eq!(completions[0].id, event);
    assert_eq!(completions[0].status, Status::ABORT_REQUESTED.0);
    assert_eq!(completions[1].ok(), 0);
}

#[test]
fn aborts_beyond_the_limit_are_refused() {
    let mut host = Host::with(Config {
        aborts: 2,
        ..Config::default()
    });
    let delay = |nth| nvme_model::Rule {
        at: Event::Command(nth),
        action: Action::Delay(Duration::from_secs(1)),
    };
    let script = Script(vec![delay(1), delay(2)]);
    host.controller.play(script).unwrap();
    host.admin_later(command(0x08, 0));
    host.admin_later(command(0x08, 0));
    host.admin(command(0x08, 0))
        .fails(Status::ABORT_LIMIT_EXCEEDED);
    host.wait(Duration::from_secs(1));
    let ends: Vec<_> = host.reap_admin().iter().map(|c| c.ok()).collect();
    assert_eq!(ends, [1, 1]);
}

#[test]
fn an_identifier_that_is_outstanding_cannot_be_used_again() {
    let mut host = Host::new();
    let event = host.admin_later(command(0x0c, 0));
    let mut admin = host.admin.clone();
    host.write_as(&mut admin, command(0x0a, 0).dw(10, 7).id(event));
    host.ring(&admin);
    host.run();
    host.admin = admin;
    let completions = host.reap_admin();
    assert_eq!(completions.len(), 1);
    completions[0].fails(Status::COMMAND_ID_CONFLICT);
}

#[test]
fn event_requests_are_limited_and_reset_forgets_them() {
    let mut host = Host::with(Config {
        async_event_requests: 2,
        ..Config::default()
    });
    host.admin_later(command(0x0c, 0));
    host.admin_later(command(0x0c, 0));
    host.admin(command(0x0c, 0))
        .fails(Status::ASYNC_EVENT_LIMIT_EXCEEDED);
    host.controller.write32(CC, 0);
    host.run();
    host.admin = Pair::new(&host.memory, 0, 32, 32);
    host.enable();
    for (feature, value) in [(0x0b, 0b10), (0x04, 350)] {
        let set = command(0x09, 0).dw(10, feature).dw(11, value);
        host.admin(set).ok();
    }
    host.controller.set_temperature(500);
    host.run();
    assert_eq!(host.reap_admin(), []);
    // The event waits for a request of this life.
    let event = host.admin_later(command(0x0c, 0));
    host.run();
    assert_eq!(host.reap_admin()[0].id, event);
}

#[test]
fn namespace_changes_are_told_once_until_the_log_is_read() {
    let mut host = Host::new();
    host.admin(command(0x09, 0).dw(10, 0x0b).dw(11, 1 << 8))
        .ok();
    host.admin_later(command(0x0c, 0));
    host.admin_later(command(0x0c, 0));
    let controller = &mut host.controller;
    controller.resize_namespace(1, 1 << 16).unwrap();
    controller
        .add_namespace(&NamespaceConfig::with_4096(4, 100))
        .unwrap();
    host.run();
    let completions = host.reap_admin();
    assert_eq!(completions.len(), 1);
    assert_eq!(completions[0].ok(), 0x04_00_02);
    host.controller.remove_namespace(1).unwrap();
    host.run();
    assert_eq!(host.reap_admin(), []);

    let list = host.log_page(0x04, 4096, true);
    assert_eq!(list[..12], [1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(host.reap_admin(), []); // retained
    assert_eq!(host.log_page(0x04, 4096, false), list);
    host.run();
    // Of the second change, in the list too, the host is told again.
    assert_eq!(host.reap_admin().len(), 1);
    assert_eq!(host.log_page(0x04, 4096, false), [0; 4096]);

    let data = host.identify(0, 4);
    assert_eq!(u64_at(&data, 0), 100);
    assert_eq!(host.identify(0, 1), [0; 4096]);
    let error = host.controller.remove_namespace(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace 1: there is none; add it first"
    );
    let error = host.controller.resize_namespace(4, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace 4: 0 blocks: it must be 1 to 2^63 bytes"
    );
    let again = NamespaceConfig::new(4, 8);
    let error = host.controller.add_namespace(&again).unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace 4: it is there already; remove it first"
    );
}

#[test]
fn namespace_changes_are_not_told_where_not_asked_for() {
    let mut host = Host::new();
    host.admin_later(command(0x0c, 0));
    host.controller.resize_namespace(1, 8).unwrap();
    host.run();
    assert_eq!(host.reap_admin(), []);
    assert_eq!(
        host.log_page(0x04, 4096, false)[..8],
        [1, 0, 0, 0, 0, 0, 0, 0]
    );
}

#[test]
fn format_erases_and_changes_the_block_size() {
    let mut host = Host::with(Config {
        namespaces: [1, 2].map(|id| NamespaceConfig::new(id, 1024)).to_vec(),
        ..Config::default()
    });
    let mut pair = host.make_pair(1, 8, 8);
    let page = host.memory.pages(2);
    host.memory.set(page, &pattern(1, 4096));
    host.io(&mut pair, write(0, 8, page)).ok();
    let format = |nsid, dw10| command(0x80, nsid).dw(10, dw10);
    host.admin(format(1, 2)).fails(Status::INVALID_FORMAT);
    host.admin(format(1, 1 | 1 << 5))
        .fails(Status::INVALID_FORMAT);
    host.admin(format(1, 1 | 2 << 9))
        .fails(Status::INVALID_FIELD);
    host.admin(format(3, 1)).fails(Status::INVALID_FIELD);
    host.admin(format(17, 1))
        .fails(Status::INVALID_NAMESPACE_OR_FORMAT);
    host.io(&mut pair, read(0, 8, page)).ok();
    assert_eq!(host.memory.get(page, 4096), pattern(1, 4096));

    host.admin(format(1, 1 | 1 << 9)).ok();
    let data = host.identify(0, 1);
    assert_eq!((u64_at(&data, 0), data[26]), (128, 1));
    assert_eq!(u64_at(&host.identify(0, 2), 0), 1024);
    host.io(&mut pair, read(0, 1, page)).ok();
    assert_eq!(host.memory.get(page, 4096), [0; 4096]);
    host.io(&mut pair, read(128, 1, page))
        .fails(Status::LBA_OUT_OF_RANGE);

    host.admin(format(u32::MAX, 1)).ok();
    assert_eq!(u64_at(&host.identify(0, 2), 0), 128);
}
