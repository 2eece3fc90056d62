//! The first whole number for which something holds.

/// The first number from `from` to `most` for which `holds`, if it then holds
/// for all larger ones; `None` if for none. It asks for few numbers that are
/// much larger than the answer.
pub(super) fn first(from: u64, most: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut below, mut step) = (from, 1);
    let mut found = loop {
        let at = (from + step - 1).min(most);
        if holds(at) {
            break at;
        }
        if at == most {
            return None;
        }
        below = at + 1;
        step *= 2;
    };
    while below < found {
        let middle = below + (found - below) / 2;
        if holds(middle) {
            found = middle;
        } else {
            below = middle + 1;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_in_a_range_is_found() {
        for answer in 3..=20 {
            assert_eq!(first(3, 20, |at| at >= answer), Some(answer));
        }
        assert_eq!(first(3, 20, |at| at >= 21), None);
        assert_eq!(first(3, 3, |_| true), Some(3));
    }
}
