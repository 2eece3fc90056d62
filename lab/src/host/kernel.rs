//! The stock kernel: its packages, and a source tree prepared to match it.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{bail, Context, Result};

use super::cache::Cache;
use super::config;
use super::root;
use super::step::{Log, Stamp, Step};

/// A kernel that the lab can be made for.
pub struct Kernel {
    /// The Debian suite.
    pub suite: &'static str,
    /// Whether the kernel is in the suite's backports.
    pub backports: bool,
    /// The series, as in `linux-source-SERIES`.
    pub series: &'static str,
    /// The package of the compiler that built it.
    pub gcc: &'static str,
}

/// The kernels; the first is the default.
const KERNELS: [Kernel; 2] = [
    Kernel {
        suite: "trixie",
        backports: true,
        series: "7.3",
        gcc: "gcc-14",
    },
    Kernel {
        suite: "forky",
        backports: false,
        series: "7.2",
        gcc: "gcc-16",
    },
];

/// The kernel source, in the root.
pub const TREE: &str = "/lab/linux";

impl Kernel {
    /// The kernel that `$RINGFENCE_KERNEL` names by its series, else the
    /// default.
    pub fn chosen() -> Result<&'static Kernel> {
        match env::var("RINGFENCE_KERNEL") {
            Ok(series) if !series.is_empty() => Kernel::by_series(&series),
            _ => Ok(&KERNELS[0]),
        }
    }

    fn by_series(series: &str) -> Result<&'static Kernel> {
        let Some(kernel) = KERNELS.iter().find(|kernel| kernel.series == series) else {
            let known: Vec<&str> = KERNELS.iter().map(|kernel| kernel.series).collect();
            bail!(
                "lab: RINGFENCE_KERNEL is {series}, which the lab does not know; it knows {}",
                known.join(", ")
            );
        };
        Ok(kernel)
    }

    fn compiler(&self) -> String {
        format!("x86_64-linux-gnu-{}", self.gcc)
    }

    /// Variables of every `make` that uses the tree.
    pub fn make_variables(&self, release: &str) -> [String; 3] {
        [
            format!("KERNELRELEASE={release}"),
            format!("CC={}", self.compiler()),
            format!("HOSTCC={}", self.compiler()),
        ]
    }

    /// The step that unpacks the packages.
    pub fn packages_step(&self, cache: &Cache, before: &Step) -> Step {
        Step {
            name: "kernel-packages",
            stamp: Stamp::of(&["kernel-packages 1", before.stamp.as_str(), self.series]),
            product: release_file(cache),
        }
    }

    /// Unpacks image, modules and headers of the newest kernel of the series,
    /// and fetches the source of the same version.
    ///
    /// Unpacked, not installed: their scripts would make an initramfs that
    /// nobody boots.
    pub fn packages(&self, cache: &Cache, log: &mut Log<'_>) -> Result<()> {
        root::share_resolver(cache);
        let series = self.series;
        log.run(root::command(cache, "apt-get").args([
            "install",
            "-y",
            "--no-install-recommends",
            &format!("linux-source-{series}"),
        ]))?;
        let listed = root::output(
            cache,
            "apt-cache",
            &["pkgnames", &format!("linux-image-{series}")],
        )?;
        let release = newest(&listed, series).with_context(|| {
            format!(
                "the archive has no linux-image-{series}.* package for amd64; \
                 set RINGFENCE_KERNEL to another kernel"
            )
        })?;
        log.line(&format!("the newest kernel is {release}"));
        let common = format!(
            "linux-headers-{}-common",
            release.strip_suffix("-amd64").unwrap_or(&release)
        );
        let mut packages = vec![
            format!("linux-image-{release}"),
            format!("linux-headers-{release}"),
            common,
        ];
        // Where the image is split, its parts hold what it held.
        for part in ["linux-modules", "linux-binary"] {
            let name = format!("{part}-{release}");
            if root::output(cache, "apt-cache", &["pkgnames", &name])?
                .lines()
                .any(|line| line == name)
            {
                packages.push(name);
            }
        }
        let version = root::output(
            cache,
            "dpkg-query",
            &["-W", "-f", "${Version}", &format!("linux-source-{series}")],
        )?;
        // The same version for all, or nothing would match.
        let exact: Vec<String> = packages.iter().map(|p| format!("{p}={version}")).collect();
        let debs = cache.lab().join("debs");
        root::remove(&debs)?;
        fs::create_dir_all(&debs).with_context(|| format!("{} cannot be made", debs.display()))?;
        log.run(
            root::command(cache, "sh")
                .args([
                    "-ec",
                    "cd /lab/debs; chmod 777 .; apt-get download \"$@\"; \
                     for deb in *.deb; do dpkg-deb -x \"$deb\" /; done; \
                     depmod \"$0\"",
                ])
                .arg(&release)
                .args(&exact),
        )?;
        root::remove(&debs)?;
        fs::write(release_file(cache), &release).context("the release cannot be written")
    }

    /// The step that unpacks the source.
    pub fn source_step(&self, cache: &Cache, before: &Step) -> Step {
        Step {
            name: "kernel-source",
            stamp: Stamp::of(&["kernel-source 1", before.stamp.as_str()]),
            product: cache.lab().join("linux/Makefile"),
        }
    }

    /// Unpacks the source.
    pub fn source(&self, cache: &Cache, log: &mut Log<'_>) -> Result<()> {
        root::remove(&cache.lab().join("linux"))?;
        log.run(root::command(cache, "sh").args([
            "-ec",
            "mkdir \"$1\"; tar -C \"$1\" --strip-components=1 -xf \"$2\"",
            "sh",
            TREE,
            &format!("/usr/src/linux-source-{}.tar.xz", self.series),
        ]))
    }

    /// The step that prepares the source for building modules.
    pub fn tree_step(&self, cache: &Cache, before: &Step) -> Step {
        Step {
            name: "kernel-tree",
            stamp: Stamp::of(&["kernel-tree 1", before.stamp.as_str(), self.gcc]),
            product: cache.lab().join("linux/rust/libkernel.rmeta"),
        }
    }

    /// Prepares the source so that what is built with it loads into the
    /// packaged image.
    pub fn tree(&self, cache: &Cache, log: &mut Log<'_>) -> Result<()> {
        let release = release(cache)?;
        let headers = cache
            .root()
            .join("usr/src")
            .join(format!("linux-headers-{release}"));
        let tree = cache.lab().join("linux");
        let resumed = tree.join(".config").exists();
        for name in [".config", "Module.symvers"] {
            fs::copy(headers.join(name), tree.join(name))
                .with_context(|| format!("{name} of the headers package cannot be copied"))?;
        }
        let packaged = read(headers.join(".config"))?;
        let built = config::Config::parse(&packaged);
        let rustc = root::output(cache, "rustc", &["--version"])?;
        let wanted = built.text("CONFIG_RUSTC_VERSION_TEXT");
        if wanted != Some(rustc.as_str()) {
            bail!(
                "the root has {rustc}, the kernel image was built with {}; \
                 run `ringfence lab down` and `ringfence lab up` again",
                wanted.unwrap_or("no Rust at all")
            );
        }
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let made = log.run(
            root::command(cache, "make")
                .args(["-C", TREE])
                .arg(format!("-j{jobs}"))
                .args(self.make_variables(&release))
                .args(["olddefconfig", "modules_prepare"]),
        );
        if made.is_err() && resumed {
            // What an earlier attempt left may be what it fails on.
            let _ = fs::remove_file(cache.stamp("kernel-source"));
            return made.context("run it again: the next attempt unpacks the source anew");
        }
        made?;
        let differences = built.differences(&config::Config::parse(&read(tree.join(".config"))?));
        for line in &differences.harmless {
            log.line(&format!(".config differs, harmless: {line}"));
        }
        if !differences.harmful.is_empty() {
            bail!(
                "the prepared .config differs from the packaged one, modules would not match the \
                 image: {}",
                differences.harmful.join("; ")
            );
        }
        Ok(())
    }
}

/// The series that the lab knows.
pub fn series() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().map(|kernel| kernel.series)
}

/// The release of the unpacked kernel, as `uname -r` gives it.
pub fn release(cache: &Cache) -> Result<String> {
    let text = fs::read_to_string(release_file(cache))
        .context("lab: no kernel is unpacked; run `ringfence lab up`")?;
    Ok(text.trim().to_string())
}

/// What the kernel's configuration says, for `build.json`.
pub fn configuration(cache: &Cache) -> Result<config::Config> {
    Ok(config::Config::parse(&read(
        cache.lab().join("linux/.config"),
    )?))
}

fn release_file(cache: &Cache) -> PathBuf {
    cache.lab().join("release")
}

fn read(path: PathBuf) -> Result<String> {
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The newest stock release among package names: no realtime, cloud or
/// unsigned flavour.
fn newest(names: &str, series: &str) -> Option<String> {
    names
        .lines()
        .filter_map(|name| name.strip_prefix("linux-image-"))
        .filter(|release| release.starts_with(&format!("{series}.")))
        .filter(|release| release.ends_with("-amd64"))
        .filter(|release| !release.contains("rt-") && !release.contains("cloud"))
        .max_by_key(|release| numbers(release))
        .map(str::to_string)
}

/// The numbers in a release, for comparing: 7.3.10 is newer than 7.3.9.
pub fn numbers(release: &str) -> Vec<u64> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stock_release_wins_by_number_not_by_letter() {
        let names = "linux-image-7.3.9+deb13-amd64\nlinux-image-7.3.10+deb13-amd64\n\
                     linux-image-7.3.11+deb13-rt-amd64\nlinux-image-7.3.11+deb13-cloud-amd64\n\
                     linux-image-7.3.12+deb13-amd64-unsigned\nlinux-image-7.30.1+deb13-amd64\n\
                     linux-image-7.3.10+deb13-amd64-dbg\n";
        assert_eq!(newest(names, "7.3").as_deref(), Some("7.3.10+deb13-amd64"));
        assert_eq!(newest(names, "7.4"), None);
    }

    #[test]
    fn an_unknown_kernel_is_named_with_those_that_are_known() {
        let error = Kernel::by_series("6.1").err().unwrap().to_string();
        assert!(error.contains("7.3, 7.2"), "{error}");
    }
}
