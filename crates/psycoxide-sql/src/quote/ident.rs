//! Quoted identifiers.
//!
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>

use super::Error;
use crate::encoding::Encoding;

/// Appends `name`, which is in `encoding`, as a quoted identifier.
///
/// After an error `out` may contain part of it.
pub fn write(out: &mut Vec<u8>, name: &[u8], encoding: &Encoding) -> Result<(), Error> {
    if let Some(offset) = encoding.find_invalid(name) {
        return Err(Error::Invalid(offset));
    }
    out.reserve(name.len() + 2);
    out.push(b'"');
    // No encoding has a double quote as a second byte, so single bytes can be compared, although
    // this would not do for a backslash.
    for &byte in name {
        match byte {
            0 => return Err(Error::Nul),
            b'"' => out.extend_from_slice(b"\"\""),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{self, UTF8};

    fn quoted(name: &[u8], encoding: &Encoding) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        write(&mut out, name, encoding)?;
        Ok(out)
    }

    #[test]
    fn double_quotes_are_doubled() {
        assert_eq!(quoted(br#"we"ird \ 'x'"#, &UTF8).unwrap(), br#""we""ird \ 'x'""#);
        assert_eq!(quoted(b"", &UTF8).unwrap(), b"\"\"");
        assert_eq!(quoted("☃".as_bytes(), &UTF8).unwrap(), "\"☃\"".as_bytes());
    }

    #[test]
    fn nul_and_half_characters_are_refused() {
        assert_eq!(quoted(b"a\0", &UTF8), Err(Error::Nul));
        assert_eq!(quoted(b"a\xc3", &UTF8), Err(Error::Invalid(1)));
        let sjis = encoding::by_name("SJIS").expect("a known encoding");
        assert_eq!(quoted(b"\x95", sjis), Err(Error::Invalid(0)));
        assert_eq!(quoted(b"\x95\x5c", sjis).unwrap(), b"\"\x95\x5c\"");
    }

    #[test]
    fn no_character_contains_a_double_quote() {
        for encoding in encoding::ENCODINGS {
            for first in 0x80..=0xff {
                assert!(
                    encoding.scheme == encoding::Scheme::Single
                        || encoding
                            .scheme
                            .character(&[first, b'"', 0xa1, 0xa1])
                            .is_none_or(|n| n == 1),
                    "{} {first:x}",
                    encoding.name
                );
            }
        }
    }
}
