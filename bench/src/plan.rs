//! All of a run, fixed before the first sample.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::case::{Case, CaseKey};

/// What `plan.json` holds. Together with the seed it fixes every step of
/// every boot: two equal plans give the same schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format: 1.
    pub version: u32,
    /// Seed of the random orders.
    pub seed: u64,
    /// Subjects by ring, in the order in which reports show them; the first
    /// is compared with the second, further ones stand beside.
    pub subjects: BTreeMap<u8, Vec<String>>,
    /// The cases, of one or both rings.
    pub cases: Vec<Case>,
    /// Boots, the unit of replication, 1 or more.
    pub boots: u32,
    /// Blocks of each case in a boot, 1 or more.
    pub blocks: u32,
    /// Margin of equivalence as a fraction: 0.01 is 1%.
    pub margin: f64,
    /// Settings that differ by subject, asked for by the user
    /// (`{"rust": {"scheduler": "mq-deadline"}}`). Normally empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether the plan is the short one that says little.
    #[serde(default)]
    pub quick: bool,
}

/// What one boot has to do: the message that starts an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootPlan {
    /// Number of the boot, from 0.
    pub boot: u32,
    /// 0 or 3.
    pub ring: u8,
    /// The order in which subjects are loaded, random per boot.
    pub load_order: Vec<String>,
    /// The cases of this ring.
    pub cases: Vec<Case>,
    /// The blocks, in the order in which they are run.
    pub steps: Vec<Step>,
    /// As in the plan.
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
}

/// One block: one sample of every subject, back to back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Index into [`BootPlan::cases`].
    pub case: usize,
    /// Block number within the boot and case, from 0.
    pub block: u32,
    /// The subjects in the order in which they are sampled.
    pub order: Vec<String>,
}

impl Plan {
    /// The rings that have cases.
    pub fn rings(&self) -> Vec<u8> {
        let mut rings: Vec<u8> = self.cases.iter().map(|case| case.ring).collect();
        rings.sort_unstable_by(|a, b| b.cmp(a));
        rings.dedup();
        rings
    }

    /// Whether instructions are counted: a plan does so in all of its cases or
    /// in none.
    pub fn counts(&self) -> bool {
        self.cases.iter().any(|case| case.operations.is_some())
    }

    /// Samples that the whole plan asks for, before any subject is left out.
    pub fn samples(&self) -> u64 {
        self.cases
            .iter()
            .map(|case| self.subjects.get(&case.ring).map_or(0, Vec::len) as u64)
            .sum::<u64>()
            * u64::from(self.boots)
            * u64::from(self.blocks)
    }

    /// The case behind a key.
    pub fn case(&self, key: &CaseKey) -> Option<&Case> {
        self.cases.iter().find(|case| case.key() == *key)
    }

    /// The schedule of one boot of one ring.
    ///
    /// Orders within a block are balanced: over the blocks of a case (all
    /// boots together) every permutation of the subjects is used as often as
    /// any other, but for the remainder. Which block gets which is random.
    /// The blocks of a boot come in rounds (block 0 of every case, then block
    /// 1, ...), cases in random order within each round, so that a drift of
    /// the machine spreads over the cases.
    pub fn boot(&self, ring: u8, boot: u32) -> BootPlan {
        let subjects = self.subjects.get(&ring).cloned().unwrap_or_default();
        let cases: Vec<Case> = self
            .cases
            .iter()
            .filter(|case| case.ring == ring)
            .cloned()
            .collect();
        let mut load_order = subjects.clone();
        let mut rng = self.rng(ring, u64::from(boot) + 1, 0);
        load_order.shuffle(&mut rng);
        let orders: Vec<Vec<Vec<String>>> = (0..cases.len())
            .map(|case| self.orders(ring, case, &subjects))
            .collect();
        let mut steps = Vec::new();
        for block in 0..self.blocks {
            let mut round: Vec<usize> = (0..cases.len()).collect();
            round.shuffle(&mut rng);
            for case in round {
                let at = (boot * self.blocks + block) as usize;
                steps.push(Step {
                    case,
                    block,
                    order: orders[case][at].clone(),
                });
            }
        }
        BootPlan {
            boot,
            ring,
            load_order,
            cases,
            steps,
            overrides: self.overrides.clone(),
        }
    }

    /// The order of the subjects in each block of one case, all boots.
    fn orders(&self, ring: u8, case: usize, subjects: &[String]) -> Vec<Vec<String>> {
        let mut rng = self.rng(ring, 0, case as u64 + 1);
        let all = permutations(subjects);
        let wanted = (self.boots * self.blocks) as usize;
        let mut orders = Vec::with_capacity(wanted + all.len());
        while orders.len() < wanted {
            let mut batch = all.clone();
            batch.shuffle(&mut rng);
            orders.extend(batch);
        }
        orders.truncate(wanted);
        orders
    }

    fn rng(&self, ring: u8, boot: u64, case: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(ring) << 60 | boot << 30 | case);
        rng
    }
}

fn permutations(items: &[String]) -> Vec<Vec<String>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..items.len() {
        let mut rest = items.to_vec();
        let head = rest.remove(first);
        for mut tail in permutations(&rest) {
            tail.insert(0, head.clone());
            all.push(tail);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Engine, Pattern, Workload};

    fn plan(seed: u64) -> Plan {
        let cases = [1, 32]
            .map(|depth| {
                let workload = Workload {
                    pattern: Pattern::RandRead,
                    block_size: 4096,
                    depth,
                    jobs: 1,
                    engine: Engine::IoUring,
                };
                Case {
                    driver: "nullblk".into(),
                    ring: 0,
                    name: Case::name_of(&workload, &BTreeMap::new()),
                    workload,
                    settings: BTreeMap::new(),
                    runtime_ms: 1,
                    ramp_ms: 0,
                    operations: None,
                }
            })
            .to_vec();
        Plan {
            version: 1,
            seed,
            subjects: [(0, ["rust", "c", "upstream"].map(String::from).to_vec())].into(),
            cases,
            boots: 3,
            blocks: 4,
            margin: 0.01,
            overrides: BTreeMap::new(),
            quick: false,
        }
    }

    #[test]
    fn every_order_of_the_subjects_is_used_equally_often() {
        let plan = plan(7);
        let mut count = BTreeMap::new();
        for boot in 0..plan.boots {
            for step in plan.boot(0, boot).steps {
                *count.entry((step.case, step.order)).or_insert(0) += 1;
            }
        }
        assert_eq!(count.len(), 12, "six orders for each of two cases");
        assert!(count.values().all(|n| *n == 2), "{count:?}");
    }

    #[test]
    fn a_seed_fixes_the_schedule_and_another_seed_changes_it() {
        assert_eq!(plan(7).boot(0, 2), plan(7).boot(0, 2));
        assert_ne!(plan(7).boot(0, 2), plan(8).boot(0, 2));
        assert_ne!(plan(7).boot(0, 1).steps, plan(7).boot(0, 2).steps);
    }

    #[test]
    fn samples_counts_every_subject_of_every_block() {
        assert_eq!(plan(1).samples(), 2 * 3 * 3 * 4);
    }
}
