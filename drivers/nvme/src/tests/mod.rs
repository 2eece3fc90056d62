//! Unit tests of the parts; those of the whole are in ring 3, which has a
//! controller.

mod prp;
mod queues;
mod sgl;
