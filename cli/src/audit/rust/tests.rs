//! Samples of source that would fool a search for the word.

use super::*;

fn counted(source: &str) -> FileCount {
    count(source).expect("it lexes")
}

/// blocks, fns, impls
fn unsafes(source: &str) -> (u64, u64, u64) {
    let count = counted(source);
    (count.blocks, count.fns, count.impls)
}

#[test]
fn comments_strings_and_doc_tests_hold_no_unsafe() {
    let source = r####"
//! unsafe { inner_doc() }
/// ```
/// unsafe { doc_test() }
/// ```
fn a() {
    // unsafe { comment() }
    /* unsafe { /* nested */ block() } */
    let _ = "unsafe { string() }";
    let _ = r#"unsafe fn "raw" {}"#;
    let _ = b"unsafe {}";
    let _ = c"unsafe {}";
    let _ = '"'; // unsafe {}
    let unsafe_code = "\" unsafe {}";
    let r#unsafe = 1;
}
"####;
    assert_eq!(unsafes(source), (0, 0, 0));
    assert_eq!(counted(source).lines, 9);
}

#[test]
fn blocks_in_macros_and_closures_count() {
    let source = "
fn a() -> impl Init {
    pin_init!(Self {
        b <- unsafe { Lock::new() },
        _: { let f = || unsafe { g() }; },
    })
}
macro_rules! m { ($x:expr) => { unsafe { $x } }; }
";
    assert_eq!(unsafes(source), (3, 0, 0));
}

#[test]
fn function_pointer_types_are_no_functions() {
    let source = "
type A = unsafe fn(u8) -> u8;
type B = Option<unsafe extern \"C\" fn(*mut u8)>;
unsafe fn a() {}
pub(crate) unsafe extern \"C\" fn b(_: unsafe fn()) {}
const unsafe fn c() {}
macro_rules! m { ($name:ident) => { unsafe fn $name() {} } }
";
    assert_eq!(unsafes(source), (0, 4, 0));
}

#[test]
fn impls_traits_externs_and_attributes_count() {
    let source = "
unsafe impl<T> Send for A<T> {}
pub unsafe trait B {}
unsafe auto trait C {}
unsafe extern \"C\" { fn f(); }
unsafe extern { safe fn g(); }
#[unsafe(no_mangle)]
extern \"C\" fn h() {}
";
    assert_eq!(unsafes(source), (0, 0, 6));
}

#[test]
fn a_safety_comment_right_above_documents() {
    let source = "
fn a() {
    // SAFETY: checked.
    unsafe { b() }
    // SAFETY: above the statement,
    // in two lines.
    let c = d(
        1,
        unsafe { e() },
    );
    let f = /* SAFETY: inline */ unsafe { g() };
    // SAFETY: above the attribute.
    #[allow(x)]
    let h = unsafe { i() };
    match j {
        // SAFETY: an arm.
        K => unsafe { l() },
    }
}
/// # Safety
///
/// The caller knows.
#[inline]
unsafe fn m() {}
// SAFETY: it is.
unsafe impl Send for N {}
";
    let count = counted(source);
    assert_eq!((count.blocks, count.fns, count.impls), (5, 1, 1));
    assert_eq!(count.undocumented, 0);
}

#[test]
fn other_comments_and_far_ones_do_not() {
    let source = "
// SAFETY: only the first.
unsafe impl Send for A {}
unsafe impl Sync for A {}
fn b() {
    // SAFETY: too far.

    unsafe { c() }
    // It is fine.
    unsafe { d() }
    let _ = \"SAFETY: a string\"; unsafe { e() }
    // SAFETY: about the call, not about what is in the closure.
    run(|| {
        unsafe { f() }
    });
}
";
    let count = counted(source);
    assert_eq!((count.blocks, count.impls), (4, 2));
    assert_eq!(count.undocumented, 5);
}

#[test]
fn test_code_is_counted_apart() {
    let source = "
fn a() {}
#[cfg(test)]
use b::{c, d};
struct E {
    #[cfg(test)]
    f: u8,
    g: u8,
}
#[cfg(test)]
mod tests {
    #[test]
    fn h() { unsafe { i() } }
}
#[cfg(test)]
mod elsewhere;
#[kunit_tests(j)]
mod k { fn l() { unsafe { m() } } }
#[cfg(not(test))]
fn n() { unsafe { o() } }
";
    let count = counted(source);
    assert_eq!(count.blocks, 1);
    assert_eq!(count.lines, 6);
    assert_eq!(count.test_lines, 13);
    assert_eq!(count.test_modules, ["elsewhere"]);
}

#[test]
fn a_line_counts_once_and_a_string_counts_every_line() {
    assert_eq!(counted("fn a() { b(); c(); }").lines, 1);
    assert_eq!(counted("const A: &str = \"x\n\ny\";\n").lines, 3);
    assert_eq!(counted("#!/usr/bin/env rust\nfn a() {}\n").lines, 1);
    assert_eq!(counted("#![no_std]\n").lines, 1);
    assert_eq!(counted("\u{feff}fn a() {}").lines, 1);
    assert_eq!(
        counted("fn ä() { \"ü\"; } // ö unsafe\r\nfn b() {}\r\n").lines,
        2
    );
    assert_eq!(counted("").lines, 0);
}

#[test]
fn what_does_not_lex_is_not_counted() {
    assert_eq!(count("fn a() { "), None);
    assert_eq!(rough_lines("fn a() {\n\n// no\n"), 1);
}
