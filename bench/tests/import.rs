//! What fio wrote becomes a run, or is refused in words.

mod synthetic;

use std::fs;
use std::path::Path;

use ringfence_bench::across::{compare, Machine, Side};
use ringfence_bench::fio::read;
use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::import::{run, Found, Imported, Label};
use ringfence_bench::report;
use ringfence_bench::statistics::verdict::Verdict;
use ringfence_bench::summary::summarise;

/// As fio 3.33 writes one job, or several of one name.
fn json(iops: &[f64], rw: &str, options: &str) -> String {
    let job = |iops: &f64| {
        let (read, write) = match rw.ends_with("read") {
            true => (*iops, 0.0),
            false => (0.0, *iops),
        };
        let direction = |iops: f64| {
            format!(
                r#"{{ "io_bytes" : 1, "bw" : 2, "iops" : {iops:.6}, "runtime" : 1000,
      "total_ios" : {}, "short_ios" : 0,
      "lat_ns" : {{ "min" : 1, "max" : 9, "mean" : 4000.0, "stddev" : 1.0, "N" : 2 }} }}"#,
                iops as u64
            )
        };
        format!(
            r#"{{ "jobname" : "a", "groupid" : 0, "error" : 0, "eta" : 0, "elapsed" : 2,
    "job options" : {{ "name" : "a", "rw" : "{rw}"{options} }},
    "read" : {}, "write" : {}, "trim" : {{ "iops" : 0.0 }},
    "usr_cpu" : 1.0, "sys_cpu" : 2.0, "ctx" : 3 }}"#,
            direction(read),
            direction(write)
        )
    };
    let jobs: Vec<String> = iops.iter().map(job).collect();
    format!(
        r#"{{
  "fio version" : "fio-3.33",
  "timestamp" : 1700000000,
  "timestamp_ms" : 1700000000123,
  "time" : "Tue Nov 14 22:13:20 2023",
  "global options" : {{ "bs" : "4k", "ioengine" : "io_uring", "direct" : "1" }},
  "jobs" : [ {} ],
  "disk_util" : [ {{ "name" : "nullb0", "read_ios" : 5 }} ]
}}
"#,
        jobs.join(", ")
    )
}

/// As fio 3.38 writes json+: percentiles, bins, a job's start.
const PLUS: &str = r#"fio: a note before the document
note: both iodepth >= 1 and synchronous I/O engine are selected
{
  "fio version" : "fio-3.38",
  "timestamp" : 1731000000,
  "timestamp_ms" : 1731000000456,
  "time" : "Thu Nov  7 17:20:00 2024",
  "jobs" : [
    {
      "jobname" : "job1",
      "groupid" : 0,
      "job_start" : 1730999990000,
      "error" : 0,
      "eta" : 0,
      "elapsed" : 11,
      "job options" : {
        "name" : "job1", "filename" : "/dev/nullb0", "rw" : "randwrite", "bs" : "16KiB",
        "iodepth" : "32", "numjobs" : "4", "ioengine" : "libaio", "group_reporting" : ""
      },
      "read" : {
        "iops" : 0.000000, "runtime" : 0, "total_ios" : 0,
        "lat_ns" : { "min" : 0, "max" : 0, "mean" : 0.000000, "stddev" : 0.0, "N" : 0 }
      },
      "write" : {
        "iops" : 401234.5, "runtime" : 10001, "total_ios" : 4012746,
        "clat_ns" : { "mean" : 300.5, "N" : 4012746,
          "percentile" : { "1.000000" : 120, "99.990000" : 900 },
          "bins" : { "120" : 7, "130" : 4012739 } },
        "lat_ns" : { "min" : 100, "max" : 9000, "mean" : 319.250000, "stddev" : 5.0, "N" : 4012746 }
      },
      "trim" : { "iops" : 0.0, "total_ios" : 0 },
      "sync" : { "total_ios" : 0 },
      "latency_ns" : { "2" : 0.0 }
    }
  ]
}
"#;

fn found(subject: &str, text: &str) -> Vec<Found> {
    let label = Label::parse(subject).expect("a label");
    let loads = read(text).expect("what fio wrote").into_iter();
    loads
        .map(|load| Found {
            file: format!("{subject}.json"),
            label: label.clone(),
            load,
        })
        .collect()
}

/// Five boots of two blocks, Rust 4% faster.
fn two_subjects(options: &str) -> Vec<Found> {
    let mut all = Vec::new();
    for boot in 0..5 {
        for block in 0..2 {
            let noise = 1.0 + 0.001 * f64::from((boot * 7 + block * 3) % 5);
            let rust = json(&[52_000.0 * noise], "randread", options);
            let c = json(&[50_000.0 * (2.0 - noise)], "randread", "");
            all.extend(found(&format!("rust:{boot}"), &rust));
            all.extend(found(&format!("c:{boot}:{block}"), &c));
        }
    }
    all
}

fn imported(found: Vec<Found>) -> Imported {
    run(found, "nullblk", &[], 0.01).expect("a run")
}

/// Written as the command does, and read again.
fn recorded(name: &str, run: Imported) -> Recording {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    let mut folder = RunFolder::create(&path, &run.plan, run.manifest).expect("a folder");
    for sample in &run.samples {
        folder.append(sample).expect("written");
    }
    Recording::read(&path).expect("a run folder")
}

#[test]
fn json_gives_the_case_and_the_operations_of_all_jobs() {
    let text = json(
        &[100.5, 200.0],
        "randread",
        r#", "iodepth" : "8", "numjobs" : "2""#,
    );
    let loads = read(&text).expect("what fio wrote");
    assert_eq!(loads.len(), 1);
    let load = &loads[0];
    assert_eq!(load.iops, 300.5);
    let run = imported(found("rust", &text));
    assert_eq!(run.plan.cases[0].name, "randread-4k-qd8-j2");
    assert_eq!(load.options, "direct=1");
    assert_eq!(
        (load.at_ms, &load.version[..]),
        (1_700_000_000_123, "fio-3.33")
    );
    assert_eq!(load.lat_ns_mean, Some(4000.0));
}

#[test]
fn json_plus_with_notes_before_it_reads_the_same() {
    let run = imported(found("rust:3:1", PLUS));
    assert_eq!(run.plan.cases[0].name, "randwrite-16k-libaio-qd32-j4");
    let sample = &run.samples[0];
    assert_eq!((sample.boot, sample.block, sample.value), (3, 1, 401_234.5));
    assert_eq!(sample.extra["lat_ns_mean"], 319.25);
    assert_eq!(run.plan.cases[0].runtime_ms, 10_001);
    assert_eq!(run.manifest.guest[&0]["fio"], "fio-3.38");
}

#[test]
fn several_documents_in_a_file_are_several_samples() {
    let text = format!("{PLUS}\nfio: between {{them}}\n{PLUS}");
    let run = imported(found("rust:2", &text));
    let places: Vec<(u32, u32)> = run.samples.iter().map(|s| (s.boot, s.block)).collect();
    assert_eq!(places, [(2, 0), (2, 1)]);
    let error = run_of(found("rust:2:0", &text));
    assert!(error.contains("is there already"), "{error}");
}

fn run_of(found: Vec<Found>) -> String {
    run(found, "nullblk", &[], 0.01).expect_err("no run")
}

#[test]
fn interim_results_are_passed_over() {
    let last = json(&[300.0], "randread", "");
    let interim = json(&[100.0], "randread", "").replace("\"eta\" : 0", "\"eta\" : 7");
    let loads = read(&format!("{interim}{interim}{last}")).expect("a result");
    assert_eq!(loads.len(), 1);
    assert_eq!(loads[0].iops, 300.0);
    let error = read(&interim).unwrap_err();
    assert!(error.contains("interim results alone"), "{error}");
}

#[test]
fn both_directions_in_one_count_once() {
    let job = r#"{"jobname":"a","job options":{"rw":"read"},"mixed":{"iops":7.0}}"#;
    let loads = read(&format!("{{\"jobs\":[{job}]}}")).expect("a result");
    assert_eq!(loads[0].iops, 7.0);
    assert_eq!(
        imported(found("rust", &format!("{{\"jobs\":[{job}]}}")))
            .samples
            .len(),
        1
    );
    let both = job.replace("\"mixed\"", "\"read\":{\"iops\":5.0},\"mixed\"");
    let loads = read(&format!("{{\"jobs\":[{both}]}}")).expect("a result");
    assert_eq!(loads[0].iops, 5.0);
}

#[test]
fn jobs_that_wait_are_samples_of_their_own_and_jobs_that_do_not_must_be_alike() {
    let both = |wait: &str| {
        let job = |name: &str, rw: &str, wait: &str| {
            format!(
                r#"{{"jobname":"{name}","error":0,"job options":{{"rw":"{rw}"{wait}}},
                "read":{{"iops":5.0}},"write":{{"iops":5.0}}}}"#
            )
        };
        let (first, second) = (job("a", "read", wait), job("b", "write", wait));
        format!("{{\"jobs\":[{first},{second}]}}")
    };
    let loads = read(&both(r#","stonewall":"""#)).expect("two");
    assert_eq!(loads.len(), 2);
    let error = read(&both("")).unwrap_err();
    assert!(error.contains("did something else"), "{error}");
}

#[test]
fn a_run_has_verdicts_and_says_that_parity_was_not_read_back() {
    let recording = recorded("imported", imported(two_subjects("")));
    assert!(
        recording.complaints.is_empty(),
        "{:?}",
        recording.complaints
    );
    let summary = summarise(&recording);
    let main = &summary.cases[0].main;
    assert_eq!(main.verdict, Verdict::Faster);
    assert_eq!(
        main.reason.as_deref(),
        Some("parity was not read back: imported")
    );
    assert!(summary.run.complete);
    assert!(summary.run.warnings[0].contains("not read back"));
    report::write(&recording, &recording.path).expect("a report");
    for file in ["summary.md", "report.html"] {
        let text = fs::read_to_string(recording.path.join(file)).expect(file);
        assert!(text.contains("not read back: imported"), "{file}");
        assert!(!text.contains("balanced random order"), "{file}");
    }
    let table = report::terminal::table(&summary, 80, false);
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
}

#[test]
fn loads_that_were_told_different_things_are_not_comparable() {
    let recording = recorded("unequal", imported(two_subjects(r#", "hipri" : "1""#)));
    let main = &summarise(&recording).cases[0].main;
    assert_eq!(main.verdict, Verdict::NotComparable);
    let why = main.reason.as_deref().expect("a reason");
    assert!(why.contains("direct=1 hipri=1 for rust"), "{why}");
}

#[test]
fn an_imported_run_without_attributes_has_verdicts_and_another_run_has_not() {
    let mut recording = recorded("bare", imported(two_subjects("")));
    recording.manifest.attributes.clear();
    let verdict = |recording: &Recording| summarise(recording).cases[0].main.verdict;
    assert_eq!(verdict(&recording), Verdict::Faster);
    recording.plan.imported = false;
    assert_eq!(verdict(&recording), Verdict::NotComparable);
}

#[test]
fn files_without_a_boot_are_of_one_boot_which_has_no_interval() {
    let mut all = Vec::new();
    for subject in ["rust", "c", "rust", "c"] {
        all.extend(found(subject, &json(&[50_000.0], "read", "")));
    }
    let run = imported(all);
    assert_eq!((run.plan.boots, run.plan.blocks), (1, 2));
    let main = &summarise(&recorded("one", run)).cases[0].main;
    assert_eq!(main.verdict, Verdict::Inconclusive);
    assert!(main
        .reason
        .as_ref()
        .unwrap()
        .contains("one boot gives no interval; "));
}

#[test]
fn the_order_of_comparison_is_the_one_that_was_asked_for() {
    let order = ["c".to_string(), "rust".to_string()];
    let run_ = run(two_subjects(""), "nullblk", &order, 0.01).expect("a run");
    assert_eq!(run_.plan.subjects[&0], order);
    let error = run(two_subjects(""), "nullblk", &["go".into()], 0.01).unwrap_err();
    assert_eq!(error, "subject go: no file is of it");
}

#[test]
fn an_imported_run_has_no_machine_so_that_only_ratios_are_compared() {
    let before = recorded("before", imported(two_subjects("")));
    let mut after = before.clone();
    after.samples[0].value *= 1.001;
    let across = compare(&Side::of(&before), &Side::of(&after)).expect("a case in common");
    assert_eq!(across.machines[&0], Machine::Unknown);
    assert_eq!(across.cases[0].ratio.verdict, Verdict::Equivalent);
    assert_eq!(
        across.cases[0].levels["c"].change.verdict,
        Verdict::NotComparable
    );
}

#[test]
fn what_is_no_result_is_refused_in_words() {
    let whole = json(&[50_000.0], "randread", "");
    let without = |a: &str, b: &str| whole.replace(a, b);
    for (text, words) in [
        (String::new(), "holds no result"),
        ("no brace anywhere\n".into(), "holds no result"),
        ("\u{0}\u{1}binary {\n".into(), "holds no result"),
        ("{}".into(), "is no JSON of fio's"),
        ("{ not json }".into(), "is no JSON of fio's"),
        ("{\"jobs\":[]}".into(), "holds no result"),
        ("{\"jobs\":[{\"read\":3}]}".into(), "is no JSON of fio's"),
        (
            without("\"error\" : 0", "\"error\" : 5"),
            "Input/output error",
        ),
        (without("randread", "randrw"), "rw=randrw"),
        (without("\"4k\"", "\"4k,8k\""), "bs=4k,8k"),
        (without("io_uring", "mmap"), "ioengine=mmap"),
        (json(&[0.0], "randread", ""), "completed no operation"),
        (json(&[-5.0], "randread", ""), "completed no operation"),
        (json(&[5.0], "read", r#", "iodepth" : "0""#), "iodepth=0"),
    ] {
        let error = read(&text).expect_err(words);
        assert!(error.contains(words), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // Wherever it was cut: never a result, never a panic.
    for text in [&whole[..], PLUS] {
        let end = text.trim_end().len();
        let cuts = (0..end).filter(|at| text.is_char_boundary(*at));
        for cut in cuts {
            assert!(read(&text[..cut]).is_err(), "{cut}");
        }
        assert!(read(&text[..end]).is_ok());
    }
}
