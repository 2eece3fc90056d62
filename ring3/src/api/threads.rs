//! Threads, and what they do for each other.

use std::cell::Cell;
use std::sync::{mpsc, Condvar, Mutex};
use std::thread;

use super::operation::{barrier, each, operation};

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(0) };
}

operation! {
    fn thread(iterations) {
        let mut effect = 0;
        each!(i in iterations {
            let Ok(thread) = thread::Builder::new().spawn(move || i + 1) else { break };
            effect += u64::from(thread.join().is_ok_and(|result| result == i + 1));
        });
        effect
    }

    fn thread_local(iterations) {
        let before = LOCAL.get();
        each!(_ in iterations {
            LOCAL.set(LOCAL.get() + 1);
            LOCAL.with(barrier);
        });
        LOCAL.get() - before
    }

    fn condvar_round_trip(iterations) {
        let rally = Mutex::new(Rally::default());
        let turned = Condvar::new();
        thread::scope(|scope| {
            let there = || answer(&rally, &turned);
            if thread::Builder::new().spawn_scoped(scope, there).is_err() {
                return;
            }
            each!(_ in iterations {
                let mut guard = rally.lock().unwrap();
                guard.asked = true;
                turned.notify_one();
                while guard.asked {
                    guard = turned.wait(guard).unwrap();
                }
            });
            rally.lock().unwrap().over = true;
            turned.notify_one();
        });
        rally.into_inner().unwrap().answers
    }

    fn channel(iterations) {
        let (sender, receiver) = mpsc::channel();
        let mut effect = 0;
        each!(i in iterations {
            effect += u64::from(sender.send(i).is_ok() && receiver.recv() == Ok(i));
        });
        effect
    }

    fn channel_round_trip(iterations) {
        let (there, remote) = mpsc::channel();
        let (back, here) = mpsc::channel();
        let mut effect = 0;
        thread::scope(|scope| {
            let send_back = move || {
                while let Ok(value) = remote.recv() {
                    back.send(value).unwrap();
                }
            };
            if thread::Builder::new().spawn_scoped(scope, send_back).is_err() {
                return;
            }
            each!(i in iterations {
                effect += u64::from(there.send(i).is_ok() && here.recv() == Ok(i));
            });
            drop(there);
        });
        effect
    }
}

#[derive(Default)]
struct Rally {
    asked: bool,
    over: bool,
    answers: u64,
}

fn answer(rally: &Mutex<Rally>, turned: &Condvar) {
    let mut guard = rally.lock().unwrap();
    loop {
        while !guard.asked && !guard.over {
            guard = turned.wait(guard).unwrap();
        }
        if guard.over {
            break;
        }
        guard.asked = false;
        guard.answers += 1;
        turned.notify_one();
    }
}
