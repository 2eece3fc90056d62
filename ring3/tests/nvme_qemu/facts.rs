//! What a controller shows of itself, by name: fields of its registers and of
//! what it says when it is identified, and its answers to commands, wrong ones
//! most of all.

use kit::dma::Coherent;
use nvme::{Blocks, Command, Feature, Identify, LogPage};
use ring3::dma::Block;
use zerocopy::little_endian::{U32, U64};

use crate::raw::Raw;
use crate::rig::{Rig, BUS, PAGES};

/// Names and values, in order.
pub type Facts = Vec<(String, u64)>;

/// The namespaces that [`facts`] expects: one of 512-byte blocks, one of 4096,
/// and no number 2.
pub const SHAPES: [crate::rig::Shape; 2] = [(1, 512, 1 << 14), (3, 4096, 1 << 11)];

/// Registers, identification and answers.
pub fn facts<R: Rig>(rig: &mut R) -> Facts {
    let mut raw = Raw::start(rig);
    let mut facts = Facts::new();
    registers(&raw, &mut facts);
    identification(&mut raw, &mut facts);
    admin(&mut raw, &mut facts);
    io(&mut raw, &mut facts);
    raw.stop();
    facts
}

fn registers<R: Rig>(raw: &Raw<R>, facts: &mut Facts) {
    let cap = raw.controller.capabilities().raw();
    for (name, low, bits) in [
        ("CAP.MQES", 0, 16),
        ("CAP.CQR", 16, 1),
        ("CAP.AMS", 17, 2),
        ("CAP.TO", 24, 8),
        ("CAP.DSTRD", 32, 4),
        ("CAP.NSSRS", 36, 1),
        ("CAP.CSS", 37, 8),
        ("CAP.BPS", 45, 1),
        ("CAP.MPSMIN", 48, 4),
        ("CAP.MPSMAX", 52, 4),
        ("CAP.PMRS", 56, 1),
        ("CAP.CMBS", 57, 1),
    ] {
        facts.push((name.into(), cap >> low & ((1 << bits) - 1)));
    }
    facts.push(("VS".into(), raw.controller.version().into()));
}

/// A field: name, first byte, bytes.
type Field = (&'static str, usize, usize);

/// Identify Controller, but for what is text or an owner's number.
const CONTROLLER: [Field; 31] = [
    ("RAB", 72, 1),
    ("CMIC", 76, 1),
    ("MDTS", 77, 1),
    ("VER", 80, 4),
    ("OAES", 92, 4),
    ("CTRATT", 96, 4),
    ("CNTRLTYPE", 111, 1),
    ("OACS", 256, 2),
    ("ACL", 258, 1),
    ("AERL", 259, 1),
    ("FRMW", 260, 1),
    ("LPA", 261, 1),
    ("ELPE", 262, 1),
    ("NPSS", 263, 1),
    ("WCTEMP", 266, 2),
    ("CCTEMP", 268, 2),
    ("SQES", 512, 1),
    ("CQES", 513, 1),
    ("MAXCMD", 514, 2),
    ("NN", 516, 4),
    ("ONCS", 520, 2),
    ("FUSES", 522, 2),
    ("FNA", 524, 1),
    ("VWC", 525, 1),
    ("AWUN", 526, 2),
    ("AWUPF", 528, 2),
    ("OCFS", 534, 2),
    ("SGLS", 536, 4),
    ("MNAN", 540, 4),
    ("IOCCSZ", 1792, 4),
    ("PSD0.MP", 2048, 2),
];

/// Identify Namespace, but for identifiers.
const NAMESPACE: [Field; 16] = [
    ("NSZE", 0, 8),
    ("NCAP", 8, 8),
    ("NUSE", 16, 8),
    ("NSFEAT", 24, 1),
    ("FLBAS", 26, 1),
    ("MC", 27, 1),
    ("DPC", 28, 1),
    ("DPS", 29, 1),
    ("NMIC", 30, 1),
    ("RESCAP", 31, 1),
    ("DLFEAT", 33, 1),
    ("NAWUN", 34, 2),
    ("NOIOB", 46, 2),
    ("NVMCAP", 48, 8),
    ("MSSRL", 74, 2),
    ("ANAGRPID", 92, 4),
];

fn fields(page: &Block, of: &str, fields: &[Field], facts: &mut Facts) {
    for (name, offset, bytes) in fields {
        let mut value = [0; 8];
        page.copy_to_slice(*offset, &mut value[..*bytes]);
        facts.push((format!("{of}.{name}"), u64::from_le_bytes(value)));
    }
}

fn identification<R: Rig>(raw: &mut Raw<R>, facts: &mut Facts) {
    let page = raw.buffer(4096, 0xee);
    let prp = [page.address(), 0];
    let good = |completion: nvme::Completion| assert!(completion.status().is_success());
    good(raw.admin(Command::identify(Identify::Controller).with_prp(prp)));
    fields(&page, "controller", &CONTROLLER, facts);
    for number in [1, 3] {
        good(raw.admin(Command::identify(Identify::Namespace(number)).with_prp(prp)));
        fields(&page, &format!("namespace {number}"), &NAMESPACE, facts);
        // The format in use alone: how many others there are is the device's.
        let format = page.read::<u8>(26).expect("a page") & 0xf;
        let lbaf = page.read::<U32>(128 + 4 * usize::from(format));
        let lbaf = lbaf.expect("a page").get();
        facts.push((format!("namespace {number}.LBAF"), lbaf.into()));
    }
    // One that is valid and not active is all zero.
    good(raw.admin(Command::identify(Identify::Namespace(2)).with_prp(prp)));
    let mut bytes = [0; 4096];
    page.copy_to_slice(0, &mut bytes);
    let other = bytes.iter().filter(|byte| **byte != 0).count();
    facts.push(("namespace 2, bytes that are not 0".into(), other as u64));
    for above in [0, 1, 3] {
        good(raw.admin(Command::identify(Identify::ActiveNamespaces(above)).with_prp(prp)));
        for entry in 0..3 {
            let number = page.read::<U32>(4 * entry).expect("a page").get();
            facts.push((format!("namespaces above {above}.{entry}"), number.into()));
        }
    }
}

/// Status code type and code, and whether a retry is useless.
fn status(completion: &nvme::Completion) -> u64 {
    let status = completion.status();
    u64::from(status.code_type()) << 8
        | u64::from(status.code())
        | u64::from(status.do_not_retry()) << 16
}

fn order(opcode: u8, namespace: u32, cdw10: [u32; 3]) -> Command {
    let mut command = Command {
        opcode,
        namespace: U32::new(namespace),
        ..Command::default()
    };
    for (to, from) in command.cdw10.iter_mut().zip(cdw10) {
        to.set(from);
    }
    command
}

fn admin<R: Rig>(raw: &mut Raw<R>, facts: &mut Facts) {
    let page = raw.buffer(8192, 0);
    let (good, odd) = ([page.address(), 0], [page.address() + 4, 0]);
    let queue = |number: u32, size: u32| size << 16 | number;
    let identify = |namespace, what| order(0x06, namespace, [what, 0, 0]).with_prp(good);
    let cases = [
        ("unknown opcode", order(0x7f, 0, [0; 3])),
        ("identify: unknown structure", identify(0, 0xff)),
        ("identify: namespace 0", identify(0, 0)),
        ("identify: namespace beyond NN", identify(4000, 0)),
        (
            "identify: namespaces above FFFFFFFE",
            identify(0xffff_fffe, 2),
        ),
        ("identify: descriptors of namespace 2", identify(2, 3)),
        ("identify: descriptors of namespace 1", identify(1, 3)),
        (
            "identify: by SGL",
            Command {
                flags: 0x40,
                ..identify(0, 1)
            },
        ),
        (
            "identify: PRP1 with an odd offset",
            identify(0, 1).with_prp([odd[0] + 1, 0]),
        ),
        (
            "identify: PRP2 with an offset",
            identify(0, 1).with_prp([odd[0], page.address() + 4096 + 8]),
        ),
        (
            "create CQ: number 0",
            order(0x05, 0, [queue(0, 7), 1, 0]).with_prp(good),
        ),
        (
            "create CQ: number in use",
            order(0x05, 0, [queue(1, 7), 1, 0]).with_prp(good),
        ),
        (
            "create CQ: number too large",
            order(0x05, 0, [queue(4000, 7), 1, 0]).with_prp(good),
        ),
        (
            "create CQ: one entry",
            order(0x05, 0, [queue(3, 0), 1, 0]).with_prp(good),
        ),
        (
            "create CQ: too many entries",
            order(0x05, 0, [queue(3, 0xffff), 1, 0]).with_prp(good),
        ),
        (
            "create CQ: scattered",
            order(0x05, 0, [queue(3, 7), 0, 0]).with_prp(good),
        ),
        (
            "create CQ: address with an offset",
            order(0x05, 0, [queue(3, 7), 1, 0]).with_prp(odd),
        ),
        (
            "create CQ: vector too large",
            order(0x05, 0, [queue(3, 7), 4000 << 16 | 3, 0]).with_prp(good),
        ),
        (
            "create SQ: number 0",
            order(0x01, 0, [queue(0, 7), 1 << 16 | 1, 0]).with_prp(good),
        ),
        (
            "create SQ: number in use",
            order(0x01, 0, [queue(1, 7), 1 << 16 | 1, 0]).with_prp(good),
        ),
        (
            "create SQ: for CQ 0",
            order(0x01, 0, [queue(3, 7), 1, 0]).with_prp(good),
        ),
        (
            "create SQ: for no CQ",
            order(0x01, 0, [queue(3, 7), 3 << 16 | 1, 0]).with_prp(good),
        ),
        (
            "create SQ: for a CQ beyond all",
            order(0x01, 0, [queue(3, 7), 4000 << 16 | 1, 0]).with_prp(good),
        ),
        (
            "create SQ: one entry",
            order(0x01, 0, [queue(3, 0), 1 << 16 | 1, 0]).with_prp(good),
        ),
        (
            "create SQ: scattered",
            order(0x01, 0, [queue(3, 7), 1 << 16, 0]).with_prp(good),
        ),
        (
            "create SQ: address with an offset",
            order(0x01, 0, [queue(3, 7), 1 << 16 | 1, 0]).with_prp(odd),
        ),
        ("delete SQ: number 0", order(0x00, 0, [0; 3])),
        ("delete SQ: none", order(0x00, 0, [9, 0, 0])),
        ("delete CQ: number 0", order(0x04, 0, [0; 3])),
        ("delete CQ: none", order(0x04, 0, [9, 0, 0])),
        ("delete CQ: in use", order(0x04, 0, [1, 0, 0])),
        (
            "log: unknown page",
            order(0x02, u32::MAX, [0x7f << 16 | 0x6f, 0, 0]).with_prp(good),
        ),
        (
            "log: SMART",
            Command::log_page(LogPage::Smart, 512).with_prp(good),
        ),
        (
            "log: errors",
            Command::log_page(LogPage::Error, 64).with_prp(good),
        ),
        (
            "log: changed namespaces",
            Command::log_page(LogPage::ChangedNamespaces, 4096).with_prp(good),
        ),
        ("set feature: unknown", order(0x09, 0, [0x7f, 0, 0])),
        ("set feature: saved", order(0x09, 0, [1 << 31 | 0x01, 0, 0])),
        (
            "set feature: queues, too late",
            Command::set_feature(Feature::NumberOfQueues, 0x1_0001),
        ),
        (
            "set feature: queues, FFFF",
            Command::set_feature(Feature::NumberOfQueues, 0xffff),
        ),
        ("set feature: of a namespace", order(0x09, 1, [0x06, 1, 0])),
        (
            "set feature: temperature of no sensor",
            order(0x09, 0, [0x04, 0x300 | 3 << 20, 0]),
        ),
        ("get feature: unknown", order(0x0a, 0, [0x7f, 0, 0])),
        (
            "get feature: unknown selection",
            order(0x0a, 0, [7 << 8 | 0x01, 0, 0]),
        ),
        (
            "get feature: write cache",
            Command::get_feature(Feature::VolatileWriteCache),
        ),
        (
            "get feature: vector beyond all",
            order(0x0a, 0, [0x09, 4000, 0]),
        ),
        ("abort: nothing", Command::abort(1, 77)),
        ("format: namespace beyond NN", Command::format(4000, 0)),
        ("format: namespace 2", Command::format(2, 0)),
        ("format: no such format", Command::format(3, 15)),
        (
            "doorbell buffers: an offset",
            order(0x7c, 0, [0; 3]).with_prp([page.address() + 8, page.address() + 4096]),
        ),
    ];
    for (name, command) in cases {
        let completion = raw.admin(command);
        facts.push((format!("admin: {name}"), status(&completion)));
        if matches!(name, "abort: nothing" | "get feature: write cache") {
            facts.push((
                format!("admin: {name}, result"),
                completion.result.get().into(),
            ));
        }
    }
}

/// A data block descriptor (Base 2.0 §4.1.2), or one of another kind.
fn sgl(kind: u8, address: u64, length: u32) -> [u64; 2] {
    [address, u64::from(length) | u64::from(kind) << 56]
}

fn io<R: Rig>(raw: &mut Raw<R>, facts: &mut Facts) {
    let data = raw.buffer(16384, 0x5a);
    let into = raw.buffer(16384, 0);
    let mut list = raw.buffer(4096, 0);
    let (at, to) = (data.address(), into.address());
    let beyond = BUS + PAGES as u64 * 4096 + (64 << 20);
    let blocks = |namespace, first, count| Blocks {
        namespace,
        first,
        count,
    };
    let read =
        |namespace, first, count| Command::read(blocks(namespace, first, count)).with_prp([to, 0]);
    let write = |count| Command::write(blocks(1, 64, count), false).with_prp([at, 0]);
    let by_sgl = |descriptor: [u64; 2], count| Command {
        flags: 0x40,
        ..write(count).with_prp(descriptor)
    };
    // Two ranges, of which one is not within the namespace.
    let ranges = [[0, 64], [8 << 32, 1 << 40]].map(|range| range.map(U64::new));
    for (index, word) in ranges.iter().flatten().enumerate() {
        list.write(8 * index, word).expect("a page");
    }
    // At 256: three data blocks, and at 512 the same with a gap in their lengths.
    for (place, lengths) in [(256, [512u32, 1024, 512]), (512, [512, 512, 512])] {
        for (index, length) in lengths.into_iter().enumerate() {
            let [address, rest] = sgl(0, at + 4096 * index as u64, length);
            list.write(place + 16 * index, &[U64::new(address), U64::new(rest)])
                .expect("a page");
        }
    }
    // At 1024: a segment that leads to the three.
    let [address, rest] = sgl(0x30, list.address() + 256, 48);
    list.write(1024, &[U64::new(address), U64::new(rest)])
        .expect("a page");
    let lists = list.address();
    let cases = [
        ("unknown opcode", order(0x7f, 1, [0; 3])),
        ("read: namespace 0", read(0, 0, 1)),
        ("read: namespace 2", read(2, 0, 1)),
        ("read: namespace beyond NN", read(4000, 0, 1)),
        ("read: all namespaces", read(u32::MAX, 0, 1)),
        ("read: to the end", read(1, (1 << 14) - 8, 8)),
        ("read: over the end", read(1, (1 << 14) - 8, 9)),
        ("read: far beyond the end", read(1, u64::MAX - 1, 8)),
        ("read: more than MDTS", read(1, 0, 1025)),
        (
            "read: PRP1 with an odd offset",
            read(1, 0, 1).with_prp([to + 1, 0]),
        ),
        (
            "read: PRP1 with an offset",
            read(1, 0, 1).with_prp([to + 4, 0]),
        ),
        (
            "read: PRP2 with an offset",
            read(1, 0, 16).with_prp([to, to + 4096 + 4]),
        ),
        (
            "read: PRP list with an odd offset",
            read(1, 0, 32).with_prp([to, lists + 4]),
        ),
        (
            "read: to where no memory is",
            read(1, 0, 1).with_prp([beyond, 0]),
        ),
        ("write", write(8)),
        (
            "compare: equal",
            Command::compare(blocks(1, 64, 8)).with_prp([at, 0]),
        ),
        (
            "compare: unequal",
            Command::compare(blocks(1, 256, 8)).with_prp([at, 0]),
        ),
        ("verify", Command::verify(blocks(1, 64, 8))),
        (
            "verify: over the end",
            Command::verify(blocks(1, (1 << 14) - 8, 9)),
        ),
        (
            "write zeroes: over the end",
            Command::write_zeroes(blocks(1, (1 << 14) - 8, 9), true),
        ),
        (
            "write zeroes: more than MDTS",
            Command::write_zeroes(blocks(1, 0, 2000), false),
        ),
        (
            "deallocate: over the end",
            Command::deallocate(1, 2).with_prp([lists, 0]),
        ),
        ("flush: all namespaces", Command::flush(u32::MAX)),
        ("flush: namespace 2", Command::flush(2)),
        ("flush: namespace 0", Command::flush(0)),
        ("SGL: one data block", by_sgl(sgl(0, at, 2048), 4)),
        (
            "SGL: data block at an odd address",
            by_sgl(sgl(0, at + 3, 2048), 4),
        ),
        ("SGL: data block too short", by_sgl(sgl(0, at, 1536), 4)),
        ("SGL: data block too long", by_sgl(sgl(0, at, 4096), 4)),
        ("SGL: unknown kind", by_sgl(sgl(0x70, at, 2048), 4)),
        ("SGL: last segment", by_sgl(sgl(0x30, lists + 256, 48), 4)),
        (
            "SGL: last segment, too short",
            by_sgl(sgl(0x30, lists + 512, 48), 4),
        ),
        (
            "SGL: segment, then last segment",
            by_sgl(sgl(0x20, lists + 1024, 16), 4),
        ),
        (
            "SGL: segment that ends in data",
            by_sgl(sgl(0x20, lists + 256, 48), 4),
        ),
        (
            "SGL: segment of 20 bytes",
            by_sgl(sgl(0x30, lists + 256, 20), 4),
        ),
        (
            "SGL: segment where no memory is",
            by_sgl(sgl(0x30, beyond, 48), 4),
        ),
        (
            "fused, first",
            Command {
                flags: 0x01,
                ..read(1, 0, 1)
            },
        ),
    ];
    for (name, command) in cases {
        facts.push((format!("io: {name}"), status(&raw.io(command))));
    }
    // What was written by three data blocks is there.
    let check = raw.buffer(2048, 0);
    assert!(raw
        .io(read(1, 64, 4).with_prp([check.address(), 0]))
        .status()
        .is_success());
    let mut bytes = vec![0; 2048];
    check.copy_to_slice(0, &mut bytes);
    assert!(bytes.iter().all(|byte| *byte == 0x5a));
}
