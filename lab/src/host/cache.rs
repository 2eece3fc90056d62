//! Where a lab lives, and who may change it.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// The cache folder of one lab.
///
/// ```text
/// root/                the Debian root, which is also the guest's
/// root/lab/linux       the prepared kernel source
/// root/lab/null_blk_*  the in-tree C driver, staged for building
/// root/lab/rf_nullblk_* our module without overflow checks, and with a delay
/// root/lab/src         our sources, as staged from the checkout
/// root/lab/upstream    the in-tree Rust driver, staged for building
/// root/lab/modules     the built .ko files, and build.json
/// root/lab/boot        vmlinuz, initramfs, the guest's init
/// root/lab/bin         the agent
/// root/lab/run/ID      console and scratch files of one boot
/// root/lab/out         what the guest may write
/// stamps/ logs/        one file a step
/// ```
pub struct Cache {
    path: PathBuf,
}

/// While this lives, no other process works on the lab.
pub struct Lock {
    _file: File,
}

impl Cache {
    /// The given folder, else `$RINGFENCE_CACHE`, else the XDG cache.
    pub fn find(given: Option<&Path>) -> Result<Cache> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let path = if let Some(path) = given {
            path.to_path_buf()
        } else if let Some(path) = variable("RINGFENCE_CACHE") {
            PathBuf::from(path)
        } else if let Some(path) = variable("XDG_CACHE_HOME") {
            PathBuf::from(path).join("ringfence")
        } else if let Some(home) = variable("HOME") {
            PathBuf::from(home).join(".cache/ringfence")
        } else {
            bail!("lab: neither HOME nor RINGFENCE_CACHE is set; set RINGFENCE_CACHE to a folder");
        };
        let path = std::path::absolute(&path)
            .with_context(|| format!("lab: {} is no usable path", path.display()))?;
        // The path becomes part of QEMU options and make variables, none of
        // which can quote these.
        if path
            .to_str()
            .is_none_or(|text| text.contains(|c: char| c.is_whitespace() || c == ',' || c == ':'))
        {
            bail!(
                "lab: the cache folder {} has a space, comma or colon in its name; \
                 set RINGFENCE_CACHE to another",
                path.display()
            );
        }
        Ok(Cache { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The Debian root.
    pub fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// Our folder within the root; `/lab` in the guest.
    pub fn lab(&self) -> PathBuf {
        self.root().join("lab")
    }

    /// The log of a step.
    pub fn log(&self, step: &str) -> PathBuf {
        self.path.join("logs").join(format!("{step}.log"))
    }

    /// The stamp of a step.
    pub fn stamp(&self, step: &str) -> PathBuf {
        self.path.join("stamps").join(step)
    }

    /// Makes the folder if need be and takes the lab for this process.
    pub fn lock(&self) -> Result<Lock> {
        let shown = self.path.display();
        fs::create_dir_all(&self.path).with_context(|| {
            format!("lab: {shown} cannot be made; set RINGFENCE_CACHE to a folder that can")
        })?;
        let file = File::create(self.path.join("lock")).with_context(|| {
            format!("lab: {shown} cannot be written; set RINGFENCE_CACHE to a folder that can")
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "lab: another ringfence works on {shown}; wait for it, or set RINGFENCE_CACHE to \
                 another folder"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("lab: {shown} cannot be locked"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_one_cache_is_refused_in_one_line() {
        let path = env::temp_dir().join(format!("ringfence-lock-{}", std::process::id()));
        let cache = Cache::find(Some(&path)).unwrap();
        let first = cache.lock().unwrap();
        let error = cache.lock().err().unwrap().to_string();
        assert!(error.contains("another ringfence works on"), "{error}");
        drop(first);
        cache.lock().unwrap();
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_cache_whose_name_no_tool_can_quote_is_refused() {
        for name in ["/tmp/a b", "/tmp/a,b", "/tmp/a:b"] {
            assert!(Cache::find(Some(Path::new(name))).is_err(), "{name}");
        }
    }
}
