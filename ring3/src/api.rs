//! The programming interfaces of user space, operation by operation: what C
//! gets from libc and pthread, and safe Rust from `std`.
//!
//! An operation is two functions with the same loop around the same thing, one
//! in `api/FACILITY.c` and one in `api/FACILITY.rs`, each as one would write
//! it. Each counts in how many iterations a check of its own saw the thing
//! happen, the same check on both sides, so that a loop that was optimised
//! away does not pass.

mod allocation;
mod atomics;
mod bytes;
mod collections;
mod counts;
mod empty;
mod files;
mod locks;
mod operation;
mod sockets;
mod strings;
mod system;
mod threads;

use std::fmt;

/// A language, and the library that it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// libc and pthread.
    C,
    /// Safe Rust, `core` to `std`.
    Rust,
}

impl Side {
    /// Both.
    pub const ALL: [Side; 2] = [Side::C, Side::Rust];
}

/// As in a symbol: `c`, `rust`.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::C => "c",
            Side::Rust => "rust",
        })
    }
}

/// One thing that C and Rust can both do.
#[derive(Debug)]
pub struct Operation {
    /// Its name in a plan, such as `mutex-contended`.
    pub name: &'static str,
    /// The C functions.
    pub c: &'static str,
    /// The path in Rust.
    pub rust: &'static str,
    /// Two threads meet in it. What it executes depends on which one comes
    /// first, so that it can be timed and not counted.
    pub contended: bool,
    function: &'static str,
    run_c: unsafe extern "C" fn(u64) -> u64,
    run_rust: fn(u64) -> u64,
}

impl Operation {
    /// Does it so many times, one after another, and returns the *effect*: in
    /// how many iterations it was seen to happen. Anything but `iterations`
    /// means that it did not do what it should, so that a time or count of it
    /// is worth nothing; 0 also that what it needs is not there, such as a
    /// file descriptor.
    ///
    /// Setting up and tearing down is in it: up to a tenth of a millisecond,
    /// most of it for the start of a thread or for a file. So time many
    /// iterations, or take the difference of two numbers of them. The first
    /// call does what a process does once only, such as to begin its heap:
    /// leave it out.
    pub fn run(&self, side: Side, iterations: u64) -> u64 {
        match side {
            // SAFETY: A function of `api/*.c` that takes any number and
            // returns one; what else it touches is its own.
            Side::C => unsafe { (self.run_c)(iterations) },
            Side::Rust => (self.run_rust)(iterations),
        }
    }

    /// The symbol of the function with the loop, such as `rf_api_mutex_try_c`.
    pub fn symbol(&self, side: Side) -> String {
        format!("rf_api_{}_{side}", self.function)
    }
}

/// An operation from its line in the table. A function that is missing fails
/// the build: in Rust the compiler, in C the linker.
macro_rules! operation {
    ($file:ident::$function:ident $name:literal $c:literal $rust:literal $contended:expr) => {{
        extern "C" {
            #[link_name = concat!("rf_api_", stringify!($function), "_c")]
            fn run_c(iterations: u64) -> u64;
        }
        Operation {
            name: $name,
            c: $c,
            rust: $rust,
            contended: $contended,
            function: stringify!($function),
            run_c,
            run_rust: $file::$function,
        }
    }};
}

macro_rules! operations {
    ($($file:ident { $($function:ident $name:literal: $c:literal, $rust:literal $(, $contended:ident)?;)* })*) => {
        &[$($(
            operation!($file::$function $name $c $rust operations!(@contended $($contended)?)),
        )*)*]
    };
    (@contended) => { false };
    (@contended contended) => { true };
}

/// A loop that does nothing, whose effect is 0: whoever takes samples must
/// refuse it. It is none of [`OPERATIONS`].
pub const EMPTY: Operation = operation!(empty::empty "empty" "-" "-" false);

/// All operations. Where the two sides cannot be the same, a comment says how
/// they differ; nothing is bent to hide it.
pub const OPERATIONS: &[Operation] = operations! {
    locks {
        // Rust also tells whoever locks next that a holder panicked.
        mutex "mutex":
            "pthread_mutex_lock, pthread_mutex_unlock", "std::sync::Mutex::lock";
        mutex_try "mutex-try":
            "pthread_mutex_trylock, pthread_mutex_unlock", "std::sync::Mutex::try_lock";
        // Both threads' iterations together, by whom however many.
        mutex_contended "mutex-contended":
            "pthread_mutex_lock, pthread_mutex_unlock", "std::sync::Mutex::lock", contended;
        rwlock_read "rwlock-read":
            "pthread_rwlock_rdlock, pthread_rwlock_unlock", "std::sync::RwLock::read";
        rwlock_write "rwlock-write":
            "pthread_rwlock_wrlock, pthread_rwlock_unlock", "std::sync::RwLock::write";
        once "once":
            "pthread_once", "std::sync::OnceLock::get_or_init";
    }
    counts {
        // C has none: what its programs write with stdatomic.h.
        arc "arc":
            "atomic_fetch_add, atomic_fetch_sub", "std::sync::Arc::clone, drop";
        arc_upgrade "arc-upgrade":
            "atomic_compare_exchange_weak, atomic_fetch_sub", "std::sync::Weak::upgrade, drop";
        rc "rc":
            "++, --", "std::rc::Rc::clone, drop";
    }
    atomics {
        atomic_load "atomic-load":
            "atomic_load", "std::sync::atomic::AtomicU64::load";
        atomic_store "atomic-store":
            "atomic_store", "std::sync::atomic::AtomicU64::store";
        atomic_swap "atomic-swap":
            "atomic_exchange", "std::sync::atomic::AtomicU64::swap";
        atomic_compare_exchange "atomic-compare-exchange":
            "atomic_compare_exchange_strong", "std::sync::atomic::AtomicU64::compare_exchange";
        atomic_fetch_add "atomic-fetch-add":
            "atomic_fetch_add", "std::sync::atomic::AtomicU64::fetch_add";
        atomic_fetch_or "atomic-fetch-or":
            "atomic_fetch_or", "std::sync::atomic::AtomicU64::fetch_or";
    }
    allocation {
        allocate_8 "allocate-8": "malloc, free", "Box::new_uninit_slice, drop";
        allocate_64 "allocate-64": "malloc, free", "Box::new_uninit_slice, drop";
        allocate_512 "allocate-512": "malloc, free", "Box::new_uninit_slice, drop";
        allocate_4096 "allocate-4096": "malloc, free", "Box::new_uninit_slice, drop";
        allocate_1m "allocate-1m": "malloc, free", "Box::new_uninit_slice, drop";
        allocate_zeroed "allocate-zeroed": "calloc, free", "vec![0; n], drop";
        // In C by hand, growing as Vec does.
        push_16 "push-16": "realloc, free", "Vec::push, drop";
    }
    bytes {
        copy_64 "copy-64": "memcpy", "<[u8]>::copy_from_slice";
        copy_4096 "copy-4096": "memcpy", "<[u8]>::copy_from_slice";
        move_64 "move-64": "memmove", "<[u8]>::copy_within";
        move_4096 "move-4096": "memmove", "<[u8]>::copy_within";
        compare_64 "compare-64": "memcmp", "<[u8]>::cmp";
        compare_4096 "compare-4096": "memcmp", "<[u8]>::cmp";
        fill_64 "fill-64": "memset", "<[u8]>::fill";
        fill_4096 "fill-4096": "memset", "<[u8]>::fill";
        // Rust brings a search of its own, by words; libc's is by vectors.
        find_byte_4096 "find-byte-4096": "memchr", "<[u8]>::contains";
    }
    collections {
        // A red-black tree with a node and a call of the comparison for each
        // entry; a B-tree with up to eleven entries a node.
        tree "tree":
            "tsearch, tfind, tdelete", "std::collections::BTreeMap::{insert, get, remove}";
        // libc's hash can be provoked into collisions. Rust's is SipHash with
        // a random key, so that its count moves a little from process to
        // process.
        hash_find "hash-find":
            "hsearch_r", "std::collections::HashMap::get";
        list "list":
            "malloc, TAILQ_INSERT_TAIL, TAILQ_REMOVE, free",
            "std::collections::LinkedList::{push_back, pop_front}";
        // C links what is there already; Rust keeps it in a ring buffer.
        queue "queue":
            "TAILQ_REMOVE, TAILQ_INSERT_TAIL",
            "std::collections::VecDeque::{pop_front, push_back}";
        // C calls the comparison through a pointer; Rust has it inline.
        sort_256 "sort-256": "qsort", "<[u32]>::sort_unstable";
        binary_search_1024 "binary-search-1024": "bsearch", "<[u32]>::binary_search";
    }
    strings {
        format_integer "format-integer": "snprintf %llu", "write! {}";
        format_string "format-string": "snprintf %s: %s", "write! {}: {}";
        format_float "format-float": "snprintf %.3f", "write! {:.3}";
        format_allocated "format-allocated": "asprintf %llu", "format! {}";
        // C heeds the locale and skips blanks; Rust does neither.
        parse_integer "parse-integer": "strtoll", "str::parse::<i64>";
        parse_float "parse-float": "strtod", "str::parse::<f64>";
        // A str knows its length, so that Rust has this for C's strings only.
        string_length "string-length": "strlen", "std::ffi::CStr::from_bytes_until_nul";
        string_compare "string-compare": "strcmp", "str::cmp";
        string_find "string-find": "strstr", "str::find";
        string_duplicate "string-duplicate": "strdup, free", "String::from, drop";
    }
    threads {
        // C gives a thread 8 MiB of stack, Rust 2 MiB, a guard and a handle.
        thread "thread":
            "pthread_create, pthread_join", "std::thread::Builder::spawn, join", contended;
        thread_local "thread-local":
            "_Thread_local", "std::thread_local!";
        condvar_round_trip "condvar-round-trip":
            "pthread_cond_signal, pthread_cond_wait",
            "std::sync::Condvar::{notify_one, wait}", contended;
        // C has none: a list of its own under a mutex, with a condition, and
        // memory for each message. Rust's takes no lock and has memory for 31
        // messages at once.
        channel "channel":
            "pthread_mutex_lock, TAILQ_INSERT_TAIL, pthread_cond_signal",
            "std::sync::mpsc::channel";
        channel_round_trip "channel-round-trip":
            "pthread_mutex_lock, TAILQ_INSERT_TAIL, pthread_cond_signal, pthread_cond_wait",
            "std::sync::mpsc::channel", contended;
    }
    files {
        read_4096 "read-4096": "read", "std::fs::File::read";
        write_4096 "write-4096": "write", "std::fs::File::write";
        pread_64 "pread-64": "pread", "std::os::unix::fs::FileExt::read_at";
        seek "seek": "lseek", "std::fs::File::seek";
        // stdio locks its file in each call; a Rust buffer has one owner. Both
        // have 8 KiB.
        buffered_read_64 "buffered-read-64": "fread", "std::io::BufReader::read_exact";
        buffered_write_64 "buffered-write-64": "fwrite", "std::io::BufWriter::write_all";
        // Rust also checks that the line is UTF-8.
        read_line "read-line": "getline", "std::io::BufRead::read_line";
        // A Rust path has no zero at its end: it is copied to get one.
        open "open": "open, close", "std::fs::File::open, drop";
        open_missing "open-missing": "open, errno", "std::fs::File::open, std::io::Error::kind";
        duplicate "duplicate": "fcntl F_DUPFD_CLOEXEC, close", "std::fs::File::try_clone, drop";
        // Rust asks by statx(2), which has the time of birth.
        stat "stat": "stat", "std::fs::metadata";
        fstat "fstat": "fstat", "std::fs::File::metadata";
        // Rust copies each name.
        read_directory "read-directory":
            "opendir, readdir, closedir", "std::fs::read_dir";
    }
    sockets {
        socket_pair_64 "socket-pair-64":
            "send, recv", "std::os::unix::net::UnixStream::{write, read}";
    }
    system {
        monotonic_clock "monotonic-clock":
            "clock_gettime CLOCK_MONOTONIC", "std::time::Instant::now";
        wall_clock "wall-clock":
            "clock_gettime CLOCK_REALTIME", "std::time::SystemTime::now";
        // The time that has passed is checked by two readings of the clock.
        sleep_1us "sleep-1us": "nanosleep", "std::thread::sleep";
        process_id "process-id": "getpid", "std::process::id";
        // Rust takes a lock, copies and checks UTF-8; in C the caller copies.
        environment "environment": "getenv, strdup", "std::env::var";
        current_directory "current-directory": "getcwd", "std::env::current_dir";
    }
};
