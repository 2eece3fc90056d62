//! Ranges of sectors that fail (C: `block/badblocks.c`).

use core::fmt::Write;

use kit::memory::{Memory, OutOfMemory};

use crate::settings::{parse, Invalid};

/// Ranges at most, as many as fit a page in C.
const MOST: usize = 512;

/// A range of sectors: `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

/// The bad blocks of a device, sorted, none touching another.
pub(crate) struct BadBlocks<M: Memory> {
    ranges: M::Table<Range>,
    count: usize,
}

impl<M: Memory> BadBlocks<M> {
    pub(crate) fn new() -> Result<BadBlocks<M>, OutOfMemory> {
        Ok(BadBlocks {
            ranges: M::table(MOST, Range { first: 0, end: 0 })?,
            count: 0,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn all(&self) -> &[Range] {
        self.ranges.get(..self.count).unwrap_or(&[])
    }

    /// The first range that meets `first..end`, all of it.
    pub(crate) fn find(&self, first: u64, end: u64) -> Option<Range> {
        self.all()
            .iter()
            .copied()
            .find(|range| range.first < end && first < range.end)
    }

    /// `+first-last` or `-first-last`, both sectors included (C:
    /// `nullb_device_badblocks_store`).
    pub(crate) fn store(&mut self, text: &str) -> Result<(), Invalid> {
        let text = text.trim();
        let add = match text.as_bytes().first() {
            Some(b'+') => true,
            Some(b'-') => false,
            _ => return Err(Invalid),
        };
        let (first, last) = text
            .get(1..)
            .ok_or(Invalid)?
            .split_once('-')
            .ok_or(Invalid)?;
        let (first, last) = (parse(first)?, parse(last)?);
        let end = last.checked_add(1).ok_or(Invalid)?;
        if first >= end {
            return Err(Invalid);
        }
        let range = Range { first, end };
        if add {
            self.add(range)
        } else {
            self.clear(range)
        }
    }

    fn add(&mut self, new: Range) -> Result<(), Invalid> {
        // What it touches becomes part of it.
        let touches = |range: &Range| range.first <= new.end && new.first <= range.end;
        let at = self
            .all()
            .iter()
            .filter(|range| range.end < new.first)
            .count();
        let touched = self.all().iter().filter(|range| touches(range)).count();
        let merged = self
            .all()
            .iter()
            .filter(|range| touches(range))
            .fold(new, |merged, range| Range {
                first: merged.first.min(range.first),
                end: merged.end.max(range.end),
            });
        self.replace(at, touched, &[merged])
    }

    /// Takes sectors out.
    pub(crate) fn clear(&mut self, gone: Range) -> Result<(), Invalid> {
        let meets = |range: &Range| range.first < gone.end && gone.first < range.end;
        let at = self
            .all()
            .iter()
            .filter(|range| range.end <= gone.first)
            .count();
        let met = self.all().iter().filter(|range| meets(range)).count();
        let Some(last) = met.checked_sub(1) else {
            return Ok(());
        };
        let (Some(first), Some(last)) = (self.all().get(at), self.all().get(at + last)) else {
            return Ok(());
        };
        let before = Range {
            first: first.first,
            end: gone.first,
        };
        let after = Range {
            first: gone.end,
            end: last.end,
        };
        match (before.first < before.end, after.first < after.end) {
            (true, true) => self.replace(at, met, &[before, after]),
            (true, false) => self.replace(at, met, &[before]),
            (false, true) => self.replace(at, met, &[after]),
            (false, false) => self.replace(at, met, &[]),
        }
    }

    /// Puts `new` in place of `old` ranges from `at` on; `Invalid` if there
    /// is no room, and then nothing has changed.
    fn replace(&mut self, at: usize, old: usize, new: &[Range]) -> Result<(), Invalid> {
        let count = self.count - old + new.len();
        if count > self.ranges.len() {
            return Err(Invalid);
        }
        self.ranges
            .copy_within(at + old..self.count, at + new.len());
        for (to, from) in self.ranges.iter_mut().skip(at).zip(new) {
            *to = *from;
        }
        self.count = count;
        Ok(())
    }

    /// A line a range, `first length` (C: `badblocks_show`).
    pub(crate) fn show(&self, out: &mut dyn Write) -> core::fmt::Result {
        for range in self.all() {
            writeln!(out, "{} {}", range.first, range.end - range.first)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::string::String;

    use super::*;
    use crate::testing::StdMemory;

    fn shown(blocks: &BadBlocks<StdMemory>) -> String {
        let mut text = String::new();
        blocks.show(&mut text).unwrap();
        text
    }

    #[test]
    fn ranges_merge_and_split() {
        let mut blocks = BadBlocks::<StdMemory>::new().unwrap();
        blocks.store("+10-19\n").unwrap();
        blocks.store("+30-39").unwrap();
        blocks.store("+20-29").unwrap();
        assert_eq!(shown(&blocks), "10 30\n");
        blocks.store("-15-24").unwrap();
        assert_eq!(shown(&blocks), "10 5\n25 15\n");
        assert_eq!(blocks.find(0, 11), Some(Range { first: 10, end: 15 }));
        assert_eq!(blocks.find(12, 30), Some(Range { first: 10, end: 15 }));
        assert_eq!(blocks.find(39, 40), Some(Range { first: 25, end: 40 }));
        assert_eq!(blocks.find(15, 25), None);
        blocks.store("-0-100").unwrap();
        assert!(blocks.is_empty());
    }

    #[test]
    fn nonsense_and_too_many_change_nothing() {
        let mut blocks = BadBlocks::<StdMemory>::new().unwrap();
        for sector in 0..MOST {
            blocks.store(&std::format!("+{0}-{0}", sector * 2)).unwrap();
        }
        let before = shown(&blocks);
        for text in [
            "",
            "1-2",
            "+1",
            "+2-1",
            "+a-b",
            "+1-18446744073709551615",
            "+5000-5001",
        ] {
            assert_eq!(blocks.store(text), Err(Invalid), "{text:?}");
            assert_eq!(shown(&blocks), before);
        }
    }

    #[test]
    fn it_agrees_with_a_set() {
        let mut blocks = BadBlocks::<StdMemory>::new().unwrap();
        let mut model = BTreeSet::new();
        let mut random = 1u64;
        for _ in 0..3000 {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let (first, length) = ((random >> 33) % 200, (random >> 50) % 9);
            let add = random >> 63 == 0;
            let sign = if add { '+' } else { '-' };
            blocks
                .store(&std::format!("{sign}{first}-{}", first + length))
                .unwrap();
            for sector in first..=first + length {
                if add {
                    model.insert(sector);
                } else {
                    model.remove(&sector);
                }
            }
            for sector in 0..210 {
                assert_eq!(
                    blocks.find(sector, sector + 1).is_some(),
                    model.contains(&sector)
                );
            }
        }
    }
}
