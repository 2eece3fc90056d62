//! Run folders that were damaged: what is readable is read, a line says what
//! is not, and nothing panics.

mod synthetic;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringfence_bench::across::{compare, Side};
use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::report::{self, terminal};
use ringfence_bench::sample::{FunctionCount, Profile};
use ringfence_bench::summary::{summarise, Summary};
use ringfence_bench::trend;
use synthetic::{grid, Shape};

const PLAN: &str = "plan.json";
const MANIFEST: &str = "manifest.json";
const SAMPLES: &str = "samples.jsonl";
const PROFILES: &str = "profiles.jsonl";

/// What stands where a number was: beyond a type's range, beyond what can be,
/// and no number at all.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1e999",
    "1e308",
    "-1e308",
    "1e-308",
    "NaN",
    "null",
    "4294967295",
    "18446744073709551615",
    "99999999999999999999999",
    "\"7\"",
];

/// What stands where a text was.
const TEXTS: [&str; 6] = [
    "\"\"",
    "\"nowhere\"",
    "\"a\\nb\\u0000\\u001b[31m\"",
    "7",
    "{}",
    "[[[[[[[[]]]]]]]]",
];

/// A small run as files by name.
type Files = BTreeMap<&'static str, Vec<u8>>;

/// Small runs of each kind: ring 0 with warm-up and controls, ring 3 with the
/// empty table, and counted instructions.
fn runs() -> Vec<Recording> {
    let cases = |ring| grid("nullblk", ring, &[1])[..2].to_vec();
    let timed = Shape {
        cases: cases(0),
        boots: 3,
        blocks: 2,
        warm_up: (1, 0.01),
        controls: true,
        ..Shape::default()
    };
    let ring3 = Shape {
        ring: 3,
        subjects: vec!["rust", "c", "empty"],
        cases: cases(3),
        boots: 6,
        blocks: 2,
        target: Some(0.01),
        mean: |_, subject| match subject {
            "empty" => 9e7,
            _ => 5e7,
        },
        ..Shape::default()
    };
    let mut counted = Shape {
        cases: cases(0),
        boots: 2,
        blocks: 1,
        ..Shape::default()
    }
    .recording();
    for case in &mut counted.plan.cases {
        case.operations = Some(1000);
    }
    for sample in &mut counted.samples {
        sample.metric = "instructions".into();
        sample.value = 5000.0;
        sample.extra = [("user", 1500.0), ("kernel", 3400.0), ("module", 100.0)]
            .map(|(name, value)| (name.to_string(), value))
            .into();
        let function = FunctionCount {
            space: "module".into(),
            symbol: "nullblk::queue".into(),
            instructions: 100.0,
        };
        counted.profiles.push(Profile {
            key: sample.key.clone(),
            subject: sample.subject.clone(),
            boot: sample.boot,
            block: sample.block,
            functions: vec![function],
        });
    }
    vec![timed.recording(), ring3.recording(), counted]
}

/// A folder of the test that asks, empty.
fn folder(name: &str) -> PathBuf {
    let test = std::thread::current().name().unwrap_or("one").to_string();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

/// The files that a run of this recording leaves.
fn files(recording: &Recording) -> Files {
    let path = folder("whole");
    let manifest = recording.manifest.clone();
    let mut run = RunFolder::create(&path, &recording.plan, manifest).unwrap();
    for sample in recording.warm_up.iter().chain(&recording.samples) {
        run.append(sample).unwrap();
    }
    for profile in &recording.profiles {
        run.append_profile(profile).unwrap();
    }
    let names = [PLAN, MANIFEST, SAMPLES, PROFILES].into_iter();
    names
        .filter_map(|name| Some((name, fs::read(path.join(name)).ok()?)))
        .collect()
}

/// Writes the files, reads them as a run, and puts all that is drawn of a run
/// to work. `whole` is the run before the damage.
#[track_caller]
fn look(files: &Files, told: &str, whole: &Recording) -> Option<Recording> {
    let path = folder("damaged");
    fs::create_dir_all(&path).unwrap();
    for (name, bytes) in files {
        fs::write(path.join(name), bytes).unwrap();
    }
    look_at(&path, told, whole)
}

#[track_caller]
fn look_at(path: &Path, told: &str, whole: &Recording) -> Option<Recording> {
    let recording = match Recording::read(path) {
        Ok(recording) => recording,
        Err(error) => {
            let line = format!("{error:#}");
            assert!(is_a_line(&line), "{told}: {line:?}");
            assert!(line.contains(PLAN), "{told}: {line}");
            return None;
        }
    };
    let summary = report::write(&recording, path).unwrap();
    let lines = summary.run.complaints.iter().chain(&summary.run.warnings);
    for line in lines {
        assert!(is_a_line(line), "{told}: {line:?}");
    }
    // No number left the range that JSON has.
    let json = fs::read(path.join("summary.json")).unwrap();
    let back: Result<Summary, _> = serde_json::from_slice(&json);
    assert!(back.is_ok(), "{told}: {:?}", back.err());
    terminal::table(&summary, 80, true);
    let (old, new) = (Side::of(whole), Side::of(&recording));
    for (before, after) in [(&old, &new), (&new, &old)] {
        match compare(before, after) {
            Ok(across) => drop(report::across::table(&across, 80, true)),
            Err(why) => assert!(is_a_line(&why), "{told}: {why:?}"),
        }
    }
    let trend = trend::of(&[whole.clone(), recording.clone()]);
    report::trend::table(&trend, 80, true);
    Some(recording)
}

fn is_a_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// Of a file of lines: each line is in use or has a complaint, and all that
/// were not touched are in use, where the plan is what it was.
#[track_caller]
fn every_line_is_used_or_told(
    before: &[u8],
    after: &[u8],
    read: &Recording,
    told: &str,
    same_plan: bool,
) {
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(Vec::from).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    };
    let (before, after) = (lines(before), lines(after));
    let used = read.samples.len() + read.warm_up.len();
    let complaints = read.complaints.iter();
    let told_of = complaints.filter(|one| one.starts_with("samples.jsonl line "));
    assert_eq!(used + told_of.count(), after.len(), "{told}");
    let mut before: HashSet<Vec<u8>> = before.into_iter().collect();
    let untouched = after.iter().filter(|line| before.remove(*line)).count();
    assert!(
        used >= untouched || !same_plan,
        "{told}: {used} of {untouched}"
    );
}

/// Places of the tokens of JSON that a value is: numbers, or texts.
fn tokens(bytes: &[u8], numbers: bool) -> Vec<(usize, usize)> {
    let text = |byte: u8| byte == b'"';
    let number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        if text(bytes[at]) {
            at += 1;
            while at < bytes.len() && !text(bytes[at]) {
                at += 1;
            }
            at = (at + 1).min(bytes.len());
            if !numbers {
                found.push((start, at));
            }
        } else if bytes[at].is_ascii_digit() || bytes[at] == b'-' {
            while at < bytes.len() && number(bytes[at]) {
                at += 1;
            }
            if numbers {
                found.push((start, at));
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Damages a file's bytes in one way, and says in which.
fn damage(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) -> String {
    let kind = rng.random_range(0..9);
    let mut lines: Vec<Vec<u8>> = bytes
        .split_inclusive(|b| *b == b'\n')
        .map(Vec::from)
        .collect();
    let line = rng.random_range(0..lines.len());
    match kind {
        0 => {
            let at = rng.random_range(0..bytes.len());
            bytes.truncate(at);
            return format!("truncated at {at}");
        }
        1 => {
            let flips = rng.random_range(1..20);
            for _ in 0..flips {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
            return format!("{flips} bits flipped");
        }
        2 | 3 => {
            let numbers = kind == 2;
            let all = if numbers { &NUMBERS[..] } else { &TEXTS };
            let other = all.choose(rng).unwrap();
            let tokens = tokens(bytes, numbers);
            let (from, to) = tokens[rng.random_range(0..tokens.len())];
            bytes.splice(from..to, other.bytes());
            return format!("bytes {from}..{to} became {other}");
        }
        4 => {
            let at = rng.random_range(0..lines[line].len());
            lines[line].drain(at..);
        }
        5 => {
            let at = rng.random_range(0..lines[line].len());
            lines[line].splice(at..at, [0xff, 0xc0, 0x80]);
        }
        6 => {
            let again = lines[line].clone();
            lines.push(again);
        }
        7 => lines.shuffle(rng),
        _ => drop(lines.remove(line)),
    }
    *bytes = lines.concat();
    format!("kind {kind} on line {line}")
}

#[test]
fn a_folder_without_one_of_its_files_or_with_an_empty_one_is_read_as_far_as_it_goes() {
    for whole in runs() {
        let files = files(&whole);
        for name in files.keys().copied() {
            for content in [
                None,
                Some(Vec::new()),
                Some(b"\n".to_vec()),
                Some(vec![0; 4096]),
            ] {
                let told = format!("{name} is {:?}", content.as_ref().map(Vec::len));
                let mut damaged = files.clone();
                match content.clone() {
                    None => damaged.remove(name),
                    Some(bytes) => damaged.insert(name, bytes),
                };
                let Some(read) = look(&damaged, &told, &whole) else {
                    assert_eq!(name, PLAN, "{told}");
                    continue;
                };
                // No counted profiles is nothing to complain of.
                let silent = match name {
                    PROFILES => content.is_none_or(|bytes| bytes.is_empty()),
                    SAMPLES => content.is_some_and(|bytes| bytes.is_empty()),
                    _ => false,
                };
                assert_eq!(
                    read.complaints.is_empty(),
                    silent,
                    "{told}: {:?}",
                    read.complaints
                );
                if name != SAMPLES {
                    assert_eq!(read.samples.len(), whole.samples.len(), "{told}");
                }
            }
        }
    }
}

#[test]
fn a_folder_in_the_place_of_a_file_is_one_complaint() {
    let whole = &runs()[2];
    for name in [MANIFEST, SAMPLES, PROFILES] {
        let path = folder("folders");
        fs::create_dir_all(&path).unwrap();
        for (name, bytes) in files(whole) {
            fs::write(path.join(name), bytes).unwrap();
        }
        fs::remove_file(path.join(name)).unwrap();
        fs::create_dir(path.join(name)).unwrap();
        let read = look_at(&path, name, whole).unwrap();
        assert_eq!(read.complaints.len(), 1, "{:?}", read.complaints);
    }
}

#[test]
fn damaged_folders_are_read_as_far_as_they_go_whatever_the_damage() {
    let runs: Vec<(Recording, Files)> = runs()
        .into_iter()
        .map(|whole| {
            let files = files(&whole);
            (whole, files)
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..100 {
        let (whole, files) = runs.choose(&mut rng).unwrap();
        let names: Vec<&str> = files.keys().copied().collect();
        let name = *names.choose(&mut rng).unwrap();
        let mut damaged = files.clone();
        let bytes = damaged.get_mut(name).unwrap();
        let told = format!("{name}: {}", damage(bytes, &mut rng));
        println!("{told}");
        match look(&damaged, &told, whole) {
            None => {
                assert_eq!(name, PLAN, "{told}");
                refused += 1;
            }
            Some(found) => {
                read += 1;
                if name == SAMPLES {
                    every_line_is_used_or_told(&files[name], &damaged[name], &found, &told, true);
                } else if name != PLAN {
                    assert_eq!(found.samples.len(), whole.samples.len(), "{told}");
                }
            }
        }
    }
    assert!(read > 50 && refused > 10, "{read} {refused}");
}

#[test]
fn any_number_of_a_plan_and_of_a_sample_may_be_anything() {
    let whole = &runs()[1];
    let files = files(whole);
    for name in [PLAN, SAMPLES] {
        let line = files[name].iter().position(|byte| *byte == b'\n');
        let end = match name {
            SAMPLES => line.unwrap(),
            _ => files[name].len(),
        };
        for (from, to) in tokens(&files[name][..end], true) {
            for number in ["0", "4294967295", "18446744073709551615", "1e308", "1e-308"] {
                let told = format!("{name}: bytes {from}..{to} became {number}");
                println!("{told}");
                let mut damaged = files.clone();
                let bytes = damaged.get_mut(name).unwrap();
                bytes.splice(from..to, number.bytes());
                if let Some(read) = look(&damaged, &told, whole) {
                    every_line_is_used_or_told(
                        &files[SAMPLES],
                        &damaged[SAMPLES],
                        &read,
                        &told,
                        name == SAMPLES,
                    );
                }
            }
        }
    }
}

#[test]
fn samples_that_are_not_of_the_plan_are_told_and_not_used() {
    let whole = &runs()[0];
    let mut files = files(whole);
    let good = whole.samples[0].clone();
    let mut bad = vec![good.clone(); 8];
    bad[0].key.case = "nowhere".into();
    bad[1].boot = whole.plan.boots;
    bad[2].block = whole.plan.rounds();
    bad[3].value = -1.0;
    bad[4].value = 1e300;
    bad[5].extra = [("module".to_string(), 1e-300)].into();
    bad[6].warm_up = true;
    bad[7].value += 1.0;
    let samples = files.get_mut(SAMPLES).unwrap();
    for sample in &bad {
        samples.extend(serde_json::to_vec(sample).unwrap());
        samples.push(b'\n');
    }
    samples.extend(br#"{"driver":"nullblk","ring":0,"value":NaN}"#);
    let read = look(&files, "not of the plan", whole).unwrap();
    assert_eq!(read.samples.len(), whole.samples.len());
    assert_eq!(
        read.complaints.len(),
        bad.len() + 1,
        "{:?}",
        read.complaints
    );
    let first = whole.samples.len() + whole.warm_up.len() + 1;
    for (at, words) in [
        "of no case of this plan",
        "of a boot that is not of this plan",
        "of a block that is not of this plan",
        "a value below zero",
        "a number that cannot be",
        "a number that cannot be",
        "warm-up",
        "taken already",
        "does not parse",
    ]
    .into_iter()
    .enumerate()
    {
        let told = &read.complaints[at];
        assert!(
            told.starts_with(&format!("samples.jsonl line {}: ", first + at)),
            "{told}"
        );
        assert!(told.contains(words), "{told}");
    }
    assert!(summarise(&read).run.complete);
}

#[test]
fn a_part_of_the_manifest_that_is_broken_leaves_the_other_parts() {
    let whole = &runs()[0];
    let mut files = files(whole);
    let text = String::from_utf8(files[MANIFEST].clone()).unwrap();
    let broken = text.replace("\"started_ms\": 1", "\"started_ms\": \"today\"");
    assert_ne!(broken, text);
    files.insert(MANIFEST, broken.into_bytes());
    let read = look(&files, "started_ms", whole).unwrap();
    assert_eq!(read.manifest.started_ms, 0);
    assert_eq!(read.manifest.attributes, whole.manifest.attributes);
    assert_eq!(
        read.complaints,
        ["manifest.json: started_ms is not what it should be"]
    );
}
