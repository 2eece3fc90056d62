//! The volatile write cache: what survives a loss of power.

use nvme_model::Config;

use crate::host::*;

/// Writes blocks of one byte each.
struct Bench {
    host: Host,
    pair: Pair,
    page: u64,
}

impl Bench {
    fn new(write_cache: bool) -> Self {
        let mut host = Host::with(Config {
            write_cache,
            ..Config::default()
        });
        let pair = host.make_pair(1, 8, 8);
        let page = host.memory.pages(2);
        Self { host, pair, page }
    }

    fn fill(&mut self, lba: u64, count: u32, byte: u8, fua: bool) {
        let length = 512 * count as usize;
        self.host.memory.set(self.page, &vec![byte; length]);
        let write = command(0x01, 1)
            .prp(self.page, self.page + PAGE)
            .dw(12, u32::from(fua) << 30)
            .blocks(lba, count);
        self.io(write);
    }

    fn io(&mut self, command: Command) {
        self.host.io(&mut self.pair, command).ok();
    }

    /// The first byte of each of the first 16 blocks.
    fn blocks(&self) -> Vec<u8> {
        let namespace = self.host.controller.namespace(1).unwrap();
        let first = |lba| {
            let mut block = [0; 512];
            namespace.read_block(lba, &mut block).unwrap();
            assert!(block.iter().all(|byte| *byte == block[0]));
            block[0]
        };
        (0..16).map(first).collect()
    }
}

#[test]
fn what_is_not_flushed_is_lost() {
    let mut bench = Bench::new(true);
    bench.fill(0, 16, 1, false);
    bench.io(command(0x00, 1));
    bench.fill(2, 4, 2, false);
    bench.fill(12, 4, 3, true);
    bench.fill(4, 1, 4, true);
    bench.fill(12, 1, 5, false);
    assert_eq!(
        bench.blocks(),
        [1, 1, 2, 2, 4, 2, 1, 1, 1, 1, 1, 1, 5, 3, 3, 3]
    );
    bench.host.controller.power_loss(|_, _| false);
    assert_eq!(
        bench.blocks(),
        [1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3]
    );
    assert_eq!(bench.host.controller.read32(CSTS), 0);
    assert_eq!(bench.host.controller.read64(ASQ), 0);
}

#[test]
fn any_part_of_it_may_survive() {
    let mut bench = Bench::new(true);
    bench.fill(0, 16, 1, false);
    bench.host.controller.power_loss(|namespace, lba| {
        assert_eq!(namespace, 1);
        lba % 3 == 0
    });
    let expected: Vec<_> = (0..16).map(|lba| u8::from(lba % 3 == 0)).collect();
    assert_eq!(bench.blocks(), expected);
}

#[test]
fn deallocation_and_zeroes_are_cached_too() {
    let mut bench = Bench::new(true);
    bench.fill(0, 16, 1, true);
    bench.io(command(0x08, 1).dw(12, 1 << 25).blocks(0, 8));
    bench.io(command(0x08, 1).blocks(8, 4));
    bench.io(command(0x08, 1).dw(12, 1 << 30).blocks(12, 4));
    assert_eq!(bench.blocks(), [0; 16]);
    bench.host.controller.power_loss(|_, _| false);
    assert_eq!(bench.blocks()[..12], [1; 12]);
    assert_eq!(bench.blocks()[12..], [0; 4]);
}

#[test]
fn zeroes_written_with_fua_survive_over_data_that_is_not_flushed() {
    for deallocate in [0, 1 << 25] {
        let mut bench = Bench::new(true);
        let zeroes = |flags| command(0x08, 1).dw(12, flags);
        bench.fill(0, 16, 1, true);
        bench.io(zeroes(1 << 25).blocks(0, 8));
        bench.fill(8, 8, 2, false);
        bench.io(zeroes(1 << 30 | deallocate).blocks(0, 16));
        bench.host.controller.power_loss(|_, _| false);
        assert_eq!(bench.blocks(), [0; 16]);
    }
}

#[test]
fn a_cache_that_is_off_loses_nothing() {
    let mut bench = Bench::new(true);
    bench.fill(0, 4, 1, false);
    let off = command(0x09, 0).dw(10, 6).dw(11, 0);
    bench.host.admin(off).ok();
    bench.fill(4, 4, 2, false);
    bench.host.controller.power_loss(|_, _| false);
    assert_eq!(bench.blocks()[..8], [1, 1, 1, 1, 2, 2, 2, 2]);

    let mut bench = Bench::new(false);
    bench.fill(0, 16, 1, false);
    bench.host.controller.power_loss(|_, _| false);
    assert_eq!(bench.blocks(), [1; 16]);
}

#[test]
fn a_normal_shutdown_flushes_and_counts_as_safe() {
    for (shn, survives) in [(1, true), (2, false)] {
        let mut bench = Bench::new(true);
        bench.fill(0, 16, 1, false);
        bench.host.controller.write32(CC, CC_ENABLE | shn << 14);
        bench.host.run();
        bench.host.controller.power_loss(|_, _| false);
        assert_eq!(bench.blocks(), [u8::from(survives); 16]);
        bench.host.admin = Pair::new(&bench.host.memory, 0, 32, 32);
        bench.host.enable();
        let log = bench.host.log_page(2, 512, false);
        assert_eq!(log[112], 2); // power cycles
        assert_eq!(log[144], 0); // unsafe shutdowns
    }
    let mut bench = Bench::new(true);
    bench.host.controller.power_loss(|_, _| false);
    bench.host.admin = Pair::new(&bench.host.memory, 0, 32, 32);
    bench.host.enable();
    assert_eq!(bench.host.log_page(2, 512, false)[144], 1);
}

#[test]
fn reading_with_fua_brings_data_to_the_medium() {
    let mut bench = Bench::new(true);
    bench.fill(0, 16, 1, false);
    let read = command(0x02, 1)
        .prp(bench.page, 0)
        .dw(12, 1 << 30)
        .blocks(0, 1);
    bench.io(read);
    bench.host.controller.power_loss(|_, _| false);
    assert_eq!(bench.blocks()[0], 1);
}
