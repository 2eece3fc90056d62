//! Adds up a folder, or a single file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::{c, rust};

/// What was counted in a folder.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Lines of Rust without tests.
    pub rust: u64,
    /// Lines of test code in Rust.
    pub tests: u64,
    /// `unsafe { }`.
    pub blocks: u64,
    /// `unsafe fn`.
    pub fns: u64,
    /// `unsafe impl`, `trait`, `extern` and attributes.
    pub impls: u64,
    /// Those without a SAFETY comment.
    pub undocumented: u64,
    /// Lines of C.
    pub c: u64,
    /// Files that could not be counted properly, a line each.
    pub complaints: Vec<String>,
}

impl Count {
    /// Adds another folder's.
    pub fn add(&mut self, other: &Count) {
        self.rust += other.rust;
        self.tests += other.tests;
        self.blocks += other.blocks;
        self.fns += other.fns;
        self.impls += other.impls;
        self.undocumented += other.undocumented;
        self.c += other.c;
    }
}

/// Counts all `.rs`, `.c` and `.h` files below `path`, or the one that it is.
/// Hidden folders and `target` are not looked at, links not followed.
pub fn count(path: &Path) -> Result<Count> {
    let mut files = Vec::new();
    if path.is_dir() {
        find(path, false, &mut files)?;
    } else if path.is_file() {
        files.push((path.to_path_buf(), false));
    } else {
        bail!("{}: no such file or folder", path.display());
    }
    let mut total = Count::default();
    let mut counted = Vec::new();
    let mut test_places = BTreeSet::new();
    for (file, test) in files {
        let bytes =
            fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        if file.extension().is_some_and(|extension| extension != "rs") {
            total.c += if test { 0 } else { c::lines(&text) };
            continue;
        }
        match rust::count(&text) {
            Some(count) => {
                for module in &count.test_modules {
                    test_places.extend(places(&file, module));
                }
                counted.push((file, test, count));
            }
            None => {
                total.complaints.push(format!(
                    "{}: does not lex; its lines are a guess, its unsafe code is not counted",
                    file.display()
                ));
                total.rust += rust::rough_lines(&text);
            }
        }
    }
    for (file, test, count) in counted {
        if test || test_places.iter().any(|place| file.starts_with(place)) {
            total.tests += count.lines + count.test_lines;
            continue;
        }
        total.rust += count.lines;
        total.tests += count.test_lines;
        total.blocks += count.blocks;
        total.fns += count.fns;
        total.impls += count.impls;
        total.undocumented += count.undocumented;
    }
    Ok(total)
}

/// The files of a folder, each with whether it is test code by its place.
fn find(folder: &Path, test: bool, files: &mut Vec<(PathBuf, bool)>) -> Result<()> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).with_context(|| format!("{shown}: cannot be read"))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{shown}: cannot be read"))?;
        let kind = entry
            .file_type()
            .with_context(|| format!("{shown}: cannot be read"))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        if kind.is_dir() && !name.starts_with('.') && name != "target" {
            let test = test || matches!(&*name, "tests" | "benches" | "examples");
            find(&path, test, files)?;
        } else if kind.is_file() {
            let extension = path.extension().and_then(|extension| extension.to_str());
            // `.mod.c` files are what the kernel's build leaves behind.
            if matches!(extension, Some("rs" | "c" | "h")) && !name.ends_with(".mod.c") {
                files.push((path, test));
            }
        }
    }
    Ok(())
}

/// Where the module `name` of `file` may live: a file, or a folder.
fn places(file: &Path, name: &str) -> [PathBuf; 2] {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default();
    let base = match stem.to_str() {
        Some("lib" | "main" | "mod") => folder.to_path_buf(),
        _ => folder.join(stem),
    };
    [base.join(format!("{name}.rs")), base.join(name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_files_tests_and_complaints_add_up() {
        let base = tempfile::tempdir().expect("tempdir");
        let put = |name: &str, text: &str| {
            let path = base.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        };
        put("src/lib.rs", "mod a;\n#[cfg(test)]\nmod checks;\n");
        put("src/a.rs", "fn a() {\n    unsafe { b() }\n}\n");
        put("src/checks.rs", "fn c() { unsafe { d() } }\n");
        put("tests/e.rs", "fn e() {}\n");
        put("target/f.rs", "fn f() {}\n");
        put(".hidden/g.rs", "fn g() {}\n");
        put("src/broken.rs", "fn h() {\n");
        put("src/shim.c", "int i;\n// no\n");
        put("src/shim.h", "int j;\n");
        put("src/shim.mod.c", "int k;\n");
        let count = count(base.path()).expect("counts");
        assert_eq!(
            (count.rust, count.tests, count.c),
            (1 + 3 + 1, 2 + 1 + 1, 2)
        );
        assert_eq!((count.blocks, count.undocumented), (1, 1));
        assert_eq!(count.complaints.len(), 1);
        assert!(count.complaints[0].contains("broken.rs"));
        let file = super::count(&base.path().join("src/a.rs")).expect("a file");
        assert_eq!((file.rust, file.blocks), (3, 1));
        assert!(super::count(&base.path().join("nothing")).is_err());
    }
}
