//! What runs on the kernel under test: in the guest, or on the machine itself.

pub mod api;
pub mod attributes;
pub mod count;
pub mod device;
pub mod edu;
pub mod environment;
pub mod events;
pub mod fio;
pub mod module;
mod monitor;
pub mod nullblk;
pub mod nvme;
mod nvme_log;
mod nvme_user;
pub mod pci;
pub mod sample;
pub mod settings;
mod symbols;
pub mod tests;
