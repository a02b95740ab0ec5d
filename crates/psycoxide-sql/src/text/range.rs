//! Ranges, `[1,5)`, `(,"a b"]`, `empty`, and multiranges, `{[1,5),[7,)}`.
//!
//! <https://www.postgresql.org/docs/current/rangetypes.html#RANGETYPES-IO>

use super::Malformed;

const FAULT: Malformed = Malformed("malformed range");

/// A range whose bounds are still text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// `empty`
    Empty,
    /// A range between two bounds. A missing bound is unbounded.
    Between {
        /// The lower bound.
        lower: Option<Vec<u8>>,
        /// The upper bound.
        upper: Option<Vec<u8>>,
        /// `[`: the range includes the lower bound.
        lower_inclusive: bool,
        /// `]`: the range includes the upper bound.
        upper_inclusive: bool,
    },
}

/// A range in the server's form.
pub fn range(text: &[u8]) -> Result<Range, Malformed> {
    if text == b"empty" {
        return Ok(Range::Empty);
    }
    match between(text)? {
        (range, b"") => Ok(range),
        _ => Err(FAULT),
    }
}

/// The texts of the ranges in a multirange, in the server's form.
pub fn multirange(text: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let inner = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).ok_or(FAULT)?;
    let mut ranges = Vec::new();
    let mut rest = inner;
    while !rest.is_empty() {
        if !ranges.is_empty() {
            rest = rest.strip_prefix(b",").ok_or(FAULT)?;
        }
        let (_, tail) = between(rest)?;
        ranges.push(&rest[..rest.len() - tail.len()]);
        rest = tail;
    }
    Ok(ranges)
}

/// The range at the start of `text`, and the text after it.
fn between(text: &[u8]) -> Result<(Range, &[u8]), Malformed> {
    let (lower_inclusive, mut rest) = match text {
        [b'[', rest @ ..] => (true, rest),
        [b'(', rest @ ..] => (false, rest),
        _ => return Err(FAULT),
    };
    let lower = bound(&mut rest)?;
    rest = rest.strip_prefix(b",").ok_or(FAULT)?;
    let upper = bound(&mut rest)?;
    let (upper_inclusive, rest) = match rest {
        [b']', rest @ ..] => (true, rest),
        [b')', rest @ ..] => (false, rest),
        _ => return Err(FAULT),
    };
    Ok((Range::Between { lower, upper, lower_inclusive, upper_inclusive }, rest))
}

/// Takes a bound off the front of `text`, up to its delimiter; `None` if it is empty.
fn bound(text: &mut &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    if matches!(text.first(), Some(b',' | b')' | b']')) {
        return Ok(None);
    }
    let mut value = Vec::new();
    let mut quoted = false;
    loop {
        let (byte, mut rest) = text.split_first().ok_or(FAULT)?;
        match (byte, quoted) {
            (b',' | b')' | b']', false) => return Ok(Some(value)),
            (b'"', true) if rest.first() == Some(&b'"') => {
                value.push(b'"');
                rest = &rest[1..];
            }
            (b'"', _) => quoted = !quoted,
            (b'\\', _) => {
                let (escaped, tail) = rest.split_first().ok_or(FAULT)?;
                value.push(*escaped);
                rest = tail;
            }
            (byte, _) => value.push(*byte),
        }
        *text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn expected(
        lower: Option<&str>,
        upper: Option<&str>,
        lower_inclusive: bool,
        upper_inclusive: bool,
    ) -> Result<Range, Malformed> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Ok(Range::Between {
            lower: lower.map(bytes),
            upper: upper.map(bytes),
            lower_inclusive,
            upper_inclusive,
        })
    }

    #[test]
    fn the_servers_text_is_read() {
        assert_eq!(range(b"empty"), Ok(Range::Empty));
        assert_eq!(range(b"[1,5)"), expected(Some("1"), Some("5"), true, false));
        assert_eq!(range(b"(,)"), expected(None, None, false, false));
        assert_eq!(range(b"(,5]"), expected(None, Some("5"), false, true));
        assert_eq!(
            range(br#"["a,b","\\ "")"]"#),
            expected(Some("a,b"), Some("\\ \")"), true, true)
        );
        assert_eq!(range(br#"["","x")"#), expected(Some(""), Some("x"), true, false));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in
            ["", "[", "[1", "[1,", "[1,2", "1,2)", "[1,2)x", "[1)", "[\"1,2)", "[1\\", "[1,2,3)"]
        {
            assert_eq!(range(text.as_bytes()), Err(FAULT), "{text}");
        }
    }

    #[test]
    fn a_multirange_is_taken_apart() {
        let none: Vec<&[u8]> = Vec::new();
        assert_eq!(multirange(b"{}"), Ok(none));
        assert_eq!(multirange(b"{[1,3)}"), Ok(vec![b"[1,3)".as_slice()]));
        assert_eq!(
            multirange(br#"{(,3),["a)},[","\""),[5,)}"#),
            Ok(vec![b"(,3)".as_slice(), br#"["a)},[","\"")"#.as_slice(), b"[5,)".as_slice()])
        );
        for text in
            ["", "{", "}", "[1,2)", "{[1,2)", "{[1,2),}", "{,[1,2)}", "{[1,2)[3,4)}", "{[1,2]]}"]
        {
            assert_eq!(multirange(text.as_bytes()), Err(FAULT), "{text}");
        }
    }

    #[test]
    fn mutated_multiranges_give_a_value_or_an_error() {
        let mut read = 0;
        hostile(&["{[1,5),(7,)}", r#"{["a b","c"]}"#, "{}"], |text| {
            read += usize::from(multirange(text).is_ok());
        });
        assert!(read > 100, "too few mutations were readable: {read}");
    }

    #[test]
    fn mutated_ranges_give_a_value_or_an_error() {
        let seeds = ["[1,5)", r#"["2020-01-01 00:00:00","2020-01-02 00:00:00"]"#, "(,)", "empty"];
        let mut read = 0;
        hostile(&seeds, |text| read += usize::from(range(text).is_ok()));
        assert!(read > 100, "too few mutations were readable: {read}");
    }
}
