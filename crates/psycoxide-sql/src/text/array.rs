//! Arrays in text: `{1,NULL,"a\"b"}`, nested, with or without explicit bounds.
//!
//! <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>

use super::Malformed;

/// The greatest depth of braces. PostgreSQL's own limit is 6 dimensions (`MAXDIM`); psycopg2 stops
/// after 17 braces. It bounds readers of hostile text.
pub const MAX_DEPTH: usize = 17;

/// One step through an array's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// `{`: a (sub-)array begins.
    Open,
    /// `}`: the innermost array ends.
    Close,
    /// An unquoted `NULL`, in any case.
    Null,
    /// An element that is its own text.
    Plain(&'a [u8]),
    /// An element with backslashes, which [`unescape`] removes.
    Escaped(&'a [u8]),
}

/// An iterator over an array's text, from left to right.
///
/// The first item is the outermost [`Item::Open`]. If no error is returned, braces are balanced.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
    delimiter: u8,
    depth: usize,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// The outermost `{`.
    Start,
    /// After `{`: an element, `{`, or `}` for an empty array.
    First,
    /// After `,`: an element or `{`.
    Element,
    /// After an element or `}`: `,` or `}`.
    Separator,
    /// After the outermost `}`: nothing.
    End,
}

impl<'a> Items<'a> {
    /// Starts at the beginning of `text`, after any bounds (`[2:3][0:1]=`).
    pub fn new(text: &'a [u8]) -> Self {
        let mut rest = text;
        if rest.first() == Some(&b'[')
            && let Some(equals) = memchr::memchr(b'=', rest)
        {
            rest = &rest[equals + 1..];
        }
        Self { rest, delimiter: b',', depth: 0, expect: Expect::Start }
    }

    /// As [`Items::new`], for a type whose arrays have another delimiter than a comma
    /// (`pg_type.typdelim`).
    pub fn with_delimiter(text: &'a [u8], delimiter: u8) -> Self {
        Self { delimiter, ..Self::new(text) }
    }

    /// The next item, `None` after the last.
    #[inline]
    pub fn step(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        let Some(&first) = self.rest.first() else {
            return match self.expect {
                Expect::End => Ok(None),
                Expect::Start => Err(Malformed("array does not start with '{'")),
                _ if self.depth == 1 && self.expect == Expect::First => {
                    Err(Malformed("malformed array: '{'"))
                }
                _ => Err(Malformed("unbalanced braces in array")),
            };
        };
        match (self.expect, first) {
            (Expect::Separator, byte) if byte == self.delimiter => {
                self.rest = &self.rest[1..];
                self.expect = Expect::Element;
                self.element()
            }
            (Expect::Separator | Expect::First, b'}') => self.close(),
            (Expect::Start, b'{') => self.open(),
            (Expect::First | Expect::Element, _) => self.element(),
            (Expect::Start, _) => Err(Malformed("array does not start with '{'")),
            (Expect::End, b'}') => Err(Malformed("unbalanced braces in array")),
            (Expect::End | Expect::Separator, _) => Err(Malformed("malformed array")),
        }
    }

    fn open(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed("excessive array dimensions"));
        }
        self.depth += 1;
        self.rest = &self.rest[1..];
        self.expect = Expect::First;
        Ok(Some(Item::Open))
    }

    fn close(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        self.depth -= 1;
        self.rest = &self.rest[1..];
        self.expect = if self.depth == 0 { Expect::End } else { Expect::Separator };
        Ok(Some(Item::Close))
    }

    fn element(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        match self.rest.first() {
            Some(b'{') => self.open(),
            Some(b'"') => self.quoted().map(Some),
            _ => self.unquoted().map(Some),
        }
    }

    fn quoted(&mut self) -> Result<Item<'a>, Malformed> {
        let body = &self.rest[1..];
        let mut escaped = false;
        let mut from = 0;
        loop {
            let at = body
                .get(from..)
                .and_then(|tail| memchr::memchr2(b'"', b'\\', tail))
                .map(|at| from + at)
                .ok_or(Malformed("unterminated quotes in array"))?;
            if body[at] == b'"' {
                self.rest = &body[at + 1..];
                self.expect = Expect::Separator;
                let text = &body[..at];
                return Ok(if escaped { Item::Escaped(text) } else { Item::Plain(text) });
            }
            escaped = true;
            from = at + 2;
        }
    }

    fn unquoted(&mut self) -> Result<Item<'a>, Malformed> {
        let mut escaped = false;
        let mut at = 0;
        let text = loop {
            match self.rest.get(at) {
                Some(byte) if *byte == self.delimiter || *byte == b'}' => break &self.rest[..at],
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(b'"' | b'{') => return Err(Malformed("malformed array")),
                Some(_) => at += 1,
                None => return Err(Malformed("unbalanced braces in array")),
            }
        };
        if text.is_empty() {
            return Err(Malformed("empty element in array"));
        }
        self.rest = &self.rest[at..];
        self.expect = Expect::Separator;
        Ok(match text {
            _ if escaped => Item::Escaped(text),
            _ if text.len() == 4 && text.eq_ignore_ascii_case(b"null") => Item::Null,
            _ => Item::Plain(text),
        })
    }
}

/// Sets `out` to `text` without its backslashes; the byte after each one stays.
pub fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        match rest.get(at + 1) {
            Some(byte) => out.push(*byte),
            None => return,
        }
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn walk(text: &[u8]) -> Result<String, Malformed> {
        let mut items = Items::new(text);
        let mut shown = String::new();
        let mut buffer = Vec::new();
        while let Some(item) = items.step()? {
            match item {
                Item::Open => shown.push('<'),
                Item::Close => shown.push('>'),
                Item::Null => shown.push('~'),
                Item::Plain(text) => shown += &format!("({})", String::from_utf8_lossy(text)),
                Item::Escaped(text) => {
                    unescape(text, &mut buffer);
                    shown += &format!("({})", String::from_utf8_lossy(&buffer));
                }
            }
        }
        Ok(shown)
    }

    #[test]
    fn the_servers_text_is_read() {
        for (text, expected) in [
            ("{}", "<>"),
            ("{1}", "<(1)>"),
            ("{1,2}", "<(1)(2)>"),
            ("{NULL,null,\"NULL\"}", "<~~(NULL)>"),
            ("{{1,2},{3,4}}", "<<(1)(2)><(3)(4)>>"),
            ("{{},{}}", "<<><>>"),
            ("[2:3]={1,2}", "<(1)(2)>"),
            ("[0:0][-1:0]={{1,2}}", "<<(1)(2)>>"),
            (r#"{"a,b","{}","","a b"}"#, "<(a,b)({})()(a b)>"),
            (r#"{"a\"b","\\","\\\""}"#, r#"<(a"b)(\)(\")>"#),
            (r#"{a\"b}"#, r#"<(a"b)>"#),
        ] {
            assert_eq!(walk(text.as_bytes()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "", "{", "}", "1", "{1", "{1,", "{1,}", "{,}", "{\"a", "{\"a\\", "{a\\", "{}}", "{}x",
            "{\"a\"b}", "{a\"b}", "{{1}2}", "{1}{2}", "[1:2]", "[1:2]=", "{{1}", "{a{b}}",
        ] {
            assert!(walk(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| "{".repeat(depth) + &"}".repeat(depth);
        assert!(walk(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            walk(nested(MAX_DEPTH + 1).as_bytes()),
            Err(Malformed("excessive array dimensions"))
        );
        assert!(walk(nested(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn mutated_arrays_end_in_balance_or_error() {
        let seeds = ["{1,2,3}", r#"{{"a\"b",NULL},{"\\","x,y"}}"#, "[1:2][3:4]={{1,2},{3,4}}"];
        hostile(&seeds, |text| {
            if let Ok(shown) = walk(text) {
                let count = |mark| shown.matches(mark).count();
                assert!(shown.starts_with('<') && count('<') >= 1 && count('>') >= 1);
            }
        });
    }
}
