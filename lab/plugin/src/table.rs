//! Which counter an address has, and what moved between two readings.

use std::collections::HashMap;

/// Counters that there are, for each virtual processor. A boot and some
/// hundred runs of fio use a tenth of them.
pub const COUNTERS: usize = 1 << 18;

/// Address under which all of user space is counted, and the index of its
/// counter.
const USER: u64 = 0;

/// Address of what found every counter taken, and the index of its counter.
const OVERFLOW: u64 = 1;

/// The counters in use.
pub struct Table {
    /// By index.
    addresses: Vec<u64>,
    indices: HashMap<u64, usize>,
    /// Counts when the window began.
    before: Vec<u64>,
}

impl Table {
    /// Only the two shared counters.
    pub fn new() -> Table {
        Table {
            addresses: vec![USER, OVERFLOW],
            indices: HashMap::new(),
            before: Vec::new(),
        }
    }

    /// The index of the counter for a block at this address.
    pub fn index(&mut self, address: u64) -> usize {
        // The kernel has the upper half.
        if address >> 63 == 0 {
            return USER as usize;
        }
        if let Some(index) = self.indices.get(&address) {
            return *index;
        }
        let index = self.addresses.len();
        if index == COUNTERS {
            return OVERFLOW as usize;
        }
        self.addresses.push(address);
        self.indices.insert(address, index);
        index
    }

    /// Takes the counts as they are at the beginning of a window.
    pub fn begin(&mut self, count: impl Fn(usize) -> u64) {
        self.before = (0..self.addresses.len()).map(count).collect();
    }

    /// What moved since, a line each.
    pub fn end(&self, count: impl Fn(usize) -> u64) -> String {
        let mut text = String::new();
        for (index, address) in self.addresses.iter().enumerate() {
            let before = self.before.get(index).copied().unwrap_or(0);
            let instructions = count(index) - before;
            if instructions > 0 {
                text.push_str(&format!(
                    "{{\"address\":{address},\"instructions\":{instructions}}}\n"
                ));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: u64 = 0xffff_ffff_8100_0000;

    #[test]
    fn user_space_shares_a_counter_and_kernel_addresses_have_their_own() {
        let mut table = Table::new();
        assert_eq!(table.index(0x7f00_0000_1000), table.index(0x40_0000));
        let first = table.index(KERNEL);
        assert_ne!(first, table.index(KERNEL + 4));
        assert_eq!(first, table.index(KERNEL));
        assert_ne!(first, table.index(0x40_0000));
    }

    #[test]
    fn a_window_holds_what_moved_in_it_and_blocks_that_are_new_in_it() {
        let mut table = Table::new();
        table.index(KERNEL);
        table.begin(|index| [5, 0, 7][index]);
        table.index(KERNEL + 8);
        assert_eq!(
            table.end(|index| [5, 0, 9, 4][index]),
            format!(
                "{{\"address\":{KERNEL},\"instructions\":2}}\n\
                 {{\"address\":{},\"instructions\":4}}\n",
                KERNEL + 8
            )
        );
    }

    #[test]
    fn when_every_counter_is_taken_the_rest_is_counted_together() {
        let mut table = Table::new();
        for number in 0..COUNTERS as u64 {
            table.index(KERNEL + number);
        }
        assert_eq!(table.index(KERNEL - 1), OVERFLOW as usize);
        assert_eq!(table.addresses.len(), COUNTERS);
    }
}
