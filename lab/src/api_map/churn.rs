//! What changed from one kernel to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::KernelMap;

/// First modules of the `kernel` crate that a block, NVMe, network or Binder
/// driver would use: their changes are told one by one.
const LISTED: [&str; 29] = [
    "alloc",
    "block",
    "configfs",
    "cred",
    "debugfs",
    "device",
    "devres",
    "dma",
    "driver",
    "fs",
    "interrupt",
    "io",
    "irq",
    "list",
    "miscdevice",
    "mm",
    "net",
    "page",
    "pci",
    "rbtree",
    "security",
    "seq_file",
    "sync",
    "task",
    "time",
    "types",
    "uaccess",
    "workqueue",
    "xarray",
];

/// A thing with what it was and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Name or path.
    pub name: String,
    /// As it was; `None` if it is new.
    pub before: Option<String>,
    /// As it is; `None` if it is gone.
    pub after: Option<String>,
}

/// How a thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was there and is no more.
    Gone,
    /// It was not there.
    New,
    /// It is there with another signature.
    Altered,
}

impl Change {
    /// How it changed.
    pub fn kind(&self) -> Kind {
        match (&self.before, &self.after) {
            (Some(_), None) => Kind::Gone,
            (None, _) => Kind::New,
            _ => Kind::Altered,
        }
    }
}

/// The changes of one module of the `kernel` crate.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ModuleChurn {
    /// Public items before.
    pub before: usize,
    /// Public items after.
    pub after: usize,
    /// Whether drivers like these would use it.
    pub listed: bool,
    /// What changed.
    pub changes: Vec<Change>,
}

impl ModuleChurn {
    /// How many changes are of this kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.changes
            .iter()
            .filter(|change| change.kind() == kind)
            .count()
    }
}

/// How many there are, and how many changed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// There were.
    pub before: usize,
    /// There are.
    pub after: usize,
    /// Gone.
    pub gone: usize,
    /// New.
    pub new: usize,
    /// Altered.
    pub altered: usize,
}

impl Totals {
    fn of(before: usize, after: usize, changes: &[Change]) -> Totals {
        let count = |kind| {
            changes
                .iter()
                .filter(|change| change.kind() == kind)
                .count()
        };
        Totals {
            before,
            after,
            gone: count(Kind::Gone),
            new: count(Kind::New),
            altered: count(Kind::Altered),
        }
    }
}

/// Changes from one kernel to the next.
#[derive(Clone, Debug, Serialize)]
pub struct Churn {
    /// Release of the kernel before.
    pub from: String,
    /// Release of the kernel after.
    pub to: String,
    /// Names that drivers need whose state differs, by name.
    pub states: Vec<Change>,
    /// How many needed names have a prototype in one kernel at least.
    pub compared: usize,
    /// Those whose prototype differs.
    pub prototypes: Vec<Change>,
    /// The same for all functions and data in the bindings.
    pub bindings: Totals,
    /// Names that each driver needs in one of the kernels only.
    pub needs: BTreeMap<String, Vec<Change>>,
    /// The `kernel` crate's public items, by their first module.
    pub modules: BTreeMap<String, ModuleChurn>,
}

/// The changes from one kernel to another.
pub fn between(before: &KernelMap, after: &KernelMap) -> Churn {
    let mut states = Vec::new();
    for (name, old) in &before.names {
        if let Some(new) = after
            .names
            .get(name)
            .filter(|new| new.state() != old.state())
        {
            states.push(Change {
                name: name.clone(),
                before: Some(old.state().name().into()),
                after: Some(new.state().name().into()),
            });
        }
    }
    let (compared, prototypes) = prototypes(before, after);
    let all = |map: &KernelMap| -> BTreeMap<String, BTreeSet<String>> {
        let one = |(name, text): (&String, &String)| (name.clone(), BTreeSet::from([text.clone()]));
        map.prototypes.iter().map(one).collect()
    };
    let bindings = changes(&all(before), &all(after));
    let mut churn = Churn {
        from: before.release.clone(),
        to: after.release.clone(),
        states,
        compared,
        prototypes,
        bindings: Totals::of(before.prototypes.len(), after.prototypes.len(), &bindings),
        needs: BTreeMap::new(),
        modules: modules(before, after),
    };
    for driver in &after.drivers {
        let Some(old) = before.drivers.iter().find(|one| one.name == driver.name) else {
            continue;
        };
        let needs = |one: &super::Driver| -> BTreeMap<String, BTreeSet<String>> {
            let names = one.symbols.iter().chain(&one.inlines);
            names
                .map(|name| (name.clone(), BTreeSet::from(["needed".to_string()])))
                .collect()
        };
        churn
            .needs
            .insert(driver.name.clone(), changes(&needs(old), &needs(driver)));
    }
    churn
}

/// The prototypes of what is needed in one of the kernels: as bindgen has them
/// where it has one, else as headers do.
fn prototypes(before: &KernelMap, after: &KernelMap) -> (usize, Vec<Change>) {
    let names: BTreeSet<&String> = before.names.keys().chain(after.names.keys()).collect();
    let mut compared = 0;
    let mut changes = Vec::new();
    for name in names {
        let mut pair = (before.prototypes.get(name), after.prototypes.get(name));
        if let (Some(old), Some(new)) = (before.names.get(name), after.names.get(name)) {
            if pair.0.is_none() || pair.1.is_none() {
                pair = (old.declaration.as_ref(), new.declaration.as_ref());
            }
        }
        compared += usize::from(pair != (None, None));
        if pair.0 != pair.1 {
            changes.push(Change {
                name: name.clone(),
                before: pair.0.cloned(),
                after: pair.1.cloned(),
            });
        }
    }
    (compared, changes)
}

fn modules(before: &KernelMap, after: &KernelMap) -> BTreeMap<String, ModuleChurn> {
    let mut modules: BTreeMap<String, ModuleChurn> = BTreeMap::new();
    for path in before.public.keys() {
        modules.entry(first(path)).or_default().before += 1;
    }
    for path in after.public.keys() {
        modules.entry(first(path)).or_default().after += 1;
    }
    for change in changes(&before.public, &after.public) {
        modules
            .entry(first(&change.name))
            .or_default()
            .changes
            .push(change);
    }
    for (name, module) in &mut modules {
        module.listed = LISTED.contains(&&name[..]);
    }
    modules
}

/// The first module of a path; what is at the crate's root is of `crate`.
fn first(path: &str) -> String {
    match path.split_once("::") {
        Some((first, _)) if first.starts_with(|c: char| c.is_lowercase() || c == '_') => {
            first.into()
        }
        _ => "crate".into(),
    }
}

fn changes(
    before: &BTreeMap<String, BTreeSet<String>>,
    after: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let text = |texts: Option<&BTreeSet<String>>| {
        texts.map(|texts| texts.iter().cloned().collect::<Vec<_>>().join(" | "))
    };
    names
        .into_iter()
        .map(|name| Change {
            name: name.clone(),
            before: text(before.get(name)),
            after: text(after.get(name)),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_new_and_altered_is_told_apart() {
        let map = |items: &[(&str, &str)]| -> BTreeMap<String, BTreeSet<String>> {
            items
                .iter()
                .map(|(name, text)| (name.to_string(), BTreeSet::from([text.to_string()])))
                .collect()
        };
        let before = map(&[("a", "fn()"), ("b", "fn()"), ("c", "fn()")]);
        let after = map(&[("b", "fn(u8)"), ("c", "fn()"), ("d", "fn()")]);
        let kinds: Vec<(String, Kind)> = changes(&before, &after)
            .into_iter()
            .map(|change| (change.name.clone(), change.kind()))
            .collect();
        let expected = [("a", Kind::Gone), ("b", Kind::Altered), ("d", Kind::New)];
        assert_eq!(kinds, expected.map(|(name, kind)| (name.to_string(), kind)));
    }

    #[test]
    fn items_at_the_root_belong_to_the_crate() {
        assert_eq!(first("block::mq::TagSet"), "block");
        assert_eq!(first("ThisModule::name"), "crate");
        assert_eq!(first("pr_info!"), "crate");
    }
}
