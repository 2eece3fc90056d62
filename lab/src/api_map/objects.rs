//! What object files link to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{bail, Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// Prefixes of symbols that nobody writes down: compilers emit them (function
/// entry, retpolines, stack protector, sanitizer, fortified copies), or static
/// calls do, which macros place.
const EMITTED: [&str; 9] = [
    "__fentry__",
    "__x86_return_thunk",
    "__x86_indirect_",
    "__stack_chk_",
    "__ref_stack_chk_guard",
    "__ubsan_handle_",
    "__fortify_panic",
    "__SCT__",
    "__SCK__",
];

/// Whether a symbol is one that nobody writes down.
pub fn emitted(symbol: &str) -> bool {
    EMITTED.iter().any(|prefix| symbol.starts_with(prefix))
}

/// What a module links to, and what it offers to others.
pub struct Links {
    /// Undefined symbols.
    pub needed: BTreeSet<String>,
    /// Defined global symbols.
    pub offered: BTreeSet<String>,
}

/// Reads a kernel module, `.ko` or `.ko.xz`.
pub fn links(path: &Path) -> Result<Links> {
    let bytes = read(path)?;
    let file = parse(path, &bytes)?;
    let mut links = Links {
        needed: BTreeSet::new(),
        offered: BTreeSet::new(),
    };
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        if symbol.is_undefined() {
            links.needed.insert(name.to_string());
        } else if symbol.is_global() {
            links.offered.insert(name.to_string());
        }
    }
    Ok(links)
}

/// The undefined symbols that each function of an object uses.
pub fn by_function(path: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let bytes = read(path)?;
    let file = parse(path, &bytes)?;
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let functions: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .collect();
    for section in file.sections() {
        let mut here: Vec<_> = functions
            .iter()
            .filter(|symbol| symbol.section_index() == Some(section.index()))
            .collect();
        if here.is_empty() {
            continue;
        }
        here.sort_by_key(|symbol| symbol.address());
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let Ok(target) = file.symbol_by_index(index) else {
                continue;
            };
            let name = target.name().unwrap_or_default();
            if !target.is_undefined() || name.is_empty() || emitted(name) {
                continue;
            }
            let before = here.partition_point(|symbol| symbol.address() <= offset);
            let Some(function) = before.checked_sub(1).and_then(|at| here.get(at)) else {
                continue;
            };
            if offset < function.address() + function.size() {
                let function = function.name().unwrap_or_default().to_string();
                used.entry(function).or_default().insert(name.to_string());
            }
        }
    }
    Ok(used)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<object::File<'a>> {
    object::File::parse(bytes).with_context(|| {
        format!(
            "api-map: {} is no object file; run `ringfence lab down` and `lab up` for its lab",
            path.display()
        )
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let bytes = fs::read(path).with_context(|| {
        format!("api-map: {shown} cannot be read; run `ringfence lab up` for its lab, as root")
    })?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => {
            let mut plain = Vec::new();
            lzma_rust2::XzReader::new(&bytes[..], true)
                .read_to_end(&mut plain)
                .with_context(|| {
                    format!(
                        "api-map: {shown} does not unpack; run `ringfence lab down` and `lab up` \
                         for its lab"
                    )
                })?;
            Ok(plain)
        }
        Some("ko" | "o") => Ok(bytes),
        _ => bail!("api-map: {shown} is neither .ko nor .ko.xz; no other module is read here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_unpacked() {
        // `echo module | xz --check=crc32`
        const PACKED: [u8; 60] = [
            253, 55, 122, 88, 90, 0, 0, 1, 105, 34, 222, 54, 2, 0, 33, 1, 28, 0, 0, 0, 16, 207, 88,
            204, 1, 0, 6, 109, 111, 100, 117, 108, 101, 10, 0, 0, 79, 138, 110, 7, 0, 1, 27, 7, 18,
            235, 212, 23, 144, 66, 153, 13, 1, 0, 0, 0, 0, 1, 89, 90,
        ];
        let folder = std::env::temp_dir().join(format!("ringfence-xz-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.ko.xz");
        fs::write(&path, PACKED).unwrap();
        assert_eq!(read(&path).unwrap(), b"module\n");
        fs::write(&path, &PACKED[..PACKED.len() - 9]).unwrap();
        assert!(read(&path)
            .unwrap_err()
            .to_string()
            .contains("does not unpack"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_nobody_writes_down_is_told_by_its_name() {
        assert!(emitted("__fentry__") && emitted("__SCT__might_resched"));
        assert!(!emitted("__free_pages") && !emitted("memcpy"));
    }
}
