//! Constants, names and comments: what has an end of its own.

use super::class::{SPACE, is};
use super::{Lexer, TokenKind};

/// What a backslash is in a string constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backslash {
    /// It escapes, as in `E'…'`.
    Escapes,
    /// It is a character like any other.
    Ordinary,
    /// It escapes in this session.
    EscapesHere,
    /// It is a character like any other in this session.
    OrdinaryHere,
}

impl Lexer<'_> {
    /// Moves over a string constant whose opening quote ends `prefix` bytes ahead. The same constant
    /// may go on in another line: `'a'`, a new line, `'b'`.
    pub(super) fn string(&mut self, prefix: usize, backslash: Backslash) -> (TokenKind, bool) {
        self.at += prefix;
        while self.close(backslash) {
            match self.continuation() {
                Some(at) => self.at = at,
                None => return (TokenKind::String, true),
            }
        }
        self.at = self.text.len();
        (TokenKind::String, false)
    }

    /// Moves behind the next quote that is not doubled. Returns whether there is one.
    fn close(&mut self, backslash: Backslash) -> bool {
        let escapes = matches!(backslash, Backslash::Escapes | Backslash::EscapesHere);
        let differs = matches!(backslash, Backslash::EscapesHere | Backslash::OrdinaryHere);
        loop {
            let found = match backslash {
                Backslash::Ordinary => memchr::memchr(b'\'', self.rest()),
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
                    if self.peek(0) != Some(b'\'') {
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
