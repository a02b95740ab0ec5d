//! PostgreSQL's binary formats: from the bytes of a type's send function to plain values, and back
//! for the types of parameters that are sent in binary.
//!
//! Only types whose binary form says all that the text does are here: a `timestamptz` in binary has
//! no offset, and a `real` lacks the digits of its text. As with the text formats, any input gives
//! a value or an error.

pub mod array;
pub mod copy;
pub mod datetime;
pub mod write;

use crate::text::Malformed;

/// The bytes are not what the type's send function writes.
pub const FAULT: Malformed = Malformed("malformed binary value");

/// The value of a type of `N` bytes.
#[inline]
pub fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| FAULT)
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
    }
}
