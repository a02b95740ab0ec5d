//! `bit` and `bit varying` in binary: the number of bits, then the bits, the first one highest.

use super::FAULT;
use crate::text::Malformed;

/// Writes the text: a digit for each bit.
pub fn write(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (count, bits) = bytes.split_first_chunk().ok_or(FAULT)?;
    let count = usize::try_from(i32::from_be_bytes(*count)).map_err(|_| FAULT)?;
    if bits.len() != count.div_ceil(8) {
        return Err(FAULT);
    }
    let digits = bits.iter().flat_map(|byte| (0..8).rev().map(move |bit| b'0' + (byte >> bit & 1)));
    out.extend(digits.take(count));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, Malformed> {
        let mut out = Vec::new();
        write(bytes, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn bits_are_digits() {
        assert_eq!(text(b"\0\0\0\0").as_deref(), Ok(""));
        assert_eq!(text(b"\0\0\0\x05\xa8").as_deref(), Ok("10101"));
        assert_eq!(text(b"\0\0\0\x0a\x01\x80").as_deref(), Ok("0000000110"));
        for bad in [&b""[..], b"\0\0\0\x01", b"\0\0\0\x01\0\0", b"\xff\xff\xff\xff"] {
            assert_eq!(text(bad), Err(FAULT), "{bad:?}");
        }
        assert_eq!(text(b"\x7f\xff\xff\xff\0"), Err(FAULT), "nothing is made room for");
    }
}
