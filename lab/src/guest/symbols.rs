//! The kernel's functions by address, as this boot has them.

use std::fs;

use anyhow::{bail, Context, Result};

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it begins.
    address: u64,
    /// Its name, in Rust's own spelling if it is Rust's.
    pub name: String,
    /// The module it is in; `None` for the kernel's image.
    pub module: Option<String>,
}

/// All functions, sorted by address.
pub struct Symbols(Vec<Function>);

impl Symbols {
    /// Reads those of the running kernel and its modules.
    pub fn read() -> Result<Symbols> {
        const PATH: &str = "/proc/kallsyms";
        let text = fs::read_to_string(PATH).with_context(|| format!("{PATH} cannot be read"))?;
        let symbols = Symbols::parse(&text);
        if symbols.0.is_empty() {
            bail!("{PATH} shows no addresses; set /proc/sys/kernel/kptr_restrict to 0 or 1");
        }
        Ok(symbols)
    }

    /// Lines of `ADDRESS KIND NAME [MODULE]`; where several names share an
    /// address, the one with the fewest underscores in front.
    pub fn parse(text: &str) -> Symbols {
        let mut all: Vec<Function> = text.lines().filter_map(function).collect();
        all.sort_by(|a, b| {
            let underscores = |f: &Function| f.name.len() - f.name.trim_start_matches('_').len();
            (a.address, underscores(a), &a.name).cmp(&(b.address, underscores(b), &b.name))
        });
        all.dedup_by_key(|function| function.address);
        Symbols(all)
    }

    /// The function that an address lies in.
    pub fn find(&self, address: u64) -> Option<&Function> {
        let after = self.0.partition_point(|f| f.address <= address);
        self.0.get(after.checked_sub(1)?)
    }
}

fn function(line: &str) -> Option<Function> {
    let mut words = line.split_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let kind = words.next()?;
    // Text, also weak; addresses are all zero for whom may not see them.
    if address == 0 || !matches!(kind, "t" | "T" | "w" | "W") {
        return None;
    }
    let name = words.next()?;
    Some(Function {
        address,
        name: format!("{:#}", rustc_demangle::demangle(name)),
        module: words
            .next()
            .map(|word| word.trim_matches(['[', ']']).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
ffffffff81000000 T _stext
ffffffff81000000 T stext
ffffffff81000040 t helper
ffffffff81000080 D data
ffffffffc0000000 t null_queue_rq\t[null_blk]
ffffffffc0001000 t _RNvNtCs1_3foo3bar3baz\t[rf_nullblk]
0000000000000000 t hidden
";

    #[test]
    fn an_address_is_in_the_last_function_that_begins_before_it() {
        let symbols = Symbols::parse(TEXT);
        let name = |address| symbols.find(address).map(|f| f.name.as_str());
        assert_eq!(name(0xffff_ffff_8000_0000), None);
        assert_eq!(name(0xffff_ffff_8100_003f), Some("stext"));
        assert_eq!(name(0xffff_ffff_8100_0040), Some("helper"));
        assert_eq!(name(0xffff_ffff_8100_00ff), Some("helper"));
    }

    #[test]
    fn a_module_is_named_and_rust_is_readable() {
        let symbols = Symbols::parse(TEXT);
        let at = |address| symbols.find(address).expect("a function");
        let module = |address| at(address).module.as_deref();
        assert_eq!(module(0xffff_ffff_8100_0040), None);
        assert_eq!(module(0xffff_ffff_c000_0010), Some("null_blk"));
        assert_eq!(at(0xffff_ffff_c000_1000).name, "foo::bar::baz");
    }
}
