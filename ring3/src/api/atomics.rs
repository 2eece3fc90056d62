//! Atomic operations on 64 bits, sequentially consistent: what C gives without
//! an order.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::operation::{barrier, each, operation};

operation! {
    fn atomic_load(iterations) {
        let cell = AtomicU64::new(1);
        let mut effect = 0;
        barrier(&cell);
        each!(_ in iterations {
            effect += cell.load(SeqCst);
        });
        effect
    }

    fn atomic_store(iterations) {
        let cell = AtomicU64::new(u64::MAX);
        let mut effect = 0;
        each!(i in iterations {
            cell.store(i, SeqCst);
            barrier(&cell);
            effect += u64::from(cell.load(Relaxed) == i);
        });
        effect
    }

    fn atomic_swap(iterations) {
        let cell = AtomicU64::new(0);
        let mut effect = 0;
        each!(i in iterations {
            effect += u64::from(cell.swap(i + 1, SeqCst) == i);
        });
        effect
    }

    fn atomic_compare_exchange(iterations) {
        let cell = AtomicU64::new(0);
        let mut effect = 0;
        each!(i in iterations {
            effect += u64::from(cell.compare_exchange(i, i + 1, SeqCst, SeqCst).is_ok());
        });
        effect
    }

    fn atomic_fetch_add(iterations) {
        let cell = AtomicU64::new(0);
        let mut effect = 0;
        each!(i in iterations {
            effect += u64::from(cell.fetch_add(1, SeqCst) == i);
        });
        effect
    }

    /// The bits of the last `i` differ from those of this one.
    fn atomic_fetch_or(iterations) {
        let cell = AtomicU64::new(0);
        let mut effect = 0;
        each!(i in iterations {
            cell.store(i, Relaxed);
            effect += u64::from(cell.fetch_or(1, SeqCst) == i);
        });
        effect
    }
}
