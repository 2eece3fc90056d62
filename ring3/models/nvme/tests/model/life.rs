//! Registers, readiness, reset and shutdown.

use std::time::Duration;

use nvme_model::{Config, Step};

use crate::host::*;

#[test]
fn capabilities_are_those_of_the_configuration() {
    let mut host = Host::cold(Config {
        max_queue_entries: 1000,
        timeout: 30,
        doorbell_stride: 2,
        subsystem_reset: true,
        max_page_shift: 3,
        io_queues: 7,
        ..Config::default()
    });
    let cap = host.controller.read64(CAP);
    assert_eq!(cap & 0xffff, 999); // MQES
    assert_eq!(cap >> 16 & 1, 1); // CQR
    assert_eq!(cap >> 24 & 0xff, 30); // TO
    assert_eq!(cap >> 32 & 0xf, 2); // DSTRD
    assert_eq!(cap >> 36 & 1, 1); // NSSRS
    assert_eq!(cap >> 37 & 0xff, 1); // CSS
    assert_eq!(cap >> 48 & 0xf, 0); // MPSMIN
    assert_eq!(cap >> 52 & 0xf, 3); // MPSMAX
    let halves = [host.controller.read32(CAP), host.controller.read32(CAP + 4)];
    assert_eq!(u64::from(halves[0]) | u64::from(halves[1]) << 32, cap);
    assert_eq!(host.controller.read32(VS), 0x0002_0000);
    assert_eq!(host.controller.register_space(), 0x1000 + 2 * 8 * 16);
    assert_eq!(host.controller.counters().undefined_accesses, 0);
}

#[test]
fn becomes_ready_after_its_delay() {
    let mut host = Host::cold(Config {
        ready_delay: Duration::from_millis(300),
        ..Config::default()
    });
    host.set_admin_queue();
    host.controller.write32(CC, CC_ENABLE);
    let until = Some(Duration::from_millis(300));
    assert_eq!(host.run(), Step::Idle { until });
    assert_eq!(host.wait(Duration::from_millis(299)), Step::Idle { until });
    assert_eq!(host.controller.read32(CSTS), 0);
    assert_eq!(
        host.wait(Duration::from_millis(1)),
        Step::Idle { until: None }
    );
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY);
}

#[test]
fn the_admin_queue_can_be_set_in_halves() {
    let mut host = Host::cold(Config::default());
    let [sq, cq] = [host.admin.sq, host.admin.cq];
    host.controller.write32(AQA, 0x001f_001f);
    for (register, value) in [(ASQ, sq), (ACQ, cq)] {
        host.controller.write32(register, value as u32);
        host.controller.write32(register + 4, (value >> 32) as u32);
        assert_eq!(host.controller.read64(register), value);
    }
    assert_eq!(host.controller.read32(AQA), 0x001f_001f);
    host.controller.write32(CC, CC_ENABLE);
    host.run();
    host.identify(1, 0);
}

#[test]
fn undefined_accesses_are_counted_and_change_nothing() {
    let mut host = Host::new();
    let mut expected = 0;
    for offset in [0x1000, 0x1004, 0x02, 0x2000] {
        assert_eq!(host.controller.read32(offset), 0);
        expected += 1;
    }
    for offset in [CC, CSTS, VS, 0x1000, 0x04] {
        assert_eq!(host.controller.read64(offset), 0);
        expected += 1;
    }
    // Read only, masks under MSI-X, no subsystem reset, admin queue while
    // enabled, reserved.
    for offset in [CAP, VS, INTMS, INTMC, NSSR, AQA, ASQ, ACQ, 0x38] {
        host.controller.write32(offset, 0x4e56_4d65);
        expected += 1;
    }
    for offset in [CAP, CC, ASQ, ACQ, 0x1000] {
        host.controller.write64(offset, u64::MAX);
        expected += 1;
    }
    // Page size while enabled; a doorbell between two, and one beyond the last.
    host.controller.write32(CC, CC_ENABLE | 1 << 7);
    host.controller.write32(0x1002, 1);
    host.controller.write32(0x1000 + 2 * 65 * 4, 1);
    expected += 3;
    assert_eq!(host.controller.counters().undefined_accesses, expected);
    assert_eq!(host.controller.read64(ASQ), host.admin.sq);
    assert_eq!(host.controller.read32(CC), CC_ENABLE);
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY);
    host.identify(1, 0);
}

#[test]
fn impossible_settings_end_in_fatal_status_and_a_reset_helps() {
    let cases = [
        (0x001f_0000, CC_ENABLE),           // one submission queue entry
        (0x0000_001f, CC_ENABLE),           // one completion queue entry
        (0x001f_001f, CC_ENABLE | 5 << 7),  // pages larger than MPSMAX
        (0x001f_001f, CC_ENABLE | 1 << 4),  // a command set that is not there
        (0x001f_001f, CC_ENABLE | 1 << 11), // weighted round robin
    ];
    for (aqa, cc) in cases {
        let mut host = Host::cold(Config::default());
        host.set_admin_queue();
        host.controller.write32(AQA, aqa);
        host.controller.write32(CC, cc);
        host.wait(Duration::from_secs(1000));
        assert_eq!(host.controller.read32(CSTS), CSTS_CFS, "{aqa:#x} {cc:#x}");
        host.controller.write32(CC, 0);
        assert_eq!(host.controller.read32(CSTS), 0); // RDY never was 1
        host.enable();
    }
}

#[test]
fn a_reset_forgets_all_but_the_admin_queue_registers() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 8, 8);
    host.admin(command(0x09, 0).dw(10, 0x0b).dw(11, 0x100)).ok();
    host.controller.write32(CC, CC_ENABLE & !1);
    // Not confirmed yet: enabling now is undefined.
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY);
    host.controller.write32(CC, CC_ENABLE);
    assert_eq!(host.controller.counters().undefined_accesses, 1);
    host.run();
    assert_eq!(host.controller.read32(CSTS), 0);
    assert_eq!(host.controller.read32(CC), 0);
    assert_eq!(host.controller.read64(ASQ), host.admin.sq);
    assert_eq!(host.controller.read32(AQA), 0x001f_001f);

    host.admin = Pair::new(&host.memory, 0, 32, 32);
    host.enable();
    assert_eq!(host.admin(command(0x0a, 0).dw(10, 0x0b)).ok(), 0);
    let page = host.memory.pages(2);
    host.write(&mut pair, read(0, 1, page));
    host.ring(&pair);
    host.run();
    assert_eq!(host.controller.counters().invalid_doorbells, 1);
}

#[test]
fn memory_is_left_alone_once_a_reset_is_confirmed() {
    let mut host = Host::with(Config {
        latency: Duration::from_micros(100),
        reset_delay: Duration::from_micros(150),
        ..Config::default()
    });
    // Creating queues needs time here.
    let mut pair = Pair::new(&host.memory, 1, 64, 64);
    for queue in [create_cq(&pair, 1), create_sq(&pair)] {
        host.admin_later(queue);
        host.wait(Duration::from_micros(100));
        assert_eq!(host.reap_admin().len(), 1);
    }
    let page = host.memory.pages(2);
    let submit = |host: &mut Host, pair: &mut Pair| {
        for lba in 0..10 {
            host.write(pair, read(lba, 8, page));
        }
        host.ring(pair);
        host.run();
    };
    submit(&mut host, &mut pair);
    host.wait(Duration::from_micros(50));
    submit(&mut host, &mut pair);
    // 20 commands are under way.
    let before = host.memory.writes();
    host.controller.write32(CC, CC_ENABLE & !1);
    host.run();
    host.wait(Duration::from_micros(60));
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY);
    assert!(
        host.memory.writes() > before,
        "what was fetched still moves data"
    );
    // The second ten would be due at the same time as the reset.
    host.wait(Duration::from_micros(90));
    assert_eq!(host.controller.read32(CSTS), 0);
    let confirmed = host.memory.writes();
    host.memory.unmap_all();
    host.wait(Duration::from_secs(10));
    assert_eq!(host.memory.writes(), confirmed);
    assert_eq!(host.memory.refused(), 0);
}

#[test]
fn a_shutdown_takes_its_time_and_stops_commands() {
    let mut host = Host::with(Config {
        shutdown_delay: Duration::from_secs(1),
        ..Config::default()
    });
    host.controller.write32(CC, CC_ENABLE | 1 << 14);
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY | 1 << 2);
    host.run();
    host.wait(Duration::from_millis(999));
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY | 1 << 2);
    host.wait(Duration::from_millis(1));
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY | 2 << 2);
    host.admin_later(command(0x0a, 0).dw(10, 7));
    assert_eq!(host.reap_admin(), []);
    // A reset leads back.
    host.controller.write32(CC, 0);
    host.run();
    host.admin = Pair::new(&host.memory, 0, 32, 32);
    host.enable();
    host.identify(1, 0);
}

#[test]
fn a_shutdown_while_disabled_ends_when_it_is_enabled() {
    let mut host = Host::cold(Config::default());
    host.controller.write32(CC, 1 << 14);
    host.run();
    assert_eq!(host.controller.read32(CSTS), 2 << 2);
    host.controller.write32(CC, 0);
    host.enable();
    host.identify(1, 0);
}

#[test]
fn memory_is_left_alone_once_a_shutdown_is_complete() {
    let mut host = Host::with(Config {
        latency: Duration::from_secs(1),
        shutdown_delay: Duration::from_millis(10),
        ..Config::default()
    });
    host.admin_later(command(0x0c, 0));
    host.admin_later(command(0x0a, 0).dw(10, 7));
    host.controller.write32(CC, CC_ENABLE | 2 << 14);
    host.run();
    let rest = Step::Idle { until: None };
    assert_eq!(host.wait(Duration::from_millis(10)), rest);
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY | 2 << 2);
    host.memory.unmap_all();
    host.wait(Duration::from_secs(10));
    assert_eq!(host.memory.refused(), 0);
    assert_eq!(host.reap_admin(), []);
}

#[test]
fn a_controller_can_move_to_another_thread() {
    struct Nothing;
    impl nvme_model::Memory for Nothing {
        fn read(&self, address: u64, to: &mut [u8]) -> Result<(), nvme_model::Fault> {
            let length = to.len();
            Err(nvme_model::Fault { address, length })
        }
        fn write(&self, address: u64, from: &[u8]) -> Result<(), nvme_model::Fault> {
            let length = from.len();
            Err(nvme_model::Fault { address, length })
        }
    }
    let mut controller = nvme_model::Controller::new(Config::default(), Nothing).unwrap();
    let version = std::thread::spawn(move || controller.read32(VS));
    assert_eq!(version.join().unwrap(), 0x0002_0000);
}

#[test]
fn the_subsystem_reset_resets_all_registers_and_says_so() {
    let mut host = Host::with(Config {
        subsystem_reset: true,
        ..Config::default()
    });
    host.controller.write32(NSSR, 0x1234_5678);
    assert_eq!(host.controller.read32(CSTS), CSTS_RDY);
    host.controller.write32(NSSR, 0x4e56_4d65);
    assert_eq!(host.controller.read32(CSTS), 1 << 4);
    assert_eq!(host.controller.read32(AQA), 0);
    assert_eq!(host.controller.read64(ASQ), 0);
    host.controller.write32(CSTS, 1 << 4);
    assert_eq!(host.controller.read32(CSTS), 0);
}

#[test]
fn queue_memory_that_is_not_mapped_is_fatal() {
    for unmap_sq in [true, false] {
        let mut host = Host::new();
        let pages = if unmap_sq {
            host.admin.sq..host.admin.sq + PAGE
        } else {
            host.admin.cq..host.admin.cq + PAGE
        };
        host.memory.unmap(pages);
        host.admin_later(command(0x0a, 0).dw(10, 7));
        assert_eq!(host.controller.read32(CSTS), CSTS_RDY | CSTS_CFS);
        assert_eq!(host.controller.step(host.now), Step::Stopped);
        assert_eq!(host.controller.counters().refused_accesses, 1);
    }
}

#[test]
fn impossible_configurations_are_refused_with_their_range() {
    let cases: [(Config, &str); 7] = [
        (
            Config {
                io_queues: 0,
                ..Config::default()
            },
            "io_queues 0: must be 1 to 65534",
        ),
        (
            Config {
                doorbell_buffer: true,
                interrupts: nvme_model::InterruptMode::Pin,
                ..Config::default()
            },
            "doorbell_buffer: a pin falls by a doorbell register; take Msix interrupts",
        ),
        (
            Config {
                max_queue_entries: 1,
                ..Config::default()
            },
            "max_queue_entries 1: must be 2 to 65536",
        ),
        (
            Config {
                serial: "x".repeat(21),
                ..Config::default()
            },
            "serial \"xxxxxxxxxxxxxxxxxxxxx\": at most 20 printable ASCII characters",
        ),
        (
            Config {
                namespaces: vec![nvme_model::NamespaceConfig::new(17, 1)],
                ..Config::default()
            },
            "namespace 17: the identifier must be 1 to 16",
        ),
        (
            Config {
                namespaces: vec![nvme_model::NamespaceConfig::new(1, 0)],
                ..Config::default()
            },
            "namespace 1: 0 blocks: it must be 1 to 2^63 bytes",
        ),
        (
            Config {
                doorbell_buffer: true,
                io_queues: 512,
                ..Config::default()
            },
            "doorbell_buffer: 4104 bytes of doorbells do not fit a page of 4096; \
             take fewer io_queues or a smaller doorbell_stride",
        ),
    ];
    for (config, message) in cases {
        assert_eq!(config.check().unwrap_err().to_string(), message);
    }
}
