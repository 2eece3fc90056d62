//! Collections, where the C library has some as well.

use std::array;
use std::collections::{BTreeMap, HashMap, LinkedList, VecDeque};

use super::operation::{barrier, each, operation};

operation! {
    /// Among 256 even keys an odd one is inserted, found, erased and not found.
    fn tree(iterations) {
        let mut map: BTreeMap<u64, u64> = (0..256).map(|i| (2 * i, i)).collect();
        let mut effect = 0;
        each!(i in iterations {
            let key = 2 * (i % 256) + 1;
            effect += u64::from(
                map.insert(key, i).is_none()
                    && map.get(&key) == Some(&i)
                    && map.remove(&key).is_some()
                    && !map.contains_key(&key),
            );
        });
        effect
    }

    /// One of 256 text keys is looked up.
    fn hash_find(iterations) {
        let text: [String; 256] = array::from_fn(|i| format!("key-{i:03}"));
        let map: HashMap<&str, u64> = text.iter().map(String::as_str).zip(0..).collect();
        let mut effect = 0;
        each!(i in iterations {
            let wanted = text[(i % 256) as usize].as_str();
            effect += u64::from(map.get(wanted) == Some(&(i % 256)));
        });
        effect
    }

    /// One entry is appended to sixteen and the first one taken, in memory of
    /// its own each.
    fn list(iterations) {
        let mut list: LinkedList<u64> = (0..16).collect();
        let mut effect = 0;
        each!(i in iterations {
            list.push_back(i + 16);
            effect += u64::from(list.pop_front() == Some(i));
        });
        effect
    }

    /// The first of sixteen is taken and one more becomes the last.
    fn queue(iterations) {
        let mut queue: VecDeque<u64> = (0..16).collect();
        let mut effect = 0;
        each!(i in iterations {
            effect += u64::from(queue.pop_front() == Some(i));
            queue.push_back(i + 16);
        });
        effect
    }

    /// A permutation of 0 to 255 is copied and sorted.
    fn sort_256(iterations) {
        let shuffled: [u32; 256] = array::from_fn(|i| (i as u32 * 167 + 13) % 256);
        let mut effect = 0;
        barrier(&shuffled);
        each!(i in iterations {
            let mut values = shuffled;
            values.sort_unstable();
            effect += u64::from(u64::from(values[(i % 256) as usize]) == i % 256);
        });
        effect
    }

    fn binary_search_1024(iterations) {
        let values: [u32; 1024] = array::from_fn(|i| 3 * i as u32);
        let mut effect = 0;
        barrier(&values);
        each!(i in iterations {
            let wanted = 3 * (i % 1024) as u32;
            effect += u64::from(values.binary_search(&wanted) == Ok((i % 1024) as usize));
        });
        effect
    }
}
