//! Recordings made of invented numbers, for tests alone.
#![allow(dead_code)]

pub mod boots;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringfence_bench::case::{BlockLoad, Case, Engine, Pattern, Workload};
use ringfence_bench::control::{Control, Label};
use ringfence_bench::folder::{Manifest, Recording};
use ringfence_bench::plan::{Controls, Plan, WarmUp};
use ringfence_bench::sample::{Attributes, FunctionCount, LeftOut, Profile, Sample};

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
    /// Blocks of warm-up, which are slower by this share of the first subject.
    pub warm_up: (u32, f64),
    /// Half the width of intervals at which the run ends.
    pub target: Option<f64>,
    /// Every subject against itself, and delays in the first case.
    pub controls: bool,
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
            warm_up: (0, 0.0),
            target: None,
            controls: false,
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
                    let workload = BlockLoad {
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
                        workload: Workload::Block(workload),
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
            warm_up: WarmUp {
                blocks: self.warm_up.0,
            },
            margin: 0.01,
            target: self.target,
            overrides: BTreeMap::new(),
            quick: false,
            imported: false,
            controls: match self.controls {
                false => Controls::default(),
                true => Controls {
                    again: true,
                    slow: vec![self.cases[0].key()],
                },
            },
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (mut samples, mut warm_up) = (Vec::new(), Vec::new());
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
                    let mut sample = Sample {
                        key: steps.cases[step.case].key(),
                        subject: subject.clone(),
                        boot,
                        block: step.block,
                        warm_up: step.warm_up,
                        place: place as u32,
                        metric: "iops".into(),
                        value: (self.mean)(step.case, subject) * change.exp(),
                        at_ms: (samples.len() + warm_up.len()) as u64,
                        extra: BTreeMap::new(),
                    };
                    if step.warm_up && *subject == self.subjects[0] {
                        sample.value *= 1.0 - self.warm_up.1;
                    }
                    match step.warm_up {
                        true => warm_up.push(sample),
                        false => samples.push(sample),
                    }
                }
            }
        }
        for case in &self.cases {
            for label in plan.labels(case) {
                manifest.attributes.push(Attributes {
                    key: case.key(),
                    values: attributes(Label::subject_of(&label)),
                    subject: label,
                    boots: (0..self.boots).collect(),
                });
            }
        }
        Recording {
            path: PathBuf::from("synthetic"),
            plan,
            manifest,
            samples,
            warm_up,
            listings: Vec::new(),
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

/// Something of everything.
pub fn mixed() -> Recording {
    let mut recording = Shape {
        subjects: vec!["rust", "c", "upstream"],
        cases: grid("nullblk", 0, &[1, 32]),
        boots: 6,
        by_boot: 0.008,
        by_block: 0.006,
        mean: |case, subject| {
            let base = [52_000.0, 49_000.0, 240_000.0, 225_000.0][case % 4] / (1 + case / 4) as f64;
            match (case, subject) {
                (0 | 5, "rust") => base * 1.031,
                (2 | 9, "rust") => base * 0.95,
                (_, "upstream") => base * 0.98,
                _ => base,
            }
        },
        ..Shape::default()
    }
    .recording();
    leave_out(
        &mut recording,
        "upstream",
        "it has one queue and depth 256 only",
        |case| case.block().is_ok_and(|load| load.depth == 32),
    );
    set(&mut recording, "upstream", "max_segments", "65535");
    let key = recording.plan.cases[6].key();
    for record in &mut recording.manifest.attributes {
        if record.key == key && record.subject == "rust" {
            record
                .values
                .insert("scheduler".into(), "mq-deadline".into());
        }
    }
    let host = [
        ("accelerator", "tcg (kvm: the probe boot did not reach the kernel within 20 s)"),
        ("qemu", "QEMU emulator version 10.0.13"),
        ("command", "qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu Haswell-v4 -smp 2 -m 2048 -nodefaults -no-reboot -display none -serial stdio -kernel vmlinuz -initrd initrd.cpio.gz -append console=ttyS0"),
    ];
    let guest = [
        ("kernel", "7.3.4+deb13-amd64"),
        ("fio", "fio-3.39"),
        ("cpu", "Intel Core Processor (Haswell, no TSX)"),
    ];
    let map = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    };
    recording.manifest.host.insert(0, map(&host));
    recording.manifest.guest.insert(0, map(&guest));
    recording
}

/// The same with instructions counted, and functions in two cases.
pub fn counted() -> Recording {
    let mut recording = mixed();
    let cases: Vec<_> = recording.plan.cases[..2].iter().map(Case::key).collect();
    for key in &cases {
        for (subject, module) in [("rust", 122.0), ("c", 170.0)] {
            for block in 0..2 {
                let module = match subject {
                    "rust" => module + f64::from(block) * 4.0 - 2.0,
                    _ => module,
                };
                let extra = [("user", 500.0), ("kernel", 4300.0), ("module", module)];
                let mut sample = recording.samples[0].clone();
                sample.key = key.clone();
                sample.subject = subject.into();
                sample.block = block;
                sample.metric = "instructions".into();
                sample.value = 4800.0 + module;
                sample.extra = extra.map(|(name, value)| (name.to_string(), value)).into();
                recording.samples.push(sample);
            }
        }
    }
    let key = cases[0].clone();
    for boot in 0..6 {
        for (subject, symbol, module) in [
            ("rust", "nullblk::queue", 122.0),
            ("c", "null_queue_rq", 170.0),
        ] {
            let function = |space: &str, symbol: &str, instructions: f64| FunctionCount {
                space: space.into(),
                symbol: symbol.into(),
                instructions,
            };
            let mut functions = vec![
                function("module", symbol, module),
                function("kernel", "blk_mq_start_request", 90.0),
            ];
            for at in 0..40 {
                let count = if at < 38 { 40.0 - f64::from(at) } else { 0.75 };
                functions.push(function("kernel", &format!("kernel_{at}"), count));
            }
            if subject == "rust" {
                functions.remove(2);
            }
            recording.profiles.push(Profile {
                key: key.clone(),
                subject: subject.into(),
                boot,
                block: 0,
                functions,
            });
        }
    }
    recording
}

/// A run with controls whose injected delays are what they say.
pub fn controlled() -> Shape {
    Shape {
        cases: grid("nullblk", 0, &[1, 8, 32]),
        mean: |_, label| match Label::parse(label).and_then(|label| label.control) {
            Some(Control::Slow(percent)) => 50_000.0 / (1.0 + f64::from(percent) / 100.0),
            _ => 50_000.0,
        },
        controls: true,
        ..Shape::default()
    }
}

/// [`mixed`] again under another kernel: the first subject by `factor`, without
/// the last case.
pub fn later(kernel: &str, factor: f64) -> Recording {
    let mut recording = mixed();
    recording.path = PathBuf::from(format!("runs/{kernel}"));
    recording.manifest.started_ms += 1;
    let guest = recording.manifest.guest.get_mut(&0).expect("ring 0");
    guest.insert("kernel".into(), kernel.into());
    set(
        &mut recording,
        "rust",
        "compiler",
        "rustc 1.97.1 (LLVM 22.1.2)",
    );
    let last = recording.plan.cases.pop().expect("cases").key();
    recording.samples.retain(|sample| sample.key != last);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for sample in &mut recording.samples {
        let by = if sample.subject == "rust" {
            factor
        } else {
            1.0
        };
        sample.value *= by * (1.0 + 0.003 * normal(&mut rng));
    }
    recording
}

/// As large as runs get: 120 cases of three subjects, 40 samples of each.
pub fn large_shape() -> Shape {
    let depths = [1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 120, 126, 127, 128];
    let mut cases = grid("nullblk", 0, &depths);
    cases.truncate(120);
    Shape {
        subjects: vec!["rust", "c", "upstream"],
        cases,
        by_boot: 0.01,
        ..Shape::default()
    }
}

/// A recording of that shape.
pub fn large() -> Recording {
    large_shape().recording()
}
