//! The operations of an API as cases.

use std::collections::BTreeMap;

use ringfence_bench::case::{Case, Operation, Workload, API};
use ringfence_lab::operations;

/// Time of a sample, in milliseconds.
const SAMPLE_MS: u64 = 20;

/// Iterations of the shorter loop of `--count`; the longer has three times as
/// many. In ring 0, the most: the agent takes fewer where timer ticks would fall
/// into them.
fn iterations(ring: u8) -> u64 {
    match ring {
        0 => 1 << 14,
        _ => 1000,
    }
}

/// All cases of a ring, in the order of its table; to be timed, or to be
/// counted.
pub fn cases(ring: u8, counted: bool) -> Vec<Case> {
    let operations = match ring {
        0 => kernel(),
        _ => user(),
    };
    operations
        .into_iter()
        .map(|operation| Case {
            driver: API.into(),
            ring,
            name: operation.operation.clone(),
            workload: Workload::Operation(operation),
            settings: BTreeMap::new(),
            runtime_ms: SAMPLE_MS,
            ramp_ms: 0,
            operations: counted.then(|| iterations(ring)),
        })
        .collect()
}

fn kernel() -> Vec<Operation> {
    let operation = |one: operations::Operation| Operation {
        operation: one.name.into(),
        calls: ["c", "rust", "wrapper"]
            .into_iter()
            .filter_map(|subject| Some((subject.into(), one.call(subject)?.into())))
            .collect(),
        contended: one.contended,
        device: one.device,
    };
    operations::all().into_iter().map(operation).collect()
}

fn user() -> Vec<Operation> {
    let operation = |one: &ring3::api::Operation| Operation {
        operation: one.name.into(),
        calls: [("c", one.c), ("rust", one.rust)]
            .map(|(subject, call)| (subject.to_string(), call.to_string()))
            .into(),
        contended: one.contended,
        device: false,
    };
    ring3::api::OPERATIONS.iter().map(operation).collect()
}
