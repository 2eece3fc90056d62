//! What fio wrote: `--output-format=json` or `json+`, of version 3.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::case::{parse_size, BlockLoad, Engine, Pattern};

/// Options that say where and under which name, which may differ between
/// subjects; and those that a case has by itself.
const NOT_OF_THE_LOAD: [&str; 13] = [
    "bs",
    "blocksize",
    "description",
    "directory",
    "filename",
    "iodepth",
    "ioengine",
    "name",
    "numjobs",
    "output",
    "output-format",
    "readwrite",
    "rw",
];

/// One measurement: jobs that ran at the same time with the same options.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// What the jobs did.
    pub workload: BlockLoad,
    /// All other options, sorted: `direct=1 runtime=10`.
    pub options: String,
    /// Completed operations a second, all jobs, both directions; above 0.
    pub iops: f64,
    /// Operations, all jobs.
    pub operations: f64,
    /// Measured time in milliseconds, of the job that took longest.
    pub runtime_ms: u64,
    /// Mean latency in nanoseconds, where it was measured.
    pub lat_ns_mean: Option<f64>,
    /// Unix time in milliseconds at the end; 0 if not recorded.
    pub at_ms: u64,
    /// `fio-3.39`; empty if not recorded.
    pub version: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default, rename = "fio version")]
    version: String,
    #[serde(default)]
    timestamp: u64,
    #[serde(default)]
    timestamp_ms: u64,
    #[serde(default, rename = "global options")]
    options: Options,
    jobs: Vec<Job>,
}

type Options = BTreeMap<String, Value>;

/// One of fio's jobs, or the group of all of them.
#[derive(Debug, Deserialize)]
pub struct Job {
    #[serde(default)]
    jobname: String,
    #[serde(default)]
    error: i64,
    #[serde(default)]
    total_err: i64,
    #[serde(default, rename = "job options")]
    options: Options,
    /// Seconds that are left, of an interim result.
    #[serde(default)]
    eta: u64,
    /// What was read.
    #[serde(default)]
    pub read: Direction,
    /// What was written.
    #[serde(default)]
    pub write: Direction,
    /// In place of both, with `unified_rw_reporting`.
    #[serde(default)]
    mixed: Direction,
    /// Time in user space, in percent of the time that the job took.
    #[serde(default)]
    pub usr_cpu: f64,
    /// Time in the kernel, in the same way.
    #[serde(default)]
    pub sys_cpu: f64,
    /// Context switches.
    #[serde(default)]
    pub ctx: f64,
    /// Page faults that read something in.
    #[serde(default)]
    pub majf: f64,
    /// Page faults that did not.
    #[serde(default)]
    pub minf: f64,
}

impl Job {
    /// Both, or what stands for both.
    fn directions(&self) -> Vec<&Direction> {
        match self.read.iops + self.write.iops > 0.0 {
            true => vec![&self.read, &self.write],
            false => vec![&self.mixed],
        }
    }

    /// Operations a second, both directions.
    pub fn iops(&self) -> f64 {
        self.directions().iter().map(|one| one.iops).sum()
    }

    /// Operations, both directions.
    pub fn operations(&self) -> f64 {
        self.directions().iter().map(|one| one.total_ios).sum()
    }

    /// Measured time in milliseconds, of the direction that took longer.
    pub fn runtime_ms(&self) -> u64 {
        let each = self.directions().into_iter().map(|one| one.runtime);
        each.max().unwrap_or(0)
    }

    /// What went wrong, in words.
    pub fn trouble(&self) -> Option<String> {
        match (self.error, self.total_err) {
            (0, 0) => None,
            (0, errors) => Some(format!("{errors} I/O errors")),
            (error, _) => Some(std::io::Error::from_raw_os_error(error as i32).to_string()),
        }
    }
}

/// Reads or writes of a job.
#[derive(Debug, Default, Deserialize)]
pub struct Direction {
    /// Operations a second.
    pub iops: f64,
    /// Operations.
    #[serde(default)]
    pub total_ios: f64,
    /// Milliseconds.
    #[serde(default)]
    runtime: u64,
    #[serde(default)]
    lat_ns: Latency,
}

#[derive(Debug, Default, Deserialize)]
struct Latency {
    #[serde(default)]
    mean: f64,
}

/// The measurements in a text: of each document in it, one for the jobs that
/// ran together. Interim results (`--status-interval`) are passed over.
///
/// # Errors
/// Says in words what is wrong: no document, one that ends early or is none of
/// fio's, a job that failed or did nothing, jobs that did not do the same, or
/// a load that no case stands for.
pub fn read(text: &str) -> Result<Vec<Load>, String> {
    let (interim, whole): (Vec<Document>, Vec<Document>) = documents(text)?
        .into_iter()
        .partition(|document| document.jobs.iter().any(|job| job.eta > 0));
    let mut loads = Vec::new();
    for document in &whole {
        for jobs in together(document) {
            loads.push(load(document, jobs)?);
        }
    }
    match (loads.is_empty(), interim.is_empty()) {
        (false, _) => Ok(loads),
        (true, false) => Err("holds interim results alone; was fio stopped?".into()),
        (true, true) => Err(NOTHING.into()),
    }
}

/// The jobs of the one document in a text: what fio did, whatever that was.
///
/// # Errors
/// If there is no document, or one that ends early or is none of fio's.
pub fn jobs(text: &str) -> Result<Vec<Job>, String> {
    let document = documents(text)?.into_iter().next();
    Ok(document.ok_or(NOTHING)?.jobs)
}

const NOTHING: &str = "holds no result of fio; write one with --output-format=json";

/// All documents in a text, in order. Lines between them are passed over; a
/// document begins with a line that begins with a brace.
fn documents(text: &str) -> Result<Vec<Document>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(start) = next_document(rest) {
        rest = &rest[start..];
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter();
        match stream.next() {
            Some(Ok(document)) => all.push(document),
            Some(Err(error)) if error.is_eof() => {
                return Err("ends in the middle of a document; was fio stopped?".into());
            }
            Some(Err(error)) => return Err(format!("is no JSON of fio's: {error}")),
            None => break,
        }
        rest = &rest[stream.byte_offset()..];
    }
    Ok(all)
}

/// Where the next line that begins with a brace begins.
fn next_document(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line
            .trim_start_matches([' ', '\t', '\u{feff}'])
            .starts_with('{')
        {
            return Some(at + line.find('{')?);
        }
        at += line.len();
    }
    None
}

/// Runs of jobs that did not wait for those before them.
fn together(document: &Document) -> Vec<&[Job]> {
    let waits = |job: &Job| {
        ["stonewall", "wait_for_previous"].iter().any(|name| {
            let own = job.options.get(*name).or(document.options.get(*name));
            own.is_some_and(|value| text_of(value) != "0")
        })
    };
    let jobs = document
        .jobs
        .chunk_by(|a, b| a.jobname == b.jobname || !waits(b));
    jobs.collect()
}

fn load(document: &Document, jobs: &[Job]) -> Result<Load, String> {
    let mut all: Option<(BlockLoad, String)> = None;
    let mut numbers: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for job in jobs {
        if let Some(what) = job.trouble() {
            let name = &job.jobname;
            return Err(format!("job {name:?} met {what}; leave it out"));
        }
        let mut options = document.options.clone();
        options.extend(job.options.clone());
        let workload = workload(&options)?;
        let number = numbers.entry(&job.jobname).or_default();
        *number = (number.0 + 1, number.1.max(workload.jobs));
        let one = (
            BlockLoad {
                jobs: 1,
                ..workload
            },
            line(&options),
        );
        match &all {
            Some(first) if *first != one => {
                return Err(format!(
                    "job {:?} did something else than those beside it; a sample is one load",
                    job.jobname
                ));
            }
            _ => all = Some(one),
        }
    }
    let (workload, options) = all.ok_or("holds a document without jobs")?;
    let iops: f64 = jobs.iter().map(Job::iops).sum();
    if !(iops.is_finite() && iops > 0.0) {
        return Err("completed no operation; leave it out".into());
    }
    let operations: f64 = jobs.iter().map(Job::operations).sum();
    let directions = jobs.iter().flat_map(Job::directions);
    let latency: f64 = directions.map(|one| one.lat_ns.mean * one.total_ios).sum();
    Ok(Load {
        workload: BlockLoad {
            // Grouped, a job stands for all of its copies; else each is there.
            jobs: numbers.values().map(|(seen, said)| seen.max(said)).sum(),
            ..workload
        },
        options,
        iops,
        operations,
        runtime_ms: jobs.iter().map(Job::runtime_ms).max().unwrap_or(0),
        lat_ns_mean: (latency > 0.0 && operations > 0.0).then(|| latency / operations),
        at_ms: match document.timestamp_ms {
            0 => document.timestamp.saturating_mul(1000),
            at => at,
        },
        version: document.version.clone(),
    })
}

/// What the options ask for; fio's defaults where they are silent.
fn workload(options: &Options) -> Result<BlockLoad, String> {
    let option = |names: &[&str], default: &str| {
        let value = names.iter().find_map(|name| options.get(*name));
        value.map_or(default.to_string(), text_of)
    };
    let rw = option(&["rw", "readwrite"], "read");
    let known = [
        Pattern::Read,
        Pattern::Write,
        Pattern::RandRead,
        Pattern::RandWrite,
    ];
    let pattern = known.into_iter().find(|one| one.as_str() == rw);
    let bs = option(&["bs", "blocksize"], "4k");
    let engine = option(&["ioengine"], "psync");
    let known = [Engine::IoUring, Engine::Libaio, Engine::Psync];
    let number = |name: &str| {
        let text = option(&[name], "1");
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=65_536).contains(number));
        number.ok_or(format!("{name}={text}: no case has that"))
    };
    Ok(BlockLoad {
        pattern: pattern.ok_or(format!(
            "rw={rw}: no case has that; there is read, write, randread, randwrite"
        ))?,
        block_size: size(&bs).ok_or(format!("bs={bs}: no case has that; name one size"))?,
        depth: number("iodepth")?,
        jobs: number("numjobs")?,
        engine: known
            .into_iter()
            .find(|one| one.as_str() == engine)
            .ok_or(format!(
                "ioengine={engine}: no case has that; there is io_uring, libaio, psync"
            ))?,
    })
}

/// `4k`, `4KiB`, `4096`, `4k,4k`: one size, above 0.
fn size(text: &str) -> Option<u64> {
    let one = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let text = text
            .strip_suffix("ib")
            .or(text.strip_suffix('b'))
            .unwrap_or(&text);
        parse_size(text).filter(|bytes| *bytes > 0)
    };
    let mut each = text.split(',').filter(|part| !part.is_empty()).map(one);
    let first = each.next()??;
    each.all(|other| other == Some(first)).then_some(first)
}

/// All that a load was told besides what its case says.
fn line(options: &Options) -> String {
    let each = options.iter();
    let own = each.filter(|(name, _)| !NOT_OF_THE_LOAD.contains(&name.as_str()));
    let words: Vec<String> = own
        .map(|(name, value)| match text_of(value).as_str() {
            "" => name.clone(),
            value => format!("{name}={value}"),
        })
        .collect();
    words.join(" ")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_fio_writes_them() {
        for text in ["4k", "4K", "4KiB", "4kb", "4096", "4k,4k", "4k,,"] {
            assert_eq!(size(text), Some(4096), "{text}");
        }
        for text in ["", "0", "4k,8k", "k", "4x", "-4k", "99999999999999m"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_brace_within_a_line_begins_no_document() {
        assert_eq!(next_document("fio: {odd}\n  {"), Some(13));
        assert_eq!(next_document("fio: {odd}\n"), None);
    }
}
