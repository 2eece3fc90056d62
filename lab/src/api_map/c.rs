//! C source, as far as names go: what headers declare, what a driver calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// How a header offers a name; the first that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A body, to be compiled into the caller.
    Inline,
    /// A prototype, or data declared `extern`.
    Declared,
    /// A macro with arguments.
    Macro,
    /// An argument of a macro outside of functions, which may declare it
    /// (`DECLARE_PER_CPU`).
    Argument,
}

/// One header's word on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How it is offered.
    pub form: Form,
    /// The declaration without parameter names' line breaks, for `Declared`
    /// and `Inline`; else empty.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
}

/// Tokens outside of comments, strings and preprocessor lines; those lines
/// come apart.
struct Source {
    tokens: Vec<Token>,
    /// Macros with arguments that are defined here.
    macros: BTreeSet<String>,
    /// What macros with arguments of this file call.
    macro_calls: BTreeSet<String>,
    /// `#include "..."`.
    includes: Vec<String>,
}

fn source(text: &str) -> Source {
    let plain = blank(text);
    let mut code = String::with_capacity(plain.len());
    let mut source = Source {
        tokens: Vec::new(),
        macros: BTreeSet::new(),
        macro_calls: BTreeSet::new(),
        includes: Vec::new(),
    };
    let mut lines = plain.lines();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with('#') {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let mut whole = line.to_string();
        while whole.ends_with('\\') {
            whole.pop();
            whole.push(' ');
            let Some(next) = lines.next() else { break };
            whole.push_str(next);
        }
        let directive = whole.trim_start().trim_start_matches('#').trim_start();
        if let Some(rest) = directive.strip_prefix("include") {
            let name = rest.trim().strip_prefix('"');
            let name = name.and_then(|name| name.split('"').next());
            source.includes.extend(name.map(str::to_string));
        } else if let Some(rest) = directive.strip_prefix("define") {
            let rest = rest.trim_start();
            let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            let (name, body) = rest.split_at(end);
            if body.starts_with('(') {
                source.macros.insert(name.to_string());
            }
            calls_of(&tokens(body), &mut source.macro_calls);
        }
    }
    source.tokens = tokens(&code);
    source
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The text with comments and the insides of strings replaced by blanks.
/// `#include "x"` keeps its string.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut line_start = 0;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("/*") {
            let end = rest[2..].find("*/").map_or(rest.len(), |end| end + 4);
            out.push(' ');
            out.extend(rest[..end].chars().filter(|c| *c == '\n'));
            rest = &rest[end..];
        } else if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if matches!(first, '"' | '\'') {
            let end = quoted(rest, first);
            let include = out[line_start..].trim_start().starts_with("#include");
            match include {
                true => out.push_str(&rest[..end]),
                false => out.push_str("\"\""),
            }
            rest = &rest[end..];
        } else {
            out.push(first);
            if first == '\n' {
                line_start = out.len();
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The length of the string or character that starts here; a line's end ends
/// it too, as in text that is no code (`#error don't`).
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' if !escaped => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => (),
        }
    }
    text.len()
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if word(first) {
            let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_string()));
            length
        } else {
            tokens.push(Token::Sign(first));
            first.len_utf8()
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Whether a token stands behind `.` or `->`.
fn member(tokens: &[Token], at: usize) -> bool {
    matches!(
        tokens[..at],
        [.., Token::Sign('.')] | [.., Token::Sign('-'), Token::Sign('>')]
    )
}

/// What may stand before `(` and is no name.
const KEYWORDS: [&str; 15] = [
    "if",
    "for",
    "while",
    "switch",
    "return",
    "sizeof",
    "typeof",
    "int",
    "void",
    "bool",
    "long",
    "char",
    "unsigned",
    "struct",
    "__attribute__",
];

/// Names that are followed by `(` and are no member of something.
fn calls_of(tokens: &[Token], calls: &mut BTreeSet<String>) {
    for (at, pair) in tokens.windows(2).enumerate() {
        let [Token::Word(name), Token::Sign('(')] = pair else {
            continue;
        };
        if !member(tokens, at)
            && !KEYWORDS.contains(&&name[..])
            && !name.starts_with(|c: char| c.is_ascii_digit())
        {
            calls.insert(name.clone());
        }
    }
}

/// The statements outside of all braces, each with whether a body follows.
/// Bodies are left out.
fn statements(tokens: &[Token]) -> Vec<(&[Token], bool)> {
    let mut statements = Vec::new();
    let (mut start, mut depth, mut parens) = (0, 0usize, 0usize);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            // Braces among arguments, as in TRACE_EVENT, bound nothing.
            Token::Sign('{' | '}') if parens > 0 => (),
            Token::Sign('{') => {
                if depth == 0 && start < at {
                    statements.push((&tokens[start..at], true));
                }
                depth += 1;
            }
            Token::Sign('}') => {
                depth = depth.saturating_sub(1);
                start = at + 1;
            }
            _ if depth > 0 => (),
            Token::Sign('(') => parens += 1,
            Token::Sign(')') => {
                parens = parens.saturating_sub(1);
                // A macro outside of functions needs no semicolon.
                let next = matches!(tokens.get(at + 1), Some(Token::Word(_)));
                if parens == 0 && next && invocation(&tokens[start..=at]) {
                    statements.push((&tokens[start..=at], false));
                    start = at + 1;
                }
            }
            Token::Sign(';') if parens == 0 => {
                statements.push((&tokens[start..at], false));
                start = at + 1;
            }
            _ => (),
        }
    }
    statements
}

/// Whether a statement starts as the use of a macro; what starts with `__` is
/// an attribute.
fn invocation(statement: &[Token]) -> bool {
    matches!(statement, [Token::Word(first), Token::Sign('('), ..] if !first.starts_with("__"))
}

/// What a header says about those of `names` that it offers.
pub fn offers(text: &str, names: &BTreeSet<String>) -> BTreeMap<String, Offer> {
    let source = source(text);
    let mut offers: BTreeMap<String, Offer> = BTreeMap::new();
    let mut offer = |name: &str, form: Form, text: String| {
        let known = offers.get(name);
        if names.contains(name) && known.is_none_or(|known| form < known.form) {
            offers.insert(name.to_string(), Offer { form, text });
        }
    };
    for name in &source.macros {
        offer(name, Form::Macro, String::new());
    }
    for (statement, body) in statements(&source.tokens) {
        let word = |at: usize| match statement.get(at) {
            Some(Token::Word(word)) => Some(&word[..]),
            _ => None,
        };
        let sign = |at: usize, sign: char| statement.get(at) == Some(&Token::Sign(sign));
        if word(0) == Some("typedef") {
            continue;
        }
        if let Some(at) = function(statement) {
            let form = if body { Form::Inline } else { Form::Declared };
            offer(word(at).unwrap_or_default(), form, written(statement, at));
        } else if word(0) == Some("extern") {
            // Data: the last word before any bounds or attributes.
            let end = (1..statement.len())
                .find(|at| matches!(statement[*at], Token::Sign(sign) if sign != '*'));
            let at = end.unwrap_or(statement.len()) - 1;
            offer(
                word(at).unwrap_or_default(),
                Form::Declared,
                written(statement, at),
            );
        } else if invocation(statement) {
            for at in 2..statement.len() {
                let argument = (sign(at - 1, '(') || sign(at - 1, ','))
                    && (sign(at + 1, ',') || sign(at + 1, ')'));
                if let (Some(name), true) = (word(at), argument) {
                    offer(name, Form::Argument, String::new());
                }
            }
        }
    }
    offers
}

/// The place of the name in a declaration or definition of a function: the
/// first word that stands behind another and before `(`. Attributes look the
/// same, before the name or after; since they begin with `__`, such a word
/// counts only if there is no other.
fn function(statement: &[Token]) -> Option<usize> {
    if invocation(statement) {
        return None;
    }
    const STORAGE: [&str; 5] = [
        "extern",
        "static",
        "inline",
        "asmlinkage",
        "__always_inline",
    ];
    let (mut parens, mut typed) = (0usize, false);
    let mut doubtful = None;
    for (at, token) in statement.iter().enumerate() {
        match token {
            Token::Sign('(') => parens += 1,
            Token::Sign(')') => parens = parens.saturating_sub(1),
            Token::Word(word) if parens == 0 => {
                let called = statement.get(at + 1) == Some(&Token::Sign('('));
                if called && typed && !word.starts_with("__") {
                    return Some(at);
                }
                if called && typed {
                    doubtful = doubtful.or(Some(at));
                }
                typed |= !called && !STORAGE.contains(&&word[..]);
            }
            _ => (),
        }
    }
    doubtful
}

/// Words of a declaration that say nothing about its type.
fn says_nothing(word: &str) -> bool {
    const WORDS: [&str; 4] = ["extern", "static", "inline", "asmlinkage"];
    WORDS.contains(&word) || word.starts_with("__")
}

/// A declaration on one line, up to the end of its parameters; `name` is the
/// place of its name.
fn written(statement: &[Token], name: usize) -> String {
    let mut text = String::new();
    let mut parens = 0usize;
    // Behind a word that says nothing, its arguments say nothing either.
    let mut silent = false;
    for (at, token) in statement.iter().enumerate() {
        if silent && (parens > 0 || *token == Token::Sign('(')) {
            match token {
                Token::Sign('(') => parens += 1,
                Token::Sign(')') => parens -= 1,
                _ => (),
            }
            silent = parens > 0;
            continue;
        }
        match token {
            Token::Word(word) if at < name && says_nothing(word) => silent = true,
            Token::Word(word) => {
                silent = false;
                if text.ends_with(|c: char| self::word(c) || c == ',') {
                    text.push(' ');
                }
                text.push_str(word);
            }
            Token::Sign(sign) => {
                silent = false;
                if *sign == '*' && !text.ends_with(['*', '(', ' ']) {
                    text.push(' ');
                }
                text.push(*sign);
                match sign {
                    '(' => parens += 1,
                    ')' => parens = parens.saturating_sub(1),
                    _ => (),
                }
                if at > name && *sign == ')' && parens == 0 {
                    break;
                }
            }
        }
    }
    text
}

/// A driver's C source: what it calls, without what it defines itself.
#[derive(Default)]
pub struct Driver {
    /// Files, below the kernel's tree.
    pub files: BTreeSet<PathBuf>,
    /// Names that are called.
    pub calls: BTreeSet<String>,
}

impl Driver {
    /// Reads files of `folder` below `tree`, and those that they include by
    /// `#include "..."`, where they are in that folder too.
    pub fn read(tree: &Path, folder: &Path, files: &[String]) -> Result<Driver> {
        let mut driver = Driver::default();
        let mut defined = BTreeSet::new();
        let mut open: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
        while let Some(file) = open.pop() {
            let path = tree.join(&file);
            if driver.files.contains(&file) || !path.is_file() {
                continue;
            }
            let source = source(&read(&path)?);
            driver.files.insert(file);
            open.extend(source.includes.iter().map(|name| folder.join(name)));
            calls_of(&source.tokens, &mut driver.calls);
            driver.calls.extend(source.macro_calls);
            defined.extend(source.macros);
            for (statement, body) in statements(&source.tokens) {
                if body {
                    let name = statement.windows(2).find_map(|pair| match pair {
                        [Token::Word(name), Token::Sign('(')] => Some(name.clone()),
                        _ => None,
                    });
                    defined.extend(name);
                }
            }
        }
        driver.calls.retain(|name| !defined.contains(name));
        Ok(driver)
    }
}

/// The words of a C text with the line (from 1) that each stands on first, but
/// for members and what is in comments and strings.
pub fn words(text: &str) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    for (at, line) in blank(text).lines().enumerate() {
        let tokens = tokens(line);
        for (place, token) in tokens.iter().enumerate() {
            if let (Token::Word(word), false) = (token, member(&tokens, place)) {
                words.entry(word.clone()).or_insert(at + 1);
            }
        }
    }
    words
}

/// The C files of a module by its folder's Makefile: `NAME-y`, `NAME-objs`,
/// and `NAME-$(CONFIG_X)` where `is_set` says so; `NAME.c` if there are none.
pub fn files_of(makefile: &str, module: &str, is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let mut files = Vec::new();
    for line in joined.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((left, right)) = line.split_once('=') else {
            continue;
        };
        let left = left
            .trim_end_matches([':', '+', '?'])
            .trim_end_matches([':', '+', ' ', '\t']);
        let Some(condition) = left.trim().strip_prefix(module) else {
            continue;
        };
        let taken = match condition.strip_prefix('-') {
            Some("y" | "objs") => true,
            Some(variable) => variable
                .strip_prefix("$(")
                .and_then(|variable| variable.strip_suffix(')'))
                .is_some_and(&is_set),
            None => false,
        };
        if taken {
            let objects = right.split_whitespace();
            files.extend(
                objects
                    .filter_map(|object| object.strip_suffix(".o"))
                    .map(|stem| format!("{stem}.c")),
            );
        }
    }
    if files.is_empty() {
        files.push(format!("{module}.c"));
    }
    files
}

/// Reads a file as text.
pub fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| {
        format!(
            "api-map: {} cannot be read; run `ringfence lab up` for its lab, as root",
            path.display()
        )
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn headers_offer_prototypes_inlines_macros_and_what_macros_make() {
        let text = "#define lock(x) \\\n\t_lock(x)\n/* void gone(void); */\n\
                    extern int __must_check __attr(1, f(2)) start(struct dev *dev,\n\t\tint (*done)(void *));\n\
                    EVENT(x, ASSIGN(if (1) { a(); }), done(1))\n\
                    static __always_inline void stop(int a) __acquires(b)\n{\n\tstart(0, 0);\n}\n\
                    extern __printf(1, 2) void __say(char *how, ...);\n\
                    extern unsigned long jiffies;\n\
                    read_maker(readl, \"l\", int)\nread_maker(readb, \"b\", int)\n\
                    DECLARE_PER_CPU(int, cpu);\n\
                    struct ops { int (*start)(void); };\n";
        let names = set(&[
            "lock",
            "start",
            "stop",
            "jiffies",
            "readl",
            "readb",
            "gone",
            "done",
            "__acquires",
            "l",
            "cpu",
            "__say",
            "__printf",
        ]);
        let offers = offers(text, &names);
        let forms: Vec<(&str, Form)> = offers
            .iter()
            .map(|(name, offer)| (&name[..], offer.form))
            .collect();
        assert_eq!(
            forms,
            [
                ("__say", Form::Declared),
                ("cpu", Form::Argument),
                ("jiffies", Form::Declared),
                ("lock", Form::Macro),
                ("readb", Form::Argument),
                ("readl", Form::Argument),
                ("start", Form::Declared),
                ("stop", Form::Inline),
            ]
        );
        assert_eq!(
            offers["start"].text,
            "int start(struct dev *dev, int(*done)(void *))"
        );
        assert_eq!(offers["stop"].text, "void stop(int a)");
        assert_eq!(offers["jiffies"].text, "unsigned long jiffies");
    }

    #[test]
    fn members_strings_and_comments_are_no_calls() {
        let text =
            "int f(void)\n{\n\tops->queue(1); a.b(2); // c(3)\n\t/* x\n */ print(\"d(4)\", done); \
                    '\"'; e (5);\n}\n#define G(x) h(x)\n";
        let source = source(text);
        let mut calls = source.macro_calls;
        calls_of(&source.tokens, &mut calls);
        assert_eq!(calls, set(&["f", "print", "e", "h"]));
        let words = words(text);
        assert_eq!((words["print"], words["done"], words["h"]), (5, 5, 7));
        assert!(!words.contains_key("queue") && !words.contains_key("c"));
    }

    #[test]
    fn a_makefile_names_the_files_of_each_module() {
        let text = "obj-m += nvme.o\nnvme-core-y\t:= core.o \\\n\tpr.o # no\n\
                    nvme-core-$(CONFIG_TRACING) += trace.o\nnvme-core-$(CONFIG_OFF)+= off.o\n\
                    nvme-y += pci.o\nnull-objs := main.o\n";
        let on = |name: &str| name == "CONFIG_TRACING";
        assert_eq!(
            files_of(text, "nvme-core", on),
            ["core.c", "pr.c", "trace.c"]
        );
        assert_eq!(files_of(text, "nvme", on), ["pci.c"]);
        assert_eq!(files_of(text, "null", on), ["main.c"]);
        assert_eq!(files_of(text, "other", on), ["other.c"]);
    }
}
