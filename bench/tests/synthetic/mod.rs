//! Recordings made of invented numbers, for tests alone.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringfence_bench::case::{Case, Engine, Pattern, Workload};
use ringfence_bench::folder::{Manifest, Recording};
use ringfence_bench::plan::Plan;
use ringfence_bench::sample::{Attributes, LeftOut, Sample};

/// How a synthetic run looks.
pub struct Shape {
    pub ring: u8,
    pub subjects: Vec<&'static str>,
    pub cases: Vec<Case>,
    pub boots: u32,
    pub blocks: u32,
    /// Deviation of a subject's boots, and of its blocks within a boot.
    pub by_boot: f64,
    pub by_block: f64,
    /// Mean of a subject in a case (by its place in the plan).
    pub mean: fn(usize, &str) -> f64,
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            ring: 0,
            subjects: vec!["rust", "c"],
            cases: grid("nullblk", 0, &[1]),
            boots: 10,
            blocks: 4,
            by_boot: 0.001,
            by_block: 0.001,
            mean: |_, _| 50_000.0,
            seed: 1,
        }
    }
}

/// Random reads and writes of 4K and 256K at some depths.
pub fn grid(driver: &str, ring: u8, depths: &[u32]) -> Vec<Case> {
    let mut cases = Vec::new();
    for pattern in [Pattern::RandRead, Pattern::RandWrite] {
        for block_size in [4096, 262_144] {
            for depth in depths {
                for mode in ["0", "1"] {
                    let workload = Workload {
                        pattern,
                        block_size,
                        depth: *depth,
                        jobs: 1,
                        engine: Engine::IoUring,
                    };
                    let settings = [("irqmode".to_string(), mode.to_string())].into();
                    cases.push(Case {
                        driver: driver.into(),
                        ring,
                        name: Case::name_of(&workload, &settings),
                        workload,
                        settings,
                        runtime_ms: 1000,
                        ramp_ms: 100,
                        operations: None,
                    });
                }
            }
        }
    }
    cases
}

/// A normally distributed number (Box and Muller).
pub fn normal(rng: &mut impl Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl Shape {
    /// A whole run of this shape, all subjects equal in what was read back.
    pub fn recording(&self) -> Recording {
        let subjects: Vec<String> = self.subjects.iter().map(|s| s.to_string()).collect();
        let plan = Plan {
            version: 1,
            seed: self.seed,
            subjects: [(self.ring, subjects)].into(),
            cases: self.cases.clone(),
            boots: self.boots,
            blocks: self.blocks,
            margin: 0.01,
            overrides: BTreeMap::new(),
            quick: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut samples = Vec::new();
        let mut manifest = Manifest {
            ringfence: "0.0.0-synthetic".into(),
            command: ["ringfence", "bench"].map(String::from).to_vec(),
            started_ms: 1,
            ended_ms: Some(61_001),
            ..Manifest::default()
        };
        for boot in 0..self.boots {
            let steps = plan.boot(self.ring, boot);
            let mut shift = BTreeMap::new();
            for step in &steps.steps {
                for (place, subject) in step.order.iter().enumerate() {
                    let by_boot = *shift
                        .entry((step.case, subject.clone()))
                        .or_insert_with(|| self.by_boot * normal(&mut rng));
                    let change: f64 = by_boot + self.by_block * normal(&mut rng);
                    samples.push(Sample {
                        key: steps.cases[step.case].key(),
                        subject: subject.clone(),
                        boot,
                        block: step.block,
                        place: place as u32,
                        metric: "iops".into(),
                        value: (self.mean)(step.case, subject) * change.exp(),
                        at_ms: samples.len() as u64,
                        extra: BTreeMap::new(),
                    });
                }
            }
        }
        for case in &self.cases {
            for subject in &self.subjects {
                manifest.attributes.push(Attributes {
                    key: case.key(),
                    subject: subject.to_string(),
                    boots: (0..self.boots).collect(),
                    values: attributes(subject),
                });
            }
        }
        Recording {
            path: PathBuf::from("synthetic"),
            plan,
            manifest,
            samples,
            profiles: Vec::new(),
            complaints: Vec::new(),
        }
    }
}

/// What every subject reads back, but for its compiler.
pub fn attributes(subject: &str) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = [
        ("scheduler", "none"),
        ("nr_requests", "256"),
        ("hw_queue_depth", "256"),
        ("logical_block_size", "512"),
        ("hw_queues", "1"),
        ("irqmode", "0"),
        ("write_cache", "write through"),
        ("size", "1073741824"),
        ("iostats", "0"),
        ("nomerges", "2"),
        ("rq_affinity", "1"),
        ("max_segments", "128"),
        ("io_timeout", "30000"),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .into();
    let compiler = match subject {
        "c" => "gcc 14.2.0",
        _ => "rustc 1.85.1 (LLVM 19.1.7)",
    };
    values.insert("compiler".into(), compiler.into());
    values
}

/// Sets an attribute of a subject in every case.
pub fn set(recording: &mut Recording, subject: &str, name: &str, value: &str) {
    for record in &mut recording.manifest.attributes {
        if record.subject == subject {
            record.values.insert(name.into(), value.into());
        }
    }
}

/// Leaves a subject out of the cases that `which` picks.
pub fn leave_out(
    recording: &mut Recording,
    subject: &str,
    why: &str,
    which: impl Fn(&Case) -> bool,
) {
    for case in recording.plan.cases.iter().filter(|case| which(case)) {
        let key = case.key();
        recording
            .samples
            .retain(|sample| sample.key != key || sample.subject != subject);
        let attributes = &mut recording.manifest.attributes;
        attributes.retain(|record| record.key != key || record.subject != subject);
        recording.manifest.left_out.push(LeftOut {
            key,
            subject: subject.into(),
            why: why.into(),
        });
    }
}
