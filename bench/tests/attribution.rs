//! What a difference in time is made of, where the truth is known.

mod synthetic;

use std::collections::BTreeMap;
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::folder::Recording;
use ringfence_bench::report::{self, Beside};
use ringfence_bench::summary::attribution::{join, Attribution, Finding};
use ringfence_bench::summary::{summarise, Summary};
use synthetic::{grid, normal, set, Shape};

/// Nanoseconds that an instruction takes in all of this.
const PRICE: f64 = 2.0;

/// A subject as it is in truth.
#[derive(Clone, Copy)]
struct Truth {
    instructions: f64,
    /// Context switches an operation: mean and deviation of samples.
    switches: (f64, f64),
    /// Those in the counted boots.
    counted: f64,
    /// Nanoseconds that nothing accounts for.
    more: f64,
}

const PLAIN: Truth = Truth {
    instructions: 5000.0,
    switches: (0.0, 0.0),
    counted: 0.0,
    more: 0.0,
};

/// Nanoseconds of a context switch.
const SWITCH: f64 = 3000.0;

fn shape(seed: u64) -> Shape {
    Shape {
        cases: grid("nullblk", 0, &[1])[..1].to_vec(),
        by_boot: 0.002,
        by_block: 0.002,
        seed,
        ..Shape::default()
    }
}

/// Times of two subjects, and a run that counted their instructions.
fn runs(first: Truth, second: Truth, seed: u64) -> (Recording, Recording) {
    let truth = |subject: &str| match subject {
        "rust" => first,
        _ => second,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xa77);
    let mut times = shape(seed).recording();
    for sample in &mut times.samples {
        let own = truth(&sample.subject);
        let noise = 50_000.0 / sample.value;
        let switches = (own.switches.0 + own.switches.1 * normal(&mut rng)).max(0.0);
        let base = PRICE * (own.instructions - 1000.0 * own.counted) + own.more;
        let time = base * noise + SWITCH * switches;
        sample.value = 1e9 / time;
        sample.extra = extra(&[
            ("context_switches", switches),
            ("doorbells", 0.0),
            ("usr_cpu", 30.0),
            ("sys_cpu", 69.9),
        ]);
    }
    let mut counts = shape(seed + 1).recording();
    counts.path = "counted".into();
    counts.plan.boots = 3;
    counts.plan.blocks = 1;
    counts.plan.cases[0].operations = Some(20_000);
    counts
        .samples
        .retain(|sample| sample.boot < 3 && sample.block == 0);
    for sample in &mut counts.samples {
        let own = truth(&sample.subject);
        sample.metric = "instructions".into();
        // Ticks move the kernel's part a little.
        sample.value = own.instructions + 0.3 * normal(&mut rng);
        sample.extra = extra(&[
            ("user", 500.0),
            ("kernel", sample.value - 600.0),
            ("module", 100.0),
            ("context_switches", own.counted),
            ("doorbells", 0.0),
        ]);
    }
    for recording in [&mut times, &mut counts] {
        let guest = [("kernel", "7.3.4"), ("module.rf_nullblk", "8c1e")];
        let guest = guest.map(|(name, value)| (name.to_string(), value.to_string()));
        recording.manifest.guest.insert(0, guest.into());
    }
    (times, counts)
}

fn extra(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.to_string(), *value))
        .collect()
}

fn joined((times, counts): &(Recording, Recording)) -> Summary {
    let mut summary = summarise(times);
    join(&mut summary, times, counts).expect("they agree");
    summary
}

fn attribution(runs: &(Recording, Recording)) -> Attribution {
    let summary = joined(runs);
    summary.cases[0].attribution.clone().expect("one")
}

/// How many of a hundred runs find what `right` wants.
fn of_a_hundred(first: Truth, second: Truth, right: impl Fn(&Attribution) -> bool) -> usize {
    let each = (0..100).map(|seed| attribution(&runs(first, second, 7919 * seed)));
    each.filter(|one| right(one)).count()
}

#[test]
fn a_difference_made_of_instructions_is_explained_by_them() {
    let more = Truth {
        instructions: 5100.0,
        ..PLAIN
    };
    let one = attribution(&runs(more, PLAIN, 1));
    assert_eq!(one.finding, Finding::Explained, "{one:?}");
    assert_eq!(one.by, ["instructions"]);
    assert!((one.difference.mean - 200.0).abs() < 30.0);
    let instructions = one.instructions.expect("joined");
    assert!((instructions.difference.mean - 100.0).abs() < 1.0);
    assert!((instructions.price.expect("a price") - PRICE).abs() < 0.02);
    // What is said to be left over covers nothing as often as it claims to.
    let covered = of_a_hundred(more, PLAIN, |one| {
        let left = one.left_over.and_then(|left| left.ci95).expect("interval");
        left.contains(0.0)
    });
    assert!((88..=100).contains(&covered), "{covered}");
}

#[test]
fn a_difference_made_of_context_switches_is_explained_by_them() {
    let often = Truth {
        switches: (0.5, 0.15),
        ..PLAIN
    };
    let seldom = Truth {
        switches: (0.2, 0.06),
        ..PLAIN
    };
    let one = attribution(&runs(often, seldom, 2));
    assert_eq!(one.finding, Finding::Explained, "{one:?}");
    assert_eq!(one.by, ["context_switches"]);
    let switches = &one.events["context_switches"];
    let price = switches.price.expect("a price");
    assert!((price.mean / SWITCH - 1.0).abs() < 0.1, "{price:?}");
    let part = switches.part.expect("a part").mean;
    assert!((part - 900.0).abs() < 120.0, "{part}");
    let covered = of_a_hundred(often, seldom, |one| {
        let left = one.left_over.and_then(|left| left.ci95).expect("interval");
        left.contains(0.0) && one.by == ["context_switches"]
    });
    assert!((86..=100).contains(&covered), "{covered}");
}

#[test]
fn switches_whose_instructions_were_counted_do_not_count_twice() {
    // A switch takes 3000 ns, 2000 of them by 1000 instructions, which the
    // count contains.
    let truth = |switches: f64| Truth {
        instructions: 5000.0 + 1000.0 * switches,
        switches: (switches, switches * 0.3),
        counted: switches,
        more: 0.0,
    };
    let one = attribution(&runs(truth(0.5), truth(0.2), 3));
    assert!((one.difference.mean - 900.0).abs() < 120.0, "{one:?}");
    let part = one.events["context_switches"].part.expect("a price").mean;
    assert!(part.abs() < 120.0, "{part}");
    let instructions = one.instructions.and_then(|all| all.part).expect("a part");
    assert!((instructions.mean - 600.0).abs() < 60.0, "{instructions:?}");
    assert_eq!(one.finding, Finding::More, "{one:?}");
    assert_eq!(one.by, ["instructions"]);
}

#[test]
fn a_difference_made_of_neither_is_left_over() {
    let slower = Truth {
        more: 300.0,
        ..PLAIN
    };
    let one = attribution(&runs(slower, PLAIN, 4));
    assert_eq!(one.finding, Finding::More, "{one:?}");
    assert!(one.by.is_empty(), "{:?}", one.by);
    let left = one.left_over.expect("a rest");
    assert!((left.mean - 300.0).abs() < 30.0);
    // Instructions that time does not show.
    let more = Truth {
        instructions: 5100.0,
        more: -200.0,
        ..PLAIN
    };
    let one = attribution(&runs(more, PLAIN, 4));
    assert_eq!(one.finding, Finding::Less, "{one:?}");
    assert_eq!(one.by, ["instructions"]);
    let found = of_a_hundred(PLAIN, PLAIN, |one| one.finding == Finding::NoDifference);
    assert!(found >= 85, "{found}");
}

#[test]
fn events_that_come_by_the_clock_get_no_price() {
    let priced = |seed| {
        let (mut times, counts) = runs(PLAIN, PLAIN, seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for sample in &mut times.samples {
            let mut extra = std::mem::take(&mut sample.extra);
            // 250 a second, each fifth operation of a thousand, and noise.
            let rate = 250.0 * (1.0 + 0.001 * normal(&mut rng));
            extra.insert("context_switches".into(), rate / sample.value);
            sample.extra = extra;
        }
        let one = attribution(&(times, counts));
        one.events["context_switches"].price.is_some()
    };
    let falsely = (0..100).filter(|seed| priced(31 * seed)).count();
    assert!(falsely <= 8, "{falsely}");
}

#[test]
fn a_load_that_waits_gives_instructions_no_price() {
    let more = Truth {
        instructions: 5100.0,
        ..PLAIN
    };
    let (mut times, counts) = runs(more, PLAIN, 5);
    for sample in &mut times.samples {
        sample.extra.insert("sys_cpu".into(), 40.0);
    }
    let one = attribution(&(times, counts));
    assert_eq!(one.finding, Finding::NotToldApart);
    assert_eq!(one.left_over, None);
    assert!(
        one.notes[0].contains("off its processor for 30%"),
        "{one:?}"
    );
    let instructions = one.instructions.expect("counted");
    assert_eq!((instructions.price, instructions.part), (None, None));
    assert!(instructions.difference.mean > 99.0);
}

#[test]
fn without_counts_events_alone_are_told() {
    let often = Truth {
        switches: (0.5, 0.15),
        ..PLAIN
    };
    let summary = summarise(&runs(often, PLAIN, 6).0);
    let one = summary.cases[0].attribution.as_ref().expect("events");
    assert_eq!(one.finding, Finding::NotToldApart);
    assert_eq!(one.instructions, None);
    let switches = one.events["context_switches"];
    assert!((switches.difference.mean - 0.5).abs() < 0.1);
    assert_eq!((switches.price, switches.part), (None, None));
    // Nothing was read of these.
    assert!(!one.events.contains_key("interrupts"));
}

#[test]
fn a_count_of_something_else_is_refused_in_one_line() {
    let refused = |change: &dyn Fn(&mut Recording, &mut Recording), words: &[&str]| {
        let (mut times, mut counts) = runs(PLAIN, PLAIN, 7);
        change(&mut times, &mut counts);
        let mut summary = summarise(&times);
        let before = summary.clone();
        let error = join(&mut summary, &times, &counts).expect_err("refused");
        let text = format!("{error:#}");
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in words {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        (summary, before)
    };
    let guest = |recording: &mut Recording, name: &str, value: &str| {
        let guest = recording.manifest.guest.get_mut(&0).expect("a guest");
        guest.insert(name.into(), value.into());
    };
    for (name, value) in [("kernel", "7.2.12"), ("module.rf_nullblk", "ffff")] {
        let (summary, before) = refused(
            &|_, counts| guest(counts, name, value),
            &[&format!("counted: ring 0 {name} is {value}")],
        );
        assert_eq!(summary, before);
    }
    refused(
        &|_, counts| counts.manifest.ringfence = "9.9".into(),
        &["ringfence is 9.9"],
    );
    refused(
        &|_, counts| set(counts, "rust", "compiler", "rustc 1.99"),
        &["compiler of rust is rustc 1.99 where it was counted"],
    );
    refused(
        &|_, counts| set(counts, "c", "scheduler", "bfq"),
        &["scheduler of c is bfq where it was counted, and none here"],
    );
    refused(
        &|_, counts| {
            let settings = &mut counts.plan.cases[0].settings;
            settings.insert("irqmode".into(), "2".into());
        },
        &["other settings"],
    );
    refused(
        &|_, counts| counts.plan.cases[0].operations = None,
        &["counted: counted no instructions", "bench --count"],
    );
    refused(
        &|times, _| times.plan.cases[0].operations = Some(1),
        &["synthetic: counts instructions itself"],
    );
    refused(&|times, _| times.plan.target = Some(0.01), &["--target-ci"]);
    refused(
        &|_, counts| counts.plan.cases[0].name = "another".into(),
        &["it was not counted"],
    );
}

#[test]
fn the_measures_own_words_of_a_load_may_differ() {
    let (mut times, mut counts) = runs(PLAIN, PLAIN, 8);
    let load = |recording: &mut Recording, words: &str| {
        for subject in ["rust", "c"] {
            set(
                recording,
                subject,
                "load",
                &format!("fio --rw=read {words}"),
            );
        }
    };
    load(
        &mut times,
        "--cpus_allowed=0-1 --time_based=1 --runtime=1000ms",
    );
    load(&mut counts, "--cpus_allowed=0-0 --number_ios=20000");
    attribution(&(times.clone(), counts.clone()));
    load(&mut counts, "--number_ios=20000 --hipri=1");
    let error = join(&mut summarise(&times), &times, &counts).expect_err("another load");
    assert!(error.to_string().contains("--hipri=1"), "{error}");
}

#[test]
fn recorded_runs_without_events_are_read_and_can_be_joined() {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runs");
    let times = Recording::read(&runs.join("nullblk-ring0")).expect("a run");
    let counts = Recording::read(&runs.join("nullblk-count0")).expect("a run");
    let text = std::fs::read_to_string(runs.join("nullblk-ring0/summary.json")).expect("text");
    let old: Summary = serde_json::from_str(&text).expect("an old summary");
    assert!(old.cases.iter().all(|case| case.attribution.is_none()));
    let mut summary = summarise(&times);
    assert!(summary.cases.iter().all(|case| case.attribution.is_none()));
    join(&mut summary, &times, &counts).expect("the same kernel");
    let with = |name: &str| {
        let mut cases = summary.cases.iter();
        let case = cases.find(|case| case.key.case == name).expect("a case");
        case.attribution.as_ref().expect("joined")
    };
    let plain = with("randread-4k-qd1-j1-irq0");
    assert!(plain.left_over.is_some(), "{plain:?}");
    assert!(plain.notes.join(" ").contains("the driver's build"));
    assert_eq!(with("randread-4k-qd1-j1-irq1").left_over, None, "it waits");
}

#[test]
fn the_report_tells_it_in_every_form() {
    let more = Truth {
        instructions: 5100.0,
        ..PLAIN
    };
    let (times, counts) = runs(more, PLAIN, 1);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attribution");
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder");
    let beside = Beside {
        counts: Some(&counts),
        ..Beside::default()
    };
    report::write_beside(&times, beside, &path).expect("a report");
    let read = |name: &str| std::fs::read_to_string(path.join(name)).expect(name);
    let back: Summary = serde_json::from_str(&read("summary.json")).expect("reads back");
    let one = back.cases[0].attribution.as_ref().expect("one");
    assert_eq!(one.finding, Finding::Explained);
    let table = report::terminal::table(&back, 80, false);
    for (name, text) in [
        ("summary.md", read("summary.md")),
        ("report.html", read("report.html")),
        ("the table", table + "left over"),
    ] {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        assert!(text.contains("explained by instructions"), "{name}");
        assert!(text.contains("left over"), "{name}");
    }
    assert!(read("summary.md").contains("ringfence report attribution --counts counted"));
    let html = read("report.html");
    assert!(html.contains("What makes the difference in time"));
    report::write(&times, &path).expect("without counts");
    assert!(!read("summary.md").contains("explained by"));
}
