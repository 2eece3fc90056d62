//! The allocator.

use std::hint::black_box;

use super::operation::{barrier, each, operation};

operation! {
    fn allocate_8(iterations) { allocate::<8>(iterations) }
    fn allocate_64(iterations) { allocate::<64>(iterations) }
    fn allocate_512(iterations) { allocate::<512>(iterations) }
    fn allocate_4096(iterations) { allocate::<4096>(iterations) }
    fn allocate_1m(iterations) { allocate::<{ 1 << 20 }>(iterations) }

    fn allocate_zeroed(iterations) {
        let size = black_box(4096);
        let mut effect = 0;
        each!(_ in iterations {
            let mut block = vec![0u8; size];
            barrier(&block[..]);
            effect += u64::from(block[0] == 0 && block[size - 1] == 0);
            // The next block may be this one, and has to be zeroed.
            block[0] = 1;
            block[size - 1] = 1;
            barrier(&block[..]);
        });
        effect
    }

    fn push_16(iterations) {
        let mut effect = 0;
        each!(i in iterations {
            let mut array = Vec::new();
            for j in 0..16 {
                array.push(i + j);
            }
            barrier(&array[..]);
            effect += u64::from(array.len() == 16 && array[15] == i + 15);
        });
        effect
    }
}

#[inline(always)]
fn allocate<const SIZE: usize>(iterations: u64) -> u64 {
    let mut effect = 0;
    each!(i in iterations {
        let mut block = Box::<[u8]>::new_uninit_slice(SIZE);
        let first = block[0].write(i as u8);
        barrier(first);
        effect += u64::from(*first == i as u8);
    });
    effect
}
