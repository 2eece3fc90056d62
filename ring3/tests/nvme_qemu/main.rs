//! The NVMe driver against a controller that we did not write, QEMU's, and the
//! model against both. Skipped where there is no QEMU, unless `RINGFENCE_QEMU`
//! names one.

mod facts;
mod raw;
mod rig;
mod work;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use nvme::Settings;
use nvme_model::Config;
use ring3::nvme::{Clock, Io, Operation};

use facts::{facts, SHAPES};
use rig::{ModelRig, QemuRig, Rig};
use work::{run, start, World, SETTINGS, TIMEOUT};

/// QEMU's program, unless the test is to be skipped.
fn qemu() -> Option<PathBuf> {
    let program = qtest::program().unwrap_or_else(|error| panic!("{error}"));
    if program.is_none() {
        println!("skipped: there is no qemu-system-x86_64 (Debian: qemu-system-x86)");
    }
    program
}

#[test]
fn data_is_what_it_must_be_over_two_namespaces_resets_and_a_shutdown() {
    let Some(program) = qemu() else { return };
    let shapes = [(1, 512, 1 << 14), (3, 4096, 1 << 11)];
    let mut rig = QemuRig::new(&program, "", &shapes);
    let mut world = World::default();
    for doorbell_buffers in [true, false] {
        let settings = Settings {
            doorbell_buffers,
            ..SETTINGS
        };
        let mut disk = start(&mut rig, settings, TIMEOUT);
        let namespaces = disk.namespaces().values();
        let seen: Vec<_> = namespaces
            .map(|namespace| (namespace.number, namespace.block_size(), namespace.blocks))
            .collect();
        assert_eq!(seen, shapes);
        assert_eq!(disk.queues(), 2);
        assert_eq!(disk.controller().max_transfer(), 512 << 10);
        run(&mut rig, &mut disk, &mut world, 1500, 512 << 10, 1);
        assert_eq!((disk.resets(), disk.unknown()), (0, 0));
        // Left as it is, with its queues; the next one resets it.
        drop(disk);
        let mut disk = start(&mut rig, settings, TIMEOUT);
        run(&mut rig, &mut disk, &mut world, 500, 64 << 10, 2);
        let before = rig.clock().now();
        disk.shutdown(rig.clock());
        assert!(rig.clock().now() - before < Duration::from_secs(2));
        assert!(!disk.controller().status().ready());
    }
    assert_eq!(
        rig.arena().taken(),
        1,
        "but for the vectors, memory is given back"
    );
}

#[test]
fn odd_shapes_carry_data() {
    let Some(program) = qemu() else { return };
    let shapes = [(1, 4096, 1 << 11)];
    for (properties, queues, most) in [
        (",mdts=1", 2, 8 << 10),
        (",mdts=8", 2, 1 << 20),
        (",max_ioqpairs=1", 1, 512 << 10),
        (",msix_qsize=1", 2, 512 << 10),
        (",msix_qsize=2", 2, 512 << 10),
    ] {
        let mut rig = QemuRig::new(&program, properties, &shapes);
        let mut disk = start(&mut rig, SETTINGS, TIMEOUT);
        assert_eq!(disk.queues(), queues, "{properties}");
        assert_eq!(disk.controller().max_transfer(), most, "{properties}");
        run(&mut rig, &mut disk, &mut World::default(), 200, most, 3);
        assert_eq!((disk.resets(), disk.unknown()), (0, 0), "{properties}");
        disk.shutdown(rig.clock());
    }
}

#[test]
fn a_controller_that_disappears_gives_everything_back() {
    let Some(program) = qemu() else { return };
    for killed in [false, true] {
        let mut rig = QemuRig::new(&program, "", &[(1, 512, 1 << 14)]);
        let mut disk = start(&mut rig, SETTINGS, Duration::from_secs(1));
        run(&mut rig, &mut disk, &mut World::default(), 50, 4096, 4);
        let submit = |disk: &mut ring3::nvme::Disk<_>, rig: &mut QemuRig, ticket| {
            let data = rig.arena().take(4096).expect("room");
            let io = Io {
                ticket,
                namespace: 1,
                operation: Operation::Read,
                bytes: 4096,
                ..Io::default()
            };
            let now = rig.clock().now();
            disk.submit(io, Some(data), now).is_ok()
        };
        for ticket in 0..8 {
            assert!(submit(&mut disk, &mut rig, ticket));
        }
        match killed {
            true => rig.machine.kill(),
            false => rig.unplug(),
        }
        let begin = rig.clock().now();
        let mut ended = 0;
        while ended < 8 {
            let until = disk.work(rig.clock().now());
            while let Some(finished) = disk.finished() {
                assert!(finished.data.is_some());
                ended += 1;
            }
            rig.clock().wait(until);
            let late = rig.clock().now() - begin;
            assert!(late < Duration::from_secs(20), "{ended} of 8 ended");
        }
        // QEMU's PC reads as 0 where nobody answers; a process that ended reads as
        // all ones here, as a bus does.
        let why = match killed {
            true => nvme::Error::Gone,
            false => nvme::Error::Unsupported,
        };
        assert_eq!(disk.failed(), Some(why));
        assert!(!submit(&mut disk, &mut rig, 9), "nobody is there");
        disk.shutdown(rig.clock());
        drop(disk);
        assert_eq!(
            rig.arena().taken(),
            1,
            "but for the vectors, memory is given back"
        );
    }
}

/// Where QEMU's controller (7.2, 10.0 and 11.1 were looked at) and the model
/// differ, by the first words of a fact's name, and why.
const KNOWN: [(&str, &str); 36] = [
    // Shape, which a controller may choose.
    ("CAP.TO", "the model is faster"),
    ("CAP.CSS", "QEMU has other command sets too"),
    ("VS", "1.4 and 2.0"),
    ("controller.RAB", "a recommendation"),
    ("controller.VER", "as VS"),
    ("controller.CTRATT", "QEMU's larger identification"),
    (
        "controller.OACS",
        "QEMU has namespace attachment and directives",
    ),
    ("controller.LPA", "QEMU has logs by namespace"),
    ("controller.ELPE", "QEMU keeps one error"),
    (
        "controller.ONCS",
        "QEMU has copies and timestamps, and verifies without saying so",
    ),
    ("controller.OCFS", "QEMU has copies"),
    ("controller.SGLS", "the model has bit buckets"),
    ("namespace 1.NUSE", "the model knows what is used"),
    ("namespace 3.NUSE", "the model knows what is used"),
    ("namespace 1.NSFEAT", "as NUSE; QEMU has hints for discards"),
    ("namespace 3.NSFEAT", "as NUSE; QEMU has hints for discards"),
    ("namespace 3.FLBAS", "another place in the list of formats"),
    ("namespace 1.MC", "QEMU has formats with metadata"),
    ("namespace 3.MC", "QEMU has formats with metadata"),
    ("namespace 1.DPC", "as MC"),
    ("namespace 3.DPC", "as MC"),
    ("namespace 1.NMIC", "QEMU can share namespaces"),
    ("namespace 3.NMIC", "QEMU can share namespaces"),
    (
        "namespace 1.DLFEAT",
        "write zeroes deallocates in the model",
    ),
    (
        "namespace 3.DLFEAT",
        "write zeroes deallocates in the model",
    ),
    (
        "namespace 1.NVMCAP",
        "optional without namespace management",
    ),
    (
        "namespace 3.NVMCAP",
        "optional without namespace management",
    ),
    ("namespace 1.MSSRL", "of copies"),
    ("namespace 3.MSSRL", "of copies"),
    // Answers where the specification leaves a choice.
    ("admin: delete CQ: in use", "DNR"),
    ("io: compare: unequal", "DNR"),
    ("io: fused, first", "DNR"),
    ("io: SGL: segment where no memory is", "DNR"),
    (
        "admin: set feature: queues, FFFF",
        "of two errors the other one",
    ),
    (
        "io: read: all namespaces",
        "QEMU 7.2 alone takes the field for wrong",
    ),
    ("io: read: to where no memory is", "a PC's bus swallows it"),
];

/// Where QEMU's answers are not the specification's, and what that says.
const QEMU_IS_WRONG: [(&str, &str); 13] = [
    (
        "admin: identify: PRP1 with an odd offset",
        "Base 4.1.1: PRP Offset Invalid",
    ),
    (
        "io: read: PRP1 with an odd offset",
        "Base 4.1.1: PRP Offset Invalid",
    ),
    (
        "admin: create SQ: for CQ 0",
        "Base 5.5: Invalid Queue Identifier",
    ),
    (
        "admin: create SQ: for a CQ beyond all",
        "Base 5.5: Invalid Queue Identifier",
    ),
    (
        "admin: delete CQ: number 0",
        "Base 5.6: Invalid Queue Identifier",
    ),
    (
        "admin: delete CQ: none",
        "Base 5.6: Invalid Queue Identifier",
    ),
    ("admin: log: unknown page", "Base 5.16: Invalid Log Page"),
    (
        "admin: get feature: unknown selection",
        "Base 5.15: a reserved value",
    ),
    (
        "io: deallocate: over the end",
        "NVM 3.2.3: LBA Out of Range",
    ),
    (
        "io: SGL: data block too long",
        "Base 4.1.2 without SGLS bit 18: Data SGL Length Invalid",
    ),
    (
        "io: SGL: unknown kind",
        "Base 4.1.2: SGL Descriptor Type Invalid",
    ),
    (
        "io: SGL: segment that ends in data",
        "Base 4.1.2: Invalid SGL Segment Descriptor",
    ),
    (
        "io: SGL: segment, then last segment",
        "Base 4.1.2: there may be one; QEMU 7.2 takes it",
    ),
];

#[test]
fn the_model_shows_what_qemu_shows_but_for_what_is_known() {
    let Some(program) = qemu() else { return };
    let config = Config {
        sgl: true,
        doorbell_buffer: true,
        write_cache: true,
        max_namespaces: 256,
        ..Config::default()
    };
    let ours = facts(&mut ModelRig::new(config.clone(), &SHAPES));
    let theirs = facts(&mut QemuRig::new(&program, "", &SHAPES));
    assert_eq!(ours.len(), theirs.len());
    let known = KNOWN.iter().chain(&QEMU_IS_WRONG);
    let known: BTreeSet<_> = known.map(|(name, _)| *name).collect();
    let mut unknown = Vec::new();
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        if ours != theirs && !known.contains(name.as_str()) {
            unknown.push(format!(
                "{name}: {ours:#x} in the model, {theirs:#x} in QEMU"
            ));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    for name in known {
        assert!(ours.iter().any(|(fact, _)| fact == name), "no fact {name}");
    }
    // The same requests as on QEMU, with the same truth.
    let mut model = ModelRig::new(config, &SHAPES);
    let mut disk = start(&mut model, SETTINGS, TIMEOUT);
    run(
        &mut model,
        &mut disk,
        &mut World::default(),
        1500,
        512 << 10,
        1,
    );
    disk.shutdown(model.clock());
    drop(disk);
    assert_eq!(model.arena().taken(), 0);
}
