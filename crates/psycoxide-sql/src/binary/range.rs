//! Ranges in binary: a byte of flags, then the bounds that there are, each after its length.
//! Multiranges: the number of ranges, then each after its length.

use super::FAULT;
use crate::text::Malformed;

const EMPTY: u8 = 1;
const LOWER_INCLUSIVE: u8 = 2;
const UPPER_INCLUSIVE: u8 = 4;
const NO_LOWER: u8 = 8;
const NO_UPPER: u8 = 16;

/// A range whose bounds are in binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range<'a> {
    /// `empty`
    Empty,
    /// A range between two bounds. A missing bound is unbounded.
    Between {
        /// The lower bound.
        lower: Option<&'a [u8]>,
        /// The upper bound.
        upper: Option<&'a [u8]>,
        /// The range includes the lower bound.
        lower_inclusive: bool,
        /// The range includes the upper bound.
        upper_inclusive: bool,
    },
}

/// Reads a range.
pub fn range(bytes: &[u8]) -> Result<Range<'_>, Malformed> {
    let (flags, mut rest) = bytes.split_first().ok_or(FAULT)?;
    let has = |flag| flags & flag != 0;
    let range = if has(EMPTY) {
        Range::Empty
    } else {
        Range::Between {
            lower: if has(NO_LOWER) { None } else { Some(sized(&mut rest)?) },
            upper: if has(NO_UPPER) { None } else { Some(sized(&mut rest)?) },
            lower_inclusive: has(LOWER_INCLUSIVE),
            upper_inclusive: has(UPPER_INCLUSIVE),
        }
    };
    if rest.is_empty() { Ok(range) } else { Err(FAULT) }
}

/// The ranges of a multirange, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Ranges<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Ranges<'a> {
    /// Starts at the beginning of a multirange.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (count, rest) = bytes.split_first_chunk().ok_or(FAULT)?;
        Ok(Self { left: u32::from_be_bytes(*count), rest })
    }

    /// The bytes of the next range, `None` after the last.
    pub fn step(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                sized(&mut self.rest).map(Some)
            }
            None if self.rest.is_empty() => Ok(None),
            None => Err(FAULT),
        }
    }
}

/// Writes the text of a value of the ranges' element type.
type WriteBound = fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>;

/// Writes the text of a range. `write_bound` writes that of a bound, which has no characters that
/// need an escape.
pub fn write(bytes: &[u8], out: &mut Vec<u8>, write_bound: WriteBound) -> Result<(), Malformed> {
    let Range::Between { lower, upper, lower_inclusive, upper_inclusive } = range(bytes)? else {
        out.extend_from_slice(b"empty");
        return Ok(());
    };
    out.push(if lower_inclusive { b'[' } else { b'(' });
    if let Some(lower) = lower {
        quoted(lower, out, write_bound)?;
    }
    out.push(b',');
    if let Some(upper) = upper {
        quoted(upper, out, write_bound)?;
    }
    out.push(if upper_inclusive { b']' } else { b')' });
    Ok(())
}

/// Writes the text of a multirange.
pub fn write_multi(
    bytes: &[u8],
    out: &mut Vec<u8>,
    write_bound: WriteBound,
) -> Result<(), Malformed> {
    let mut ranges = Ranges::parse(bytes)?;
    let mut separator = b'{';
    while let Some(range) = ranges.step()? {
        out.push(separator);
        write(range, out, write_bound)?;
        separator = b',';
    }
    if separator == b'{' {
        out.push(separator);
    }
    out.push(b'}');
    Ok(())
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

/// Takes a value off the front of `rest`, after its length. None is NULL here.
fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    super::sized(rest)?.ok_or(FAULT)
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
