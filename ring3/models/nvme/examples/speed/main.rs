//! What the model itself costs: nanoseconds a 4 KiB command, with a host that
//! does nothing but write entries and doorbells.
//!
//! `cargo run --release -p ringfence-model-nvme --example speed [SECONDS]`

mod host;

use std::time::{Duration, Instant};

use host::Host;

/// Nanoseconds that this thread has been on a processor, which others on the
/// machine do not lengthen.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    first.expect("a number of nanoseconds first in schedstat")
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(1.0, |seconds| {
        seconds.parse().expect("a number of seconds, such as 0.5")
    });
    let limit = Duration::from_secs_f64(seconds);
    for mebibytes in [1, 64] {
        println!("namespace of {mebibytes} MiB, addresses at random:");
        let blocks = mebibytes << 11;
        for (name, opcode) in [("write", 0x01), ("read", 0x02)] {
            for depth in [1, 32] {
                let each = measure(opcode, depth, blocks, limit);
                println!("  {name} 4k, depth {depth}: {each:.1} ns a command");
            }
        }
    }
}

/// Nanoseconds a command.
fn measure(opcode: u8, depth: u32, blocks: u32, limit: Duration) -> f64 {
    let mut host = Host::new(blocks.into());
    for lba in (0..blocks).step_by(8) {
        host.round(0x01, 1, |_| lba);
    }
    let mut rounds = 0_u32;
    let mut seed = 1_u32;
    let start = Instant::now();
    let before = on_processor();
    while start.elapsed() < limit {
        for _ in 0..256 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let base = seed >> 8;
            host.round(opcode, depth, |i| (base + 1013 * i) % (blocks / 8) * 8);
        }
        rounds += 256;
    }
    let spent = on_processor() - before;
    spent as f64 / (f64::from(rounds) * f64::from(depth))
}
