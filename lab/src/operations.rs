//! The operations of the kernel's API: the table that the modules are made
//! from, as the agent reads it.

/// See the file.
const TABLE: &str = include_str!("../../ring0/api/operations.txt");

/// The loop that does nothing, which the table begins with.
pub const EMPTY: &str = "empty";

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// How a module is asked for it.
    pub index: u32,
    /// What people call it.
    pub name: &'static str,
    /// The C functions.
    pub c: &'static str,
    /// The Rust path in the kernel's crate; `None` if it has none.
    pub rust: Option<&'static str>,
    /// The path in `ring0/core`; `None` if we have none.
    pub wrapper: Option<&'static str>,
    /// Whether two processors meet in it, so that it is timed and not counted.
    pub contended: bool,
    /// Whether it needs QEMU's PCI device `edu`.
    pub device: bool,
}

impl Operation {
    /// What a subject calls; `None` if it has nothing.
    pub fn call(&self, subject: &str) -> Option<&'static str> {
        match subject {
            "c" => Some(self.c),
            "rust" => self.rust,
            "wrapper" => self.wrapper,
            _ => None,
        }
    }
}

/// All operations but the empty loop.
pub fn all() -> Vec<Operation> {
    let mut all = parse(TABLE);
    all.retain(|operation| operation.name != EMPTY);
    all
}

/// The operation of that name, the empty loop among them.
pub fn find(name: &str) -> Option<Operation> {
    parse(TABLE).into_iter().find(|one| one.name == name)
}

fn parse(table: &'static str) -> Vec<Operation> {
    let lines = table.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let operation = |(index, line): (usize, &'static str)| {
        let mut fields = line.split(" | ").map(str::trim);
        let mut field = || fields.next().unwrap_or("-");
        let (name, c, rust, wrapper, flags) = (field(), field(), field(), field(), field());
        let some = |text: &'static str| (text != "-").then_some(text);
        let flag = |wanted| flags.split([' ', ',']).any(|flag| flag == wanted);
        Operation {
            index: index as u32,
            name,
            c,
            rust: some(rust),
            wrapper: some(wrapper),
            contended: flag("contended"),
            device: flag("device"),
        }
    };
    lines.enumerate().map(operation).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_line_is_an_operation_and_its_place_its_index() {
        let all = parse(
            "# name | c\n\nempty | - | - | - | -\n\
             mutex-contended | mutex_lock, mutex_unlock | kernel::sync::Mutex | - | contended\n\
             # of a device\n\
             mmio-read | readl | kernel::io::Io::read32 | ring0::x | device\n",
        );
        assert_eq!((all.len(), all[0].name, all[0].rust), (3, EMPTY, None));
        let [_, mutex, mmio] = &all[..] else {
            unreachable!()
        };
        assert_eq!((mutex.index, mutex.c), (1, "mutex_lock, mutex_unlock"));
        assert!(mutex.contended && !mutex.device && mutex.wrapper.is_none());
        assert_eq!((mmio.index, mmio.wrapper), (2, Some("ring0::x")));
        assert!(mmio.device && !mmio.contended);
        assert_eq!(mmio.call("rust"), Some("kernel::io::Io::read32"));
        assert_eq!(mmio.call("upstream"), None);
    }

    #[test]
    fn the_table_begins_with_the_empty_loop_and_names_each_operation_once() {
        let empty = find(EMPTY).expect("the empty loop");
        assert_eq!(empty.index, 0);
        let all = all();
        let names: BTreeSet<&str> = all.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), all.len());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        for operation in &all {
            assert!(operation.name.chars().all(plain), "{}", operation.name);
            assert!(
                operation.index > 0 && operation.c != "-",
                "{}",
                operation.name
            );
            assert_eq!(find(operation.name).as_ref(), Some(operation));
        }
    }
}
