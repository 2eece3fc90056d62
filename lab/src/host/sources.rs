//! Our sources in the root: a copy that follows the checkout.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::cache::Cache;
use super::step::Stamp;

/// Folders of the checkout that modules are built from.
const FOLDERS: [&str; 3] = ["kit", "drivers", "ring0"];

/// The sources of a checkout, read whole. They are a few hundred kilobytes.
pub struct Sources {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Sources {
    /// Reads them.
    pub fn read(checkout: &Path) -> Result<Sources> {
        if !checkout.join("ring0/Makefile").is_file() {
            bail!(
                "lab: {}/ring0/Makefile is not there, so there is no module to build; \
                 run ringfence from its checkout",
                checkout.display()
            );
        }
        let mut files = BTreeMap::new();
        for folder in FOLDERS {
            read_folder(checkout, Path::new(folder), &mut files)?;
        }
        Ok(Sources { files })
    }

    /// A stamp of names and contents.
    pub fn stamp(&self) -> Stamp {
        let mut parts: Vec<String> = Vec::new();
        for (path, content) in &self.files {
            parts.push(path.to_string_lossy().into_owned());
            parts.push(String::from_utf8_lossy(content).into_owned());
        }
        Stamp::of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Copies what changed and deletes what vanished, so that make rebuilds
    /// what it has to and no more. What was built there stays.
    pub fn stage(&self, cache: &Cache) -> Result<()> {
        let target = cache.lab().join("src");
        let list = cache.lab().join("src.list");
        for (path, content) in &self.files {
            let copy = target.join(path);
            if fs::read(&copy).is_ok_and(|old| old == *content) {
                continue;
            }
            let folder = copy.parent().unwrap_or(&target);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&copy, content))
                .with_context(|| format!("lab: {} cannot be written", copy.display()))?;
        }
        for line in fs::read_to_string(&list).unwrap_or_default().lines() {
            if !self.files.contains_key(Path::new(line)) {
                let _ = fs::remove_file(target.join(line));
            }
        }
        let names: String = self
            .files
            .keys()
            .map(|path| format!("{}\n", path.display()))
            .collect();
        fs::write(&list, names)
            .with_context(|| format!("lab: {} cannot be written", list.display()))
    }
}

fn read_folder(
    checkout: &Path,
    folder: &Path,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<()> {
    let shown = checkout.join(folder);
    let entries =
        fs::read_dir(&shown).with_context(|| format!("lab: {} cannot be read", shown.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("lab: {} cannot be read", shown.display()))?;
        let name = entry.file_name();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = folder.join(&name);
        let kind = entry
            .file_type()
            .with_context(|| format!("lab: {} cannot be read", path.display()))?;
        if kind.is_dir() {
            read_folder(checkout, &path, files)?;
        } else if kind.is_file() {
            let content = fs::read(checkout.join(&path))
                .with_context(|| format!("lab: {} cannot be read", path.display()))?;
            files.insert(path, content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_follows_the_checkout_and_leaves_what_was_built() {
        let base = std::env::temp_dir().join(format!("ringfence-stage-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let checkout = base.join("checkout");
        for folder in FOLDERS {
            fs::create_dir_all(checkout.join(folder)).unwrap();
        }
        assert!(Sources::read(&checkout).is_err(), "no ring0/Makefile");
        fs::write(checkout.join("ring0/Makefile"), "all:").unwrap();
        fs::write(checkout.join("kit/old.rs"), "old").unwrap();
        let cache = Cache::find(Some(&base.join("cache"))).unwrap();
        let first = Sources::read(&checkout).unwrap();
        first.stage(&cache).unwrap();
        let staged = cache.lab().join("src");
        fs::write(staged.join("ring0/module.o"), "built").unwrap();
        fs::remove_file(checkout.join("kit/old.rs")).unwrap();
        fs::write(checkout.join("kit/new.rs"), "new").unwrap();
        let second = Sources::read(&checkout).unwrap();
        assert_ne!(first.stamp(), second.stamp());
        second.stage(&cache).unwrap();
        assert!(!staged.join("kit/old.rs").exists());
        assert!(staged.join("kit/new.rs").exists());
        assert!(staged.join("ring0/module.o").exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
