//! User space under the kit: threads and a closed-loop load that drives a
//! driver as a plain program, and the C twins that the drivers are measured
//! against.
//!
//! Every subject, Rust or C, sits behind the same C function table
//! ([`table`]), so that none is inlined into the load.
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod api;
pub mod count;
mod delay;
pub mod dma;
pub mod load;
pub mod memory;
pub mod nullblk;
pub mod nvme;
mod placement;
pub mod request;
pub mod subject;
pub mod switches;
pub mod table;
pub mod vfio;

/// The C compiler and its optimisation level that built the twins.
pub const C_COMPILER: &str = env!("RINGFENCE_CC");

/// The clang that built them a second time, and its optimisation level, if
/// there was one (`CLANG` chooses another).
pub const CLANG: Option<&str> = option_env!("RINGFENCE_CLANG");

/// The Rust compiler and its optimisation level that built this crate.
pub const RUST_COMPILER: &str = env!("RINGFENCE_RUSTC");

/// A fingerprint of the sources that this crate was built from, its own, the
/// driver's and the kit's: two builds of the same code by the same compilers
/// agree in it.
pub const SOURCES: &str = env!("RINGFENCE_SOURCES");

/// Whether Rust's integer overflow checks are on in this build.
pub const OVERFLOW_CHECKS: bool = cfg!(debug_assertions);
