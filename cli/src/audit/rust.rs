//! Counts lines and `unsafe` in one file of Rust.
//!
//! The file is lexed, not parsed: macros, half-finished code and dialects all
//! lex, and an `unsafe` inside of `pin_init!` or `macro_rules!` counts like
//! any other, while one in a comment, a string or a doc test does not exist.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, LineColumn, Span, TokenStream, TokenTree};

/// What was counted in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCount {
    /// Lines that hold a token, outside of test code.
    pub lines: u64,
    /// Lines that hold a token of test code only.
    pub test_lines: u64,
    /// `unsafe { }`.
    pub blocks: u64,
    /// `unsafe fn` (with a name; types of function pointers are not counted).
    pub fns: u64,
    /// `unsafe impl`, `unsafe trait`, `unsafe extern` and `#[unsafe(..)]`.
    pub impls: u64,
    /// Those of the above without a SAFETY comment right above them.
    pub undocumented: u64,
    /// Modules in files of their own that are test code: `#[cfg(test)] mod x;`.
    pub test_modules: Vec<String>,
}

/// Counts a file; `None` if it does not lex.
pub fn count(source: &str) -> Option<FileCount> {
    let source = source.trim_start_matches('\u{feff}');
    let shebang = source.starts_with("#!") && !source.starts_with("#![");
    let source = match shebang {
        // Two slashes keep the first line a line.
        true => format!("//{}", &source[2..]),
        false => source.to_string(),
    };
    let stream = TokenStream::from_str(&source).ok()?;
    let mut walk = Walk {
        gaps: source.lines().map(|line| line.chars().collect()).collect(),
        code: BTreeSet::new(),
        tests: BTreeSet::new(),
        found: Vec::new(),
        count: FileCount::default(),
    };
    walk.stream(stream, &[], false);
    // Every file's text stays in memory until the thread says that it is done
    // with the spans.
    proc_macro2::extra::invalidate_current_thread_spans();
    Some(walk.finish())
}

/// The lines of a file without any lexing, for one that does not lex: those
/// that are neither blank nor a line comment.
pub fn rough_lines(source: &str) -> u64 {
    let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    source.lines().filter(code).count() as u64
}

/// An `unsafe` that needs a comment.
struct Found {
    at: LineColumn,
    /// Lines above which the comment may stand: that of the `unsafe`, and
    /// those where the statements around it start.
    starts: Vec<usize>,
}

struct Walk {
    /// The text with every token blanked out: comments remain.
    gaps: Vec<Vec<char>>,
    code: BTreeSet<usize>,
    tests: BTreeSet<usize>,
    found: Vec<Found>,
    count: FileCount,
}

impl Walk {
    /// Walks a stream of tokens. `starts` are the lines where the statements
    /// around it start.
    fn stream(&mut self, stream: TokenStream, starts: &[usize], mut test: bool) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut around = starts.to_vec();
        let mut fresh = true;
        let mut test_item: Option<TestItem> = None;
        let mut rest = &tokens[..];
        while let Some(token) = rest.first() {
            if is_doc_comment(token) {
                let width = rest
                    .iter()
                    .take_while(|next| same_span(token, next))
                    .count();
                rest = &rest[width..];
                continue;
            }
            if fresh {
                around.truncate(starts.len());
                around.push(first(token).line);
            }
            match attribute(rest) {
                Some(Attribute {
                    test: true,
                    inner: true,
                }) => test = true,
                Some(Attribute {
                    test: true,
                    inner: false,
                }) if test_item.is_none() => {
                    test_item = Some(TestItem::default());
                    self.count.test_modules.extend(module_elsewhere(rest));
                }
                _ => (),
            }
            let now_test = test || test_item.is_some();
            if is_word(token, "unsafe") && !now_test {
                self.unsafe_word(rest, &around);
            }
            self.token(token, &around, now_test);
            rest = &rest[1..];
            fresh = ends_statement(token, rest.first());
            if test_item
                .as_mut()
                .is_some_and(|item| item.ends(token, rest.first()))
            {
                test_item = None;
            }
        }
    }

    /// Marks a token's lines and walks into a group.
    fn token(&mut self, token: &TokenTree, around: &[usize], test: bool) {
        let TokenTree::Group(group) = token else {
            return self.mark(token.span(), test);
        };
        self.mark(group.span_open(), test);
        // A comment belongs to a statement; one outside of the braces says
        // nothing about a statement in them.
        let around = match group.delimiter() {
            Delimiter::Brace => &[],
            _ => around,
        };
        self.stream(group.stream(), around, test);
        self.mark(group.span_close(), test);
    }

    fn mark(&mut self, span: Span, test: bool) {
        let (start, end) = (span.start(), span.end());
        let lines = if test {
            &mut self.tests
        } else {
            &mut self.code
        };
        lines.extend(start.line..=end.line);
        for line in start.line..=end.line {
            let gap = &mut self.gaps[line - 1];
            let from = if line == start.line { start.column } else { 0 };
            let to = if line == end.line {
                end.column
            } else {
                gap.len()
            };
            let to = to.min(gap.len());
            gap[from.min(to)..to].fill(' ');
        }
    }

    /// Counts an `unsafe` by what follows it.
    fn unsafe_word(&mut self, tokens: &[TokenTree], around: &[usize]) {
        let mut next = 1;
        let mut external = false;
        if tokens.get(next).is_some_and(|token| is_word(token, "auto")) {
            next += 1;
        }
        if tokens
            .get(next)
            .is_some_and(|token| is_word(token, "extern"))
        {
            external = true;
            next += 1;
            if matches!(tokens.get(next), Some(TokenTree::Literal(_))) {
                next += 1;
            }
        }
        let named = |at: usize| !matches!(tokens.get(at), Some(TokenTree::Group(_)) | None);
        let counter = match tokens.get(next) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                if external {
                    &mut self.count.impls
                } else {
                    &mut self.count.blocks
                }
            }
            // `#[unsafe(no_mangle)]`
            Some(TokenTree::Group(_)) => &mut self.count.impls,
            Some(TokenTree::Ident(word)) => match word.to_string().as_str() {
                // `unsafe fn(u8)` is a type.
                "fn" if named(next + 1) => &mut self.count.fns,
                "impl" | "trait" => &mut self.count.impls,
                _ => return,
            },
            _ => return,
        };
        *counter += 1;
        let at = first(&tokens[0]);
        let mut starts = around.to_vec();
        starts.push(at.line);
        self.found.push(Found { at, starts });
    }

    fn finish(mut self) -> FileCount {
        self.count.lines = self.code.len() as u64;
        self.count.test_lines = self.tests.difference(&self.code).count() as u64;
        let documented = |found: &&Found| !self.documented(found);
        self.count.undocumented = self.found.iter().filter(documented).count() as u64;
        self.count
    }

    /// Whether a SAFETY comment stands before the `unsafe` in its line, or in
    /// the unbroken comment above it or above a statement around it.
    fn documented(&self, found: &Found) -> bool {
        let before = &self.gaps[found.at.line - 1][..found.at.column];
        if says_safety(before) {
            return true;
        }
        found.starts.iter().any(|start| {
            (1..*start)
                .rev()
                .take_while(|line| self.is_comment(*line))
                .any(|line| says_safety(&self.gaps[line - 1]))
        })
    }

    fn is_comment(&self, line: usize) -> bool {
        !self.code.contains(&line) && self.gaps[line - 1].iter().any(|c| !c.is_whitespace())
    }
}

fn says_safety(comment: &[char]) -> bool {
    let text: String = comment.iter().collect();
    text.contains("SAFETY") || text.contains("# Safety")
}

/// An item under `#[cfg(test)]` and the like, up to its end.
#[derive(Default)]
struct TestItem {
    /// Whether a word was seen that starts an item, so that a comma is one of
    /// its generics' and not the end of a field.
    worded: bool,
}

impl TestItem {
    fn ends(&mut self, token: &TokenTree, next: Option<&TokenTree>) -> bool {
        const WORDS: [&str; 11] = [
            "fn", "impl", "struct", "enum", "union", "trait", "mod", "use", "const", "static",
            "type",
        ];
        self.worded |= WORDS.iter().any(|word| is_word(token, word));
        match token {
            // `use a::{b, c};` goes on to its semicolon.
            TokenTree::Group(group) => {
                group.delimiter() == Delimiter::Brace && !next.is_some_and(|n| is_mark(n, ';'))
            }
            _ => is_mark(token, ';') || (is_mark(token, ',') && !self.worded),
        }
    }
}

/// What an attribute says about tests.
struct Attribute {
    test: bool,
    inner: bool,
}

/// The attribute that `tokens` start with.
fn attribute(tokens: &[TokenTree]) -> Option<Attribute> {
    if !is_mark(tokens.first()?, '#') {
        return None;
    }
    let inner = is_mark(tokens.get(1)?, '!');
    let TokenTree::Group(group) = tokens.get(1 + usize::from(inner))? else {
        return None;
    };
    let words = words(group);
    let has = |word: &str| words.iter().any(|one| one == word);
    let test = match words.first().map(String::as_str) {
        Some("cfg") => has("test") && !has("not"),
        Some("test") => words.len() == 1,
        Some("kunit_tests") => true,
        _ => false,
    };
    Some(Attribute { test, inner })
}

/// All words in a group, however deep.
fn words(group: &Group) -> Vec<String> {
    let mut all = Vec::new();
    for token in group.stream() {
        match token {
            TokenTree::Ident(word) => all.push(word.to_string()),
            TokenTree::Group(group) => all.extend(words(&group)),
            _ => (),
        }
    }
    all
}

/// The name in `mod name;`, if that is the item that `tokens` start with.
fn module_elsewhere(tokens: &[TokenTree]) -> Option<String> {
    let at = tokens.iter().position(|token| is_word(token, "mod"))?;
    let before = tokens[..at].iter().any(|token| is_mark(token, ';'));
    let TokenTree::Ident(name) = tokens.get(at + 1)? else {
        return None;
    };
    (!before && is_mark(tokens.get(at + 2)?, ';')).then(|| name.to_string())
}

/// Whether a statement, item, field or match arm ends with `token`.
fn ends_statement(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    match token {
        TokenTree::Punct(mark) => matches!(mark.as_char(), ';' | ','),
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => match next {
            // `}.method()`, `}?`, `},`: it goes on. `} #[inline] fn`: it does not.
            Some(TokenTree::Punct(mark)) => mark.as_char() == '#',
            Some(next) => !is_word(next, "else"),
            None => true,
        },
        _ => false,
    }
}

/// A lexer makes `#`, `[`, `doc = "..."` and `]` of a doc comment, all with
/// the comment's place. A real `#` is one character wide.
fn is_doc_comment(token: &TokenTree) -> bool {
    if !is_mark(token, '#') {
        return false;
    }
    let (start, end) = (token.span().start(), token.span().end());
    start.line != end.line || end.column - start.column > 1
}

fn same_span(a: &TokenTree, b: &TokenTree) -> bool {
    let place = |token: &TokenTree| (token.span().start(), token.span().end());
    place(a) == place(b)
}

fn first(token: &TokenTree) -> LineColumn {
    token.span().start()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

#[cfg(test)]
mod tests;
