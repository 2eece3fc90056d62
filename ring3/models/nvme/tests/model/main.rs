//! The controller as a host sees it: registers and commands written by hand
//! from the specification's figures, not by a driver and not by the model's own
//! structures.

mod admin;
mod data_pointers;
mod doorbell_buffer;
mod faults;
mod features_and_logs;
mod host;
mod hostile_host;
mod life;
mod nvm;
mod power_loss;
mod queues;
mod status;
