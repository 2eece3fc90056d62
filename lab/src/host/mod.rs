//! Makes the lab and boots it. Runs on the host, as root.

pub mod accelerator;
mod attribution;
pub mod boot;
pub mod cache;
pub mod config;
pub mod devices;
pub mod kernel;
pub mod lab;
pub mod link;
pub mod machine;
pub mod modules;
pub mod needs;
pub mod plugin;
pub mod root;
pub mod sources;
pub mod step;
