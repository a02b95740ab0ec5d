//! Turns `INSERT … VALUES (%s, …)` into a statement with server-side parameters (`$1`).
//!
//! This is done only if it keeps the meaning: each placeholder must be a whole item of a single
//! VALUES list, so that its column alone decides its type. Elsewhere (in an expression, a SELECT, a
//! list of several rows) the server would choose another type for `$1` than for a constant.
//!
//! <https://www.postgresql.org/docs/current/sql-insert.html>

use std::fmt;

use crate::encoding::Encoding;
use crate::template::{Piece, Template};

/// Why a query is not a plain `INSERT … VALUES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPlain {
    /// It does not begin with `INSERT INTO`.
    NoInsert,
    /// There is no VALUES list.
    NoValues,
    /// A placeholder is not a whole item of the VALUES list.
    Placeholder,
    /// A comment, a dollar sign, a semicolon, a backslash in a string, or a character that may
    /// contain a bracket: the server might read what follows differently.
    Unread,
    /// More than one row.
    Rows,
}

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotPlain::NoInsert => "it does not begin with INSERT INTO",
            NotPlain::NoValues => "it has no VALUES (...)",
            NotPlain::Placeholder => "a placeholder is not a whole value of VALUES (...)",
            NotPlain::Unread => {
                "it has a comment, a dollar sign, a semicolon, or a backslash in a string"
            }
            NotPlain::Rows => "it has several rows of values",
        })
    }
}

impl std::error::Error for NotPlain {}

/// A token, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a [u8]),
    Symbol(u8),
    /// A string or a quoted name.
    Quoted,
    Placeholder,
}

/// The part of the statement that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Insert,
    Into,
    Target,
    Open,
    Values,
    Rest,
}

/// The statement with `$1`, `$2`, … for its placeholders, each with its own number.
///
/// # Errors
/// If it is not a plain `INSERT … VALUES`.
pub fn numbered(
    template: &Template,
    query: &[u8],
    encoding: &Encoding,
) -> Result<Vec<u8>, NotPlain> {
    if !encoding.is_ascii_safe() && !query.is_ascii() {
        // A bracket might be half of a character.
        return Err(NotPlain::Unread);
    }
    let mut out = Vec::with_capacity(query.len() + 16);
    let mut scanner = Scanner { part: Part::Insert, depth: 0, item: 0, after: false };
    let mut number = 0;
    for piece in template.pieces() {
        match piece {
            Piece::Text(range) => {
                let text = template.text(range);
                scanner.text(text)?;
                out.extend_from_slice(text);
            }
            Piece::Value(_) => {
                scanner.token(Token::Placeholder)?;
                number += 1;
                out.push(b'$');
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
        }
    }
    match scanner.part {
        Part::Rest => Ok(out),
        Part::Insert | Part::Into => Err(NotPlain::NoInsert),
        _ => Err(NotPlain::NoValues),
    }
}

struct Scanner {
    part: Part,
    depth: usize,
    /// How many tokens the current item of the VALUES list has so far.
    item: usize,
    /// Whether the VALUES list ended with the last token.
    after: bool,
}

impl Scanner {
    /// Reads a piece of text. A placeholder ends a token, so the piece begins a new one.
    fn text(&mut self, text: &[u8]) -> Result<(), NotPlain> {
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            let length = match first {
                _ if first.is_ascii_whitespace() => {
                    rest = after;
                    continue;
                }
                b'\'' | b'"' => {
                    let end = memchr::memchr(first, after).ok_or(NotPlain::Placeholder)?;
                    let inside = after.get(..end).unwrap_or_default();
                    if first == b'\'' && memchr::memchr(b'\\', inside).is_some() {
                        return Err(NotPlain::Unread);
                    }
                    // A doubled quote is read as two constants, which makes no difference here.
                    self.token(Token::Quoted)?;
                    end + 2
                }
                b'$' | b';' | b'\\' => return Err(NotPlain::Unread),
                b'-' if after.first() == Some(&b'-') => return Err(NotPlain::Unread),
                b'/' if after.first() == Some(&b'*') => return Err(NotPlain::Unread),
                _ if is_word(first) => {
                    let length = rest.iter().take_while(|&&byte| is_word(byte)).count();
                    self.token(Token::Word(rest.get(..length).unwrap_or_default()))?;
                    length
                }
                _ => {
                    self.token(Token::Symbol(first))?;
                    1
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn token(&mut self, token: Token<'_>) -> Result<(), NotPlain> {
        if token == Token::Placeholder && (self.part != Part::Values || self.depth != 1) {
            return Err(NotPlain::Placeholder);
        }
        match token {
            Token::Symbol(b'(' | b'[') => self.depth += 1,
            Token::Symbol(b')' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let is =
            |word: &[u8]| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word));
        match self.part {
            Part::Insert if is(b"insert") => self.part = Part::Into,
            Part::Into if is(b"into") => self.part = Part::Target,
            Part::Insert | Part::Into => return Err(NotPlain::NoInsert),
            Part::Target if self.depth == 0 && is(b"values") => self.part = Part::Open,
            Part::Target => {}
            Part::Open if token == Token::Symbol(b'(') => self.part = Part::Values,
            Part::Open => return Err(NotPlain::NoValues),
            Part::Values => return self.item(token),
            Part::Rest if self.after && token == Token::Symbol(b',') => return Err(NotPlain::Rows),
            Part::Rest => self.after = false,
        }
        Ok(())
    }

    /// Reads a token of the VALUES list.
    fn item(&mut self, token: Token<'_>) -> Result<(), NotPlain> {
        /// The count of an item that is a placeholder: no other token may join it.
        const ALONE: usize = usize::MAX / 2;
        match token {
            Token::Symbol(b')') if self.depth == 0 => {
                self.part = Part::Rest;
                self.after = true;
            }
            Token::Symbol(b',') if self.depth == 1 => self.item = 0,
            Token::Placeholder if self.item == 0 => self.item = ALONE,
            _ if token == Token::Placeholder || self.item >= ALONE => {
                return Err(NotPlain::Placeholder);
            }
            _ => self.item += 1,
        }
        Ok(())
    }
}

/// Whether a byte is part of a name or a number, as every non-ASCII byte is in every encoding.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{self, UTF8};

    fn read(query: &str) -> Result<String, NotPlain> {
        let template = Template::parse(query.as_bytes());
        numbered(&template, query.as_bytes(), &UTF8)
            .map(|sql| String::from_utf8(sql).expect("text"))
    }

    #[test]
    fn placeholders_become_numbers() {
        for (query, sql) in [
            ("insert into t values (%s, %s)", "insert into t values ($1, $2)"),
            ("INSERT INTO t VALUES(%s)", "INSERT INTO t VALUES($1)"),
            (
                "  insert\ninto \"a b\".\"t\" as x (a, b)\nvalues\n( %s ,now(), %s)\n",
                "  insert\ninto \"a b\".\"t\" as x (a, b)\nvalues\n( $1 ,now(), $2)\n",
            ),
            ("insert into t values (%(a)s, %(b)s, %(a)s)", "insert into t values ($1, $2, $3)"),
            (
                "insert into t values (%s, default, 'it''s', 1 + (2), array[1,2])",
                "insert into t values ($1, default, 'it''s', 1 + (2), array[1,2])",
            ),
            (
                "insert into t values (%s) on conflict (a) do update set b = excluded.b returning a, b",
                "insert into t values ($1) on conflict (a) do update set b = excluded.b returning a, b",
            ),
            ("insert into été values (%s, 100%%)", "insert into été values ($1, 100%)"),
            ("insert into t values (1)", "insert into t values (1)"),
            (
                "insert into t overriding system value values (%s)",
                "insert into t overriding system value values ($1)",
            ),
        ] {
            assert_eq!(read(query).as_deref(), Ok(sql));
        }
    }

    #[test]
    fn statements_that_would_change_their_meaning_are_refused() {
        use NotPlain::{NoInsert, NoValues, Placeholder, Rows, Unread};
        for (query, reason) in [
            ("select %s", NoInsert),
            ("select 1", NoInsert),
            ("", NoInsert),
            ("insert", NoInsert),
            ("update t set a = 1", NoInsert),
            ("with x as (select 1) insert into t values (1)", NoInsert),
            ("insert into t default values", NoValues),
            ("insert into t select 1", NoValues),
            ("insert into t values", NoValues),
            ("insert into t values (1", NoValues),
            ("insert into t select * from (values (%s)) v", Placeholder),
            ("insert into t values (%s + 1)", Placeholder),
            ("insert into t values (1 + %s)", Placeholder),
            ("insert into t values (-%s)", Placeholder),
            ("insert into t values (%s::int)", Placeholder),
            ("insert into t values (%s %s)", Placeholder),
            ("insert into t values (lower(%s))", Placeholder),
            ("insert into t values ((%s))", Placeholder),
            ("insert into t values (array[%s])", Placeholder),
            ("insert into t values ('%s')", Placeholder),
            ("insert into t values (\"%s\")", Placeholder),
            ("insert into %s values (1)", Placeholder),
            ("insert into t (%s) values (1)", Placeholder),
            ("insert into t values (%s) returning %s", Placeholder),
            ("insert into t values (%s), (%s)", Rows),
            ("insert into t values (%s) -- x", Unread),
            ("insert into t values (%s) /* x */", Unread),
            ("insert into t values (%s);", Unread),
            ("insert into t values (%s, $1)", Unread),
            ("insert into t values (%s, E'\\'')", Unread),
        ] {
            assert_eq!(read(query), Err(reason), "{query}");
        }
    }

    #[test]
    fn half_a_character_is_no_bracket() {
        let query = b"insert into t values (%s, \x83\x5b)";
        let sjis = encoding::by_name("SJIS").expect("known");
        assert_eq!(numbered(&Template::parse(query), query, sjis), Err(NotPlain::Unread));
        let plain = b"insert into t values (%s)";
        assert!(numbered(&Template::parse(plain), plain, sjis).is_ok());
    }
}
