//! What a process asks of its surroundings.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant, SystemTime};
use std::{env, process, thread};

use super::operation::{barrier, each, operation};

operation! {
    fn monotonic_clock(iterations) {
        let mut last = Instant::now();
        let mut effect = 0;
        each!(_ in iterations {
            let now = Instant::now();
            effect += u64::from(now >= last);
            last = now;
        });
        effect
    }

    /// It may be set back, so that it is only checked to be after 2017.
    fn wall_clock(iterations) {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(SystemTime::now() > since);
        });
        effect
    }

    fn sleep_1us(iterations) {
        let time = Duration::from_micros(1);
        let mut effect = 0;
        each!(_ in iterations {
            let begun = Instant::now();
            thread::sleep(time);
            effect += u64::from(begun.elapsed() >= time);
        });
        effect
    }

    fn process_id(iterations) {
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(process::id() > 0);
        });
        effect
    }

    /// PATH, copied as one must before somebody changes it.
    fn environment(iterations) {
        let name = "PATH";
        let first = env::var(name).ok().and_then(|value| value.bytes().next());
        let mut effect = 0;
        barrier(&name);
        each!(_ in iterations {
            let Ok(copy) = env::var(name) else { break };
            barrier(copy.as_str());
            effect += u64::from(copy.bytes().next() == first);
        });
        effect
    }

    fn current_directory(iterations) {
        let mut effect = 0;
        each!(_ in iterations {
            let Ok(path) = env::current_dir() else { break };
            effect += u64::from(path.as_os_str().as_bytes().first() == Some(&b'/'));
        });
        effect
    }
}
