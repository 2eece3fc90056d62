//! Reference counts.

use std::rc::Rc;
use std::sync::Arc;

use super::operation::{barrier, each, operation};

operation! {
    fn arc(iterations) {
        let shared = Arc::new(0u64);
        let mut effect = 0;
        each!(_ in iterations {
            let copy = Arc::clone(&shared);
            barrier(&*copy);
            effect += u64::from(Arc::strong_count(&copy) == 2);
        });
        if Arc::strong_count(&shared) == 1 { effect } else { 0 }
    }

    fn arc_upgrade(iterations) {
        let shared = Arc::new(0u64);
        let weak = Arc::downgrade(&shared);
        let mut effect = 0;
        each!(_ in iterations {
            if let Some(copy) = weak.upgrade() {
                barrier(&*copy);
                effect += u64::from(Arc::strong_count(&copy) == 2);
            }
        });
        if Arc::strong_count(&shared) == 1 { effect } else { 0 }
    }

    fn rc(iterations) {
        let local = Rc::new(0u64);
        let mut effect = 0;
        each!(_ in iterations {
            let copy = Rc::clone(&local);
            barrier(&*copy);
            effect += u64::from(Rc::strong_count(&copy) == 2);
        });
        if Rc::strong_count(&local) == 1 { effect } else { 0 }
    }
}
