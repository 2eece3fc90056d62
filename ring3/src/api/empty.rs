//! A loop that does nothing: what a check of effect must refuse.

use super::operation::{each, operation};

operation! {
    fn empty(iterations) {
        let effect = 0;
        each!(_ in iterations {});
        effect
    }
}
