//! Files, by system call and through a buffer.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use super::operation::{barrier, each, operation};

operation! {
    fn read_4096(iterations) {
        let Ok(mut file) = File::open("/dev/zero") else { return 0 };
        let mut bytes = [0; 4096];
        let mut effect = 0;
        each!(_ in iterations {
            bytes[4095] = 1;
            let read = file.read(&mut bytes);
            effect += u64::from(matches!(read, Ok(4096)) && bytes[4095] == 0);
        });
        effect
    }

    fn write_4096(iterations) {
        let Ok(mut file) = File::options().write(true).open("/dev/null") else { return 0 };
        let bytes = [0; 4096];
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(matches!(file.write(&bytes), Ok(4096)));
        });
        effect
    }

    /// One line at its place.
    fn pread_64(iterations) {
        let Some(file) = lines() else { return 0 };
        let mut bytes = [0; 64];
        let mut effect = 0;
        each!(i in iterations {
            let read = file.read_at(&mut bytes, i % 1024 * 64);
            effect += u64::from(
                matches!(read, Ok(64)) && bytes[3] == b'0' + (i % 1024 % 10) as u8,
            );
        });
        effect
    }

    fn seek(iterations) {
        let Some(mut file) = lines() else { return 0 };
        let mut effect = 0;
        each!(i in iterations {
            let place = file.seek(SeekFrom::Start(i));
            effect += u64::from(place.is_ok_and(|place| place == i));
        });
        effect
    }

    fn buffered_read_64(iterations) {
        let Ok(file) = File::open("/dev/zero") else { return 0 };
        let mut file = BufReader::new(file);
        let mut bytes = [0; 64];
        let mut effect = 0;
        each!(_ in iterations {
            bytes[63] = 1;
            effect += u64::from(file.read_exact(&mut bytes).is_ok() && bytes[63] == 0);
        });
        effect
    }

    fn buffered_write_64(iterations) {
        let Ok(file) = File::options().write(true).open("/dev/null") else { return 0 };
        let mut file = BufWriter::new(file);
        let bytes = [0; 64];
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(file.write_all(&bytes).is_ok());
        });
        if file.flush().is_ok() { effect } else { 0 }
    }

    /// After the last line comes the first one.
    fn read_line(iterations) {
        let Some(file) = lines() else { return 0 };
        let mut file = BufReader::new(file);
        let mut line = String::new();
        let mut effect = 0;
        each!(i in iterations {
            line.clear();
            let mut length = file.read_line(&mut line);
            if matches!(length, Ok(0)) && file.rewind().is_ok() {
                length = file.read_line(&mut line);
            }
            effect += u64::from(
                matches!(length, Ok(64))
                    && line.as_bytes()[3] == b'0' + (i % 1024 % 10) as u8,
            );
        });
        effect
    }

    fn open(iterations) {
        let path = "/dev/null";
        let mut effect = 0;
        barrier(&path);
        each!(_ in iterations {
            effect += u64::from(File::open(path).is_ok());
        });
        effect
    }

    fn open_missing(iterations) {
        let path = "/dev/ringfence/missing";
        let mut effect = 0;
        barrier(&path);
        each!(_ in iterations {
            let opened = File::open(path);
            effect += u64::from(opened.is_err_and(|error| error.kind() == ErrorKind::NotFound));
        });
        effect
    }

    fn duplicate(iterations) {
        let Ok(file) = File::open("/dev/null") else { return 0 };
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(file.try_clone().is_ok());
        });
        effect
    }

    fn stat(iterations) {
        let path = "/";
        let mut effect = 0;
        barrier(&path);
        each!(_ in iterations {
            effect += u64::from(fs::metadata(path).is_ok_and(|status| status.is_dir()));
        });
        effect
    }

    fn fstat(iterations) {
        let Some(file) = lines() else { return 0 };
        let mut effect = 0;
        each!(_ in iterations {
            effect += u64::from(file.metadata().is_ok_and(|status| status.len() == 65536));
        });
        effect
    }

    fn read_directory(iterations) {
        let path = "/";
        let expected = entries(path);
        let mut effect = 0;
        barrier(&path);
        each!(_ in iterations {
            let count = entries(path);
            effect += u64::from(count > 0 && count == expected);
        });
        effect
    }
}

/// How many entries, without `.` and `..`; none if it cannot be read.
fn entries(path: &str) -> u64 {
    fs::read_dir(path).map_or(0, |entries| entries.flatten().count() as u64)
}

extern "C" {
    /// Of `files.c`: a file in memory of 1024 lines of 64 bytes, each of which
    /// begins with its number in four digits. Negative: none.
    fn rf_api_lines() -> i32;
}

fn lines() -> Option<File> {
    // SAFETY: It takes nothing and keeps nothing.
    let file = unsafe { rf_api_lines() };
    // SAFETY: A descriptor that was just made, and is nobody else's.
    (file >= 0).then(|| File::from(unsafe { OwnedFd::from_raw_fd(file) }))
}
