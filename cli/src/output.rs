//! Writing to the terminal: width, colour, closed pipes.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};

/// Marks an error as one of writing to stdout.
#[derive(Debug)]
pub struct Stdout;

impl fmt::Display for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout cannot be written")
    }
}

/// Writes to stdout. `print!` would panic when the reader has gone; this
/// gives an error that ends the command quietly.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context(Stdout)
}

/// Writes a line to stderr; if nobody reads it, nobody misses it.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line to stderr that names this program.
pub fn complain(line: &str) {
    say(&format!("ringfence: {line}"));
}

/// Columns to use on stdout: the terminal's, at most 100; 80 elsewhere.
pub fn width() -> usize {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return 80;
    }
    match rustix::termios::tcgetwinsize(stdout) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).min(100),
        _ => 80,
    }
}

/// Whether stdout is to have colours: a terminal that can, and no `NO_COLOR`.
pub fn color() -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    io::stdout().is_terminal()
        && unset("NO_COLOR")
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Breaks `text` at spaces into lines of at most `width` columns; a word that
/// is longer stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("starts with one line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines
}

/// Seconds as people say them: `96 s`, `1 h 50 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min", (whole + 30) / 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `1 boot`, `2 boots`.
pub fn count(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_keep_to_the_width() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaa b", 5), ["aaaaaaa", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn durations_are_short_words() {
        assert_eq!(duration(96.4), "96 s");
        assert_eq!(duration(125.0), "2 min");
        assert_eq!(duration(2.0 * 3600.0 + 300.0), "2 h 5 min");
    }
}
