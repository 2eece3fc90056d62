//! Loading and unloading kernel modules.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, Context, Result};
use rustix::io::Errno;

/// `O_NONBLOCK`: without it, delete_module(2) may wait for users to leave.
const NONBLOCK: i32 = 0o4000;

/// Whether a module of that name is in the kernel, loaded or built in.
pub fn is_loaded(name: &str) -> bool {
    Path::new("/sys/module").join(name).exists()
}

/// Loads a file with parameters as on `insmod`'s command line.
pub fn insert(file: &Path, parameters: &str) -> Result<()> {
    let shown = file.display();
    let module = File::open(file).with_context(|| {
        format!(
            "ring 0: {shown} cannot be opened; build it by `make -C ring0 modules` and name its \
             folder by --modules"
        )
    })?;
    let parameters = CString::new(parameters).context("ring 0: a parameter holds a zero byte")?;
    match rustix::system::finit_module(&module, &parameters, 0) {
        Ok(()) => Ok(()),
        Err(Errno::NOEXEC) => bail!(
            "ring 0: {shown} was built for another kernel than the running {}; build it against \
             this one's tree",
            rustix::system::uname().release().to_string_lossy()
        ),
        Err(Errno::PERM) => bail!(
            "ring 0: {shown} may not be loaded; run as root, on a kernel that takes unsigned \
             modules (no lockdown)"
        ),
        Err(error) => Err(error).with_context(|| {
            format!("ring 0: {shown} does not load; the kernel log (dmesg) says why")
        }),
    }
}

/// Loads a module of the running kernel, with what it depends on.
pub fn probe(name: &str, parameters: &[&str]) -> Result<()> {
    let output = Command::new("modprobe")
        .arg(name)
        .args(parameters)
        .output()
        .context("ring 0: modprobe cannot be started; install kmod")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!(
            "ring 0: {name} does not load: {}",
            text.lines().last().unwrap_or("modprobe gave no reason")
        );
    }
    Ok(())
}

/// Unloads a module; `WouldBlock` if it is in use.
pub fn remove(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    match rustix::system::delete_module(&name, NONBLOCK) {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::from_raw_os_error(error.raw_os_error())),
    }
}
