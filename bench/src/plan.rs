//! All of a run, fixed before the first sample.

use std::collections::BTreeMap;

use anyhow::{bail, Context, Result};
use rand::seq::SliceRandom;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::case::{Case, CaseKey};
use crate::control::{label, Control, DELAYS};
use crate::statistics::sequential::Looks;
use crate::summary::EMPTY;

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
    /// Boots, the unit of replication, 1 or more; at most so many where there
    /// is a target.
    pub boots: u32,
    /// Blocks of each case in a boot that count, 1 or more.
    pub blocks: u32,
    /// What a boot runs before those, to warm up; nothing in plans that were
    /// made before there was such a rule.
    #[serde(default)]
    pub warm_up: WarmUp,
    /// Margin of equivalence as a fraction: 0.01 is 1%.
    pub margin: f64,
    /// The run ends when the 95% intervals of all cases reach no further than
    /// this to either side, on average of the two (0.01 is 1%). It is looked at
    /// after each boot from [`FIRST_LOOK`] on, and intervals are wider for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Settings that differ by subject, asked for by the user
    /// (`{"rust": {"scheduler": "mq-deadline"}}`). Normally empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether the plan is the short one that says little.
    #[serde(default)]
    pub quick: bool,
    /// Whether the samples were taken by others, so that nothing was read back
    /// from the subjects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// What is measured besides, to know what the run can see.
    #[serde(default)]
    pub controls: Controls,
}

/// What a boot runs and does not count, beside the time that each case spends
/// under load before each sample (`ramp_ms`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// Blocks of each case at the start of every boot, 0 or more. Their samples
    /// are kept and marked, and no number is worked out from them.
    pub blocks: u32,
}

/// Most boots of a plan, and most blocks of a boot.
const MOST: u32 = 10_000;

/// Boots before a run with a target is looked at.
pub const FIRST_LOOK: u32 = 5;

/// Controls of a plan; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// Whether every subject is measured against itself in every case.
    pub again: bool,
    /// Cases in which a known delay is injected into the first subject.
    pub slow: Vec<CaseKey>,
}

/// What one boot has to do: the message that starts an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootPlan {
    /// Number of the boot, from 0.
    pub boot: u32,
    /// 0 or 3.
    pub ring: u8,
    /// The order in which labels are loaded, random per boot.
    pub load_order: Vec<String>,
    /// The cases of this ring.
    pub cases: Vec<Case>,
    /// The blocks, in the order in which they are run.
    pub steps: Vec<Step>,
    /// As in the plan.
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
}

/// One block: one sample of every label, back to back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Index into [`BootPlan::cases`].
    pub case: usize,
    /// Block number within the boot and case, from 0, those of the warm-up
    /// first.
    pub block: u32,
    /// Whether it is warm-up, which does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// The labels in the order in which they are sampled.
    pub order: Vec<String>,
}

impl BootPlan {
    /// The driver of its cases, of which a boot has one; an error for a plan
    /// without cases or with several drivers.
    pub fn driver(&self) -> Result<&str> {
        let first = self.cases.first().context("the plan has no cases")?;
        if let Some(other) = self.cases.iter().find(|case| case.driver != first.driver) {
            bail!(
                "the plan has cases of {} and of {}; make two plans",
                first.driver,
                other.driver
            );
        }
        Ok(&first.driver)
    }
}

impl Plan {
    /// Whether this is a plan that can be read and judged.
    ///
    /// # Errors
    /// Says in words which number is out of its range, and what the range is.
    pub fn check(&self) -> Result<(), String> {
        if self.version != 1 {
            let version = self.version;
            return Err(format!(
                "version {version} is unknown; this ringfence reads version 1"
            ));
        }
        for (name, value, least) in [
            ("boots", self.boots, 1),
            ("blocks", self.blocks, 1),
            ("blocks of warm-up", self.warm_up.blocks, 0),
        ] {
            if !(least..=MOST).contains(&value) {
                return Err(format!("{name} is {value}, must be {least} to {MOST}"));
            }
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            let margin = self.margin;
            return Err(format!("margin is {margin}, must be above 0 and below 1"));
        }
        match self.target {
            Some(target) if !(target > 0.0 && target < 1.0) || self.boots < FIRST_LOOK => {
                Err(format!(
                    "target is {target}, must be above 0 and below 1, and boots {FIRST_LOOK} or \
                     more"
                ))
            }
            _ => Ok(()),
        }
    }

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

    /// What is measured in a case: its ring's subjects, and the labels of
    /// their controls.
    pub fn labels(&self, case: &Case) -> Vec<String> {
        let subjects = self.subjects.get(&case.ring).map_or(&[][..], Vec::as_slice);
        let mut labels = subjects.to_vec();
        let compared = || subjects.iter().filter(|subject| *subject != EMPTY);
        if self.controls.again {
            labels.extend(compared().map(|subject| label(subject, Control::Again)));
        }
        if let Some(first) = compared().next().filter(|_| self.slowed(case)) {
            let delays = [0].into_iter().chain(DELAYS);
            labels.extend(delays.map(|percent| label(first, Control::Slow(percent))));
        }
        labels
    }

    /// When a run with a target is looked at; `None` without one, and where
    /// there are too few boots.
    pub fn looks(&self) -> Option<Looks> {
        self.target?;
        Looks::after_each(FIRST_LOOK as usize, self.boots as usize).ok()
    }

    fn slowed(&self, case: &Case) -> bool {
        self.controls.slow.contains(&case.key())
    }

    /// Samples that the whole plan asks for, those of the warm-up among them,
    /// before any subject is left out.
    pub fn samples(&self) -> u64 {
        let all = self.cases.iter();
        all.map(|case| self.labels(case).len() as u64).sum::<u64>() * self.each()
    }

    /// Samples of a label in a case, those of the warm-up among them.
    pub fn each(&self) -> u64 {
        u64::from(self.boots) * u64::from(self.rounds())
    }

    /// Blocks of a case in a boot, those of the warm-up among them.
    pub fn rounds(&self) -> u32 {
        self.warm_up.blocks + self.blocks
    }

    /// Whether a block of a boot is warm-up.
    pub fn warms_up(&self, block: u32) -> bool {
        block < self.warm_up.blocks
    }

    /// The case behind a key.
    pub fn case(&self, key: &CaseKey) -> Option<&Case> {
        self.cases.iter().find(|case| case.key() == *key)
    }

    /// The schedule of one boot of one ring.
    ///
    /// Orders within a block are balanced over the blocks of a case that count,
    /// all boots together: up to four labels, every permutation of them is used as often
    /// as any other, but for the remainder; with more, every label has every
    /// place equally often. Which block gets which is random.
    /// The blocks of a boot come in rounds (block 0 of every case, then block
    /// 1, ...), cases in random order within each round, so that a drift of
    /// the machine spreads over the cases.
    pub fn boot(&self, ring: u8, boot: u32) -> BootPlan {
        let cases: Vec<Case> = self
            .cases
            .iter()
            .filter(|case| case.ring == ring)
            .cloned()
            .collect();
        let labels: Vec<Vec<String>> = cases.iter().map(|case| self.labels(case)).collect();
        let mut load_order: Vec<String> = Vec::new();
        for label in labels.iter().flatten() {
            if !load_order.contains(label) {
                load_order.push(label.clone());
            }
        }
        let mut rng = self.rng(ring, u64::from(boot) + 1, 0);
        load_order.shuffle(&mut rng);
        let each = labels.iter().enumerate();
        let orders: Vec<Vec<Vec<String>>> = each
            .map(|(case, labels)| self.orders(ring, case, labels))
            .collect();
        let mut steps = Vec::new();
        for block in 0..self.rounds() {
            let mut round: Vec<usize> = (0..cases.len()).collect();
            round.shuffle(&mut rng);
            // The blocks that count come first in the list of orders.
            let at = match block.checked_sub(self.warm_up.blocks) {
                Some(counted) => boot * self.blocks + counted,
                None => self.boots * self.blocks + boot * self.warm_up.blocks + block,
            } as usize;
            for case in round {
                steps.push(Step {
                    case,
                    block,
                    warm_up: self.warms_up(block),
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

    /// The order of the labels in each block of one case, all boots.
    fn orders(&self, ring: u8, case: usize, labels: &[String]) -> Vec<Vec<String>> {
        let mut rng = self.rng(ring, 0, case as u64 + 1);
        let wanted = self.each() as usize;
        let mut orders = Vec::with_capacity(wanted);
        while orders.len() < wanted {
            let mut batch = match labels.len() {
                0..=4 => permutations(labels),
                _ => rotations(labels, &mut rng),
            };
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

/// All rotations of a random order.
fn rotations(items: &[String], rng: &mut ChaCha8Rng) -> Vec<Vec<String>> {
    let mut order = items.to_vec();
    order.shuffle(rng);
    let each = (0..items.len()).map(|_| {
        order.rotate_left(1);
        order.clone()
    });
    each.collect()
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
    use crate::case::{BlockLoad, Engine, Pattern, Workload};

    fn plan(seed: u64) -> Plan {
        let cases = [1, 32]
            .map(|depth| {
                let workload = BlockLoad {
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
                    workload: Workload::Block(workload),
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
            warm_up: WarmUp::default(),
            margin: 0.01,
            target: None,
            overrides: BTreeMap::new(),
            quick: false,
            imported: false,
            controls: Controls::default(),
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
    fn warm_up_comes_first_is_marked_and_leaves_the_orders_that_count_balanced() {
        let mut plan = plan(7);
        plan.warm_up.blocks = 2;
        assert_eq!(plan.samples(), 2 * 3 * 3 * (2 + 4));
        let mut count = BTreeMap::new();
        for boot in 0..plan.boots {
            let steps = plan.boot(0, boot).steps;
            assert_eq!(steps.len(), 2 * 6);
            for (at, step) in steps.into_iter().enumerate() {
                assert_eq!(step.warm_up, at < 2 * 2, "{step:?}");
                assert_eq!(step.block as usize, at / 2);
                if !step.warm_up {
                    *count.entry((step.case, step.order)).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(count.len(), 12);
        assert!(count.values().all(|n| *n == 2), "{count:?}");
    }

    #[test]
    fn a_plan_from_before_there_was_a_warm_up_has_none() {
        let mut json = serde_json::to_value(plan(1)).expect("JSON");
        assert_eq!(json["warm_up"]["blocks"], 0, "a new plan says so");
        json.as_object_mut().expect("a map").remove("warm_up");
        let old: Plan = serde_json::from_value(json).expect("a plan");
        assert_eq!(old, plan(1));
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_by_name() {
        assert_eq!(plan(1).check(), Ok(()));
        let refused = |change: &dyn Fn(&mut Plan)| {
            let mut plan = plan(1);
            change(&mut plan);
            plan.check().expect_err("out of range")
        };
        assert!(refused(&|plan| plan.version = 2).contains("version 2"));
        assert!(refused(&|plan| plan.boots = 0).contains("boots is 0"));
        assert!(refused(&|plan| plan.blocks = u32::MAX).contains("1 to 10000"));
        assert!(refused(&|plan| plan.warm_up.blocks = 10_001).contains("warm-up is 10001"));
        assert!(refused(&|plan| plan.margin = f64::NAN).contains("margin"));
        assert!(refused(&|plan| plan.target = Some(0.01)).contains("boots 5 or more"));
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

    #[test]
    fn controls_are_labels_beside_the_subjects_each_in_every_place_equally_often() {
        let mut plan = plan(3);
        plan.controls = Controls {
            again: true,
            slow: vec![plan.cases[1].key()],
        };
        (plan.boots, plan.blocks) = (5, 6);
        let again = [
            "rust",
            "c",
            "upstream",
            "rust:again",
            "c:again",
            "upstream:again",
        ];
        assert_eq!(plan.labels(&plan.cases[0]), again);
        let slow = ["rust:slow0", "rust:slow1", "rust:slow2", "rust:slow5"];
        assert_eq!(plan.labels(&plan.cases[1])[6..], slow);
        assert_eq!(plan.samples(), (6 + 10) * 30);
        let mut places = BTreeMap::new();
        for boot in 0..plan.boots {
            let boot = plan.boot(0, boot);
            assert_eq!(boot.load_order.len(), 10);
            for step in boot.steps {
                for (place, label) in step.order.into_iter().enumerate() {
                    *places.entry((step.case, label, place)).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(places.len(), 6 * 6 + 10 * 10);
        for ((case, ..), times) in places {
            assert_eq!(times, [5, 3][case]);
        }
    }
}
