//! `--asm`: the loops of operations as machine code, by objdump.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use ringfence_bench::case::Case;
use ringfence_bench::disassembly::Listing;
use ringfence_bench::plan::Plan;
use ringfence_lab::Lab;

use crate::failure::Usage;

/// What names an operation's function.
const PREFIX: &str = "rf_api_";

/// Where the modules of ring 0 are.
pub enum Modules<'a> {
    /// In a lab, whose own objdump reads them.
    Lab(&'a Lab),
    /// In a folder of this machine.
    Folder(&'a Path),
}

/// Refuses a plan without operations.
pub fn check(plan: &Plan) -> Result<()> {
    if plan.cases.iter().all(|case| case.operation().is_err()) {
        return Err(Usage::error(
            "--asm shows the loops of operations; it goes with `bench api`",
        ));
    }
    Ok(())
}

/// The loops of a plan's cases in a ring, those that are there.
pub fn listings(plan: &Plan, ring: u8, modules: Option<&Modules<'_>>) -> Result<Vec<Listing>> {
    let mut listings = Vec::new();
    let subjects = plan.subjects.get(&ring).map_or(&[][..], Vec::as_slice);
    let mut own = Vec::new();
    if ring == 3 {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        own = functions(Command::new("objdump"), &program)?;
    }
    for subject in subjects {
        let of_module;
        let functions = match modules.filter(|_| ring == 0) {
            None => &own,
            Some(modules) => {
                let file = format!("{PREFIX}{subject}.ko");
                of_module = match modules {
                    Modules::Lab(lab) => functions(
                        lab.objdump(),
                        &Path::new(ringfence_lab::MODULES).join(&file),
                    )?,
                    Modules::Folder(folder) => {
                        functions(Command::new("objdump"), &folder.join(&file))?
                    }
                };
                &of_module
            }
        };
        for case in plan.cases.iter().filter(|case| case.ring == ring) {
            let wanted = symbol(case, subject)?;
            // Of a function and its closures the function has the shortest name.
            let found = functions
                .iter()
                .filter(|function| is_of(&function.symbol, &wanted))
                .min_by_key(|function| function.symbol.len());
            listings.extend(found.map(|function| Listing {
                key: case.key(),
                subject: subject.clone(),
                symbol: function.symbol.clone(),
                instructions: function.instructions.clone(),
            }));
        }
    }
    Ok(listings)
}

/// The name of the function with a subject's loop. In ring 0 each has a module
/// of its own.
fn symbol(case: &Case, subject: &str) -> Result<String> {
    let name = case.operation()?.operation.replace('-', "_");
    Ok(match case.ring {
        0 => format!("{PREFIX}{name}"),
        _ => format!("{PREFIX}{name}_{subject}"),
    })
}

/// Whether a name, with or without a path, is that of a function or of what it
/// holds.
fn is_of(symbol: &str, wanted: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    symbol.split(|c| !word(c)).any(|part| part == wanted)
}

struct Function {
    symbol: String,
    /// Of its first instruction.
    address: u64,
    instructions: Vec<String>,
}

/// The functions of operations in a file.
fn functions(mut objdump: Command, file: &Path) -> Result<Vec<Function>> {
    let mut child = objdump
        .args(["--disassemble", "--reloc", "--no-show-raw-insn"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("--asm: objdump does not start; install the package binutils")?;
    let output = child.stdout.take().context("piped above")?;
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let functions = parse(lines);
    if !child.wait()?.success() {
        bail!("--asm: objdump cannot read {}", file.display());
    }
    Ok(functions)
}

fn parse(lines: impl Iterator<Item = String>) -> Vec<Function> {
    let mut all: Vec<Function> = Vec::new();
    // Whether the function at hand is an operation's.
    let mut wanted = false;
    for line in lines {
        if let Some((address, name)) = head(&line) {
            // Mangling leaves names as they are.
            wanted = name.contains(PREFIX);
            if wanted {
                all.push(Function {
                    symbol: demangled(name),
                    address,
                    instructions: Vec::new(),
                });
            }
            continue;
        }
        let Some(function) = all.last_mut().filter(|_| wanted) else {
            continue;
        };
        let mut fields = line.trim().split('\t');
        let (first, second) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        if let Some((_, kind)) = first.split_once(": ").filter(|(_, k)| k.starts_with("R_")) {
            if let Some(instruction) = function.instructions.last_mut() {
                relocate(instruction, kind, second);
            }
        } else if let Some(address) = first.strip_suffix(':').and_then(hexadecimal) {
            let distance = address.wrapping_sub(function.address);
            let instruction = plain(second, &function.symbol);
            function
                .instructions
                .push(format!("+{distance:<4x} {instruction}"));
        }
    }
    all
}

/// The address and name in `0000000000000010 <name>:`.
fn head(line: &str) -> Option<(u64, &str)> {
    let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
    Some((hexadecimal(address)?, name))
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// An instruction without addresses that only hold in its file: of `12 <name+0x4>`
/// the name stays, within the function itself the distance.
fn plain(instruction: &str, function: &str) -> String {
    let instruction = instruction.trim();
    let (before, rest) = match instruction.split_once(" <") {
        Some((before, rest)) if rest.ends_with('>') => (before, rest.trim_end_matches('>')),
        _ => return instruction.to_string(),
    };
    let before = before.trim_end_matches(|c: char| c.is_ascii_hexdigit());
    let (name, distance) = match rest.rsplit_once("+0x") {
        Some((name, distance)) => (demangled(name), distance),
        None => (demangled(rest), "0"),
    };
    match (name == function, distance) {
        (true, distance) => format!("{before}+{distance}"),
        (false, "0") => format!("{before}{name}"),
        (false, distance) => format!("{before}{name}+0x{distance}"),
    }
}

/// Writes what a relocation names into the instruction before it: as the place
/// that is called or jumped to, else beside it.
fn relocate(instruction: &mut String, kind: &str, target: &str) {
    // The processor counts from the next instruction on.
    let name = demangled(target.trim_end_matches("-0x4"));
    let word = instruction.split_whitespace().nth(1).unwrap_or("");
    let branch = word.starts_with("call") || word.starts_with('j');
    if branch && (kind.contains("PLT32") || kind.contains("PC32")) {
        if let Some((at, _)) = instruction.rmatch_indices(char::is_whitespace).next() {
            instruction.truncate(at + 1);
            instruction.push_str(&name);
            return;
        }
    }
    instruction.push_str("  # ");
    instruction.push_str(&name);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = "rf_api_rust.ko:     file format elf64-x86-64


Disassembly of section .text:

0000000000000010 <other>:
  10:\tret

0000000000000020 <_RNvNtCs1_3api5locks15rf_api_spinlock>:
  20:\tpush   %rbp
  21:\tmov    0x0(%rip),%rax        # 28 <_RNvNtCs1_3api5locks15rf_api_spinlock+0x8>
\t\t\t24: R_X86_64_PC32\tcounter-0x4
  28:\tcall   2d <_RNvNtCs1_3api5locks15rf_api_spinlock+0xd>
\t\t\t29: R_X86_64_PLT32\t_raw_spin_lock-0x4
  2d:\tjne    21 <_RNvNtCs1_3api5locks15rf_api_spinlock+0x1>
  2f:\tret
";

    #[test]
    fn an_operations_function_is_listed_with_names_in_place_of_addresses() {
        let functions = parse(MODULE.lines().map(String::from));
        let [function] = &functions[..] else {
            panic!("{} functions", functions.len())
        };
        assert_eq!(function.symbol, "api::locks::rf_api_spinlock");
        let expected = [
            "+0    push   %rbp",
            "+1    mov    0x0(%rip),%rax        # +8  # counter",
            "+8    call   _raw_spin_lock",
            "+d    jne    +1",
            "+f    ret",
        ];
        assert_eq!(function.instructions, expected);
        assert!(is_of(&function.symbol, "rf_api_spinlock"));
        assert!(!is_of(&function.symbol, "rf_api_spin"));
        let calls = plain("call   1f2a30 <pthread_mutex_lock@plt>", "x");
        assert_eq!(calls, "call   pthread_mutex_lock@plt");
        assert_eq!(plain("lea    0x8(%rax),%rdx", "x"), "lea    0x8(%rax),%rdx");
    }
}
