//! Counts lines of C.

/// Lines that hold something besides comments and blanks.
pub fn lines(source: &str) -> u64 {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Code,
        Quote(char),
        Line,
        Block,
    }
    let mut at = At::Code;
    let mut count = 0;
    let mut code = false;
    let mut chars = source.chars().peekable();
    while let Some(now) = chars.next() {
        let next = chars.peek().copied();
        match (at, now, next) {
            (At::Code, '/', Some('/')) => at = At::Line,
            (At::Code, '/', Some('*')) => {
                chars.next();
                at = At::Block;
            }
            (At::Block, '*', Some('/')) => {
                chars.next();
                at = At::Code;
            }
            // A backslash takes the next character with it, in a comment
            // even the line's end.
            (At::Line | At::Quote(_), '\\', Some(taken)) => {
                chars.next();
                if taken == '\n' {
                    count += u64::from(code);
                    code = at != At::Line;
                }
            }
            (_, '\n', _) => {
                count += u64::from(code);
                code = false;
                if at != At::Block {
                    at = At::Code;
                }
            }
            (At::Code, '"' | '\'', _) => {
                at = At::Quote(now);
                code = true;
            }
            (At::Quote(quote), now, _) => {
                code = true;
                if now == quote {
                    at = At::Code;
                }
            }
            (At::Code, now, _) => code |= !now.is_whitespace(),
            (At::Line | At::Block, ..) => (),
        }
    }
    count + u64::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blanks_are_no_lines() {
        assert_eq!(lines(""), 0);
        assert_eq!(
            lines("int a;\n\n// no\n/* no\n no */\nint b; /* yes */\n"),
            2
        );
        assert_eq!(lines("/* a */ int b; /* c\n d */ int e;"), 2);
    }

    #[test]
    fn comment_signs_in_strings_are_code() {
        assert_eq!(
            lines("char *a = \"/*\";\nint b;\nchar c = '\"';\nint d;\n"),
            4
        );
        assert_eq!(lines("char *a = \"\\\"//\"; int b;\nint c;\n"), 2);
        assert_eq!(lines("char a = '\\'';\n/* x */\n"), 1);
    }

    #[test]
    fn continued_lines_each_count_and_continued_comments_do_not() {
        assert_eq!(lines("#define A \\\n 1\n"), 2);
        assert_eq!(lines("// a \\\n b\nint c;\n"), 1);
    }
}
