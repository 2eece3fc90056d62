//! Which of the kernel's C API drivers need, and who wraps it: the `kernel`
//! crate, our `ring0/core`, nobody; and what changed between kernels.
//!
//! Everything is read from labs and the checkout. Needed is what the stock
//! modules of a driver link to, and which static inlines of the kernel's
//! headers their C source calls. A C name counts as wrapped if Rust code names
//! it (`bindings::NAME`), or names a helper whose object code uses it and whose
//! name is a part of it, as `spin_lock` is of `_raw_spin_lock`.

mod bindings;
mod c;
mod churn;
mod objects;
mod public;
mod tokens;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use serde::Serialize;

use crate::host::cache::Cache;
use crate::host::config::Config;
use crate::host::kernel;

pub use churn::{Change, Churn, Kind, ModuleChurn, Totals};
pub use uses::Use;

/// The drivers, each with its modules in a stock kernel.
const DRIVERS: [(&str, &[&str]); 4] = [
    ("nullblk", &["null_blk"]),
    ("nvme", &["nvme", "nvme-core"]),
    ("e1000", &["e1000"]),
    ("binder", &["binder_linux"]),
];

/// Names of the drivers that a map has.
pub fn drivers() -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().map(|(name, _)| *name)
}

/// Who offers a C name to Rust. The first that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The `kernel` crate uses it, in a safe function that others may call.
    Safe,
    /// The `kernel` crate uses it elsewhere.
    Inner,
    /// Our `ring0/core` uses it.
    Ours,
    /// It is in the bindings, or there is a helper for it, and nobody uses it.
    Raw,
    /// Rust cannot name it.
    Absent,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 5] = [
        State::Safe,
        State::Inner,
        State::Ours,
        State::Raw,
        State::Absent,
    ];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            State::Safe => "safe",
            State::Inner => "inner",
            State::Ours => "ours",
            State::Raw => "raw",
            State::Absent => "absent",
        }
    }
}

/// A C name that a driver needs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Name {
    /// The header that declares it, below `include` or an architecture's.
    pub header: Option<String>,
    /// Its C declaration.
    pub declaration: Option<String>,
    /// Its prototype in the bindings.
    pub binding: Option<String>,
    /// Whether the bindings or a helper's object code have it.
    pub bound: bool,
    /// Where the `kernel` crate uses it, safe places first.
    pub kernel: Vec<Use>,
    /// Where `ring0/core` uses it.
    pub ours: Vec<Use>,
}

impl Name {
    /// Who offers it.
    pub fn state(&self) -> State {
        match self {
            Name { kernel, .. } if kernel.iter().any(|place| place.safe) => State::Safe,
            Name { kernel, .. } if !kernel.is_empty() => State::Inner,
            Name { ours, .. } if !ours.is_empty() => State::Ours,
            Name { bound: true, .. } => State::Raw,
            _ => State::Absent,
        }
    }
}

/// What a driver needs.
#[derive(Clone, Debug, Serialize)]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Its modules.
    pub modules: Vec<String>,
    /// Symbols of the kernel and of other modules that it links to.
    pub symbols: BTreeSet<String>,
    /// Such symbols that compilers and static calls place; not in `symbols`.
    pub emitted: BTreeSet<String>,
    /// Static inlines of headers that its C source calls, and that it does not
    /// link to.
    pub inlines: BTreeSet<String>,
    /// Its C files, from the kernel's tree.
    pub files: BTreeSet<PathBuf>,
}

/// The map of one kernel.
#[derive(Clone, Debug, Serialize)]
pub struct KernelMap {
    /// Its release.
    pub release: String,
    /// The compiler that built its Rust.
    pub rustc: String,
    /// What drivers need.
    pub drivers: Vec<Driver>,
    /// Every needed name.
    pub names: BTreeMap<String, Name>,
    /// What could not be read, a line each.
    pub complaints: Vec<String>,
    /// Symbols that the kernel and its modules export.
    pub exported: usize,
    /// How many of those the `kernel` crate uses.
    pub exported_used: usize,
    /// Prototypes of all functions and data in the bindings.
    #[serde(skip)]
    prototypes: BTreeMap<String, String>,
    /// Public items of the `kernel` crate.
    #[serde(skip)]
    public: BTreeMap<String, BTreeSet<String>>,
}

impl KernelMap {
    /// How many of these names are in each state, in the order of `State::ALL`.
    pub fn count<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> [usize; 5] {
        let mut counts = [0; 5];
        for name in names {
            counts[self.names[name].state() as usize] += 1;
        }
        counts
    }

    /// All symbols that some driver needs.
    pub fn symbols(&self) -> BTreeSet<&String> {
        self.drivers
            .iter()
            .flat_map(|driver| &driver.symbols)
            .collect()
    }

    /// All static inlines that some driver needs.
    pub fn inlines(&self) -> BTreeSet<&String> {
        self.drivers
            .iter()
            .flat_map(|driver| &driver.inlines)
            .collect()
    }
}

/// The maps of all labs, and what changed from each to the next.
#[derive(Clone, Debug, Serialize)]
pub struct Map {
    /// Kernels, older first.
    pub kernels: Vec<KernelMap>,
    /// One less than kernels.
    pub churn: Vec<Churn>,
}

/// The cache folders of the labs there are: `$RINGFENCE_CACHE` or the XDG
/// cache, and beside it those that end in the series of another kernel.
pub fn labs() -> Result<Vec<PathBuf>> {
    let first = Cache::find(None)?.path().to_path_buf();
    let mut labs: Vec<PathBuf> = kernel::series()
        .map(|series| {
            let mut path = first.clone().into_os_string();
            path.push(format!("-{series}"));
            path.into()
        })
        .collect();
    labs.insert(0, first.clone());
    labs.retain(|lab| lab.join("root/lab/release").is_file());
    if labs.is_empty() {
        bail!(
            "api-map: there is no lab in {}; make one by `ringfence lab up`, or name one by --lab",
            first.display()
        );
    }
    Ok(labs)
}

/// Reads the kernels of labs, given by their cache folders, and `ring0/core`
/// of the checkout.
pub fn read(labs: &[PathBuf], checkout: &Path) -> Result<Map> {
    let mut kernels = Vec::new();
    for lab in labs {
        let kernel = kernel(&Cache::find(Some(lab))?, checkout)?;
        if kernels
            .iter()
            .any(|one: &KernelMap| one.release == kernel.release)
        {
            bail!(
                "api-map: {} has kernel {} as well; leave it out",
                lab.display(),
                kernel.release
            );
        }
        kernels.push(kernel);
    }
    kernels.sort_by_cached_key(|one| kernel::numbers(&one.release));
    let churn = kernels
        .windows(2)
        .map(|pair| churn::between(&pair[0], &pair[1]))
        .collect();
    Ok(Map { kernels, churn })
}

fn kernel(cache: &Cache, checkout: &Path) -> Result<KernelMap> {
    let shown = cache.path().display();
    let release = kernel::release(cache).with_context(|| {
        format!("api-map: {shown} holds no lab; make one by `ringfence lab up`")
    })?;
    let tree = cache.lab().join("linux");
    let config = kernel::configuration(cache)?;
    let mut drivers = Vec::new();
    let mut calls = BTreeMap::new();
    for (name, modules) in DRIVERS {
        let (driver, called) = driver(cache, &release, &config, name, modules)?;
        calls.insert(driver.name.clone(), called);
        drivers.push(driver);
    }

    // Headers are asked for what is linked to or called, and no more.
    let mut wanted: BTreeSet<String> = calls.values().flatten().cloned().collect();
    wanted.extend(drivers.iter().flat_map(|driver| &driver.symbols).cloned());
    let headers = Headers::read(&tree, &wanted)?;
    for driver in &mut drivers {
        let called = calls[&driver.name].iter();
        driver.inlines = called
            .filter(|name| headers.inlines.contains(&name[..]) && !driver.symbols.contains(*name))
            .cloned()
            .collect();
    }

    let names: BTreeSet<String> = drivers
        .iter()
        .flat_map(|driver| driver.symbols.iter().chain(&driver.inlines))
        .cloned()
        .collect();
    let rust = Rust::read(&tree, checkout)?;
    let exported = exported(&c::read(&tree.join("Module.symvers"))?);
    Ok(KernelMap {
        release,
        exported: exported.len(),
        exported_used: exported.iter().filter(|name| rust.uses(name)).count(),
        rustc: config
            .text("CONFIG_RUSTC_VERSION_TEXT")
            .unwrap_or("an unknown rustc")
            .to_string(),
        drivers,
        names: names
            .into_iter()
            .map(|name| (name.clone(), rust.name(&name, &headers)))
            .collect(),
        complaints: rust.complaints,
        prototypes: rust.prototypes,
        public: rust.public,
    })
}

/// The names in a `Module.symvers`: the second column.
fn exported(symvers: &str) -> BTreeSet<String> {
    let names = symvers.lines().filter_map(|line| line.split('\t').nth(1));
    names.map(str::to_string).collect()
}

/// A driver without its inlines, and what its source calls.
fn driver(
    cache: &Cache,
    release: &str,
    config: &Config,
    name: &str,
    modules: &[&str],
) -> Result<(Driver, BTreeSet<String>)> {
    let folder = cache.root().join("usr/lib/modules").join(release);
    let list = c::read(&folder.join("modules.dep"))?;
    let tree = cache.lab().join("linux");
    let (mut needed, mut offered) = (BTreeSet::new(), BTreeSet::new());
    let mut source = c::Driver::default();
    for module in modules {
        let file = |line: &str| -> Option<PathBuf> {
            let path = Path::new(line.split(':').next()?);
            let stem = path.file_name()?.to_str()?.split('.').next()?;
            (stem == *module).then(|| path.to_path_buf())
        };
        let Some(path) = list.lines().find_map(file) else {
            bail!(
                "api-map: kernel {release} in {} has no module {module}; run `ringfence lab down` \
                 and `lab up` for that lab",
                cache.path().display()
            );
        };
        let links = objects::links(&folder.join(&path))?;
        needed.extend(links.needed);
        offered.extend(links.offered);
        let place = path.strip_prefix("kernel").unwrap_or(&path);
        let place = place.parent().unwrap_or(Path::new(""));
        let makefile = c::read(&tree.join(place).join("Makefile"))?;
        let files = c::files_of(&makefile, module, |option| config.text(option).is_some());
        let read = c::Driver::read(&tree, place, &files)?;
        source.files.extend(read.files);
        source.calls.extend(read.calls);
    }
    let (emitted, symbols) = needed
        .into_iter()
        .filter(|symbol| !offered.contains(symbol))
        .partition(|symbol| objects::emitted(symbol));
    let driver = Driver {
        name: name.to_string(),
        modules: modules.iter().map(|module| module.to_string()).collect(),
        symbols,
        emitted,
        inlines: BTreeSet::new(),
        files: source.files,
    };
    Ok((driver, source.calls))
}

/// The kernel's headers, as far as they were asked.
struct Headers {
    /// The header that counts, and what it says.
    by_name: BTreeMap<String, (String, c::Offer)>,
    /// Names that some header gives a body.
    inlines: BTreeSet<String>,
}

impl Headers {
    /// Folders of headers.
    const FOLDERS: [&'static str; 2] = ["include", "arch/x86/include"];

    fn read(tree: &Path, names: &BTreeSet<String>) -> Result<Headers> {
        let mut headers = Headers {
            by_name: BTreeMap::new(),
            inlines: BTreeSet::new(),
        };
        let mut best: BTreeMap<String, (c::Form, usize, String)> = BTreeMap::new();
        for folder in Headers::FOLDERS {
            let base = tree.join(folder);
            for file in header_files(&base)? {
                let shown = file
                    .strip_prefix(&base)
                    .unwrap_or(&file)
                    .display()
                    .to_string();
                let place = match folder {
                    "include" if shown.starts_with("linux/") => 0,
                    "include" if shown.starts_with("asm-generic/") => 3,
                    "include" => 1,
                    _ => 2,
                };
                for (name, offer) in c::offers(&c::read(&file)?, names) {
                    if offer.form == c::Form::Inline {
                        headers.inlines.insert(name.clone());
                    }
                    // What is declared here may be inline in another
                    // configuration; either is more than a macro.
                    let form = offer.form.max(c::Form::Declared);
                    let this = (form, place, shown.clone());
                    if best.get(&name).is_none_or(|known| this < *known) {
                        best.insert(name.clone(), this);
                        headers.by_name.insert(name, (shown.clone(), offer));
                    }
                }
            }
        }
        Ok(headers)
    }
}

/// All headers below a folder.
fn header_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = folder.read_dir().with_context(|| {
            format!(
                "api-map: {} cannot be read; run `ringfence lab up` for its lab",
                folder.display()
            )
        })?;
        for entry in entries {
            let entry =
                entry.with_context(|| format!("api-map: {} cannot be read", folder.display()))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .with_context(|| format!("api-map: {} cannot be read", path.display()))?;
            // include/config has an empty file for each option.
            if kind.is_dir() && !path.ends_with("include/config") {
                open.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "h") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What Rust has of the C API in one kernel.
struct Rust {
    prototypes: BTreeMap<String, String>,
    /// For each symbol, the helpers that are named after it and use it.
    through: BTreeMap<String, BTreeSet<String>>,
    kernel: BTreeMap<String, Vec<Use>>,
    ours: BTreeMap<String, Vec<Use>>,
    public: BTreeMap<String, BTreeSet<String>>,
    complaints: Vec<String>,
}

impl Rust {
    fn read(tree: &Path, checkout: &Path) -> Result<Rust> {
        let made = tree.join("rust/bindings");
        let mut prototypes = bindings::prototypes(&made.join("bindings_helpers_generated.rs"))?;
        // What is in both is used without the helper.
        prototypes.extend(bindings::prototypes(&made.join("bindings_generated.rs"))?);
        let known: BTreeSet<String> = prototypes.keys().cloned().collect();
        let mut through: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (function, symbols) in objects::by_function(&tree.join("rust/helpers/helpers.o"))? {
            let Some(helper) = function.strip_prefix("rust_helper_") else {
                continue;
            };
            // What a helper uses besides is not what it offers.
            for symbol in symbols.into_iter().filter(|one| one.contains(helper)) {
                through
                    .entry(symbol)
                    .or_default()
                    .insert(helper.to_string());
            }
        }
        let kernel = uses::Uses::read(tree, Path::new("rust/kernel"), &known)?;
        let core = uses::Uses::read(checkout, Path::new("ring0/core"), &known)?;
        let public = public::Public::read(tree)?;
        let mut rust = Rust {
            prototypes,
            through,
            kernel: kernel.by_name,
            ours: core.by_name,
            public: public.items,
            complaints: [kernel.complaints, core.complaints, public.complaints].concat(),
        };
        rust.shim(checkout)?;
        Ok(rust)
    }

    /// Adds what our shim names.
    fn shim(&mut self, checkout: &Path) -> Result<()> {
        let file = PathBuf::from("ring0/core/shim.c");
        for (word, line) in c::words(&c::read(&checkout.join(&file))?) {
            self.ours.entry(word).or_default().push(Use {
                safe: false,
                file: file.clone(),
                line,
                through: None,
            });
        }
        Ok(())
    }

    /// Whether the `kernel` crate uses a C name, or a helper that does.
    fn uses(&self, name: &str) -> bool {
        let helpers = self.through.get(name).into_iter().flatten();
        self.kernel.contains_key(name)
            || helpers
                .into_iter()
                .any(|helper| self.kernel.contains_key(helper))
    }

    fn name(&self, name: &str, headers: &Headers) -> Name {
        let helpers = self.through.get(name);
        let places = |uses: &BTreeMap<String, Vec<Use>>| -> Vec<Use> {
            let mut places = uses.get(name).cloned().unwrap_or_default();
            for helper in helpers
                .into_iter()
                .flatten()
                .filter(|helper| *helper != name)
            {
                for place in uses.get(helper).into_iter().flatten() {
                    places.push(Use {
                        through: Some(helper.clone()),
                        ..place.clone()
                    });
                }
            }
            places.sort_by_key(|place| (!place.safe, place.through.is_some()));
            places
        };
        let (header, offer) = headers.by_name.get(name).cloned().unzip();
        Name {
            header,
            declaration: offer
                .map(|offer| offer.text)
                .filter(|text| !text.is_empty()),
            binding: self.prototypes.get(name).cloned(),
            bound: self.prototypes.contains_key(name) || helpers.is_some(),
            kernel: places(&self.kernel),
            ours: places(&self.ours),
        }
    }
}
