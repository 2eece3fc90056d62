//! Rust tokens as one line of text, the same however they were laid out.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Syntax on one line.
pub fn line(syntax: &impl ToTokens) -> String {
    let mut text = String::new();
    write(syntax.to_token_stream(), &mut text);
    text
}

fn write(stream: TokenStream, text: &mut String) {
    // Whether the sign before was the first part of a longer one.
    let mut joint = false;
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                if text.ends_with([',', '=', '+', ';', ':']) && !text.ends_with("::") {
                    gap(text);
                }
                let word = ["mut", "const", "dyn"]
                    .iter()
                    .any(|word| text.ends_with(word));
                if group.delimiter() == Delimiter::Brace || word {
                    gap(text);
                }
                text.push_str(open);
                write(group.stream(), text);
                if text.ends_with(',') {
                    text.pop();
                }
                text.push_str(close);
                joint = false;
            }
            TokenTree::Punct(punct) => {
                let sign = punct.as_char();
                let arrow = sign == '>' && joint && text.ends_with(['-', '=']);
                let before = match sign {
                    '-' | '=' | '+' | '|' if !joint => true,
                    '&' | '*' | '\'' | '#' if !joint => {
                        !text.is_empty() && !text.ends_with(['(', '[', '<', '&', '*', ' ', '#'])
                    }
                    ':' if !joint && text.ends_with([',', '=', '+']) => true,
                    '?' => text.ends_with(':') && !text.ends_with("::"),
                    _ => false,
                };
                if before && !text.ends_with("::") {
                    gap(text);
                }
                text.push(sign);
                joint = punct.spacing() == Spacing::Joint;
                if arrow || (matches!(sign, '=' | '+' | '|') && !joint) {
                    text.push(' ');
                }
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                let close = [' ', '(', '[', '<', '&', '*', '\'', '.', '!', '?', '#'];
                if !text.is_empty() && !text.ends_with(close) && !text.ends_with("::") {
                    gap(text);
                }
                text.push_str(&token.to_string());
                joint = false;
            }
        }
    }
    while text.ends_with(' ') && !text.ends_with("{ ") {
        text.pop();
    }
}

fn gap(text: &mut String) {
    if !text.is_empty() && !text.ends_with([' ', '(', '[']) {
        text.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_does_not_show() {
        let one = "fn new<'a, T: Ops + ?Sized>(self: Pin<&'a mut Self>, f: impl Fn(u8) -> [T; 4],) -> Result<Box<T>> where T: Send,";
        let other = "fn new < 'a , T : Ops + ? Sized > ( self : Pin < & 'a mut Self > ,\n f : impl Fn ( u8 ) -> [ T ; 4 ] ) -> Result < Box < T > > where T : Send";
        let line = |text: &str| line(&text.parse::<TokenStream>().unwrap());
        assert_eq!(line(one).trim_end_matches(','), line(other));
        assert_eq!(
            line(other),
            "fn new<'a, T: Ops + ?Sized>(self: Pin<&'a mut Self>, f: impl Fn(u8) -> [T; 4]) -> \
             Result<Box<T>> where T: Send"
        );
        assert_eq!(line("* const ffi :: c_void"), "*const ffi::c_void");
        assert_eq!(line("-> & mut [ u8 ]"), "-> &mut [u8]");
        assert_eq!(line("T:?Sized"), "T: ?Sized");
        assert_eq!(line("<T as A> :: B<'a>"), "<T as A>::B<'a>");
        assert_eq!(
            line(":: core :: option :: Option < X >"),
            "::core::option::Option<X>"
        );
    }
}
