//! fio: its command line, and what it says.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use ringfence_bench::agent::Measured;
use ringfence_bench::case::{Case, Engine};
use ringfence_bench::fio::{self, Job};

use super::count::Window;

/// Beyond the time it was given, fio has this long to come to an end.
const GRACE: Duration = Duration::from_secs(60);

/// Options as the published runs of Rust null block use them: see
/// docs/METHOD.md. Latencies are off (`gtod_reduce`), since reading the clock
/// costs more than the driver.
const OPTIONS: [&str; 10] = [
    "--name=ringfence",
    "--gtod_reduce=1",
    "--clocksource=cpu",
    "--direct=1",
    "--norandommap=1",
    "--random_generator=lfsr",
    "--group_reporting=1",
    "--cpus_allowed_policy=split",
    "--allow_file_create=0",
    "--output-format=json",
];

/// The same for the engine io_uring.
const IO_URING: [&str; 3] = ["--fixedbufs=1", "--registerfiles=1", "--nonvectored=1"];

/// The setting of how many operations are handed over, and taken back, at once.
pub const BATCH: &str = "batch";

/// fio's arguments for a case on a device node.
pub fn arguments(case: &Case, node: &Path, cpus: usize) -> Result<Vec<String>> {
    let load = case.block()?;
    let mut all: Vec<String> = OPTIONS.map(str::to_string).to_vec();
    all.extend([
        format!("--filename={}", node.display()),
        format!("--rw={}", load.pattern),
        format!("--bs={}", load.block_size),
        format!("--iodepth={}", load.depth),
        format!("--numjobs={}", load.jobs),
        format!("--cpus_allowed=0-{}", cpus.saturating_sub(1)),
        format!("--ioengine={}", load.engine.as_str()),
    ]);
    if load.engine == Engine::IoUring {
        all.extend(IO_URING.map(str::to_string));
    }
    if case.settings.get("poll_queues").is_some_and(|n| n != "0") {
        all.push("--hipri=1".into());
    }
    if let Some(batch) = case.settings.get(BATCH) {
        for option in ["submit", "complete_min", "complete_max"] {
            all.push(format!("--iodepth_batch_{option}={batch}"));
        }
    }
    match case.operations {
        // Of each job.
        Some(number) => all.push(format!("--number_ios={number}")),
        None => all.extend([
            "--time_based=1".into(),
            format!("--runtime={}ms", case.runtime_ms),
            format!("--ramp_time={}ms", case.ramp_ms),
        ]),
    }
    Ok(all)
}

/// Processors that the load may use.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a case; operations a second of all jobs.
pub fn measure(case: &Case, node: &Path) -> Result<Measured> {
    let limit = Duration::from_millis(case.runtime_ms + case.ramp_ms) + GRACE;
    let text = run(&arguments(case, node, cpus())?, Some(limit))?;
    let job = parse(&text)?;
    if job.iops() <= 0.0 {
        bail!(
            "ring 0: fio completed no operation on {} in {} ms; give the case more time",
            node.display(),
            case.runtime_ms
        );
    }
    Ok(Measured {
        metric: "iops",
        value: job.iops(),
        extra: BTreeMap::from([
            ("operations".into(), job.operations()),
            ("runtime_ms".into(), job.runtime_ms() as f64),
            ("usr_cpu".into(), job.usr_cpu),
            ("sys_cpu".into(), job.sys_cpu),
            ("ctx".into(), job.ctx),
            ("majf".into(), job.majf),
            ("minf".into(), job.minf),
        ]),
        functions: Vec::new(),
    })
}

/// What is executed while fio does a case's operations. It gives the marks
/// itself, before a job's first operation and after its last (`exec_prerun`,
/// `exec_postrun`), by starting this program.
pub fn window(case: &Case, node: &Path) -> Result<Window> {
    let mut arguments = arguments(case, node, cpus())?;
    let program = env::current_exe().context("ring 0: where this program lies is unknown")?;
    for (option, mark) in [("prerun", "begin"), ("postrun", "end")] {
        arguments.push(format!("--exec_{option}={} mark {mark}", program.display()));
    }
    let (text, window) = Window::around(|| run(&arguments, None))?;
    let job = parse(&text)?;
    let wanted = case.operations.unwrap_or(0) * u64::from(case.jobs());
    if job.operations() != wanted as f64 {
        bail!(
            "ring 0: fio did {} operations on {} instead of {wanted}",
            job.operations(),
            node.display()
        );
    }
    Ok(window)
}

/// fio's version, as it says it.
pub fn version() -> Option<String> {
    let output = Command::new("fio").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Runs fio to its end; what it printed. Without a limit nothing here runs
/// while fio does.
pub fn run(arguments: &[String], limit: Option<Duration>) -> Result<String> {
    let ended = attempt(arguments, limit)?;
    if !ended.status.success() {
        bail!(
            "ring 0: fio ended with {}: {}",
            ended.status,
            complaint(&ended.errors, &ended.output)
        );
    }
    Ok(ended.output)
}

/// How fio ended, well or not.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub output: String,
    /// What it complained of.
    pub errors: String,
}

/// Runs fio to its end, whichever that is.
pub fn attempt(arguments: &[String], limit: Option<Duration>) -> Result<Ended> {
    let scratch = std::env::temp_dir().join(format!("ringfence-fio-{}", std::process::id()));
    let outcome = run_into(arguments, limit, &scratch);
    for end in ["out", "err"] {
        let _ = std::fs::remove_file(scratch.with_extension(end));
    }
    outcome
}

/// Output goes to files: a pipe that nobody reads could stop fio.
fn run_into(arguments: &[String], limit: Option<Duration>, scratch: &Path) -> Result<Ended> {
    let file = |end: &str| {
        let path = scratch.with_extension(end);
        File::create(&path).with_context(|| format!("ring 0: {} cannot be written", path.display()))
    };
    let mut child = Command::new("fio")
        .args(arguments)
        // It may leave files there.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(file("out")?)
        .stderr(file("err")?)
        .spawn()
        .context("ring 0: fio cannot be started; install the package fio")?;
    let start = Instant::now();
    let status = loop {
        let Some(limit) = limit else {
            break child.wait().context("ring 0: fio is lost")?;
        };
        if let Some(status) = child.try_wait().context("ring 0: fio is lost")? {
            break status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            bail!(
                "ring 0: fio did not end within {} seconds; the kernel log (dmesg) may say what \
                 its requests wait for",
                limit.as_secs()
            );
        }
        sleep(Duration::from_millis(20));
    };
    let read = |end| {
        std::fs::read(scratch.with_extension(end))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    };
    Ok(Ended {
        status,
        output: read("out"),
        errors: read("err"),
    })
}

/// fio's own words on what went wrong: the last line that is one.
fn complaint<'a>(errors: &'a str, output: &'a str) -> &'a str {
    let said = |text: &'a str| {
        text.lines()
            .rev()
            .map(str::trim)
            .find(|line| line.starts_with("fio:") || line.contains("error"))
    };
    said(errors)
        .or_else(|| said(output))
        .or_else(|| errors.lines().last())
        .unwrap_or("it gave no reason")
}

/// Reads fio's JSON, in which all jobs are one group; notes may stand before
/// it.
pub fn parse(text: &str) -> Result<Job> {
    let jobs = fio::jobs(text).map_err(|why| anyhow!("ring 0: what fio answers {why}"))?;
    let Some(job) = jobs.into_iter().next() else {
        bail!("ring 0: fio reports no job");
    };
    match job.trouble() {
        Some(trouble) => bail!("ring 0: fio met {trouble}"),
        None => Ok(job),
    }
}

#[cfg(test)]
mod tests {
    use ringfence_bench::case::{BlockLoad, Engine, Pattern, Workload};

    use super::*;

    const ANSWER: &str = r#"fio: a note
{
  "fio version" : "fio-3.39",
  "jobs" : [ { "jobname" : "ringfence", "error" : 0, "total_err" : 0,
    "read" : { "io_bytes": 1, "iops" : 51000.5, "total_ios" : 102001, "runtime" : 2000 },
    "write" : { "iops" : 0.0, "total_ios" : 0, "runtime" : 0 },
    "usr_cpu" : 20.5, "sys_cpu" : 70.1, "ctx" : 12 } ]
}"#;

    #[test]
    fn operations_of_both_directions_add_up() {
        let job = parse(ANSWER).unwrap();
        assert_eq!(job.iops(), 51000.5);
        assert_eq!(job.read.total_ios, 102001.0);
        assert_eq!(job.ctx, 12.0);
    }

    #[test]
    fn an_error_in_the_answer_is_an_error() {
        let text = ANSWER.replace("\"error\" : 0", "\"error\" : 5");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("Input/output error"), "{error}");
        assert!(parse("").is_err());
        assert!(parse("{\"jobs\":[]}").is_err());
    }

    #[test]
    fn the_complaint_is_fios_own_line() {
        let errors = "fio: pid=1\nfio: open failed: No such file\nnothing else\n";
        assert_eq!(complaint(errors, ""), "fio: open failed: No such file");
        assert_eq!(complaint("", ""), "it gave no reason");
    }

    #[test]
    fn a_case_becomes_a_command_line() {
        let case = Case {
            driver: "nullblk".into(),
            ring: 0,
            name: "x".into(),
            workload: Workload::Block(BlockLoad {
                pattern: Pattern::RandWrite,
                block_size: 4096,
                depth: 32,
                jobs: 2,
                engine: Engine::IoUring,
            }),
            settings: BTreeMap::new(),
            runtime_ms: 1500,
            ramp_ms: 500,
            operations: None,
        };
        let line = arguments(&case, Path::new("/dev/x"), 2).unwrap().join(" ");
        for part in [
            "--rw=randwrite",
            "--bs=4096",
            "--iodepth=32",
            "--numjobs=2",
            "--runtime=1500ms",
            "--ramp_time=500ms",
            "--cpus_allowed=0-1",
            "--ioengine=io_uring",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        let counted = Case {
            operations: Some(100),
            settings: [("poll_queues".to_string(), "1".to_string())].into(),
            ..case.clone()
        };
        let line = arguments(&counted, Path::new("/dev/x"), 1)
            .unwrap()
            .join(" ");
        assert!(line.contains("--number_ios=100") && line.contains("--hipri=1"));
        assert!(!line.contains("time"), "{line}");
        let mut psync = case;
        if let Workload::Block(load) = &mut psync.workload {
            load.engine = Engine::Psync;
        }
        let line = arguments(&psync, Path::new("/dev/x"), 1).unwrap().join(" ");
        assert!(line.contains("--ioengine=psync") && !line.contains("fixedbufs"));
    }
}
