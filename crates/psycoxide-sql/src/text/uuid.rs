//! `uuid`: <https://www.postgresql.org/docs/current/datatype-uuid.html>

use super::Malformed;

/// The number of a UUID in the server's form, `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`.
///
/// # Errors
/// If it has any other form.
#[inline]
pub fn uuid(text: &[u8]) -> Result<u128, Malformed> {
    const BAD: Malformed = Malformed("uuid");
    let text: &[u8; 36] = text.try_into().map_err(|_| BAD)?;
    if [text[8], text[13], text[18], text[23]] != *b"----" {
        return Err(BAD);
    }
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(&text[..8]);
    digits[8..12].copy_from_slice(&text[9..13]);
    digits[12..16].copy_from_slice(&text[14..18]);
    digits[16..20].copy_from_slice(&text[19..23]);
    digits[20..].copy_from_slice(&text[24..]);
    let mut bytes = [0; 16];
    const_hex::decode_to_slice(digits, &mut bytes).map_err(|_| BAD)?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8; 36] = b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    const VALUE: u128 = 0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11;

    #[test]
    fn digits_in_five_groups_are_a_number() {
        assert_eq!(uuid(TEXT), Ok(VALUE));
        assert_eq!(uuid(&TEXT.to_ascii_uppercase()), Ok(VALUE));
        assert_eq!(uuid(b"00000000-0000-0000-0000-000000000000"), Ok(0));
        assert_eq!(uuid(b"ffffffff-ffff-ffff-ffff-ffffffffffff"), Ok(u128::MAX));
    }

    /// Each byte in each place: digits only where they belong, hyphens only where they must be.
    #[test]
    fn nothing_else_is_a_number() {
        for place in 0..36 {
            for byte in 0..=u8::MAX {
                let mut text = *TEXT;
                text[place] = byte;
                let hyphen = matches!(place, 8 | 13 | 18 | 23);
                let good = if hyphen { byte == b'-' } else { byte.is_ascii_hexdigit() };
                assert_eq!(uuid(&text).is_ok(), good, "{place} {byte}");
            }
        }
        for length in 0..36 {
            assert!(uuid(&TEXT[..length]).is_err());
        }
        for text in
            ["a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "0x"]
        {
            assert!(uuid(text.as_bytes()).is_err());
        }
    }
}
