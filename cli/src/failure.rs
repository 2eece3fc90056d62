//! How a failure reaches the user: one line and an exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Exit code for a failed command.
pub const FAILED: u8 = 1;
/// Exit code for arguments that cannot be meant.
pub const USAGE: u8 = 2;
/// Exit code after Ctrl-C, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// An error in what the user asked for: exit code 2.
#[derive(Debug)]
pub struct Usage(String);

impl Usage {
    /// An error with this line.
    pub fn error(text: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Usage(text.into()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Ctrl-C ended the command: exit code 130.
#[derive(Debug)]
pub struct Interrupted(pub &'static str);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Interrupted {}

/// Prints an error's line and gives its exit code. A reader that closed our
/// stdout wanted no more of it: that is no failure.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.downcast_ref::<crate::output::Stdout>().is_some() && error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    crate::output::complain(&indented(&format!("{error:#}")));
    if error.downcast_ref::<Usage>().is_some() {
        ExitCode::from(USAGE)
    } else if error.downcast_ref::<Interrupted>().is_some() {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::from(FAILED)
    }
}

/// Prints what clap has to say: help as it is, an error as one line.
pub fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Whoever closed the pipe has read enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            crate::output::complain("no command given; see `ringfence --help`");
            ExitCode::from(USAGE)
        }
        _ => {
            let text = error.render().to_string();
            let head = text.split("\n\n").next().unwrap_or_default();
            let head = head.strip_prefix("error: ").unwrap_or(head);
            crate::output::complain(&format!("{}; see `--help`", one_line(head)));
            ExitCode::from(USAGE)
        }
    }
}

/// An error is one line. Where it quotes the end of a log, that follows,
/// indented.
fn indented(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n    ")
}

/// Joins lines, so that an error stays one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_log_follows_the_line_indented() {
        assert_eq!(indented("a: b"), "a: b");
        assert_eq!(indented("a: b:\n  c\n\nd\n"), "a: b:\n    c\n    d");
    }

    #[test]
    fn an_error_of_several_lines_becomes_one() {
        assert_eq!(one_line("a:\n    b\n\nc"), "a: b c");
    }
}
