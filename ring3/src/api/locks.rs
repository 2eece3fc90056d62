//! Locks, and what is done once.

use std::sync::{Barrier, Mutex, OnceLock, RwLock};
use std::thread;

use super::operation::{barrier, each, operation};

operation! {
    fn mutex(iterations) {
        let lock = Mutex::new(0);
        each!(_ in iterations {
            let mut counter = lock.lock().unwrap();
            *counter += 1;
            barrier(&*counter);
        });
        lock.into_inner().unwrap()
    }

    fn mutex_try(iterations) {
        let lock = Mutex::new(0);
        each!(_ in iterations {
            if let Ok(mut counter) = lock.try_lock() {
                *counter += 1;
                barrier(&*counter);
            }
        });
        lock.into_inner().unwrap()
    }

    fn mutex_contended(iterations) {
        let lock = Mutex::new(0);
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let there = || contend(&lock, &start, iterations);
            let Ok(other) = thread::Builder::new().spawn_scoped(scope, there) else {
                return 0;
            };
            let here = contend(&lock, &start, iterations);
            here + other.join().unwrap()
        })
    }

    fn rwlock_read(iterations) {
        let lock = RwLock::new(1);
        let mut effect = 0;
        each!(_ in iterations {
            let value = lock.read().unwrap();
            barrier(&*value);
            effect += *value;
        });
        effect
    }

    fn rwlock_write(iterations) {
        let lock = RwLock::new(0);
        each!(_ in iterations {
            let mut counter = lock.write().unwrap();
            *counter += 1;
            barrier(&*counter);
        });
        lock.into_inner().unwrap()
    }

    fn once(iterations) {
        static MADE_ONCE: OnceLock<u64> = OnceLock::new();
        let mut effect = 0;
        each!(_ in iterations {
            effect += MADE_ONCE.get_or_init(|| 1);
        });
        effect
    }
}

/// Takes the lock again and again until both threads together have counted all
/// iterations, and returns how many were counted here.
#[inline(always)]
fn contend(lock: &Mutex<u64>, start: &Barrier, iterations: u64) -> u64 {
    let mut taken = 0;
    start.wait();
    loop {
        let mut counter = lock.lock().unwrap();
        let more = *counter < iterations;
        if more {
            *counter += 1;
        }
        drop(counter);
        taken += u64::from(more);
        if !more {
            break taken;
        }
    }
}
