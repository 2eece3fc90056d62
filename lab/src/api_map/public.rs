//! The public items of the `kernel` crate, each by its path, with what a
//! caller sees of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use quote::ToTokens;
use syn::{
    Attribute, Fields, FnArg, Generics, ImplItem, Item, Signature, TraitItem, Type, Visibility,
};

use super::{c, tokens, uses};

/// Items by path, as in `block::mq::TagSet::new`. Whether the module of a file
/// is public is not looked at, since private ones are often re-exported. One path has several
/// signatures where `cfg` chooses among them, or where they belong to impls
/// for several types.
#[derive(Default)]
pub struct Public {
    /// Signatures by path.
    pub items: BTreeMap<String, BTreeSet<String>>,
    /// Files that do not parse, a line each; their items are missing.
    pub complaints: Vec<String>,
}

impl Public {
    /// Reads `rust/kernel` below a kernel's tree.
    pub fn read(tree: &Path) -> Result<Public> {
        let folder = Path::new("rust/kernel");
        let mut public = Public::default();
        for file in uses::rust_files(tree, folder)? {
            let path = file
                .strip_prefix(folder)
                .unwrap_or(&file)
                .with_extension("");
            let mut module: Vec<String> = path
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if module
                .last()
                .is_some_and(|last| last == "mod" || last == "lib")
            {
                module.pop();
            }
            public.add(&module, &c::read(&tree.join(&file))?, &file);
        }
        Ok(public)
    }

    fn add(&mut self, module: &[String], text: &str, file: &Path) {
        match syn::parse_file(text) {
            Ok(syntax) => self.items(module, syntax.items),
            Err(error) => {
                let shown = file.display();
                self.complaints
                    .push(format!("{shown}: {error}; its items are missing"));
            }
        }
    }

    fn items(&mut self, module: &[String], items: Vec<Item>) {
        for item in items {
            match item {
                Item::Mod(inner) if seen(&inner.vis, &inner.attrs) => {
                    let Some((_, items)) = inner.content else {
                        continue;
                    };
                    let mut module = module.to_vec();
                    module.push(inner.ident.to_string());
                    self.items(&module, items);
                }
                Item::Fn(item) if seen(&item.vis, &item.attrs) => {
                    self.put(module, &item.sig.ident, signature(&item.sig));
                }
                Item::Struct(item) if seen(&item.vis, &item.attrs) => {
                    let text =
                        format!("struct{}{}", generics(&item.generics), fields(&item.fields));
                    self.put(module, &item.ident, text);
                }
                Item::Union(item) if seen(&item.vis, &item.attrs) => {
                    self.put(
                        module,
                        &item.ident,
                        format!("union{}", generics(&item.generics)),
                    );
                }
                Item::Enum(item) if seen(&item.vis, &item.attrs) => {
                    let variants: Vec<String> = item
                        .variants
                        .iter()
                        .map(|variant| {
                            format!("{}{}", variant.ident, tokens::line(&variant.fields))
                        })
                        .collect();
                    let text = format!(
                        "enum{} {{ {} }}",
                        generics(&item.generics),
                        variants.join(", ")
                    );
                    self.put(module, &item.ident, text);
                }
                Item::Type(item) if seen(&item.vis, &item.attrs) => {
                    let text = format!(
                        "type{} = {}",
                        generics(&item.generics),
                        tokens::line(&item.ty)
                    );
                    self.put(module, &item.ident, text);
                }
                Item::Const(item) if seen(&item.vis, &item.attrs) => {
                    self.put(
                        module,
                        &item.ident,
                        format!("const {}", tokens::line(&item.ty)),
                    );
                }
                Item::Static(item) if seen(&item.vis, &item.attrs) => {
                    self.put(
                        module,
                        &item.ident,
                        format!("static {}", tokens::line(&item.ty)),
                    );
                }
                Item::Macro(item)
                    if item
                        .attrs
                        .iter()
                        .any(|one| one.path().is_ident("macro_export")) =>
                {
                    if let Some(name) = item.ident {
                        // Exported ones are at the crate's root.
                        self.put(&[], &format!("{name}!"), "macro".into());
                    }
                }
                Item::Trait(item) if seen(&item.vis, &item.attrs) => {
                    let unsafety = if item.unsafety.is_some() {
                        "unsafe "
                    } else {
                        ""
                    };
                    let bounds = match item.supertraits.is_empty() {
                        true => String::new(),
                        false => format!(": {}", tokens::line(&item.supertraits)),
                    };
                    let text = format!("{unsafety}trait{}{bounds}", generics(&item.generics));
                    self.put(module, &item.ident, text);
                    for inner in item.items {
                        let path =
                            |name: &dyn ToString| format!("{}::{}", item.ident, name.to_string());
                        match inner {
                            TraitItem::Fn(inner) if !tests(&inner.attrs) => {
                                self.put(module, &path(&inner.sig.ident), signature(&inner.sig));
                            }
                            TraitItem::Const(inner) => {
                                self.put(
                                    module,
                                    &path(&inner.ident),
                                    format!("const {}", tokens::line(&inner.ty)),
                                );
                            }
                            TraitItem::Type(inner) => {
                                let bounds = tokens::line(&inner.bounds);
                                self.put(
                                    module,
                                    &path(&inner.ident),
                                    format!("type{}: {bounds}", generics(&inner.generics)),
                                );
                            }
                            _ => (),
                        }
                    }
                }
                Item::Impl(item) if item.trait_.is_none() && !tests(&item.attrs) => {
                    let Some(owner) = name_of(&item.self_ty) else {
                        continue;
                    };
                    let path = |name: &dyn ToString| format!("{owner}::{}", name.to_string());
                    for inner in item.items {
                        match inner {
                            ImplItem::Fn(inner) if seen(&inner.vis, &inner.attrs) => {
                                self.put(module, &path(&inner.sig.ident), signature(&inner.sig));
                            }
                            ImplItem::Const(inner) if seen(&inner.vis, &inner.attrs) => {
                                self.put(
                                    module,
                                    &path(&inner.ident),
                                    format!("const {}", tokens::line(&inner.ty)),
                                );
                            }
                            _ => (),
                        }
                    }
                }
                _ => (),
            }
        }
    }

    fn put(&mut self, module: &[String], name: &impl ToString, text: String) {
        let mut path = module.to_vec();
        path.push(name.to_string());
        let path = path.join("::");
        self.items
            .entry(path)
            .or_default()
            .insert(unqualified(&text));
    }
}

fn seen(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !tests(attributes)
}

/// Whether an item is there for tests only.
fn tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("kunit_tests")
            || attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && tokens::line(&attribute.meta) == "cfg(test)")
    })
}

/// The text with the modules before names left out: `super::Lock` and `Lock`
/// differ by an import only.
fn unqualified(text: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("::") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let start = before.rfind(|c| !word(c)).map_or(0, |at| at + 1);
        let module = before[start..].starts_with(|c: char| c.is_lowercase() || c == '_');
        // A path may also start with `::`.
        let module = module || before[start..].is_empty() && !before.ends_with('>');
        out.push_str(if module {
            &before[..start]
        } else {
            &rest[..at + 2]
        });
        rest = after;
    }
    out + rest
}

/// A function without its name and its parameters' names.
fn signature(signature: &Signature) -> String {
    let mut text = String::new();
    for words in [
        signature.constness.to_token_stream(),
        signature.asyncness.to_token_stream(),
        signature.unsafety.to_token_stream(),
        signature.abi.to_token_stream(),
    ] {
        if !words.is_empty() {
            text.push_str(&tokens::line(&words));
            text.push(' ');
        }
    }
    let inputs: Vec<String> = signature
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(input) => tokens::line(&input.ty),
            FnArg::Receiver(receiver) => tokens::line(receiver),
        })
        .collect();
    let output = tokens::line(&signature.output);
    let gap = if output.is_empty() { "" } else { " " };
    let (parameters, condition) = split(&signature.generics);
    format!(
        "{text}fn{parameters}({}){gap}{output}{condition}",
        inputs.join(", ")
    )
}

/// Parameters and conditions of something generic.
fn generics(generics: &Generics) -> String {
    let (parameters, condition) = split(generics);
    parameters + &condition
}

fn split(generics: &Generics) -> (String, String) {
    let parameters = match generics.params.is_empty() {
        true => String::new(),
        false => format!("<{}>", tokens::line(&generics.params).trim_end_matches(',')),
    };
    let condition = generics
        .where_clause
        .as_ref()
        .map(tokens::line)
        .unwrap_or_default();
    let gap = if condition.is_empty() { "" } else { " " };
    (
        parameters,
        format!("{gap}{}", condition.trim_end_matches(',')),
    )
}

/// The public ones of a struct's fields.
fn fields(fields: &Fields) -> String {
    let seen: Vec<String> = fields
        .iter()
        .filter(|field| matches!(field.vis, Visibility::Public(_)))
        .map(|field| match &field.ident {
            Some(name) => format!("{name}: {}", tokens::line(&field.ty)),
            None => tokens::line(&field.ty),
        })
        .collect();
    match seen.is_empty() {
        true => String::new(),
        false => format!(" {{ {} }}", seen.join(", ")),
    }
}

/// The last name of a type's path.
fn name_of(owner: &Type) -> Option<String> {
    match owner {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string()),
        Type::Reference(reference) => name_of(&reference.elem),
        Type::Slice(_) => Some("[T]".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<String> {
        let mut public = Public::default();
        public.add(&["block".to_string()], text, Path::new("block.rs"));
        assert_eq!(public.complaints, Vec::<String>::new());
        let flat = public
            .items
            .into_iter()
            .flat_map(|(path, texts)| texts.into_iter().map(move |text| format!("{path}: {text}")));
        flat.collect()
    }

    #[test]
    fn imports_do_not_show() {
        assert_eq!(
            unqualified("fn(&super::lock::Lock<::core::ffi::CStr>, T::Item) -> <T as a::B>::C"),
            "fn(&Lock<CStr>, T::Item) -> <T as B>::C"
        );
    }

    #[test]
    fn public_items_have_paths_and_signatures() {
        let text = "pub struct Tag<T: Ops> { pub depth: u32, inner: T }\n\
            struct Hidden;\n\
            impl<T: Ops> Tag<T> {\n\
              pub fn new(depth: u32,) -> Result<Self> where T: Send, { todo!() }\n\
              pub const MAX: u32 = 3;\n\
              fn inner(&self) {}\n\
              pub(crate) fn raw(&self) {}\n\
            }\n\
            impl<T: Ops> Drop for Tag<T> { fn drop(&mut self) {} }\n\
            pub unsafe trait Ops: Sized { const N: usize; type Data: Send; fn queue(&self, rq: u8); }\n\
            pub mod mq { pub const unsafe fn f<const N: usize>(p: *mut u8) {} }\n\
            #[kunit_tests(x)] mod checks { pub fn g() {} }\n\
            #[cfg(test)] pub fn h() {}\n\
            #[macro_export] macro_rules! made { () => {} }\n\
            macro_rules! local { () => {} }\n\
            pub enum Next { Stop, Go(u8) }\n";
        assert_eq!(
            items(text),
            [
                "block::Next: enum { Stop, Go(u8) }",
                "block::Ops: unsafe trait: Sized",
                "block::Ops::Data: type: Send",
                "block::Ops::N: const usize",
                "block::Ops::queue: fn(&self, u8)",
                "block::Tag: struct<T: Ops> { depth: u32 }",
                "block::Tag::MAX: const u32",
                "block::Tag::new: fn(u32) -> Result<Self> where T: Send",
                "block::mq::f: const unsafe fn<const N: usize>(*mut u8)",
                "made!: macro",
            ]
        );
    }
}
