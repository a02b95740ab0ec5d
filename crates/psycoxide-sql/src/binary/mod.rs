//! PostgreSQL's binary formats: from the bytes of a type's send function to plain values, and back
//! for the types of parameters that are sent in binary.
//!
//! Where that is simpler, or the reader of the text has the last word, a value is read by writing
//! the text that the server's output function writes. A `timestamptz` in binary has no offset:
//! what is read is its time in UTC. As with the text formats, any input gives a value or an error.

pub mod array;
pub mod bits;
pub mod composite;
pub mod copy;
pub mod datetime;
pub mod float;
pub mod hstore;
pub mod network;
pub mod numeric;
pub mod range;
pub mod write;

use std::io::Write;

use crate::text::Malformed;

/// The bytes are not what the type's send function writes.
pub const FAULT: Malformed = Malformed("malformed binary value");

/// Takes a value off the front of `rest`, after its length; `None` is NULL.
#[inline]
fn sized<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let (length, after) = rest.split_first_chunk().ok_or(FAULT)?;
    let length = match i32::from_be_bytes(*length) {
        -1 => {
            *rest = after;
            return Ok(None);
        }
        length => usize::try_from(length).map_err(|_| FAULT)?,
    };
    let (value, after) = after.split_at_checked(length).ok_or(FAULT)?;
    *rest = after;
    Ok(Some(value))
}

/// The value of a type of `N` bytes.
#[inline]
pub fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| FAULT)
}

/// Writes the text of an `integer`.
pub fn write_int4(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write!(out, "{}", i32::from_be_bytes(fixed(bytes)?)).map_err(|_| FAULT)
}

/// Writes the text of a `bigint`.
pub fn write_int8(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write!(out, "{}", i64::from_be_bytes(fixed(bytes)?)).map_err(|_| FAULT)
}

/// The text of a `jsonb`, after its version.
pub fn jsonb(bytes: &[u8]) -> Result<&[u8], Malformed> {
    match bytes {
        [1, text @ ..] => Ok(text),
        _ => Err(FAULT),
    }
}

/// A `boolean`: one byte, 0 or 1.
#[inline]
pub fn boolean(bytes: &[u8]) -> Result<bool, Malformed> {
    match bytes {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(FAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        assert_eq!(fixed::<2>(b"\0\x01"), Ok([0, 1]));
        assert_eq!(fixed::<2>(b"\0"), Err(FAULT));
        assert_eq!(fixed::<2>(b"\0\0\0"), Err(FAULT));
        assert_eq!(boolean(b"\x01"), Ok(true));
        assert_eq!(boolean(b"\0"), Ok(false));
        for bytes in [&b""[..], b"\x02", b"t", b"\0\0"] {
            assert_eq!(boolean(bytes), Err(FAULT));
        }
        assert_eq!(jsonb(b"\x01{}"), Ok(&b"{}"[..]));
        assert_eq!(jsonb(b"\x02{}"), Err(FAULT));
        assert_eq!(jsonb(b""), Err(FAULT));
        let mut out = Vec::new();
        assert_eq!(write_int4(&(-5_i32).to_be_bytes(), &mut out), Ok(()));
        assert_eq!(write_int8(&i64::MIN.to_be_bytes(), &mut out), Ok(()));
        assert_eq!(out, b"-5-9223372036854775808");
        assert_eq!(write_int4(b"", &mut out), Err(FAULT));
    }
}
