//! The operations do what they say, on both sides.

use std::collections::BTreeSet;

use ring3::api::{Side, EMPTY, OPERATIONS};

#[test]
fn every_operation_takes_effect_in_every_iteration() {
    for operation in OPERATIONS {
        for side in Side::ALL {
            for iterations in [0, 1, 2, 1000] {
                assert_eq!(
                    operation.run(side, iterations),
                    iterations,
                    "{}",
                    operation.symbol(side)
                );
            }
        }
    }
}

#[test]
fn an_empty_loop_has_no_effect() {
    for side in Side::ALL {
        assert_eq!(EMPTY.run(side, 1000), 0);
    }
    assert!(OPERATIONS
        .iter()
        .all(|operation| operation.name != EMPTY.name));
}

#[test]
fn names_are_unique_and_those_of_the_functions() {
    for operation in OPERATIONS {
        let function = operation.name.replace('-', "_");
        assert_eq!(operation.symbol(Side::C), format!("rf_api_{function}_c"));
    }
    let names: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(names.len(), OPERATIONS.len());
}

#[test]
fn at_least_forty_can_be_counted() {
    let counted = OPERATIONS.iter().filter(|operation| !operation.contended);
    assert!(counted.count() >= 40);
}
