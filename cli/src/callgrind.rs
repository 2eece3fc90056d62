//! Instructions in ring 3, by valgrind's callgrind: the agent runs under it
//! and bounds what is counted by client requests.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use ring3::load::{Load, Target};
use ringfence_bench::agent::Measured;
use ringfence_bench::sample::FunctionCount;

/// Names of functions that are the load's and the ring's.
const RING: [&str; 4] = [
    "ring3::load::",
    "ring3::count::",
    "ring3::request::",
    "ring3::nvme::bench::job::",
];

/// Where a function of a window belongs: `user` for the load's and the ring's,
/// `module` for the driver's behind the function table, `model` for what a
/// controller model does.
fn space(driver: &str, symbol: &str) -> &'static str {
    if RING.iter().any(|name| symbol.contains(name)) {
        return "user";
    }
    // Null block has no model: all that is behind the table is the driver's.
    let module = driver != "nvme" || is_nvme_drivers(symbol);
    match module {
        true => "module",
        false => "model",
    }
}

/// A function of `drivers/nvme` and of its pieces in ring 3, or of the twin.
fn is_nvme_drivers(symbol: &str) -> bool {
    let rust = [
        "nvme::",
        "ring3::nvme::bench::rust::",
        "ring3::dma::Block",
        "kit::",
    ];
    let symbol = symbol.trim_start_matches('<');
    match symbol.contains("::") {
        true => rust.iter().any(|name| symbol.starts_with(name)),
        false => symbol.starts_with("nvme_"),
    }
}

/// Callgrind as the launcher of boots sees it.
pub struct Callgrind {
    /// Where its files go; removed at the end.
    folder: tempfile::TempDir,
}

impl Callgrind {
    /// Refuses a host without valgrind.
    pub fn new() -> Result<Callgrind> {
        let there = Command::new("valgrind")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            bail!("ring 3: --count runs under valgrind; install the package valgrind");
        }
        let folder = tempfile::tempdir().context("ring 3: no folder for callgrind's files")?;
        Ok(Callgrind { folder })
    }

    /// Where callgrind writes, a number at the end of each file's name.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("counts")
    }

    /// A command that runs `program` under callgrind.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
            .args([
                "--demangle=no",
                "--compress-strings=no",
                "--compress-pos=no",
            ])
            .arg(format!("--callgrind-out-file={}", self.file().display()))
            .arg(program);
        command
    }
}

/// Callgrind as the agent sees it.
pub struct Counter {
    file: PathBuf,
    /// Files that it has written.
    written: u32,
}

impl Counter {
    /// Nothing counted yet.
    pub fn new(file: PathBuf) -> Counter {
        Counter { file, written: 0 }
    }

    /// Instructions of each function in the window that just ended
    /// ([`ring3::count`]).
    pub fn read(&mut self) -> Result<HashMap<String, u64>> {
        self.written += 1;
        let path = PathBuf::from(format!("{}.{}", self.file.display(), self.written));
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "ring 3: callgrind left no {}; is this process under it?",
                path.display()
            )
        })?;
        let _ = fs::remove_file(&path);
        Ok(functions(&text))
    }

    /// Instructions of an I/O: a window of at least `operations`.
    pub fn measure(
        &mut self,
        driver: &str,
        load: &Load,
        device: &dyn Target,
        operations: u64,
    ) -> Result<Measured> {
        let rounds = u32::try_from(operations.div_ceil(u64::from(load.depth)))
            .context("ring 3: more operations than can be counted")?;
        let operations = f64::from(rounds) * f64::from(load.depth);
        load.count(device, rounds)?;
        let mut functions: Vec<FunctionCount> = self
            .read()?
            .into_iter()
            .map(|(symbol, instructions)| FunctionCount {
                space: space(driver, &symbol).into(),
                symbol,
                instructions: instructions as f64 / operations,
            })
            .collect();
        functions.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
        let sum = |space: &str| -> f64 {
            let of = functions.iter().filter(|f| f.space == space);
            of.map(|f| f.instructions).sum()
        };
        let (user, module, model) = (sum("user"), sum("module"), sum("model"));
        let mut extra = BTreeMap::from([
            ("user".to_string(), user),
            ("kernel".to_string(), 0.0),
            ("module".to_string(), module),
            ("operations".to_string(), operations),
        ]);
        if model > 0.0 {
            extra.insert("model".into(), model);
        }
        Ok(Measured {
            metric: "instructions",
            value: user + module + model,
            extra,
            functions,
        })
    }
}

/// Instructions of each function without those of the functions it calls.
fn functions(text: &str) -> HashMap<String, u64> {
    let mut all = HashMap::new();
    let mut function = String::new();
    // The line after `calls=` is what the callee took.
    let mut called = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = format!("{:#}", rustc_demangle::demangle(plain(name)));
        } else if line.starts_with("calls=") {
            called = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let cost = line
                .split_whitespace()
                .nth(1)
                .and_then(|n| n.parse::<u64>().ok());
            if let (Some(cost), false) = (cost, called) {
                *all.entry(function.clone()).or_insert(0) += cost;
            }
            called = false;
        }
    }
    all.retain(|_, cost| *cost > 0);
    all
}

/// A name without what callgrind adds: `name'2` is a function that calls
/// itself.
fn plain(name: &str) -> &str {
    name.split('\'').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_count_leaves_out_what_it_calls() {
        let text = "\
version: 1
events: Ir

fl=load.rs
fn=_ZN5ring34load3Job5roundE
10 7
fi=inlined.rs
20 3
calls=100 5
21 4000
22 1

fl=twin.c
fn=nullblk_queue
5 40

totals: 51
";
        let counts = functions(text);
        assert_eq!(counts["ring3::load::Job::round"], 11);
        assert_eq!(counts["nullblk_queue"], 40);
        assert_eq!(counts.len(), 2);
    }
}
