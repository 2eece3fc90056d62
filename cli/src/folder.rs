//! Where a run goes: its folder's name, and whether it can be written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{bail, Context, Result};

/// `runs/20260131T120000Z-ring3` below the current folder.
pub fn default(rings: &[u8]) -> PathBuf {
    let stamp: String = humantime::format_rfc3339_seconds(SystemTime::now())
        .to_string()
        .replace(['-', ':'], "");
    let rings = match rings {
        [ring] => format!("ring{ring}"),
        _ => "both".into(),
    };
    let wanted = Path::new("runs").join(format!("{stamp}-{rings}"));
    let mut path = wanted.clone();
    let mut number = 1;
    while path.exists() {
        number += 1;
        path = PathBuf::from(format!("{}-{number}", wanted.display()));
    }
    path
}

/// Refuses a folder that cannot become a run folder, without leaving a trace.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    if path.exists() {
        let mut entries = fs::read_dir(path)
            .with_context(|| format!("{shown}: is no readable folder; choose one with --out"))?;
        if entries.next().is_some() {
            bail!("{shown}: holds something already; choose a new folder with --out");
        }
    }
    let existing = std::path::absolute(path)
        .with_context(|| format!("{shown}: is no path"))?
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .map(Path::to_path_buf)
        .with_context(|| format!("{shown}: has no existing parent"))?;
    if !existing.is_dir() {
        bail!(
            "{shown}: cannot be made, {} is no folder; choose another with --out",
            existing.display()
        );
    }
    tempfile::tempfile_in(&existing)
        .map_err(without_path)
        .with_context(|| {
            format!(
                "{shown}: cannot be made, {} is not writable; choose another with --out",
                existing.display()
            )
        })?;
    Ok(())
}

/// The error's reason alone: the temporary file's name would only confuse.
fn without_path(error: std::io::Error) -> std::io::Error {
    std::io::Error::from(error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_below_a_writable_one_is_fine_and_is_not_made() {
        let base = tempfile::tempdir().expect("tempdir");
        let path = base.path().join("a/b");
        check(&path).expect("fine");
        assert!(!base.path().join("a").exists());
        assert_eq!(fs::read_dir(base.path()).expect("dir").count(), 0);
    }

    #[test]
    fn a_folder_that_holds_something_is_refused() {
        let base = tempfile::tempdir().expect("tempdir");
        fs::write(base.path().join("x"), "").expect("write");
        assert!(check(base.path()).is_err());
        assert!(check(&base.path().join("x")).is_err());
        assert!(check(&base.path().join("x/y")).is_err());
    }

    #[test]
    fn the_default_name_says_when_and_which_ring() {
        let name = default(&[3]).display().to_string();
        assert!(
            name.starts_with("runs/2") && name.ends_with("Z-ring3"),
            "{name}"
        );
        assert!(!name.contains(':'));
        assert!(default(&[3, 0]).display().to_string().ends_with("-both"));
    }
}
