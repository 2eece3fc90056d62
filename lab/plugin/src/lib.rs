//! Counts a guest's instructions by address: a QEMU TCG plugin.
//!
//! Every translation block adds its number of instructions to the counter of
//! its address each time it is executed; all of user space shares one
//! counter. The guest bounds what it wants counted by two marks
//! ([`mark::begin`], [`mark::end`]). At the second one, what was executed
//! since the first is written to a file, before the guest goes on: a line
//! `{"address":N,"instructions":N}` for each counter that moved.
//!
//! The crate is two things. Built for the guest's agent, it has the marks, and
//! the call of the modules whose operations are counted.
//! Built by the lab as a shared object with the feature of its QEMU's plugin
//! interface (`api4` or `api7`), it is the plugin.

#[cfg(not(any(feature = "api4", feature = "api7")))]
pub mod api;
#[cfg(any(feature = "api4", feature = "api7"))]
mod count;
pub mod mark;
#[cfg(any(feature = "api4", feature = "api7"))]
mod qemu;
#[cfg(any(feature = "api4", feature = "api7", test))]
mod table;
