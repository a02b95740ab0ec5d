//! The binary format of COPY: a header, tuples of fields with their lengths, and a trailer.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.9.4>

use crate::text::Malformed;

/// What the data begin with: the signature, no flags, no extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What they end with, in place of a tuple's number of fields.
pub const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

const FAULT: Malformed = Malformed("the data are not in COPY's binary format");

/// The length of the header, whatever its extension; `None` if it is not complete.
pub fn header(data: &[u8]) -> Result<Option<usize>, Malformed> {
    let known = data.len().min(SIGNATURE.len());
    if data.get(..known) != SIGNATURE.get(..known) {
        return Err(FAULT);
    }
    let Some(extension) = data.get(15..19).and_then(|bytes| bytes.try_into().ok()) else {
        return Ok(None);
    };
    let extension = usize::try_from(i32::from_be_bytes(extension)).map_err(|_| FAULT)?;
    let length = HEADER.len() + extension;
    Ok((data.len() >= length).then_some(length))
}

/// What comes next in the data.
#[derive(Debug, PartialEq, Eq)]
pub enum Tuple<'a> {
    /// A tuple, and the data after it.
    Fields(Vec<Option<&'a [u8]>>, &'a [u8]),
    /// The trailer.
    End,
    /// The tuple is not complete.
    Incomplete,
}

/// Reads the next tuple.
pub fn tuple(data: &[u8]) -> Result<Tuple<'_>, Malformed> {
    let Some((count, mut rest)) = data.split_first_chunk() else { return Ok(Tuple::Incomplete) };
    let count = match i16::from_be_bytes(*count) {
        -1 => return Ok(Tuple::End),
        count => usize::try_from(count).map_err(|_| FAULT)?,
    };
    // No more than what has arrived, whatever the number says.
    let mut fields = Vec::with_capacity(count.min(rest.len() / 4));
    for _ in 0..count {
        let Some((length, after)) = rest.split_first_chunk() else { return Ok(Tuple::Incomplete) };
        rest = after;
        let length = match i32::from_be_bytes(*length) {
            -1 => {
                fields.push(None);
                continue;
            }
            length => usize::try_from(length).map_err(|_| FAULT)?,
        };
        let Some((field, after)) = rest.split_at_checked(length) else {
            return Ok(Tuple::Incomplete);
        };
        fields.push(Some(field));
        rest = after;
    }
    Ok(Tuple::Fields(fields, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_have_an_extension() {
        assert_eq!(header(HEADER), Ok(Some(19)));
        let extended = [&HEADER[..15], &[0, 0, 0, 2, 7, 7]].concat();
        assert_eq!(header(&extended), Ok(Some(21)));
        for end in 0..extended.len() {
            assert_eq!(header(&extended[..end]), Ok(None));
        }
        assert_eq!(header(b"PGCOPX"), Err(FAULT));
        assert_eq!(header(&[&HEADER[..15], &[0xff; 4]].concat()), Err(FAULT));
    }

    #[test]
    fn tuples_are_read_when_they_are_complete() {
        let data = b"\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\0\xff\xff";
        let (whole, trailer) = data.split_at(data.len() - 2);
        for end in 0..whole.len() {
            assert_eq!(tuple(&whole[..end]), Ok(Tuple::Incomplete), "{end}");
        }
        let fields = vec![Some(&b"a"[..]), None, Some(&b""[..])];
        assert_eq!(tuple(data), Ok(Tuple::Fields(fields, trailer)));
        assert_eq!(tuple(trailer), Ok(Tuple::End));
        assert_eq!(tuple(&TRAILER), Ok(Tuple::End));
        assert_eq!(tuple(b"\xff\xfe"), Err(FAULT));
        assert_eq!(tuple(b"\0\x01\xff\xff\xff\xfe"), Err(FAULT));
    }
}
