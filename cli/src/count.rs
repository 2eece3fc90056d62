//! `--count`: instructions in place of time.

use ringfence_bench::case::Case;
use ringfence_bench::plan::Plan;
use ringfence_lab::Count;

/// How the VM has to count for a plan; `None` if the plan takes times.
pub fn vm(plan: &Plan) -> Option<Count> {
    let two = |case: &Case| case.ring == 0 && needs_two(case);
    plan.counts().then(|| match plan.cases.iter().any(two) {
        true => Count::Two,
        false => Count::One,
    })
}

/// Whether a case needs two processors: Linux gives no more queues than it
/// has of them, and one cannot run two jobs at once.
pub fn needs_two(case: &Case) -> bool {
    let one = |name: &str| case.settings.get(name).is_none_or(|value| value == "1");
    case.workload.jobs > 1 || !one("submit_queues")
}
