//! Ranges: `[1,5)`, `(,"a b"]`, `empty`.
//!
//! <https://www.postgresql.org/docs/current/rangetypes.html#RANGETYPES-IO>

use super::Malformed;

const FAULT: Malformed = Malformed("malformed range");

/// A range whose bounds are still text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// `empty`
    Empty,
    /// A range between two bounds, either of which may be missing (unbounded).
    Between {
        /// The lower bound.
        lower: Option<Vec<u8>>,
        /// The upper bound.
        upper: Option<Vec<u8>>,
        /// `[`: the lower bound belongs to the range.
        lower_inclusive: bool,
        /// `]`: the upper bound belongs to the range.
        upper_inclusive: bool,
    },
}

/// A range in the form that the server writes it.
pub fn range(text: &[u8]) -> Result<Range, Malformed> {
    if text == b"empty" {
        return Ok(Range::Empty);
    }
    let (lower_inclusive, mut rest) = match text {
        [b'[', rest @ ..] => (true, rest),
        [b'(', rest @ ..] => (false, rest),
        _ => return Err(FAULT),
    };
    let lower = bound(&mut rest)?;
    rest = rest.strip_prefix(b",").ok_or(FAULT)?;
    let upper = bound(&mut rest)?;
    let upper_inclusive = match rest {
        b"]" => true,
        b")" => false,
        _ => return Err(FAULT),
    };
    Ok(Range::Between { lower, upper, lower_inclusive, upper_inclusive })
}

/// Takes a bound off the front of `text`, up to the delimiter that ends it; None if it is empty.
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

    fn between(
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
    fn what_the_server_writes_is_read() {
        assert_eq!(range(b"empty"), Ok(Range::Empty));
        assert_eq!(range(b"[1,5)"), between(Some("1"), Some("5"), true, false));
        assert_eq!(range(b"(,)"), between(None, None, false, false));
        assert_eq!(range(b"(,5]"), between(None, Some("5"), false, true));
        assert_eq!(range(br#"["a,b","\\ "")"]"#), between(Some("a,b"), Some("\\ \")"), true, true));
        assert_eq!(range(br#"["","x")"#), between(Some(""), Some("x"), true, false));
    }

    #[test]
    fn rubbish_is_refused() {
        for text in
            ["", "[", "[1", "[1,", "[1,2", "1,2)", "[1,2)x", "[1)", "[\"1,2)", "[1\\", "[1,2,3)"]
        {
            assert_eq!(range(text.as_bytes()), Err(FAULT), "{text}");
        }
    }

    #[test]
    fn mutated_ranges_give_a_value_or_an_error() {
        let seeds = ["[1,5)", r#"["2020-01-01 00:00:00","2020-01-02 00:00:00"]"#, "(,)", "empty"];
        let mut read = 0;
        hostile(&seeds, |text| read += usize::from(range(text).is_ok()));
        assert!(read > 100, "too few mutations were readable: {read}");
    }
}
