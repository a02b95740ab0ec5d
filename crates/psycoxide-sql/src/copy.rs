//! The text format of COPY: a line for each row, with tabs between its fields.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.9.2>

use std::borrow::Cow;

use crate::encoding::Encoding;

/// A field that is NULL.
pub const NULL: &[u8] = b"\\N";

/// Appends the text of a field, which is in `encoding`.
pub fn write(out: &mut Vec<u8>, text: &[u8], encoding: &Encoding) {
    if encoding.is_ascii_safe() {
        return write_ascii_safe(out, text);
    }
    let mut rest = text;
    while !rest.is_empty() {
        // Bytes that are no character are for the server to refuse.
        let length = encoding.scheme.character(rest).unwrap_or(1).max(1);
        let (character, after) = rest.split_at(length.min(rest.len()));
        match (character, escape(character.first().copied().unwrap_or_default())) {
            ([_], Some(letter)) => out.extend_from_slice(&[b'\\', letter]),
            _ => out.extend_from_slice(character),
        }
        rest = after;
    }
}

fn write_ascii_safe(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len());
    let mut plain = 0;
    for (at, byte) in text.iter().enumerate() {
        if let Some(letter) = escape(*byte) {
            out.extend_from_slice(text.get(plain..at).unwrap_or_default());
            out.extend_from_slice(&[b'\\', letter]);
            plain = at + 1;
        }
    }
    out.extend_from_slice(text.get(plain..).unwrap_or_default());
}

/// What stands behind a backslash for a byte that has a meaning of its own.
#[inline]
fn escape(byte: u8) -> Option<u8> {
    match byte {
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\\' => Some(b'\\'),
        _ => None,
    }
}

/// The rows of complete lines, and what is left after the last of them.
pub fn lines(text: &[u8]) -> (impl Iterator<Item = &[u8]>, &[u8]) {
    let end = memchr::memrchr(b'\n', text).map_or(0, |at| at + 1);
    let (complete, rest) = text.split_at(end);
    let lines = complete.split_inclusive(|byte| *byte == b'\n');
    (lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line)), rest)
}

/// The fields of a line; `None` is NULL. A line without any byte is a row of one empty field, or
/// of none.
pub fn fields<'a>(
    line: &'a [u8],
    encoding: &'a Encoding,
) -> impl Iterator<Item = Option<Cow<'a, [u8]>>> {
    // A tab's byte is a tab in any encoding.
    line.split(|byte| *byte == b'\t').map(move |field| match field {
        NULL => None,
        field => Some(read(field, encoding)),
    })
}

/// The text of a field.
fn read<'a>(field: &'a [u8], encoding: &Encoding) -> Cow<'a, [u8]> {
    if memchr::memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let length = match encoding.is_ascii_safe() {
            true => 1,
            false => encoding.scheme.character(rest).unwrap_or(1).clamp(1, rest.len()),
        };
        if first == b'\\'
            && let Some((&letter, after)) = after.split_first()
        {
            text.push(match letter {
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                other => other,
            });
            rest = after;
        } else {
            let (character, after) = rest.split_at(length);
            text.extend_from_slice(character);
            rest = after;
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{self, UTF8};

    #[test]
    fn fields_come_back_as_they_were_written() {
        let texts: [&[u8]; 7] =
            [b"", b"a", b"a\tb\nc\rd\\e", b"\\N", b"\\", "\u{e9}\\".as_bytes(), b"\\.\x08\x0b\x0c"];
        let mut line = Vec::new();
        for text in texts {
            write(&mut line, text, &UTF8);
            line.push(b'\t');
        }
        line.extend_from_slice(NULL);
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        let fields: Vec<_> = fields(&line, &UTF8).collect();
        let expected: Vec<_> =
            texts.into_iter().map(|text| Some(Cow::Borrowed(text))).chain([None]).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_the_server_escapes_is_read() {
        let fields: Vec<_> = fields(b"\\b\\f\\n\\r\\t\\v\\\\\\x\t\\N\t\\\\N", &UTF8).collect();
        assert_eq!(fields, [Some(b"\x08\x0c\n\r\t\x0b\\x".into()), None, Some(b"\\N".into())]);
    }

    /// The second byte of some characters is a backslash's.
    #[test]
    fn characters_that_hold_a_backslash_stay_whole() {
        let sjis = encoding::by_name("SJIS").expect("a known encoding");
        let text = b"\x83\x5c\\\x83\x5ct";
        let mut line = Vec::new();
        write(&mut line, text, sjis);
        assert_eq!(line, b"\x83\x5c\\\\\x83\x5ct");
        assert_eq!(fields(&line, sjis).collect::<Vec<_>>(), [Some(text.into())]);
    }

    #[test]
    fn lines_are_split_where_rows_end() {
        let split = |text| {
            let (lines, rest) = lines(text);
            (lines.map(<[u8]>::to_vec).collect::<Vec<_>>(), rest)
        };
        assert_eq!(split(b"a\n\nb\nc"), (vec![b"a".to_vec(), vec![], b"b".to_vec()], &b"c"[..]));
        assert_eq!(split(b"a"), (vec![], &b"a"[..]));
        assert_eq!(split(b""), (vec![], &b""[..]));
    }
}
