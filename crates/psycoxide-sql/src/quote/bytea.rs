//! Constants of the type `bytea`.
//!
//! <https://www.postgresql.org/docs/current/datatype-binary.html>

use super::StringStyle;

/// Appends `data` in the hex format, which every server since 9.0 reads.
pub fn write_hex(out: &mut Vec<u8>, data: &[u8], style: StringStyle) {
    out.reserve(data.len().saturating_mul(2).saturating_add(16));
    out.extend_from_slice(match style {
        StringStyle::Standard => b"'\\x",
        StringStyle::Escape => b"E'\\\\x",
    });
    let start = out.len();
    out.resize(start + data.len() * 2, 0);
    let digits = out.get_mut(start..).unwrap_or_default();
    for (pair, &byte) in digits.chunks_exact_mut(2).zip(data) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out.extend_from_slice(b"'::bytea");
}

/// A hexadecimal digit, by arithmetic instead of a table, so that the compiler can vectorise.
fn digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// Appends `data` in the escape format, for standard strings.
///
/// It is used without a session, as in psycopg2: every server reads it the same, and printable data
/// stay readable.
pub fn write_escape(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve(data.len() + 16);
    out.push(b'\'');
    for &byte in data {
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let octal = [b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)];
                out.push(b'\\');
                out.extend_from_slice(&octal);
            }
        }
    }
    out.extend_from_slice(b"'::bytea");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_by_style() {
        let mut out = Vec::new();
        write_hex(&mut out, b"\0'\\\xff", StringStyle::Standard);
        assert_eq!(out, br"'\x00275cff'::bytea");
        out.clear();
        write_hex(&mut out, b"\x0a", StringStyle::Escape);
        assert_eq!(out, br"E'\\x0a'::bytea");
        out.clear();
        write_hex(&mut out, b"", StringStyle::Standard);
        assert_eq!(out, br"'\x'::bytea");
    }

    #[test]
    fn hex_of_any_length() {
        for length in [1, 63, 64, 65, 128, 1000] {
            let data: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let mut out = Vec::new();
            write_hex(&mut out, &data, StringStyle::Standard);
            let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(out, format!("'\\x{digits}'::bytea").as_bytes());
        }
    }

    #[test]
    fn escape_format() {
        let mut out = Vec::new();
        write_escape(&mut out, b"a'\\\0\xff ~\x7f");
        assert_eq!(out, br"'a''\\\000\377 ~\177'::bytea");
        out.clear();
        write_escape(&mut out, b"");
        assert_eq!(out, b"''::bytea");
    }
}
