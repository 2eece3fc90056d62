//! What bindgen made of the kernel's headers: the C API as Rust sees it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use syn::{FnArg, ForeignItem, Item};

use super::{c, tokens};

/// The functions and data of one bindings file, each with its prototype.
pub fn prototypes(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = c::read(path)?;
    parse(&text).with_context(|| {
        format!(
            "api-map: {} does not parse as Rust; run `ringfence lab down` and `lab up` for its lab",
            path.display()
        )
    })
}

/// The same of a text. Parameter names are left out, since they mean nothing
/// to a caller.
pub fn parse(text: &str) -> syn::Result<BTreeMap<String, String>> {
    let mut prototypes = BTreeMap::new();
    for item in syn::parse_file(text)?.items {
        let Item::ForeignMod(block) = item else {
            continue;
        };
        for item in block.items {
            match item {
                ForeignItem::Fn(function) => {
                    let signature = &function.sig;
                    let mut types: Vec<String> = signature
                        .inputs
                        .iter()
                        .map(|input| match input {
                            FnArg::Typed(input) => tokens::line(&input.ty),
                            FnArg::Receiver(receiver) => tokens::line(receiver),
                        })
                        .collect();
                    types.extend(signature.variadic.is_some().then(|| "...".to_string()));
                    let output = tokens::line(&signature.output);
                    let gap = if output.is_empty() { "" } else { " " };
                    let text = format!("fn({}){gap}{output}", types.join(", "));
                    prototypes.insert(signature.ident.to_string(), text);
                }
                ForeignItem::Static(data) => {
                    prototypes.insert(data.ident.to_string(), tokens::line(&data.ty));
                }
                _ => (),
            }
        }
    }
    Ok(prototypes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prototypes_are_types_without_names() {
        let text = "pub const A: u32 = 1;\nunsafe extern \"C\" {\n\
                    #[link_name = \"x\"]\npub fn start(rq: *mut request, done: ::core::option::Option<\
                    unsafe extern \"C\" fn(arg1: *mut ffi::c_void) -> ffi::c_int>, ...) -> ffi::c_int;\n\
                    pub fn stop();\npub static mut limit: [u8; 4usize];\n}\n";
        let prototypes = parse(text).unwrap();
        assert_eq!(
            prototypes["start"],
            "fn(*mut request, ::core::option::Option<unsafe extern \"C\" fn(arg1: *mut \
             ffi::c_void) -> ffi::c_int>, ...) -> ffi::c_int"
        );
        assert_eq!(prototypes["stop"], "fn()");
        assert_eq!(prototypes["limit"], "[u8; 4usize]");
        assert_eq!(prototypes.len(), 3);
    }
}
