//! Key/value pairs of the extension hstore: `"a"=>"1", "b"=>NULL`.
//!
//! <https://www.postgresql.org/docs/current/hstore.html#HSTORE-EXTERNAL-REP>

use std::borrow::Cow;

use super::Malformed;

const FAULT: Malformed = Malformed("malformed hstore value");

/// A reader of an hstore's pairs.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    first: bool,
}

/// A key and its value, `None` for NULL.
pub type Pair<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

impl<'a> Pairs<'a> {
    /// Starts at the beginning of `text`, in the server's form: keys and values quoted, `NULL` not.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, first: true }
    }

    /// The next pair, `None` after the last.
    pub fn step(&mut self) -> Result<Option<Pair<'a>>, Malformed> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() && self.first {
            return Ok(None);
        }
        if !self.first {
            match self.rest {
                [] => return Ok(None),
                [b',', rest @ ..] => self.rest = rest.trim_ascii_start(),
                _ => return Err(FAULT),
            }
        }
        self.first = false;
        let key = self.quoted()?;
        self.rest = self.rest.trim_ascii_start().strip_prefix(b"=>").ok_or(FAULT)?;
        self.rest = self.rest.trim_ascii_start();
        if let Some((null, rest)) = self.rest.split_first_chunk::<4>()
            && null.eq_ignore_ascii_case(b"null")
        {
            self.rest = rest;
            return Ok(Some((key, None)));
        }
        let value = self.quoted()?;
        Ok(Some((key, Some(value))))
    }

    /// Takes a string up to its closing quote off the front; a backslash escapes the byte after it.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let mut rest = self.rest.strip_prefix(b"\"").ok_or(FAULT)?;
        let mut unescaped = Vec::new();
        loop {
            let at = memchr::memchr2(b'"', b'\\', rest).ok_or(FAULT)?;
            let (text, tail) = (&rest[..at], &rest[at + 1..]);
            if rest[at] == b'"' {
                self.rest = tail;
                if unescaped.is_empty() {
                    return Ok(Cow::Borrowed(text));
                }
                unescaped.extend_from_slice(text);
                return Ok(Cow::Owned(unescaped));
            }
            let (escaped, tail) = tail.split_first().ok_or(FAULT)?;
            unescaped.extend_from_slice(text);
            unescaped.push(*escaped);
            rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn read(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let show = |bytes: Cow<'_, [u8]>| String::from_utf8_lossy(&bytes).into_owned();
        let mut pairs = Pairs::new(text.as_bytes());
        let mut read = Vec::new();
        loop {
            match pairs.step() {
                Ok(Some((key, value))) => read.push((show(key), value.map(show))),
                Ok(None) => return Some(read),
                Err(_) => return None,
            }
        }
    }

    fn pair(key: &str, value: Option<&str>) -> (String, Option<String>) {
        (key.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn the_servers_text_is_read() {
        assert_eq!(read(""), Some(vec![]));
        assert_eq!(read(r#""a"=>"1""#), Some(vec![pair("a", Some("1"))]));
        assert_eq!(
            read(r#""a"=>NULL, "NULL"=>"NULL", ""=>"""#),
            Some(vec![pair("a", None), pair("NULL", Some("NULL")), pair("", Some(""))])
        );
        assert_eq!(read(r#""\"=>\""=>"\\""#), Some(vec![pair("\"=>\"", Some("\\"))]));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "a",
            "\"a\"",
            "\"a\"=>",
            "\"a\"=>1",
            "\"a\"=>\"1",
            "\"a\"=>\"1\",",
            "\"a\"=>\"1\" x",
            ",",
            "\"a",
            "\"a\\",
            "\"a\"=>\"1\"\"b\"=>\"2\"",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn mutated_text_gives_pairs_or_an_error() {
        let mut good = 0;
        hostile(&[r#""a"=>"1", "b\"c"=>NULL, "\\"=>"x y""#], |text| {
            good += usize::from(read(&String::from_utf8_lossy(text)).is_some());
        });
        assert!(good > 100, "too few mutations were readable: {good}");
    }
}
