//! Who serves the requests of a load.

/// Who serves the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The driver of `drivers/`.
    Rust,
    /// The same without integer overflow checks. A release build has none, so
    /// that it is the same as `Rust` and never a device.
    RustNochecks,
    /// Its C twin, by the host's C compiler.
    C,
    /// The twin, by clang.
    CClang,
    /// No driver: what is left is the cost of the load, and of a controller
    /// model where there is one. Its requests are taken back unserved.
    Empty,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 5] = [
        Subject::Rust,
        Subject::RustNochecks,
        Subject::C,
        Subject::CClang,
        Subject::Empty,
    ];

    /// The name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Rust => "rust",
            Subject::RustNochecks => "rust-nochecks",
            Subject::C => "c",
            Subject::CClang => "c-clang",
            Subject::Empty => "empty",
        }
    }

    /// The subject of that name.
    pub fn by_name(name: &str) -> Option<Subject> {
        Subject::ALL
            .into_iter()
            .find(|subject| subject.name() == name)
    }

    /// Refuses one that this build does not have.
    ///
    /// # Errors
    ///
    /// With the reason.
    pub(crate) fn check(self) -> Result<(), Unable> {
        match self {
            Subject::RustNochecks => Err(Unable(
                "in ring 3 overflow checks are those of the whole build, off in a release build; \
                 measure rust there",
            )),
            Subject::CClang if crate::CLANG.is_none() => Err(Unable(
                "no clang was found when ringfence was built; install it and build again with \
                 CLANG=clang",
            )),
            _ => Ok(()),
        }
    }
}

/// Why a subject cannot be a device with some settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unable(pub &'static str);
