//! The statistics: small, pure functions over numbers.
//!
//! Two views of the same samples stand side by side. The *classical* one
//! ([`welch`]) treats every sample as a replicate. The *headline*
//! ([`headline`]) treats every boot as one, because boots differ by more than
//! samples within a boot do; verdicts come from it alone.
//!
//! The rest asks how far that can be trusted: other intervals of the same boots
//! ([`hodges_lehmann`], [`bootstrap`]), many cases at once ([`many`]), runs that
//! are looked at before they end ([`sequential`]), how many boots it takes
//! ([`components`], [`power`]), what samples look like ([`modes`],
//! [`autocorrelation`]) and how many false alarms are too many ([`binomial`]).

pub mod autocorrelation;
pub mod binomial;
pub mod bootstrap;
pub mod components;
pub mod headline;
pub mod hodges_lehmann;
pub mod interval;
pub mod least_squares;
pub mod many;
pub mod median;
pub mod modes;
pub mod moments;
pub mod power;
mod search;
pub mod sequential;
pub mod verdict;
pub mod welch;
