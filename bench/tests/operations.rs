//! What a run of operations says.

mod synthetic;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ringfence_bench::case::{Case, Operation, Workload, API};
use ringfence_bench::disassembly::{self, Listing};
use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::report;
use ringfence_bench::statistics::verdict::{Better, Verdict};
use ringfence_bench::summary::{summarise, NANOSECONDS};
use synthetic::{leave_out, Shape};

const NAMES: [&str; 3] = ["spinlock", "page", "page-tree"];

/// C takes 100 ns; Rust 90, and our wrappers 105, 100 and 95.
fn operations() -> Recording {
    let case = |name: &str| Case {
        driver: API.into(),
        ring: 0,
        name: name.into(),
        workload: Workload::Operation(Operation {
            operation: name.into(),
            calls: [("c", "alloc_page"), ("rust", "kernel::page::Page")]
                .map(|(subject, call)| (subject.to_string(), call.to_string()))
                .into(),
            contended: false,
            device: false,
        }),
        settings: BTreeMap::new(),
        runtime_ms: 20,
        ramp_ms: 0,
        operations: None,
    };
    let mut recording = Shape {
        subjects: vec!["rust", "c", "wrapper"],
        cases: NAMES.map(case).to_vec(),
        mean: |case, subject| match subject {
            "rust" => 90.0,
            "wrapper" => 105.0 - 5.0 * case as f64,
            _ => 100.0,
        },
        ..Shape::default()
    }
    .recording();
    for sample in &mut recording.samples {
        sample.metric = NANOSECONDS.into();
    }
    leave_out(&mut recording, "rust", "absent", |case| {
        case.name == "page-tree"
    });
    recording
}

#[test]
fn less_time_is_better_and_our_wrapper_is_held_against_c() {
    let summary = summarise(&operations());
    let [spinlock, page, tree] = &summary.cases[..] else {
        panic!("{} entries", summary.cases.len())
    };
    for case in [spinlock, page] {
        assert_eq!((&*case.metric, &*case.unit), ("ns", "ns"));
        assert_eq!(case.better, Better::Lower);
        assert_eq!(case.main.verdict, Verdict::Faster);
    }
    let wrapper = |case: &ringfence_bench::summary::CaseSummary| {
        case.wrapper.as_ref().expect("a wrapper").verdict
    };
    assert_eq!(wrapper(spinlock), Verdict::Slower);
    assert_eq!(wrapper(page), Verdict::Equivalent);
    // Also where Rust has nothing to compare.
    assert_eq!(wrapper(tree), Verdict::Faster);
    assert_eq!(tree.main.verdict, Verdict::NotComparable);
    assert_eq!(
        tree.main.reason.as_deref(),
        Some("rust was left out: absent")
    );
    assert!(summary.run.complaints.is_empty() && summary.run.complete);
}

#[test]
fn a_sample_of_a_rate_is_none_of_an_operation() {
    let mut recording = operations();
    recording.samples[0].metric = "iops".into();
    let complaints = summarise(&recording).run.complaints;
    assert!(complaints[0].contains("metric iops"), "{complaints:?}");
}

#[test]
fn dear_wrappers_calls_and_loops_are_in_the_report() {
    let recording = operations();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations");
    let _ = fs::remove_dir_all(&path);
    let manifest = recording.manifest.clone();
    let mut run = RunFolder::create(&path, &recording.plan, manifest).expect("a folder");
    for sample in &recording.samples {
        run.append(sample).expect("appended");
    }
    let listing = |subject: &str, instruction: &str| Listing {
        key: recording.plan.cases[0].key(),
        subject: subject.into(),
        symbol: format!("rf_api_spinlock<{subject}>"),
        instructions: vec![instruction.to_string(), "+5    ret".into()],
    };
    let listings = [
        listing("rust", "+0    call   inlined"),
        listing("c", "+0    call   _raw_spin_lock"),
    ];
    disassembly::write(&path, &listings).expect("written");
    let read = Recording::read(&path).expect("read");
    assert_eq!(read.listings, listings);
    report::write(&read, &path).expect("a report");

    let text = |name: &str| fs::read_to_string(path.join(name)).expect(name);
    let page = text("summary.md")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        page.contains("Ring 0, api: time, ns an operation"),
        "{page}"
    );
    let dear = "Of 3 wrappers of ours these cost more than the C that they wrap: spinlock (+";
    assert!(page.contains(dear), "{page}");
    assert!(page.contains("| page | `kernel::page::Page` | `alloc_page` | - |"));
    let html = text("report.html");
    for part in [
        "rf_api_spinlock&lt;c&gt;",
        "call   _raw_spin_lock\n",
        "instructions: Rust 2, C 2",
        "wrapper against C",
    ] {
        assert!(html.contains(part), "{part}");
    }

    fs::write(path.join("asm.json"), "[{").expect("broken");
    let broken = Recording::read(&path).expect("all else is read");
    assert!(
        broken.complaints[0].contains("asm.json"),
        "{:?}",
        broken.complaints
    );
    assert_eq!(broken.samples.len(), recording.samples.len());
}
