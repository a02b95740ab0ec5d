//! Constants, names and comments: what has an end of its own.

use super::class::{SPACE, is};
use super::{Lexer, TokenKind};

/// What stands for a quote inside a string constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    /// Nothing, as in `B'…'` and `X'…'`.
    None,
    /// Two quotes, as in `U&'…'`.
    Doubled,
    /// Two quotes, or one behind a backslash, as in `E'…'`.
    Escaped,
    /// Two quotes; in sessions of the other style a backslash escapes.
    DoubledHere,
    /// Two quotes, or one behind a backslash; in sessions of the other style that escapes nothing.
    EscapedHere,
}

impl Lexer<'_> {
    /// Moves over a string constant whose opening quote ends `prefix` bytes ahead. The same constant
    /// may go on in another line: `'a'`, a new line, `'b'`.
    pub(super) fn string(&mut self, prefix: usize, quote: Quote) -> (TokenKind, bool) {
        self.at += prefix;
        while self.close(quote) {
            match self.continuation() {
                Some(at) => self.at = at,
                None => return (TokenKind::String, true),
            }
        }
        self.at = self.text.len();
        (TokenKind::String, false)
    }

    /// Moves behind the next quote that ends a constant. Returns whether there is one.
    fn close(&mut self, quote: Quote) -> bool {
        let escapes = matches!(quote, Quote::Escaped | Quote::EscapedHere);
        let differs = matches!(quote, Quote::EscapedHere | Quote::DoubledHere);
        loop {
            let found = match quote {
                Quote::None | Quote::Doubled => memchr::memchr(b'\'', self.rest()),
                _ => memchr::memchr2(b'\'', b'\\', self.rest()),
            };
            let Some(found) = found else { return false };
            if self.wide.is_some() && escapes {
                // The byte may be half of a character.
                let target = self.at + found;
                while self.at < target {
                    self.skip_character();
                }
            } else {
                self.at += found;
            }
            match self.peek(0) {
                Some(b'\'') => {
                    self.at += 1;
                    if self.peek(0) != Some(b'\'') || quote == Quote::None {
                        return true;
                    }
                    self.at += 1;
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.backslashes |= differs;
                    if escapes {
                        self.skip_character();
                    }
                }
                // The character before ended later than the byte that was found.
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Where the constant that has just ended goes on: behind a quote that follows white space with
    /// a new line in it. `--` comments count as white space here.
    fn continuation(&self) -> Option<usize> {
        let mut at = self.at;
        let mut new_line = false;
        loop {
            match *self.text.get(at)? {
                b'\n' | b'\r' => {
                    new_line = true;
                    at += 1;
                }
                byte if is(byte, SPACE) => at += 1,
                b'\'' => return new_line.then_some(at + 1),
                b'-' if self.text.get(at + 1) == Some(&b'-') => {
                    let rest = self.text.get(at..)?;
                    at += memchr::memchr2(b'\n', b'\r', rest)?;
                }
                _ => return None,
            }
        }
    }

    /// Moves over a quoted name whose opening quote ends `prefix` bytes ahead.
    pub(super) fn name(&mut self, prefix: usize) -> (TokenKind, bool) {
        self.at += prefix;
        while let Some(found) = memchr::memchr(b'"', self.rest()) {
            self.at += found + 1;
            if self.peek(0) != Some(b'"') {
                return (TokenKind::QuotedName, true);
            }
            self.at += 1;
        }
        self.at = self.text.len();
        (TokenKind::QuotedName, false)
    }

    /// Moves over the rest of a string whose tag begins at `begin` and ends here.
    pub(super) fn dollar_string(&mut self, begin: usize) -> (TokenKind, bool) {
        let tag = self.text.get(begin..self.at).unwrap_or_default();
        let found = memchr::memmem::find(self.rest(), tag);
        self.at = found.map_or(self.text.len(), |found| self.at + found + tag.len());
        (TokenKind::DollarString, found.is_some())
    }

    /// Moves over a comment up to the end of the line.
    pub(super) fn line_comment(&mut self) {
        self.at += memchr::memchr2(b'\n', b'\r', self.rest()).unwrap_or(self.rest().len());
    }

    /// Moves over a comment that may hold others.
    pub(super) fn block_comment(&mut self) -> (TokenKind, bool) {
        let mut depth = 1_usize;
        self.at += 2;
        while let Some(found) = memchr::memchr2(b'*', b'/', self.rest()) {
            self.at += found;
            match (self.peek(0), self.peek(1)) {
                (Some(b'*'), Some(b'/')) => (self.at, depth) = (self.at + 2, depth - 1),
                (Some(b'/'), Some(b'*')) => (self.at, depth) = (self.at + 2, depth + 1),
                _ => self.at += 1,
            }
            if depth == 0 {
                return (TokenKind::Comment, true);
            }
        }
        self.at = self.text.len();
        (TokenKind::Comment, false)
    }
}
