//! The map of the C API, on labs of a few small files.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{refused, run, stderr, stdout};
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SymbolFlags, SymbolKind, SymbolScope,
};

fn put(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
    fs::write(path, text).expect("written");
}

/// An object file with one function, which uses these symbols.
fn object(function: &str, used: &[&str]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let symbol = |name: &str, kind, section, size| Symbol {
        name: name.into(),
        value: 0,
        size,
        kind,
        scope: SymbolScope::Dynamic,
        weak: false,
        section,
        flags: SymbolFlags::None,
    };
    let text = object.section_id(object::write::StandardSection::Text);
    let size = 8 * used.len() as u64;
    object.append_section_data(text, &vec![0; used.len() * 8], 16);
    object.add_symbol(symbol(
        function,
        SymbolKind::Text,
        SymbolSection::Section(text),
        size,
    ));
    for (at, name) in used.iter().enumerate() {
        let target = object.add_symbol(symbol(
            name,
            SymbolKind::Unknown,
            SymbolSection::Undefined,
            0,
        ));
        let relocation = Relocation {
            offset: 8 * at as u64,
            symbol: target,
            addend: 0,
            flags: RelocationFlags::Elf {
                r_type: object::elf::R_X86_64_64,
            },
        };
        object
            .add_relocation(text, relocation)
            .expect("a relocation");
    }
    object.write().expect("an object file")
}

/// A lab whose null_blk links to one function of each state, and a checkout.
fn lab(folder: &Path, release: &str, start: &str) -> PathBuf {
    let lab = folder.join(release);
    let tree = lab.join("root/lab/linux");
    put(&lab, "root/lab/release", release);
    put(
        &tree,
        ".config",
        "CONFIG_RUSTC_VERSION_TEXT=\"rustc 1.85.1 (x)\"\n",
    );
    put(
        &tree,
        "Module.symvers",
        "0x0\tsafe_one\tvmlinux\tEXPORT_SYMBOL\t\n0x0\tother\tvmlinux\tEXPORT_SYMBOL\t\n",
    );
    let modules = lab.join("root/usr/lib/modules").join(release);
    let mut list = String::new();
    for (place, module, links) in [
        (
            "block/null_blk",
            "null_blk",
            &[
                "safe_one",
                "inner_one",
                "our_one",
                "_raw_one",
                "absent_one",
                "__fentry__",
            ][..],
        ),
        ("nvme/host", "nvme", &["nvme_init"]),
        ("nvme/host", "nvme-core", &["safe_one"]),
        ("net/e1000", "e1000", &["absent_one"]),
        ("android", "binder_linux", &["safe_one"]),
    ] {
        let path = format!("kernel/drivers/{place}/{module}.ko");
        list.push_str(&format!("{path}: kernel/other.ko\n"));
        let offered = if module == "nvme-core" {
            "nvme_init"
        } else {
            "init"
        };
        put(&modules, &path, object(offered, links));
        put(
            &tree,
            &format!("drivers/{place}/Makefile"),
            "null_blk-objs := main.o\n",
        );
    }
    put(&modules, "modules.dep", list);
    put(&tree, "drivers/block/null_blk/main.c", "#include \"null_blk.h\"\nint init(void)\n{\n\tsafe_one(); inline_one(2); local(1); return 0;\n}\n");
    put(
        &tree,
        "drivers/block/null_blk/null_blk.h",
        "#define local(x) inline_two(x)\n",
    );
    put(
        &tree,
        "include/linux/one.h",
        "int safe_one(void);\nint inner_one(void);\nvoid our_one(void);\nvoid _raw_one(void);\n\
         void absent_one(long a);\nstatic inline int inline_one(int a)\n{\n\treturn a;\n}\n",
    );
    put(
        &tree,
        "arch/x86/include/asm/two.h",
        "static inline void inline_two(int a) {}\n",
    );
    put(
        &tree,
        "rust/bindings/bindings_generated.rs",
        format!(
            "unsafe extern \"C\" {{\n    pub fn safe_one() -> ffi::c_int;\n    pub fn inner_one({start}) -> ffi::c_int;\n    \
             pub fn our_one();\n}}\n"
        ),
    );
    put(
        &tree,
        "rust/bindings/bindings_helpers_generated.rs",
        "unsafe extern \"C\" {\n    #[link_name = \"rust_helper_raw_one\"]\n    pub fn raw_one();\n}\n",
    );
    put(
        &tree,
        "rust/helpers/helpers.o",
        object("rust_helper_raw_one", &["_raw_one", "absent_one"]),
    );
    put(
        &tree,
        "rust/kernel/block.rs",
        format!(
            "pub fn go(x: {}) {{ unsafe {{ bindings::safe_one() }}; inner() }}\n\
             fn inner() {{ unsafe {{ bindings::inner_one() }}; }}\n",
            if start.is_empty() { "u8" } else { "u16" }
        ),
    );
    let checkout = folder.join("checkout");
    put(&checkout, "kit/Cargo.toml", "");
    put(
        &checkout,
        "ring0/core/lib.rs",
        "fn x() { unsafe { bindings::our_one() } }\n",
    );
    put(
        &checkout,
        "ring0/core/shim.c",
        "void rf_x(void)\n{\n\tinline_two(1);\n}\n",
    );
    lab
}

fn map(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut all = vec!["api-map", "--source", "checkout"];
    all.extend(arguments);
    run(folder, &all)
}

#[test]
fn every_needed_name_has_its_state_and_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    lab(folder.path(), "7.3.4-amd64", "");
    let output = map(folder.path(), &["--lab", "7.3.4-amd64", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let kernel = &json["kernels"][0];
    let driver = &kernel["drivers"][0];
    assert_eq!(
        driver["symbols"],
        serde_json::json!(["_raw_one", "absent_one", "inner_one", "our_one", "safe_one"])
    );
    assert_eq!(driver["emitted"], serde_json::json!(["__fentry__"]));
    assert_eq!(
        driver["inlines"],
        serde_json::json!(["inline_one", "inline_two"])
    );
    // What a driver's other module offers is not the kernel's.
    assert_eq!(
        kernel["drivers"][1]["symbols"],
        serde_json::json!(["safe_one"])
    );
    assert_eq!(
        (&kernel["exported"], &kernel["exported_used"]),
        (&2.into(), &1.into())
    );

    let output = map(
        folder.path(),
        &["--lab", "7.3.4-amd64", "--driver", "nullblk"],
    );
    let text = stdout(&output);
    for line in [
        "safe_one: safe, rust/kernel/block.rs:1",
        "inner_one: inner, rust/kernel/block.rs:2",
        "our_one: ours, ring0/core/lib.rs:1",
        "inline_two (inline): ours, ring0/core/shim.c:3",
        "_raw_one: raw",
        "absent_one: absent",
        "inline_one (inline): absent",
    ] {
        assert!(text.lines().any(|one| one.trim() == line), "{line}: {text}");
    }
}

#[test]
fn one_kernel_says_how_to_get_another() {
    let folder = tempfile::tempdir().expect("a folder");
    lab(folder.path(), "7.3.4-amd64", "");
    let text = stdout(&map(folder.path(), &["--lab", "7.3.4-amd64"]));
    assert!(text.contains("RINGFENCE_KERNEL=7.2"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn two_kernels_are_compared_older_first() {
    let folder = tempfile::tempdir().expect("a folder");
    lab(folder.path(), "7.10.1-amd64", "a: u8");
    lab(folder.path(), "7.3.4-amd64", "");
    let labs = ["--lab", "7.10.1-amd64", "--lab", "7.3.4-amd64"];
    let output = map(folder.path(), &[&labs[..], &["--markdown"]].concat());
    let text = stdout(&output);
    assert!(
        text.contains("### From 7.3.4 to 7.10.1\n"),
        "{}{text}",
        stderr(&output)
    );
    for line in [
        "- `inner_one`",
        "  - before: `fn() -> ffi::c_int`",
        "  - after: `fn(u8) -> ffi::c_int`",
        "- `block::go`",
        "  - before: `fn(u8)`",
        "  - after: `fn(u16)`",
        "| block | 1 | 1 | 0 | 1 | 0 | 100% |",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
}

#[test]
fn what_cannot_be_read_is_one_line_with_a_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let lab = lab(path, "7.3.4-amd64", "");
    let there = ["--lab", "7.3.4-amd64"];
    refused(&map(path, &[]), 1, &["no lab", "ringfence lab up", "--lab"]);
    refused(
        &map(path, &["--lab", "nothing"]),
        1,
        &["nothing", "ringfence lab up"],
    );
    refused(
        &map(path, &["--lab", "7.3.4-amd64", "--lab", "7.3.4-amd64"]),
        1,
        &["7.3.4-amd64 as well", "leave it out"],
    );
    refused(
        &map(path, &["--driver", "floppy"]),
        2,
        &["floppy", "nullblk, nvme, e1000, binder"],
    );
    let module =
        lab.join("root/usr/lib/modules/7.3.4-amd64/kernel/drivers/android/binder_linux.ko");
    fs::write(&module, "no object").expect("written");
    refused(
        &map(path, &there),
        1,
        &["binder_linux.ko is no object file", "lab up"],
    );
    fs::remove_file(&module).expect("removed");
    refused(
        &map(path, &there),
        1,
        &["binder_linux.ko cannot be read", "lab up"],
    );
    let list = lab.join("root/usr/lib/modules/7.3.4-amd64/modules.dep");
    let text = fs::read_to_string(&list).expect("a list");
    fs::write(
        &list,
        text.replace("binder_linux.ko:", "binder_linux.ko.xz:"),
    )
    .expect("written");
    fs::write(module.with_extension("ko.xz"), "no xz").expect("written");
    refused(
        &map(path, &there),
        1,
        &["binder_linux.ko.xz does not unpack", "lab up"],
    );
    fs::write(&list, "").expect("written");
    refused(&map(path, &there), 1, &["no module null_blk", "lab up"]);
}
