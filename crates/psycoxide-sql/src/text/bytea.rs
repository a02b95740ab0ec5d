//! Binary strings, in both formats of `bytea_output`.
//!
//! <https://www.postgresql.org/docs/current/datatype-binary.html>

use super::Malformed;

/// Decodes `text`, in `hex` (`\x0aff`) or `escape` (`a\\b\377`) format.
pub fn bytes(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    match text {
        [b'\\', b'x', hex @ ..] => unhex(hex),
        text => unescape(text),
    }
}

/// Decodes pairs of digits, by vector instructions if the processor has them.
fn unhex(hex: &[u8]) -> Result<Vec<u8>, Malformed> {
    if !hex.len().is_multiple_of(2) {
        return Err(Malformed("odd number of digits in bytea"));
    }
    let mut out = vec![0; hex.len() / 2];
    match const_hex::decode_to_slice(hex, &mut out) {
        Ok(()) => Ok(out),
        Err(_) => Err(Malformed("invalid digit in bytea")),
    }
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = match &rest[at + 1..] {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest
            }
            // The server escapes only the backslash; any other escaped byte is itself, as in input.
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => return Err(Malformed("lone backslash at the end of bytea")),
        };
    }
    out.extend_from_slice(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::{Random, hostile};

    #[test]
    fn both_formats_give_the_bytes_back() {
        let mut random = Random(7);
        for length in 0..200 {
            let value: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(bytes(format!("\\x{hex}").as_bytes()).as_ref(), Ok(&value));
            assert_eq!(bytes(format!("\\x{}", hex.to_uppercase()).as_bytes()).as_ref(), Ok(&value));
            let mut escaped = Vec::new();
            for byte in &value {
                match byte {
                    b'\\' => escaped.extend_from_slice(b"\\\\"),
                    0x20..=0x7e => escaped.push(*byte),
                    byte => escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
                }
            }
            assert_eq!(bytes(&escaped).as_ref(), Ok(&value));
        }
    }

    #[test]
    fn every_byte_is_checked_as_a_digit() {
        for byte in 0..=u8::MAX {
            for length in [2, 64] {
                let mut text = vec![b'0'; length];
                text[1] = byte;
                let expected = char::from(byte).to_digit(16);
                let got = unhex(&text).ok().map(|bytes| u32::from(bytes[0]));
                assert_eq!(got, expected, "{byte}");
            }
        }
    }

    #[test]
    fn half_a_byte_and_half_an_escape_are_refused() {
        assert!(bytes(b"\\x0").is_err());
        assert!(bytes(b"\\xZZ").is_err());
        assert!(bytes(b"\\").is_err());
        assert_eq!(bytes(b"\\a\\477"), Ok(b"a477".to_vec()));
        assert_eq!(bytes(b""), Ok(vec![]));
    }

    #[test]
    fn mutated_text_never_grows() {
        hostile(&["\\x00ff7f80", "a\\\\b\\377\\000c", "\\x"], |text| {
            if let Ok(value) = bytes(text) {
                assert!(value.len() <= text.len());
            }
        });
    }
}
