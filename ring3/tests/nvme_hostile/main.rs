//! Hostile controllers, the same ones each time; `ring3/fuzz` looks for others.
//!
//! `RINGFENCE_HOSTILE_STEPS` sets how many things the device does, for a longer
//! run: `RINGFENCE_HOSTILE_STEPS=10000000 cargo test --release -p ringfence-ring3
//! --test nvme_hostile`.

mod life;

use rand::rngs::StdRng;
use rand::SeedableRng;

use life::{play, Life};

#[test]
fn a_hostile_controller_neither_panics_nor_hangs_nor_ends_a_request_twice() {
    let wanted = match std::env::var("RINGFENCE_HOSTILE_STEPS") {
        Ok(steps) => steps.parse().expect("a number"),
        Err(_) => 200_000,
    };
    let mut all = Life::default();
    let (mut lives, mut up) = (0, 0);
    while all.steps < wanted {
        let life = play(Box::new(StdRng::seed_from_u64(lives)));
        lives += 1;
        up += u64::from(life.came_up);
        all.steps += life.steps;
        all.ended += life.ended;
        all.resets += life.resets;
    }
    println!(
        "{} steps in {lives} lives: {up} came up, {} requests passed for done, {} resets",
        all.steps, all.ended, all.resets
    );
    // It has to get somewhere, or nothing was tried.
    assert!(up * 5 > lives && all.ended > 0 && all.resets > 0);
}
