//! What is written into a run folder, and what is printed.

mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ringfence_bench::folder::{Recording, RunFolder};
use ringfence_bench::report::published::{self, Published};
use ringfence_bench::report::{self, terminal, Beside};
use ringfence_bench::statistics::verdict::Verdict;
use ringfence_bench::summary::{summarise, Summary};
use synthetic::{controlled, counted, grid, large, large_shape, mixed, set, Shape};

/// A folder of this test's own.
fn folder_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The same, empty.
fn folder(name: &str) -> PathBuf {
    let path = folder_of(name);
    let _ = fs::remove_dir_all(&path);
    path
}

/// Writes a recording as a run would, and gives the folder.
fn recorded(name: &str, recording: &Recording) -> PathBuf {
    let path = folder(name);
    let manifest = recording.manifest.clone();
    let mut run = RunFolder::create(&path, &recording.plan, manifest).unwrap();
    for sample in &recording.samples {
        run.append(sample).unwrap();
    }
    path
}

#[test]
fn a_run_folder_gets_every_file_and_redrawing_replaces_them() {
    let path = recorded("mixed", &mixed());
    for _ in 0..2 {
        let summary = report::write(&Recording::read(&path).unwrap(), &path).unwrap();
        assert_eq!(summary.cases.len(), 16);
        let mut names: Vec<String> = fs::read_dir(path.join("plots"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "ring0-nullblk-absolute.svg",
                "ring0-nullblk-relative-upstream.svg",
                "ring0-nullblk-relative.svg",
            ]
        );
        for name in ["summary.json", "summary.md", "report.html"] {
            assert!(path.join(name).metadata().unwrap().len() > 1000, "{name}");
        }
    }
}

#[test]
fn summary_json_has_the_shape_of_the_design_and_reads_back() {
    let path = recorded("json", &mixed());
    report::write(&Recording::read(&path).unwrap(), &path).unwrap();
    let text = fs::read_to_string(path.join("summary.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let case = &json["cases"][0];
    for name in [
        "driver",
        "ring",
        "case",
        "metric",
        "unit",
        "better",
        "subjects",
        "difference",
        "relative",
        "headline",
        "verdict",
        "direction",
        "against",
        "parity",
        "left_out",
    ] {
        assert!(!case[name].is_null(), "{name}");
    }
    assert_eq!(case["better"], "higher");
    assert_eq!(case["subjects"]["rust"]["n"], 24);
    assert_eq!(case["relative"]["ci95"].as_array().unwrap().len(), 2);
    assert_eq!(case["headline"]["boots"], 6);
    assert!(case["against"]["upstream"]["verdict"].is_string());
    assert_eq!(json["cases"][6]["verdict"], "not-comparable");
    assert_eq!(json["cases"][6]["parity"][0]["class"], "blocking");
    assert_eq!(json["run"]["boots"]["planned"], 6);
    let back: Summary = serde_json::from_str(&text).unwrap();
    assert_eq!(back.cases[6].main.verdict, Verdict::NotComparable);
}

#[test]
fn half_a_run_is_reported_and_says_so() {
    let path = recorded("half", &mixed());
    fs::remove_file(path.join("manifest.json")).unwrap();
    let samples = fs::read(path.join("samples.jsonl")).unwrap();
    fs::write(path.join("samples.jsonl"), &samples[..samples.len() / 2]).unwrap();
    let recording = Recording::read(&path).unwrap();
    let summary = report::write(&recording, &path).unwrap();
    assert!(!summary.run.complete);
    assert_eq!(
        summary.run.complaints.len(),
        2,
        "{:?}",
        summary.run.complaints
    );
    for text in [
        fs::read_to_string(path.join("summary.md")).unwrap(),
        fs::read_to_string(path.join("report.html")).unwrap(),
        terminal::table(&summary, 80, false),
    ] {
        assert!(text.contains("Incomplete: "), "{text}");
        assert!(text.contains("manifest.json is"));
        assert!(text.contains("does not parse"));
    }
}

#[test]
fn a_run_without_a_single_sample_is_reported() {
    let mut recording = mixed();
    recording.samples.clear();
    let path = recorded("none", &recording);
    let summary = report::write(&recording, &path).unwrap();
    assert!(summary.run.warnings.join(" ").contains("has no samples"));
}

#[test]
fn text_from_a_run_folder_is_escaped() {
    let evil = "<script>alert('x')</script>\"&";
    let mut recording = mixed();
    recording.plan.cases[0].name = evil.into();
    recording.plan.cases[0].driver = format!("../{evil}");
    recording.manifest.command.push(evil.into());
    recording.manifest.interrupted = Some(evil.into());
    recording.plan.overrides = [(
        evil.to_string(),
        [(evil.to_string(), evil.to_string())].into(),
    )]
    .into();
    recording
        .manifest
        .guest
        .entry(0)
        .or_default()
        .insert(evil.into(), evil.into());
    set(&mut recording, "rust", evil, evil);
    let key = recording.plan.cases[1].key();
    recording
        .manifest
        .left_out
        .push(ringfence_bench::sample::LeftOut {
            key,
            subject: evil.into(),
            why: evil.into(),
        });
    let path = folder("evil");
    report::write(&recording, &path).unwrap();
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    assert!(html.contains("&lt;script&gt;"));
    assert_eq!(html.matches("<script").count(), 1, "ours alone");
    for plot in fs::read_dir(path.join("plots")).unwrap() {
        let plot = plot.unwrap().path();
        let svg = fs::read_to_string(&plot).unwrap();
        assert!(!svg.contains("<script"), "{}", plot.display());
    }
}

#[test]
fn the_page_needs_nothing_else() {
    let path = folder("alone");
    report::write(&mixed(), &path).unwrap();
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "src=", "<link", "@import", "url("] {
        assert!(!without_namespace.contains(outside), "{outside}");
    }
    assert!(html.contains("content=\"default-src 'none'; "));
}

#[test]
fn every_drawing_has_a_name_and_every_figure_its_table() {
    let path = folder("named");
    report::write(&counted(), &path).unwrap();
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for part in html.split(" id=\"").skip(1) {
        let id = part.split('"').next().unwrap();
        assert!(ids.insert(id), "{id} twice");
    }
    let drawings: Vec<&str> = html.split("<svg").skip(1).collect();
    assert_eq!(drawings.len(), 3 * 2 + 16 * 2, "of sections, of cases");
    for drawing in drawings {
        let head = &drawing[..drawing.find('>').unwrap()];
        assert!(head.contains("role=\"img\""), "{head}");
        let names = head.split("aria-labelledby=\"").nth(1).unwrap();
        for id in names.split('"').next().unwrap().split(' ') {
            assert!(ids.contains(id), "{head}: no {id}");
        }
    }
    for figure in html.split("<figure>").skip(1) {
        let figure = &figure[..figure.find("</figure>").unwrap()];
        assert!(figure.matches("<tr>").count() > 1, "{figure}");
    }
    for table in html.split("<table").skip(1) {
        let table = &table[..table.find("</table>").unwrap()];
        assert!(table.contains("<caption>"), "{table}");
        assert!(!table.contains("<th>"), "a head without a scope");
    }
}

#[test]
fn instructions_are_split_by_space_and_by_function() {
    let path = recorded("counted", &counted());
    let mut lines = String::new();
    for profile in &counted().profiles {
        lines.push_str(&serde_json::to_string(profile).unwrap());
        lines.push('\n');
    }
    fs::write(path.join("profiles.jsonl"), lines + "half a li").unwrap();
    let recording = Recording::read(&path).unwrap();
    assert_eq!(recording.profiles, counted().profiles);
    assert_eq!(
        recording.complaints,
        ["profiles.jsonl line 13: does not parse"]
    );
    report::write(&recording, &path).unwrap();
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    let start = html.find("where instructions are spent</h2>").unwrap();
    let text = words_of(&html[start..]);
    // Two blocks of 4,920 and 4,924 with 120 and 124 in the module.
    assert!(text.contains("Rust 4922.0 500.0 4300.0 122.0"), "{text}");
    assert!(text.contains("C 4970.0 500.0 4300.0 170.0"), "{text}");
    // Side by side: what both execute, and what one alone does.
    assert!(
        text.contains("blk_mq_start_request kernel 90.0 90.0 0.0"),
        "{text}"
    );
    assert!(
        text.contains("null_queue_rq module - 170.0 −170.0"),
        "{text}"
    );
    assert!(
        text.contains("nullblk::queue module 122.0 - +122.0"),
        "{text}"
    );
    assert!(text.contains("3 others kernel 4.5 4.5 0.0"), "{text}");
    assert!(
        text.contains("all kernel, module 990.5 1078.5 −88.0"),
        "{text}"
    );
    let without = folder("not-counted");
    report::write(&mixed(), &without).unwrap();
    let html = fs::read_to_string(without.join("report.html")).unwrap();
    assert!(!html.contains("where instructions are spent"));
}

#[test]
fn samples_are_shown_in_the_order_taken() {
    let path = folder("taken");
    let recording = mixed();
    report::write(&recording, &path).unwrap();
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    let start = html.find("<caption>samples of ").unwrap();
    let end = start + html[start..].find("</table>").unwrap();
    let rows: Vec<String> = html[start..end]
        .split("<tr>")
        .skip(2)
        .map(words_of)
        .collect();
    let key = recording.plan.cases[0].key();
    let own: Vec<_> = recording.samples.iter().filter(|s| s.key == key).collect();
    assert_eq!(rows.len(), 24);
    for (row, block) in rows.iter().zip(own.chunks(3)) {
        let name = |subject: &str| match subject {
            "rust" => "Rust".to_string(),
            "c" => "C".to_string(),
            other => other.to_string(),
        };
        let order: Vec<String> = block.iter().map(|sample| name(&sample.subject)).collect();
        let start = format!("{} {} {} ", block[0].boot, block[0].block, order.join(", "));
        assert!(row.starts_with(&start), "{row} does not start with {start}");
    }
}

/// What is read of a piece of the page, in words apart by single spaces.
fn words_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        text.push(' ');
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn the_table_keeps_to_its_width() {
    let summary = summarise(&mixed());
    for width in [60, 80, 120] {
        let table = terminal::table(&summary, width, false);
        for line in table.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(!table.contains('\x1b'));
    }
    assert!(terminal::table(&summary, 80, true).contains("\x1b[35mnot-comparable\x1b[0m"));
}

#[test]
fn the_mail_keeps_to_its_width_and_starts_with_the_verdict() {
    let path = folder("mail");
    report::write(&mixed(), &path).unwrap();
    let text = fs::read_to_string(path.join("summary.md")).unwrap();
    assert!(text.is_ascii());
    let verdict = text.find("Of 16 cases,").unwrap();
    assert!(verdict < text.find("## ").unwrap());
    let tables = text.lines().filter(|line| line.starts_with("randread"));
    assert!(tables.clone().count() >= 8);
    for line in tables {
        assert!(line.len() <= 80, "{line}");
    }
    assert!(text.contains("    ringfence report mail"));
}

#[test]
fn ring_3_gets_tables_and_plots_of_the_drivers_cost() {
    let recording = Shape {
        ring: 3,
        subjects: vec!["rust", "c", "empty"],
        cases: grid("nullblk", 3, &[1, 8]),
        by_boot: 0.004,
        by_block: 0.002,
        mean: |case, subject| match subject {
            "rust" => 1e9 / (91.0 + case as f64),
            "c" => 1e9 / (90.0 + case as f64),
            _ => 1e9 / 55.0,
        },
        ..Shape::default()
    }
    .recording();
    let path = folder("ring3");
    let summary = report::write(&recording, &path).unwrap();
    for name in ["absolute", "relative"] {
        let plot = format!("plots/ring3-nullblk-driver-cost-{name}.svg");
        let text = fs::read_to_string(path.join(&plot)).unwrap();
        assert!(text.contains("driver cost") || text.contains("Driver cost"));
        assert!(!text.contains(">empty<"), "{plot}");
    }
    let table = terminal::table(&summary, 80, false);
    assert!(table.contains("Ring 3, nullblk: driver cost, ns an I/O"));
}

#[test]
fn a_number_of_unequal_subjects_is_not_shown() {
    let mut recording = Shape {
        mean: |_, subject| {
            if subject == "rust" {
                61_700.0
            } else {
                50_000.0
            }
        },
        ..Shape::default()
    }
    .recording();
    set(&mut recording, "rust", "scheduler", "mq-deadline");
    let path = folder("unequal");
    let summary = report::write(&recording, &path).unwrap();
    assert!(summary.cases[0].main.headline.is_some(), "kept in the JSON");
    for text in [
        fs::read_to_string(path.join("summary.md")).unwrap(),
        fs::read_to_string(path.join("report.html")).unwrap(),
        terminal::table(&summary, 80, false),
    ] {
        assert!(!text.contains("+23."), "{text}");
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        assert!(text.contains("scheduler is none for c, mq-deadline for rust"));
    }
}

#[test]
fn controls_are_drawn_with_their_alarms_and_their_numbers() {
    let recording = Shape {
        // Every comparison of rust with itself is an alarm, none of C is.
        mean: |_, label| match label {
            "rust:again" => 51_000.0,
            "rust:slow5" => 50_000.0 / 1.05,
            _ => 50_000.0,
        },
        seed: 4,
        ..controlled()
    }
    .recording();
    let path = folder("controls");
    let summary = report::write(&recording, &path).unwrap();
    let controls = &summary.run.controls[0];
    let again = fs::read_to_string(path.join("plots/ring0-nullblk-controls-again.svg")).unwrap();
    assert!(controls.alarms >= 24, "{}", controls.alarms);
    assert_eq!(again.matches("\nalarm\n").count() as u64, controls.alarms);
    assert!(again.contains("NOT SOUND: 5% make 0 to 6 likely"));
    let injected = path.join("plots/ring0-nullblk-controls-injected.svg");
    let injected = fs::read_to_string(injected).unwrap();
    for text in ["1% delay", "2% delay", "5% delay"] {
        assert!(injected.contains(&format!("\n{text}\n")), "{text}");
    }
    let html = fs::read_to_string(path.join("report.html")).unwrap();
    let start = html.find("<section id=\"controls\">").unwrap();
    let text = words_of(&html[start..]);
    let alarms = format!("{} of 48: not sound 0 to 6", controls.alarms);
    assert!(text.contains(&alarms), "{text}");
    assert_eq!(text.matches(" yes ").count() as u64, controls.alarms);
    assert!(
        text.contains("5% delay randread-4k-qd1-j1-irq0 −4.76% −4."),
        "{text}"
    );
    assert!(
        text.contains("1% delay randread-4k-qd1-j1-irq0 −0.99% "),
        "{text}"
    );
    let without = folder("no-controls");
    report::write(&mixed(), &without).unwrap();
    let html = fs::read_to_string(without.join("report.html")).unwrap();
    assert!(!html.contains("id=\"controls\""));
}

#[test]
fn what_others_published_stands_beside_and_changes_nothing() {
    let drawn = |name: &str, recording: &Recording, published: &[Published]| {
        let path = folder(name);
        let summary = report::write_beside(
            recording,
            Beside {
                counts: None,
                published,
            },
            &path,
        )
        .unwrap();
        let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        let ring = recording.plan.cases[0].ring;
        let plot = read(&format!("plots/ring{ring}-nullblk-relative.svg"));
        (summary, read("report.html"), plot, read("summary.json"))
    };
    let all = published::all();
    let (_, html, plot, json) = drawn("published", &mixed(), &all);
    let (_, html_without, plot_without, json_without) = drawn("unpublished", &mixed(), &[]);
    assert_eq!(json, json_without);
    assert!(plot.contains("published: 6.19-rc5") && plot.contains("-4.7 to +14.9%"));
    assert!(!plot_without.contains("ublished"), "{plot_without}");
    assert!(html.contains("id=\"published\"") && !html_without.contains("ublished"));
    let table = words_of(&html[html.find("<section id=\"published\">").unwrap()..]);
    assert!(
        table.contains("rust-for-linux.com/null-block-driver"),
        "{table}"
    );
    assert!(
        table.contains("comparable, Rust slightly behind"),
        "{table}"
    );
    assert!(!table.contains("USENIX"), "of another driver: {table}");
    // A lone number is a mark; far off, it is an arrow at the edge.
    let lone = |value: f64| Published {
        range: None,
        median: None,
        value: Some(value),
        version: "7.9".into(),
        ..all[0].clone()
    };
    for (value, text, lines, arrows) in [(0.02, "+2%", 1, 0), (10.0, "+1000%", 0, 1)] {
        let (_, _, plot, _) = drawn("published-lone", &mixed(), &[lone(value)]);
        assert!(plot.contains("published: 7.9") && plot.contains(text));
        let drawn = |element: &str, colour: &str| {
            let elements = plot.split('<').filter(|part| part.starts_with(element));
            elements.filter(|part| part.contains(colour)).count()
        };
        assert_eq!(drawn("polyline", "#B89B4A"), lines, "{text}");
        assert_eq!(drawn("polygon", "#B89B4A"), arrows, "{text}");
        assert_eq!(drawn("rect", "#F5EFDC"), 0, "{text} is no band");
    }
    // Not beside another subject, another ring or another first subject.
    let upstream = folder_of("published").join("plots/ring0-nullblk-relative-upstream.svg");
    assert!(!fs::read_to_string(upstream).unwrap().contains("ublished"));
    let shape = Shape {
        ring: 3,
        cases: grid("nullblk", 3, &[1]),
        ..Shape::default()
    };
    let (_, html, plot, _) = drawn("published3", &shape.recording(), &all);
    assert!(!plot.contains("ublished"), "{plot}");
    assert!(html.contains("id=\"published\""));
    let other = Shape {
        subjects: vec!["c", "rust"],
        ..Shape::default()
    };
    let (_, _, plot, _) = drawn("published-c", &other.recording(), &all);
    assert!(!plot.contains("ublished"), "{plot}");
}

#[test]
fn a_large_run_is_drawn_quickly() {
    let with_controls = Shape {
        controls: true,
        ..large_shape()
    };
    for (name, recording, labels) in [
        ("large", large(), 120 * 3),
        ("large-controls", with_controls.recording(), 120 * 6 + 4),
    ] {
        assert_eq!(recording.samples.len(), labels * 40);
        let path = folder(name);
        let start = Instant::now();
        report::write(&recording, &path).unwrap();
        let size = path.join("report.html").metadata().unwrap().len();
        println!("{name}: {size} bytes, all in {:?}", start.elapsed());
        // Far above what it takes, on a machine that is busy: for what grows too fast.
        assert!(
            start.elapsed().as_secs() < 60,
            "{name}: {:?}",
            start.elapsed()
        );
        assert!(size < 5_000_000, "{name}: {size} bytes");
    }
}
