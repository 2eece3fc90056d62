//! Interrupts raised and not yet taken.

use crate::config::InterruptMode;

/// What the controller has raised.
pub(crate) struct Interrupts {
    mode: InterruptMode,
    /// Vectors raised (MSI-X), or bit 0: the pin is asserted.
    raised: Vec<u64>,
    /// The interrupt mask (INTMS, INTMC; Base 2.0 §3.1.3.3).
    pub mask: u32,
}

impl Interrupts {
    pub fn new(mode: InterruptMode) -> Self {
        let vectors = match mode {
            InterruptMode::Msix(vectors) => usize::from(vectors),
            InterruptMode::Pin => 1,
        };
        Self {
            mode,
            raised: vec![0; vectors.div_ceil(64)],
            mask: 0,
        }
    }

    pub fn is_pin(&self) -> bool {
        self.mode == InterruptMode::Pin
    }

    pub fn is_raised(&self, vector: u16) -> bool {
        self.raised[usize::from(vector) / 64] & 1 << (vector % 64) != 0
    }

    pub fn raise(&mut self, vector: u16) {
        self.raised[usize::from(vector) / 64] |= 1 << (vector % 64);
    }

    /// Nothing is raised.
    pub fn clear(&mut self) {
        self.raised.fill(0);
    }
}

/// The vectors raised since they were asked for last, lowest first; see
/// [`crate::Controller::interrupts`].
pub struct Raised<'a> {
    interrupts: &'a mut Interrupts,
    word: usize,
}

impl<'a> Raised<'a> {
    pub(crate) fn new(interrupts: &'a mut Interrupts) -> Self {
        Self {
            interrupts,
            word: 0,
        }
    }
}

impl Iterator for Raised<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.interrupts.is_pin() {
            // A level: it stays until the host has taken all completions.
            let first = std::mem::replace(&mut self.word, 1) == 0;
            let asserted = self.interrupts.raised[0] != 0 && self.interrupts.mask & 1 == 0;
            return (first && asserted).then_some(0);
        }
        while let Some(word) = self.interrupts.raised.get_mut(self.word) {
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some((64 * self.word as u32 + bit) as u16);
            }
            self.word += 1;
        }
        None
    }
}
