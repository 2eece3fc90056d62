//! PRPs, PRP lists, SGLs and the largest transfer.

use nvme_model::{Config, NamespaceConfig, Status};

use crate::host::*;

struct Bench {
    host: Host,
    pair: Pair,
}

impl Bench {
    fn new(config: Config) -> Self {
        let mut host = Host::with(config);
        let pair = host.make_pair(1, 8, 8);
        Self { host, pair }
    }

    /// 4096-byte blocks, no limit.
    fn large() -> Self {
        Self::new(Config {
            mdts: 0,
            sgl: true,
            namespaces: vec![NamespaceConfig::with_4096(1, 100_000)],
            ..Config::default()
        })
    }

    fn small() -> Self {
        Self::new(Config {
            sgl: true,
            ..Config::default()
        })
    }

    fn io(&mut self, command: Command) -> Completion {
        let Self { host, pair } = self;
        host.io(pair, command)
    }

    fn memory(&self) -> &HostMemory {
        &self.host.memory
    }

    /// Reads `blocks` blocks at 0 through a data pointer to pieces of memory,
    /// and looks whether each has its part.
    #[track_caller]
    fn reads_to(&mut self, flags: u8, pointer: [u64; 2], blocks: u32, pieces: &[(u64, usize)]) {
        let total: usize = pieces.iter().map(|(_, length)| length).sum();
        let data = pattern(0x5a, total);
        // Fill the namespace through pages in a row.
        let pages = total.div_ceil(PAGE as usize) as u64;
        let source = self.memory().pages(pages);
        self.memory().set(source, &data);
        let list = self.memory().pages(1 + pages / 511);
        let entries: Vec<_> = (1..pages).map(|i| source + i * PAGE).collect();
        let second = match pages {
            1 => 0,
            2 => entries[0],
            _ => {
                put_list(self.memory(), list, &entries);
                list
            }
        };
        let fill = command(0x01, 1).prp(source, second).blocks(0, blocks);
        self.io(fill).ok();

        for (address, length) in pieces {
            // A guard on both sides.
            self.memory().set(address - 4, &vec![0xee; length + 8]);
        }
        let read = command(0x02, 1)
            .dw(0, 0x02 | u32::from(flags) << 8)
            .prp(pointer[0], pointer[1])
            .blocks(0, blocks);
        self.io(read).ok();
        let mut at = 0;
        for (address, length) in pieces {
            let expected = &data[at..at + length];
            assert_eq!(self.memory().get(*address, *length), expected);
            at += length;
        }
    }
}

/// Puts entries into list pages that lie one after the other, chained.
fn put_list(memory: &HostMemory, list: u64, entries: &[u64]) {
    let mut at = list;
    let mut left = entries;
    while left.len() > 512 {
        memory.set64(at, &left[..511]);
        memory.set64(at + 511 * 8, &[at + PAGE]);
        left = &left[511..];
        at += PAGE;
    }
    memory.set64(at, left);
}

/// Pages with a page between any two.
fn apart(memory: &HostMemory, count: u64) -> Vec<u64> {
    (0..count).map(|_| memory.pages(2)).collect()
}

#[test]
fn one_piece_within_a_page_needs_no_second_pointer() {
    let mut bench = Bench::small();
    let page = bench.memory().pages(3) + PAGE;
    for offset in [4, 512, 0xe00 - 4, 0xe00] {
        bench.reads_to(0, [page + offset, 0xdead_beef], 1, &[(page + offset, 512)]);
    }
    bench.reads_to(0, [page, u64::MAX], 8, &[(page, 4096)]);
}

#[test]
fn an_offset_makes_two_pages_of_one() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 3);
    let [_, first, second] = pages[..] else {
        panic!()
    };
    bench.reads_to(
        0,
        [first + 0x204, second],
        8,
        &[(first + 0x204, 0xdfc), (second, 0x204)],
    );
    bench.reads_to(
        0,
        [first + 0xffc, second],
        1,
        &[(first + 0xffc, 4), (second, 508)],
    );
}

#[test]
fn exactly_two_pages_need_no_list() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 3);
    bench.reads_to(
        0,
        [pages[1], pages[2]],
        16,
        &[(pages[1], 4096), (pages[2], 4096)],
    );
}

#[test]
fn three_pages_need_a_list_and_no_more_of_it_is_read() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 4);
    let list = bench.memory().pages(1);
    bench.memory().set64(list, &[pages[2], pages[3], u64::MAX]);
    bench.reads_to(
        0,
        [pages[1], list],
        24,
        &[(pages[1], 4096), (pages[2], 4096), (pages[3], 4096)],
    );
    assert!(bench.memory().was_read(list..list + 16));
    assert!(!bench.memory().was_read(list + 16..list + PAGE));
    // With an offset, 16 blocks are three pages too.
    bench.reads_to(
        0,
        [pages[1] + 512, list],
        16,
        &[(pages[1] + 512, 3584), (pages[2], 4096), (pages[3], 512)],
    );
}

#[test]
fn a_list_that_ends_at_its_page_border_has_no_chain() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 4);
    let list = bench.memory().pages(1) + PAGE - 16;
    bench.memory().set64(list, &[pages[2], pages[3]]);
    bench.reads_to(
        0,
        [pages[1], list],
        24,
        &[(pages[1], 4096), (pages[2], 4096), (pages[3], 4096)],
    );
}

#[test]
fn a_list_that_does_not_suffice_chains_at_its_page_border() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 5);
    let [list, next] = [bench.memory().pages(2) + PAGE - 16, bench.memory().pages(2)];
    bench.memory().set64(list, &[pages[2], next]);
    bench.memory().set64(next, &[pages[3], pages[4]]);
    let pieces: Vec<_> = pages[1..].iter().map(|page| (*page, 4096)).collect();
    bench.reads_to(0, [pages[1], list], 32, &pieces);
    // A list page with room for the chain alone.
    let list = list + 8;
    bench.memory().set64(next, &[pages[2], pages[3], pages[4]]);
    bench.reads_to(0, [pages[1], list], 32, &pieces);
}

#[test]
fn lists_of_several_full_pages() {
    for entries in [511_u64, 512, 513, 1022, 1023, 1024] {
        let mut bench = Bench::large();
        let first = bench.memory().pages(entries + 3) + PAGE;
        let list = bench.memory().pages(4);
        let pages: Vec<_> = (0..=entries).map(|i| first + i * PAGE).collect();
        put_list(bench.memory(), list, &pages[1..]);
        let blocks = entries as u32 + 1;
        let length = blocks as usize * 4096;
        bench.reads_to(0, [first, list], blocks, &[(first, length)]);
    }
}

#[test]
fn larger_memory_pages() {
    let mut host = Host::cold(Config {
        mdts: 0,
        ..Config::default()
    });
    host.set_admin_queue();
    host.controller.write32(CC, CC_ENABLE | 2 << 7); // 16 KiB
    host.run();
    let align = |memory: &HostMemory| {
        while memory.pages(1) % 16384 != 16384 - PAGE {}
        memory.pages(4)
    };
    let [sq, cq, first, second, third, list] = [(); 6].map(|()| align(&host.memory));
    let mut pair = Pair::new(&host.memory, 1, 8, 8);
    (pair.sq, pair.cq) = (sq, cq);
    host.admin(create_cq(&pair, 0).prp(cq + PAGE, 0))
        .fails(Status::INVALID_PRP_OFFSET);
    host.admin(create_cq(&pair, 0)).ok();
    host.admin(create_sq(&pair)).ok();
    host.memory.set64(list, &[second, third]);
    let data = pattern(3, 16384 + 4096 + 16384);
    host.memory.set(first + 12288, &data[..4096]);
    host.memory.set(second, &data[4096..20480]);
    host.memory.set(third, &data[20480..]);
    let blocks = data.len() as u32 / 512;
    let write = command(0x01, 1).prp(first + 12288, list).blocks(0, blocks);
    host.io(&mut pair, write).ok();
    for (lba, at) in [(0, 0), (8, 4096), (40, 20480), (71, 36352)] {
        let mut block = [0; 512];
        let namespace = host.controller.namespace(1).unwrap();
        namespace.read_block(lba, &mut block).unwrap();
        assert_eq!(block, data[at..at + 512]);
    }
}

#[test]
fn impossible_prps_are_refused_before_data_moves() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 4);
    let list = bench.memory().pages(2);
    let at_border = list + PAGE - 16;
    let cases: [(u64, u64, u32, &[u64]); 8] = [
        (pages[0] + 2, pages[3], 1, &[]),
        (pages[0] + 1, pages[1], 8, &[]),
        (pages[0], pages[1] + 4, 16, &[]),
        (pages[0] + 512, pages[1] + 512, 8, &[]),
        (pages[0], list + 4, 24, &[pages[1], pages[2]]),
        (pages[0], list, 24, &[pages[1] + 4, pages[2]]),
        (pages[0], list, 24, &[pages[1], pages[2] + 512]),
        (pages[0], at_border, 32, &[pages[1], list + 8]), // the chain
    ];
    let writes = |bench: &Bench| bench.memory().writes();
    for (prp1, prp2, blocks, entries) in cases {
        bench.memory().set64(prp2, entries);
        let before = writes(&bench);
        let read = command(0x02, 1).prp(prp1, prp2).blocks(0, blocks);
        bench.io(read).fails(Status::INVALID_PRP_OFFSET);
        // The completion alone.
        assert_eq!(writes(&bench), before + 2, "{prp1:#x} {prp2:#x}");
    }
}

#[test]
fn memory_that_is_not_mapped_is_a_transfer_error() {
    let mut bench = Bench::small();
    let pages = apart(bench.memory(), 3);
    let list = bench.memory().pages(1);
    bench.memory().unmap(pages[1]..pages[1] + PAGE);
    bench.memory().unmap(list..list + PAGE);
    for (opcode, prp1, prp2, blocks) in [
        (0x02, pages[1], 0, 8),
        (0x01, pages[1], 0, 8),
        (0x02, pages[0], pages[1], 16),
        (0x02, pages[0], list, 24),
        (0x05, pages[1], 0, 8),
        (0x09, pages[1], 0, 1),
        (0x02, u64::MAX - 4095, 0, 8),
        (0x01, u64::MAX - 2047, 0, 8),
    ] {
        let io = command(opcode, 1).prp(prp1, prp2).blocks(0, blocks);
        bench.io(io).fails(Status::DATA_TRANSFER_ERROR);
    }
    assert_eq!(bench.memory().refused(), 8);
    assert_eq!(bench.host.controller.counters().refused_accesses, 8);
}

#[test]
fn the_largest_transfer_is_exact() {
    let mut bench = Bench::new(Config {
        mdts: 1,
        ..Config::default()
    });
    let page = bench.memory().pages(4);
    for opcode in [0x01, 0x02, 0x05] {
        let io = command(opcode, 1).prp(page, page + PAGE);
        bench.io(io.blocks(0, 16)).ok();
        bench.io(io.blocks(0, 17)).fails(Status::INVALID_FIELD);
    }
    // Commands that move nothing know no such limit.
    bench.io(command(0x08, 1).blocks(0, 65536)).ok();
    bench.io(command(0x0c, 1).blocks(0, 65536)).ok();
}

/// An SGL descriptor.
fn descriptor(kind: u8, address: u64, length: u32) -> [u64; 2] {
    [address, u64::from(length) | u64::from(kind) << 56]
}

const DATA: u8 = 0x00;
const BUCKET: u8 = 0x10;
const SEGMENT: u8 = 0x20;
const LAST: u8 = 0x30;
const SGL: u8 = 1 << 6;

fn put_segment(memory: &HostMemory, at: u64, descriptors: &[[u64; 2]]) {
    memory.set64(at, descriptors.as_flattened());
}

#[test]
fn a_data_block_is_an_sgl() {
    let mut bench = Bench::small();
    let page = bench.memory().pages(4) + PAGE;
    let pointer = descriptor(DATA, page + 3, 4096);
    bench.reads_to(SGL, pointer, 8, &[(page + 3, 4096)]);
    bench.reads_to(2 << 6, pointer, 8, &[(page + 3, 4096)]);
}

#[test]
fn segments_of_an_sgl_are_chained() {
    let mut bench = Bench::small();
    let page = bench.memory().pages(8) + PAGE;
    let [one, two] = [(); 2].map(|()| bench.memory().pages(1));
    let a = (page + 1, 1000);
    let b = (page + 2000, 2096);
    let c = (page + 5001, 1000);
    let data = |(address, length): (u64, usize)| descriptor(DATA, address, length as u32);
    put_segment(
        bench.memory(),
        one,
        &[data(a), descriptor(DATA, 0, 0), descriptor(LAST, two, 32)],
    );
    put_segment(bench.memory(), two, &[data(b), data(c)]);
    bench.reads_to(SGL, descriptor(SEGMENT, one, 48), 8, &[a, b, c]);
    // A last segment at once, of more descriptors than are read at a time.
    let pieces: Vec<_> = (0..64_u64).map(|i| (page + i * 100, 64_usize)).collect();
    let segment: Vec<_> = pieces.iter().map(|piece| data(*piece)).collect();
    put_segment(bench.memory(), one, &segment);
    bench.reads_to(SGL, descriptor(LAST, one, 64 * 16), 8, &pieces);
}

#[test]
fn a_bit_bucket_swallows_what_is_read_and_is_not_there_for_writes() {
    let mut bench = Bench::small();
    let page = bench.memory().pages(4) + PAGE;
    let list = bench.memory().pages(1);
    bench.memory().set(page, &pattern(6, 4096));
    let io = |opcode: u8| {
        command(opcode, 1)
            .dw(0, u32::from(opcode) | 1 << 14)
            .prp(list, 0x30 << 56 | 48)
            .blocks(0, 8)
    };
    let segment = [
        descriptor(DATA, page, 1024),
        descriptor(BUCKET, 0, 2048),
        descriptor(DATA, page + 1024, 3072),
    ];
    put_segment(bench.memory(), list, &segment);
    bench.io(io(0x01)).ok();
    let segment = [
        descriptor(DATA, page, 1024),
        descriptor(BUCKET, 0, 2048),
        descriptor(DATA, page + 3072, 1024),
    ];
    put_segment(bench.memory(), list, &segment);
    bench.memory().set(page, &[0xee; 4096]);
    bench.io(io(0x02)).ok();
    let mut expected = pattern(6, 4096);
    expected[1024..3072].fill(0xee);
    assert_eq!(bench.memory().get(page, 4096), expected);
}

#[test]
fn impossible_sgls_are_refused_before_data_moves() {
    let mut bench = Bench::small();
    let page = bench.memory().pages(2);
    let list = bench.memory().pages(1);
    let data = descriptor(DATA, page, 4096);
    let half = descriptor(DATA, page, 2048);
    type Descriptor = [u64; 2];
    let cases: [(Descriptor, &[Descriptor], Status); 13] = [
        (
            descriptor(DATA, page, 4095),
            &[],
            Status::DATA_SGL_LENGTH_INVALID,
        ),
        (
            descriptor(DATA, page, 4097),
            &[],
            Status::DATA_SGL_LENGTH_INVALID,
        ),
        (
            descriptor(LAST, list, 16),
            &[half],
            Status::DATA_SGL_LENGTH_INVALID,
        ),
        (descriptor(0x40, page, 4096), &[], Status::SGL_TYPE_INVALID),
        (descriptor(0x01, page, 4096), &[], Status::SGL_TYPE_INVALID),
        (descriptor(0xf0, page, 4096), &[], Status::SGL_TYPE_INVALID),
        (descriptor(LAST, list, 0), &[], Status::INVALID_SGL_SEGMENT),
        (
            descriptor(LAST, list, 24),
            &[data],
            Status::INVALID_SGL_SEGMENT,
        ),
        // A last segment that goes on; a segment that does not.
        (
            descriptor(LAST, list, 32),
            &[half, descriptor(LAST, page, 16)],
            Status::INVALID_SGL_SEGMENT,
        ),
        (
            descriptor(SEGMENT, list, 16),
            &[data],
            Status::INVALID_SGL_SEGMENT,
        ),
        // A pointer in the middle.
        (
            descriptor(SEGMENT, list, 32),
            &[descriptor(LAST, page, 16), data],
            Status::INVALID_SGL_SEGMENT,
        ),
        // A segment that leads to itself.
        (
            descriptor(SEGMENT, list, 16),
            &[descriptor(SEGMENT, list, 16)],
            Status::INVALID_SGL_COUNT,
        ),
        (
            descriptor(LAST, list, 16),
            &[descriptor(BUCKET, 0, 8192)],
            Status::DATA_SGL_LENGTH_INVALID,
        ),
    ];
    for (pointer, segment, status) in cases {
        put_segment(bench.memory(), list, segment);
        let before = bench.memory().writes();
        let read = command(0x02, 1)
            .dw(0, 0x02 | 1 << 14)
            .prp(pointer[0], pointer[1])
            .blocks(0, 8);
        bench.io(read).fails(status);
        assert_eq!(bench.memory().writes(), before + 2);
    }
    let reserved = command(0x02, 1)
        .dw(0, 0x02 | 3 << 14)
        .prp(data[0], data[1])
        .blocks(0, 8);
    bench.io(reserved).fails(Status::INVALID_FIELD);
}

#[test]
fn sgls_are_refused_where_they_are_not_offered() {
    let mut bench = Bench::new(Config::default());
    let page = bench.memory().pages(1);
    let [low, high] = descriptor(DATA, page, 4096);
    let read = command(0x02, 1)
        .dw(0, 0x02 | 1 << 14)
        .prp(low, high)
        .blocks(0, 8);
    bench.io(read).fails(Status::INVALID_FIELD);
}
