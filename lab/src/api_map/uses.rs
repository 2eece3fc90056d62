//! Where Rust code uses the C API: `bindings::NAME`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use serde::Serialize;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn, ItemImpl, ItemTrait, Signature, TraitItemFn, Visibility};

use super::c;

/// A place that uses a C name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Use {
    /// Whether it stands in a safe function that is `pub` or a trait's. Else
    /// it is in a private or an unsafe one, or in what a macro makes: then
    /// safe code may reach it too, which is not told here.
    pub safe: bool,
    /// File, from the tree it belongs to.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// What is used there, if that is a helper whose object code uses the
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

/// All uses below a folder.
#[derive(Default)]
pub struct Uses {
    /// By name, safe ones first.
    pub by_name: BTreeMap<String, Vec<Use>>,
    /// Files that do not parse, a line each; only their tokens were read.
    pub complaints: Vec<String>,
}

impl Uses {
    /// Reads all `.rs` files below `base/folder`. `known` are the functions and
    /// data there are to use; others (types, constants) are passed over, and
    /// names that a macro puts together are looked for in these.
    pub fn read(base: &Path, folder: &Path, known: &BTreeSet<String>) -> Result<Uses> {
        let mut uses = Uses::default();
        for file in rust_files(base, folder)? {
            let text = c::read(&base.join(&file))?;
            if text.contains("bindings") {
                uses.add(&file, &text, known)?;
            }
        }
        for places in uses.by_name.values_mut() {
            places.sort_by_key(|place| (!place.safe, place.file.clone(), place.line));
            places.dedup();
        }
        Ok(uses)
    }

    fn add(&mut self, file: &Path, text: &str, known: &BTreeSet<String>) -> Result<()> {
        let shown = file.display();
        let stream: TokenStream = text.parse().ok().with_context(|| {
            format!(
                "api-map: {shown} is no Rust that this program can read; it may need a newer one"
            )
        })?;
        let mut functions = Functions::default();
        match syn::parse_file(text) {
            Ok(syntax) => functions.visit_file(&syntax),
            Err(error) => self
                .complaints
                .push(format!("{shown}: {error}; its uses count as not safe")),
        }
        let mut names = Names::default();
        names.scan(stream);
        let pasted = names.pasted.map(|line| {
            let made = known.iter().filter(|name| joined(name, &names.words));
            made.map(move |name| (name.clone(), line))
                .collect::<Vec<_>>()
        });
        let passed = names.passed.map(|line| {
            let made = known.iter().filter(|name| names.arguments.contains(*name));
            made.map(move |name| (name.clone(), line))
                .collect::<Vec<_>>()
        });
        let made = pasted.into_iter().chain(passed).flatten();
        names.direct.retain(|(name, _)| known.contains(name));
        let found = names
            .direct
            .into_iter()
            .map(|(name, line)| (name, line, functions.safe(line)));
        for (name, line, safe) in found.chain(made.map(|(name, line)| (name, line, false))) {
            self.by_name.entry(name).or_default().push(Use {
                safe,
                file: file.to_path_buf(),
                line,
                through: None,
            });
        }
        Ok(())
    }
}

/// All `.rs` files below a folder, in order, as paths from `base`.
pub fn rust_files(base: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let path = base.join(&folder);
        let entries = path.read_dir().with_context(|| {
            format!(
                "api-map: {} cannot be read; run `ringfence lab up` for its lab",
                path.display()
            )
        })?;
        for entry in entries {
            let entry =
                entry.with_context(|| format!("api-map: {} cannot be read", path.display()))?;
            let file = folder.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(file);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                // What the build generates there are pieces of assembly.
                if !entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with("generated_")
                {
                    files.push(file);
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What the tokens of a file name.
#[derive(Default)]
struct Names {
    /// `bindings::NAME`, with its line.
    direct: Vec<(String, usize)>,
    /// The line of `bindings::[<...>]`, which `paste!` makes a name of.
    pasted: Option<usize>,
    /// The line of `bindings::$name`, whose names are a macro's arguments.
    passed: Option<usize>,
    /// All words of the file.
    words: BTreeSet<String>,
    /// Words that stand between commas or brackets, as arguments do.
    arguments: BTreeSet<String>,
}

impl Names {
    fn scan(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    let follows = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
                    let alone = at.checked_sub(1).is_none_or(|before| follows(before, ','))
                        && (at + 1 == tokens.len() || follows(at + 1, ','));
                    if alone {
                        self.arguments.insert(name.clone());
                    }
                    if name == "bindings" && follows(at + 1, ':') && follows(at + 2, ':') {
                        self.used(&tokens[at + 3..]);
                    }
                    self.words.insert(name);
                }
                _ => (),
            }
        }
    }

    /// What stands behind `bindings::`.
    fn used(&mut self, tokens: &[TokenTree]) {
        match tokens.first() {
            Some(TokenTree::Ident(name)) => {
                self.direct
                    .push((name.to_string(), name.span().start().line));
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '$' => {
                self.passed.get_or_insert(punct.span().start().line);
            }
            Some(TokenTree::Group(group)) => {
                let line = group.span_open().start().line;
                let mut inner = group.stream().into_iter();
                let pasted =
                    matches!(inner.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '<');
                if pasted {
                    self.pasted.get_or_insert(line);
                    return;
                }
                // An import of several.
                for token in group.stream() {
                    if let TokenTree::Ident(name) = token {
                        self.direct
                            .push((name.to_string(), name.span().start().line));
                    }
                }
            }
            _ => (),
        }
    }
}

/// Whether `name` is two or more of `words`, joined by `_`.
fn joined(name: &str, words: &BTreeSet<String>) -> bool {
    name.match_indices('_').any(|(at, _)| {
        let (first, rest) = (&name[..at], &name[at + 1..]);
        words.contains(first) && (words.contains(rest) || joined(rest, words))
    })
}

/// The functions of a file by their lines.
#[derive(Default)]
struct Functions {
    ranges: Vec<(RangeInclusive<usize>, bool)>,
    in_trait: bool,
}

impl Functions {
    /// Whether the innermost function around a line is a safe one that others
    /// may call.
    fn safe(&self, line: usize) -> bool {
        let around = self
            .ranges
            .iter()
            .filter(|(range, _)| range.contains(&line));
        let innermost = around.min_by_key(|(range, _)| range.end() - range.start());
        innermost.is_some_and(|(_, safe)| *safe)
    }

    fn add(&mut self, item: &impl Spanned, signature: &Signature, open: bool) {
        let span = item.span();
        let range = span.start().line..=span.end().line;
        self.ranges
            .push((range, open && signature.unsafety.is_none()));
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.add(item, &item.sig, matches!(item.vis, Visibility::Public(_)));
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        let outer = std::mem::replace(&mut self.in_trait, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.in_trait = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        let open = self.in_trait || matches!(item.vis, Visibility::Public(_));
        self.add(item, &item.sig, open);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &'a ItemTrait) {
        let open = matches!(item.vis, Visibility::Public(_));
        let outer = std::mem::replace(&mut self.in_trait, open);
        visit::visit_item_trait(self, item);
        self.in_trait = outer;
    }

    fn visit_trait_item_fn(&mut self, item: &'a TraitItemFn) {
        self.add(item, &item.sig, self.in_trait);
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(text: &str, known: &[&str]) -> Vec<(String, usize, bool)> {
        let mut uses = Uses::default();
        let known = known.iter().map(|name| name.to_string()).collect();
        uses.add(Path::new("a.rs"), text, &known).unwrap();
        assert_eq!(uses.complaints, Vec::<String>::new());
        let flat = uses.by_name.into_iter().flat_map(|(name, places)| {
            places
                .into_iter()
                .map(move |place| (name.clone(), place.line, place.safe))
        });
        flat.collect()
    }

    #[test]
    fn only_safe_functions_that_others_may_call_are_safe() {
        let text = "//! bindings::doc\n\
            pub fn a() { unsafe { bindings::one() } }\n\
            fn b() { unsafe { bindings::two() } }\n\
            pub unsafe fn c() { unsafe { bindings::three() } }\n\
            impl Drop for D { fn drop(&mut self) { x!(bindings::four(self)) } }\n\
            impl D { pub(crate) fn e() { bindings::five } }\n\
            pub fn f() { unsafe extern \"C\" fn g() { bindings::six() } }\n\
            use crate::bindings::{seven, eight};\n";
        const KNOWN: [&str; 8] = [
            "one", "two", "three", "four", "five", "six", "seven", "eight",
        ];
        let of = |name: &str| {
            uses(text, &KNOWN)
                .into_iter()
                .find(|(one, ..)| one == name)
                .map(|(_, line, safe)| (line, safe))
        };
        assert_eq!(of("one"), Some((2, true)));
        assert_eq!(of("two"), Some((3, false)));
        assert_eq!(of("three"), Some((4, false)));
        assert_eq!(of("four"), Some((5, true)));
        assert_eq!(of("five"), Some((6, false)));
        assert_eq!(of("eight"), Some((8, false)));
        assert_eq!(of("doc"), None);
    }

    #[test]
    fn names_that_macros_make_are_found_among_the_known_ones() {
        let known = [
            "readl",
            "writel",
            "atomic_fetch_add_relaxed",
            "atomic_other",
            "call",
        ];
        let passed =
            "macro_rules! m { ($f:ident) => { bindings::$f() } }\nm!(u32, readl);\nfn call() {}\n";
        assert_eq!(uses(passed, &known), [("readl".to_string(), 1, false)]);
        let pasted = "paste!(bindings::[< $c _ $f >]());\nm!(atomic fetch_add [relaxed]);\n";
        assert_eq!(
            uses(pasted, &known),
            [("atomic_fetch_add_relaxed".to_string(), 1, false)]
        );
    }
}
