//! What an open disk holds.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};

use super::super::module;
use super::{Loaded, MODULE};

pub fn open_disk(modules: &Path) -> Result<()> {
    let loaded = Loaded::new(modules)?;
    let device = loaded.device("rftest-open")?;
    let disk = device.power_on()?;
    let mut file = File::open(disk.node()).context("open")?;
    // The directory would hold the module too: only without it does this say
    // something of the descriptor.
    device
        .remove_powered()
        .context("rmdir of a powered device")?;
    ensure!(!disk.node().exists(), "the disk is still there after rmdir");
    let mut block = [0; 4096];
    ensure!(
        !matches!(file.read(&mut block), Ok(1..)),
        "a disk that is gone can still be read"
    );
    match module::remove(MODULE) {
        // delete_module(2) says EAGAIN or EBUSY, rmmod "in use".
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::ResourceBusy
            ) => {}
        Err(error) => bail!("unloading with an open disk gives `{error}`, not `in use`"),
        Ok(()) => bail!("the module unloads under an open disk"),
    }
    ensure!(
        module::is_loaded(MODULE),
        "the module is gone after a refused unload"
    );
    drop(file);
    // The last reference to the disk may be dropped by a worker.
    for _ in 0..20 {
        if module::remove(MODULE).is_ok() {
            std::mem::forget(loaded);
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    bail!("the module does not unload within 2 seconds after close")
}
