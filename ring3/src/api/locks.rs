//! Locks, and what is done once.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, RwLock};
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
        let stop = AtomicBool::new(false);
        let taken = thread::scope(|scope| {
            let other = scope.spawn(|| contend(&lock, &stop));
            while *lock.lock().unwrap() == 0 {}
            each!(_ in iterations {
                *lock.lock().unwrap() += 1;
            });
            stop.store(true, Relaxed);
            other.join().unwrap()
        });
        lock.into_inner().unwrap() - taken
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

/// Takes the lock again and again, and returns how often.
fn contend(lock: &Mutex<u64>, stop: &AtomicBool) -> u64 {
    let mut taken = 0;
    while !stop.load(Relaxed) {
        *lock.lock().unwrap() += 1;
        taken += 1;
    }
    taken
}
