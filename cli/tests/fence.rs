//! The fence: unsafe code does not build in `kit/`, `drivers/` and
//! `ring0/modules/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BREACH: &str = "\nfn breach() { unsafe { core::hint::unreachable_unchecked() } }\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compiles a crate to metadata; what rustc complained about, or `None`.
/// As tests, it has the files that are there for them only.
fn compile(crate_root: &Path, out: &Path, name: &str, tests: bool) -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2021", "--emit", "metadata"])
        .args(if tests {
            &["--test"][..]
        } else {
            &["--crate-type", "rlib"]
        })
        .args([
            "--crate-name",
            name,
            "--cap-lints",
            "forbid",
            "-A",
            "dead_code",
        ])
        .arg("--out-dir")
        .arg(out)
        .arg("-L")
        .arg(out)
        .args(
            out.join("libkit.rmeta")
                .exists()
                .then(|| format!("--extern=kit={}", out.join("libkit.rmeta").display())),
        )
        .args(zerocopy())
        .arg(crate_root)
        .output()
        .expect("rustc runs");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Where cargo has put zerocopy, the one crate that kit and drivers may have:
/// beside this test, the newest if there are several.
fn zerocopy() -> Vec<String> {
    let test = std::env::current_exe().expect("this test is somewhere");
    let folder = test.parent().expect("in a folder").to_owned();
    let newest = |begin: &str, end: &str| {
        let files = fs::read_dir(&folder).expect("it can be listed");
        let fits = files.flatten().filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with(begin) && name.ends_with(end)
        });
        let newest = fits.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
        newest.map(|file| file.path().display().to_string())
    };
    let library = newest("libzerocopy-", ".rlib").expect("cargo built zerocopy");
    let derive = newest("libzerocopy_derive-", ".so").expect("and its macros");
    vec![
        format!("--extern=zerocopy={library}"),
        format!("--extern=zerocopy_derive={derive}"),
        format!("-Ldependency={}", folder.display()),
    ]
}

fn copy(from: &Path, to: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(to).unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            files.extend(copy(&entry, &target));
        } else {
            fs::copy(&entry, &target).unwrap();
            files.push(target);
        }
    }
    files
}

/// Every file of the crate in turn gets an unsafe block; each must be refused
/// for that reason, while the crate as it is compiles.
fn refuses_unsafe_in_every_file(source: &Path, name: &str, work: &Path) {
    let crate_dir = work.join(name);
    let files = copy(source, &crate_dir);
    let crate_root = crate_dir.join("lib.rs");
    if let Some(complaint) = compile(&crate_root, work, name, false) {
        panic!("{name} does not compile as it is: {complaint}");
    }
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}{BREACH}")).unwrap();
        let complaint = compile(&crate_root, work, name, true)
            .unwrap_or_else(|| panic!("{} takes unsafe code", file.display()));
        assert!(
            complaint.contains("usage of an `unsafe` block"),
            "{}: {complaint}",
            file.display()
        );
        fs::write(&file, text).unwrap();
    }
}

#[test]
fn unsafe_does_not_build_in_kit_and_drivers() {
    let work = tempfile::tempdir().unwrap();
    refuses_unsafe_in_every_file(&root().join("kit/src"), "kit", work.path());
    let mut drivers = 0;
    for driver in fs::read_dir(root().join("drivers")).unwrap() {
        let driver = driver.unwrap().path();
        let name = driver.file_name().unwrap().to_str().unwrap().to_owned();
        refuses_unsafe_in_every_file(&driver.join("src"), &name, work.path());
        drivers += 1;
    }
    assert!(drivers > 0);
}

/// A module needs the kernel to build, which `lab test` has; here its crate
/// attributes alone must refuse an unsafe block.
#[test]
fn unsafe_does_not_build_under_a_modules_attributes() {
    let work = tempfile::tempdir().unwrap();
    let mut modules = 0;
    for module in fs::read_dir(root().join("ring0/modules")).unwrap() {
        let crate_root = module.unwrap().path().join("module.rs");
        let attributes: String = fs::read_to_string(&crate_root)
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("#!["))
            .map(|line| format!("{line}\n"))
            .collect();
        let file = work.path().join("attributes.rs");
        fs::write(&file, &attributes).unwrap();
        assert_eq!(compile(&file, work.path(), "attributes", false), None);
        fs::write(&file, format!("{attributes}{BREACH}")).unwrap();
        let complaint = compile(&file, work.path(), "attributes", false)
            .unwrap_or_else(|| panic!("{} takes unsafe code", crate_root.display()));
        assert!(
            complaint.contains("usage of an `unsafe` block"),
            "{complaint}"
        );
        modules += 1;
    }
    assert!(modules > 0);
}
