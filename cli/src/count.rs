//! `--count`: instructions in place of time.

use ringfence_bench::case::Case;
use ringfence_bench::plan::Plan;
use ringfence_lab::Count;

/// How the VM has to count for a plan; `None` if the plan takes times.
pub fn vm(plan: &Plan) -> Option<Count> {
    // One processor cannot run two jobs at once.
    let two = |case: &Case| case.ring == 0 && case.workload.jobs > 1;
    plan.counts().then(|| match plan.cases.iter().any(two) {
        true => Count::Two,
        false => Count::One,
    })
}
