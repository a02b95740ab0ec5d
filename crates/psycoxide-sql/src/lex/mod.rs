//! The lexer of SQL: where tokens begin and end, as the server's own lexer (`scan.l`) sees them.
//!
//! It reads bytes in the client encoding. Where a byte below 0x80 may be the second half of a
//! character, it reads whole characters. Text that the server refuses is cut in some way, and never
//! causes a panic: something quoted that never ends is a token that is not `finished`.
//!
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

mod class;
mod keyword;
mod operator;
mod quoted;
#[cfg(test)]
mod tests;

pub use keyword::Keyword;

use crate::encoding::{Encoding, Scheme, UTF8};
use crate::quote::StringStyle;
use class::is;
use quoted::Quote;

/// How a session reads SQL.
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    /// The client encoding.
    pub encoding: &'static Encoding,
    /// What a backslash means in a plain string constant.
    pub strings: StringStyle,
}

impl Default for Syntax {
    fn default() -> Self {
        Self { encoding: &UTF8, strings: StringStyle::Standard }
    }
}

/// A token, or what is between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// The offset of its first byte.
    pub start: usize,
    /// The offset behind its last byte.
    pub end: usize,
    /// Whether it has its end: false for a constant, a quoted name or a comment that the text
    /// leaves open.
    pub finished: bool,
}

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// White space.
    Space,
    /// A comment of either kind.
    Comment,
    /// A keyword, or a name without quotes.
    Word,
    /// `"…"` or `U&"…"`
    QuotedName,
    /// `'…'` with or without a prefix, and what continues it on later lines.
    String,
    /// `$tag$…$tag$`
    DollarString,
    /// A number; with the word that is glued to it, if there is one.
    Number,
    /// `$1`
    Parameter,
    /// An operator, `:=` and `=>` included.
    Operator,
    /// `::`
    Cast,
    /// One of `, ( ) [ ] . ; :`, or `..`
    Symbol(u8),
    /// A byte that begins no token.
    Unknown,
}

/// Cuts a text into tokens, white space and comments; together they are the whole text.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    escapes: bool,
    /// How characters are formed, if their later bytes may be below 0x80.
    wide: Option<Scheme>,
    backslashes: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `text`.
    pub fn new(text: &'a [u8], syntax: Syntax) -> Self {
        let encoding = syntax.encoding;
        Self {
            text,
            at: 0,
            escapes: syntax.strings == StringStyle::Escape,
            wide: (!encoding.is_ascii_safe()).then_some(encoding.scheme),
            backslashes: false,
        }
    }

    /// Whether a plain string constant so far holds a backslash, so that sessions with the other
    /// [`StringStyle`] read the text in another way.
    pub fn met_backslashes(&self) -> bool {
        self.backslashes
    }

    /// The keyword that a word is.
    pub fn keyword(&self, token: &Token) -> Keyword {
        Keyword::of(self.text.get(token.start..token.end).unwrap_or_default())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves over one character. For a text that is not valid in its encoding, over one byte.
    fn skip_character(&mut self) {
        self.at += match (self.wide, self.peek(0)) {
            (Some(scheme), Some(0x80..)) => scheme.character(self.rest()).unwrap_or(1),
            _ => 1,
        };
        self.at = self.at.min(self.text.len());
    }

    /// Moves over all characters of these classes.
    fn skip_all(&mut self, classes: u8) {
        match self.wide {
            None => {
                self.at += self.rest().iter().take_while(|byte| is(**byte, classes)).count();
            }
            Some(_) => {
                while self.peek(0).is_some_and(|byte| is(byte, classes)) {
                    self.skip_character();
                }
            }
        }
    }

    /// Moves over a token that begins with this byte. Returns its kind, and whether it has its end.
    fn scan(&mut self, first: u8) -> (TokenKind, bool) {
        let second = self.peek(1);
        let quoted = second == Some(b'\'');
        match first {
            // Most white space is one blank.
            b' ' if !second.is_some_and(|byte| is(byte, class::SPACE)) => {
                self.take(1, TokenKind::Space)
            }
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                self.skip_all(class::SPACE);
                (TokenKind::Space, true)
            }
            b'\'' => self.string(1, self.plain()),
            b'e' | b'E' if quoted => self.string(2, Quote::Escaped),
            b'n' | b'N' if quoted => self.string(2, self.plain()),
            b'b' | b'B' | b'x' | b'X' if quoted => self.string(2, Quote::None),
            b'u' | b'U' if second == Some(b'&') && self.peek(2) == Some(b'\'') => {
                self.string(3, Quote::Doubled)
            }
            b'u' | b'U' if second == Some(b'&') && self.peek(2) == Some(b'"') => self.name(3),
            b'"' => self.name(1),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => {
                self.skip_all(class::WORD);
                (TokenKind::Word, true)
            }
            b'0'..=b'9' => self.number(),
            b'.' if second.is_some_and(|byte| byte.is_ascii_digit()) => self.number(),
            b'.' if second == Some(b'.') => self.take(2, TokenKind::Symbol(b'.')),
            b':' if second == Some(b':') => self.take(2, TokenKind::Cast),
            b':' if second == Some(b'=') => self.take(2, TokenKind::Operator),
            b',' | b'(' | b')' | b'[' | b']' | b'.' | b';' | b':' => {
                self.take(1, TokenKind::Symbol(first))
            }
            b'$' => self.dollar(),
            b'-' if second == Some(b'-') => {
                self.line_comment();
                (TokenKind::Comment, true)
            }
            b'/' if second == Some(b'*') => self.block_comment(),
            _ if is(first, class::OPERATOR) => self.operator(),
            _ => self.take(1, TokenKind::Unknown),
        }
    }

    fn take(&mut self, length: usize, kind: TokenKind) -> (TokenKind, bool) {
        self.at += length;
        (kind, true)
    }

    fn plain(&self) -> Quote {
        match self.escapes {
            true => Quote::EscapedHere,
            false => Quote::DoubledHere,
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.at;
        let (kind, finished) = self.scan(self.peek(0)?);
        self.at = self.at.min(self.text.len());
        Some(Token { kind, start, end: self.at, finished })
    }
}
