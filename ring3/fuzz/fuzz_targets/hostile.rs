//! The NVMe driver against a controller whose malice the fuzzer chooses; the body
//! is that of `ring3/tests/nvme_hostile`. With stable Rust, from `ring3`:
//!
//! ```sh
//! cargo install cargo-fuzz
//! cargo fuzz run --sanitizer none hostile -- -max_total_time=300
//! ```
#![no_main]

#[path = "../../tests/nvme_hostile/life.rs"]
mod life;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libfuzzer_sys::fuzz_target;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// The input's words as random numbers, and then those that its last word leads
/// to.
struct Words {
    words: Vec<u64>,
    at: usize,
    then: StdRng,
}

impl Words {
    fn new(input: &[u8]) -> Words {
        let words: Vec<u64> = input
            .chunks(8)
            .map(|bytes| {
                bytes
                    .iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte))
            })
            .collect();
        let last = words.last().copied().unwrap_or(0);
        Words {
            words,
            at: 0,
            then: StdRng::seed_from_u64(last),
        }
    }
}

impl RngCore for Words {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word.unwrap_or_else(|| self.then.next_u64())
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for bytes in to.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
    }
}

/// What devices did in this run, told at each million.
static STEPS: AtomicU64 = AtomicU64::new(0);

fuzz_target!(|input: &[u8]| {
    let life = life::play(Box::new(Words::new(input)));
    let before = STEPS.fetch_add(life.steps, Relaxed);
    let after = before + life.steps;
    if before / 1_000_000 != after / 1_000_000 {
        println!("{after} steps of devices");
    }
});
