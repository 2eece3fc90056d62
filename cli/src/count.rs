//! `--count`: instructions in place of time.

use ringfence_bench::case::Case;
use ringfence_bench::plan::Plan;
use ringfence_lab::Count;

/// How the VM has to count for a plan; `None` if the plan takes times.
pub fn vm(plan: &Plan) -> Option<Count> {
    let ring0 = || plan.cases.iter().filter(|case| case.ring == 0);
    // One processor cannot run two jobs at once, and a disk has no more queues
    // than there could be processors.
    let jobs = |case: &Case| case.jobs() > 1;
    let queues = |case: &Case| {
        let queues = case.settings.get("submit_queues");
        queues.is_some_and(|queues| queues != "1")
    };
    plan.counts().then(|| {
        if ring0().any(jobs) {
            Count::Two
        } else if ring0().any(queues) {
            Count::OneOfTwo
        } else {
            Count::One
        }
    })
}
