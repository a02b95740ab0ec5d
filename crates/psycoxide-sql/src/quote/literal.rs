//! String constants.
//!
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS>

use super::{Error, StringStyle};
use crate::encoding::Encoding;

/// Up to this length it is cheaper to check all bytes, eight at a time, than to call a search that
/// detects the processor's features first.
const SHORT: usize = 64;

/// Appends `text`, which is in `encoding`, as a string constant.
///
/// After an error `out` may contain part of it.
pub fn write(
    out: &mut Vec<u8>,
    text: &[u8],
    encoding: &Encoding,
    style: StringStyle,
) -> Result<(), Error> {
    if let Some(offset) = encoding.find_invalid(text) {
        return Err(Error::Invalid(offset));
    }
    if encoding.is_ascii_safe() {
        return write_ascii_safe(out, text, style);
    }
    open(out, text.len(), style);
    let mut rest = text;
    while let Some(length) = encoding.scheme.character(rest) {
        let (character, after) = rest.split_at(length);
        match character {
            [0] => return Err(Error::Nul),
            [b'\''] => out.extend_from_slice(b"''"),
            [b'\\'] if style == StringStyle::Escape => out.extend_from_slice(b"\\\\"),
            _ => out.extend_from_slice(character),
        }
        rest = after;
    }
    out.push(b'\'');
    Ok(())
}

/// Refuses text that [`write`] refuses.
pub fn check(text: &[u8], encoding: &Encoding) -> Result<(), Error> {
    if !encoding.is_ascii_safe()
        && let Some(offset) = encoding.find_invalid(text)
    {
        return Err(Error::Invalid(offset));
    }
    let found = match text.len() {
        0..=SHORT => text.contains(&0),
        _ => memchr::memchr(0, text).is_some(),
    };
    if found { Err(Error::Nul) } else { Ok(()) }
}

/// Appends `text` as a string constant, for a session in UTF-8.
pub fn write_utf8(out: &mut Vec<u8>, text: &str, style: StringStyle) -> Result<(), Error> {
    write_ascii_safe(out, text.as_bytes(), style)
}

fn write_ascii_safe(out: &mut Vec<u8>, text: &[u8], style: StringStyle) -> Result<(), Error> {
    open(out, text.len(), style);
    if text.len() <= SHORT && is_plain(text) {
        out.extend_from_slice(text);
        out.push(b'\'');
        return Ok(());
    }
    let mut rest = text;
    // In standard strings a backslash is an ordinary character, so the third needle repeats the
    // first.
    let backslash = if style == StringStyle::Escape { b'\\' } else { b'\'' };
    while let Some(at) = memchr::memchr3(b'\'', 0, backslash, rest) {
        let (plain, special) = rest.split_at(at);
        let Some((&byte, after)) = special.split_first() else { break };
        if byte == 0 {
            return Err(Error::Nul);
        }
        out.extend_from_slice(plain);
        out.extend_from_slice(&[byte, byte]);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'\'');
    Ok(())
}

/// Whether no byte of the text is special inside a constant.
fn is_plain(text: &[u8]) -> bool {
    match (text.first_chunk(), text.last_chunk()) {
        // The two chunks may overlap.
        (Some(first), Some(last)) if text.len() <= 16 => (special(*first) | special(*last)) == 0,
        (_, Some(last)) => {
            text.as_chunks().0.iter().all(|&chunk| special(chunk) == 0) && special(*last) == 0
        }
        _ => !text.iter().any(|byte| matches!(byte, b'\'' | b'\\' | 0)),
    }
}

/// SWAR: nonzero if, and only if, one of the eight bytes is special inside a constant.
#[inline]
fn special(bytes: [u8; 8]) -> u64 {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = LOW_BITS << 7;
    let word = u64::from_le_bytes(bytes);
    // The lowest flagged byte is a zero byte for certain. Bytes above it may be flagged by its
    // borrow.
    let zeros = |word: u64| word.wrapping_sub(LOW_BITS) & !word;
    let quotes = zeros(word ^ (LOW_BITS * b'\'' as u64));
    let backslashes = zeros(word ^ (LOW_BITS * b'\\' as u64));
    (zeros(word) | quotes | backslashes) & HIGH_BITS
}

fn open(out: &mut Vec<u8>, length: usize, style: StringStyle) {
    out.reserve(length + 3);
    match style {
        StringStyle::Standard => out.push(b'\''),
        StringStyle::Escape => out.extend_from_slice(b"E'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{self, UTF8};

    fn quoted(name: &str, text: &[u8], style: StringStyle) -> Result<Vec<u8>, Error> {
        let mut out = b"x=".to_vec();
        let encoding = encoding::by_name(name).expect("a known encoding");
        write(&mut out, text, encoding, style)?;
        assert_eq!(&out[..2], b"x=");
        Ok(out.split_off(2))
    }

    #[test]
    fn quotes_are_doubled_and_backslashes_by_style() {
        use StringStyle::{Escape, Standard};
        let text = br"a\'b''\";
        assert_eq!(quoted("UTF8", text, Standard).unwrap(), br"'a\''b''''\'");
        assert_eq!(quoted("UTF8", text, Escape).unwrap(), br"E'a\\''b''''\\'");
        assert_eq!(quoted("LATIN1", b"", Standard).unwrap(), b"''");
        assert_eq!(quoted("LATIN1", b"\xe9'", Standard).unwrap(), b"'\xe9'''");
        assert_eq!(quoted("SJIS", text, Escape).unwrap(), br"E'a\\''b''''\\'");
    }

    #[test]
    fn a_special_byte_is_found_in_any_place() {
        for length in 0..70 {
            let plain = vec![b'x'; length];
            assert!(is_plain(&plain));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = plain.clone();
                    text[place] = byte;
                    assert_eq!(is_plain(&text), !matches!(byte, b'\'' | b'\\' | 0), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn nul_is_refused() {
        for name in ["UTF8", "LATIN1", "SJIS", "EUC_JP"] {
            assert_eq!(quoted(name, b"a\0b", StringStyle::Standard), Err(Error::Nul), "{name}");
        }
    }

    #[test]
    fn a_trailing_byte_is_not_a_backslash() {
        let style = StringStyle::Escape;
        assert_eq!(quoted("SJIS", b"\x95\x5c'", style).unwrap(), b"E'\x95\x5c'''");
        assert_eq!(quoted("BIG5", b"\xa5\x5c\\", style).unwrap(), b"E'\xa5\x5c\\\\'");
        assert_eq!(quoted("GBK", b"\xd5\x5c", style).unwrap(), b"E'\xd5\x5c'");
        assert_eq!(
            quoted("GB18030", b"\x81\x30\x81\x30'", style).unwrap(),
            b"E'\x81\x30\x81\x30'''"
        );
    }

    #[test]
    fn half_characters_that_could_swallow_a_quote_are_refused() {
        for name in ["UTF8", "SJIS", "BIG5", "GBK", "GB18030", "UHC", "JOHAB", "EUC_JP", "EUC_KR"] {
            for text in [&b"ab\xe5"[..], b"ab\xe5'; drop table x --"] {
                let result = quoted(name, text, StringStyle::Standard);
                assert_eq!(result, Err(Error::Invalid(2)), "{name}");
            }
        }
    }

    /// For every pair of bytes, in every encoding: a reader of whole characters sees the constant
    /// end at the closing quote, and nowhere before it.
    #[test]
    fn every_pair_of_bytes_stays_inside() {
        for encoding in encoding::ENCODINGS {
            for style in [StringStyle::Standard, StringStyle::Escape] {
                for pair in 0..=u16::MAX {
                    let mut out = Vec::new();
                    if write(&mut out, &pair.to_be_bytes(), encoding, style).is_ok() {
                        assert_eq!(literal_end(&out, encoding), Some(out.len()), "{out:x?}");
                    }
                }
            }
        }
    }

    /// The offset at which a lexer that knows the encoding sees the constant at the start of `sql`
    /// end.
    fn literal_end(sql: &[u8], encoding: &Encoding) -> Option<usize> {
        let escapes = sql.first() == Some(&b'E');
        let mut at = if escapes { 2 } else { 1 };
        loop {
            let length = match encoding.scheme {
                encoding::Scheme::Utf8 => {
                    let text = std::str::from_utf8(sql.get(at..)?).ok()?;
                    text.chars().next()?.len_utf8()
                }
                scheme => scheme.character(sql.get(at..)?)?,
            };
            match sql.get(at..at + length)? {
                b"'" if sql.get(at + 1) == Some(&b'\'') => at += 2,
                b"'" => return Some(at + 1),
                b"\\" if escapes => at += 2,
                _ => at += length,
            }
        }
    }

    #[test]
    fn utf8_needs_no_second_look() {
        let mut out = Vec::new();
        write_utf8(&mut out, "l'été", StringStyle::Standard).unwrap();
        assert_eq!(out, "'l''été'".as_bytes());
        assert_eq!(write_utf8(&mut out, "\0", StringStyle::Standard), Err(Error::Nul));
        let mut same = Vec::new();
        write(&mut same, "l'été".as_bytes(), &UTF8, StringStyle::Standard).unwrap();
        assert_eq!(same, "'l''été'".as_bytes());
    }
}
