//! Ranges in binary: a byte of flags, then the bounds that there are, each after its length.
//! Multiranges: the number of ranges, then each after its length.

use super::FAULT;
use crate::text::Malformed;

const EMPTY: u8 = 1;
const LOWER_INCLUSIVE: u8 = 2;
const UPPER_INCLUSIVE: u8 = 4;
const NO_LOWER: u8 = 8;
const NO_UPPER: u8 = 16;

/// Writes the text of a value of the ranges' element type.
type WriteBound = fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>;

/// Writes the text of a range. `write_bound` writes that of a bound, which has no characters that
/// need an escape.
pub fn write(bytes: &[u8], out: &mut Vec<u8>, write_bound: WriteBound) -> Result<(), Malformed> {
    let (flags, mut rest) = bytes.split_first().ok_or(FAULT)?;
    let has = |flag| flags & flag != 0;
    if has(EMPTY) {
        out.extend_from_slice(b"empty");
        return if rest.is_empty() { Ok(()) } else { Err(FAULT) };
    }
    out.push(if has(LOWER_INCLUSIVE) { b'[' } else { b'(' });
    if !has(NO_LOWER) {
        quoted(sized(&mut rest)?, out, write_bound)?;
    }
    out.push(b',');
    if !has(NO_UPPER) {
        quoted(sized(&mut rest)?, out, write_bound)?;
    }
    out.push(if has(UPPER_INCLUSIVE) { b']' } else { b')' });
    if rest.is_empty() { Ok(()) } else { Err(FAULT) }
}

/// Writes the text of a multirange.
pub fn write_multi(
    bytes: &[u8],
    out: &mut Vec<u8>,
    write_bound: WriteBound,
) -> Result<(), Malformed> {
    let (count, mut rest) = bytes.split_first_chunk().ok_or(FAULT)?;
    out.push(b'{');
    for place in 0..u32::from_be_bytes(*count) {
        if place > 0 {
            out.push(b',');
        }
        write(sized(&mut rest)?, out, write_bound)?;
    }
    out.push(b'}');
    if rest.is_empty() { Ok(()) } else { Err(FAULT) }
}

/// Writes a bound, in quotes if it has a space in it.
fn quoted(bytes: &[u8], out: &mut Vec<u8>, write_bound: WriteBound) -> Result<(), Malformed> {
    let start = out.len();
    write_bound(bytes, out)?;
    if out.get(start..).is_some_and(|text| text.contains(&b' ')) {
        out.insert(start, b'"');
        out.push(b'"');
    }
    Ok(())
}

/// Takes a value off the front of `rest`, after its length.
fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (length, after) = rest.split_first_chunk().ok_or(FAULT)?;
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| FAULT)?;
    let (value, after) = after.split_at_checked(length).ok_or(FAULT)?;
    *rest = after;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_is(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn text(bytes: &[u8]) -> Result<String, Malformed> {
        let mut out = Vec::new();
        write(bytes, &mut out, as_is).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn bounds_are_those_of_the_flags() {
        assert_eq!(text(b"\x01").as_deref(), Ok("empty"));
        assert_eq!(text(b"\x02\0\0\0\x011\0\0\0\x025 ").as_deref(), Ok("[1,\"5 \")"));
        assert_eq!(text(b"\x0c\0\0\0\x015").as_deref(), Ok("(,5]"));
        assert_eq!(text(b"\x12\0\0\0\x015").as_deref(), Ok("[5,)"));
        assert_eq!(text(b"\x18").as_deref(), Ok("(,)"));
        for bad in [&b""[..], b"\x01a", b"\x02", b"\x02\0\0\0\x011", b"\x18a", b"\x12\0\0\0\x05a"] {
            assert_eq!(text(bad), Err(FAULT), "{bad:?}");
        }
        assert_eq!(text(b"\x12\xff\xff\xff\xff"), Err(FAULT));
    }

    #[test]
    fn multiranges_have_ranges() {
        let multi = |bytes: &[u8]| {
            let mut out = Vec::new();
            write_multi(bytes, &mut out, as_is).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(multi(b"\0\0\0\0").as_deref(), Ok("{}"));
        let two = b"\0\0\0\x02\0\0\0\x06\x0c\0\0\0\x015\0\0\0\x06\x12\0\0\0\x017";
        assert_eq!(multi(two).as_deref(), Ok("{(,5],[7,)}"));
        for bad in [&b""[..], b"\0\0\0\0a", b"\0\0\0\x01", b"\xff\xff\xff\xff\0\0\0\x01\x01"] {
            assert_eq!(multi(bad), Err(FAULT), "{bad:?}");
        }
    }
}
