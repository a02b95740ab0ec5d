//! Integers and floating-point numbers.

use super::float;
use super::lanes::{self, Lanes};

/// An integer in the server's decimal form: an optional `-`, digits, no leading zero, within 64
/// bits. `None` means that it has another form; the caller decides whether to accept that.
///
/// Few branches depend on the sign or the number of digits: they vary from value to value, so such
/// branches would be mispredicted.
/// would be guessed wrong.
#[inline(always)]
pub fn integer(text: &[u8]) -> Option<i64> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(negative)..)?;
    if digits.first() == Some(&b'0') && digits.len() > 1 {
        return None;
    }
    let magnitude = match digits.len() {
        4..=8 => {
            let (first, last) = (digits.first_chunk::<4>()?, digits.last_chunk::<4>()?);
            let both = Lanes::of_halves(*first, *last);
            if both.flaws() != 0 {
                return None;
            }
            both.without(8 - digits.len()).value()
        }
        9..=16 => {
            let first = Lanes::of(*digits.first_chunk()?);
            let last = Lanes::of(*digits.last_chunk()?);
            if first.flaws() | last.flaws() != 0 {
                return None;
            }
            first.after(16 - digits.len()).value() * 100_000_000 + last.value()
        }
        _ => return few_or_many(digits, negative),
    };
    // Sixteen digits fit.
    let value = magnitude.cast_signed();
    Some(if negative { -value } else { value })
}

/// An integer of up to three digits, or of more than sixteen.
#[inline(never)]
fn few_or_many(digits: &[u8], negative: bool) -> Option<i64> {
    let magnitude = natural(digits)?;
    match i64::try_from(magnitude) {
        Ok(value) => Some(if negative { -value } else { value }),
        Err(_) if negative => 0_i64.checked_sub_unsigned(magnitude),
        Err(_) => None,
    }
}

/// An integer at the start of `text`, in the server's decimal form, and the text after it. `None`
/// if it has more than eighteen digits, or another form: as with [`integer`], the caller decides.
#[inline]
pub fn leading_integer(text: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut value = 0_i64;
    let mut count = 0;
    while let Some(digit) = digits.get(count).map(|byte| byte.wrapping_sub(b'0'))
        && digit <= 9
    {
        count += 1;
        if count > 18 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    let leading_zero = count > 1 && digits.first() == Some(&b'0');
    if count == 0 || leading_zero {
        return None;
    }
    Some((if negative { -value } else { value }, digits.get(count..)?))
}

/// One to nineteen decimal digits. Nineteen cannot overflow 64 bits.
#[inline]
fn natural(mut digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0_u64;
    while let Some((eight, rest)) = digits.split_first_chunk::<8>() {
        value = value * 100_000_000 + lanes::eight_digits(*eight)?;
        digits = rest;
    }
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// A `float4` or `float8`: shortest-precise decimal, `NaN`, `Infinity` or `-Infinity`.
#[inline]
pub fn float(text: &[u8]) -> Option<f64> {
    match float::plain(text) {
        Some(value) => Some(value),
        // Any other form as `str::parse` reads it, which has the same algorithm, but from bytes.
        None => fast_float2::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    #[test]
    fn integers_of_every_length_are_read() {
        let mut text = String::new();
        for digit in "9223372036854775807".chars() {
            text.push(digit);
            assert_eq!(integer(text.as_bytes()), text.parse().ok(), "{text}");
            let negative = format!("-{text}");
            assert_eq!(integer(negative.as_bytes()), negative.parse().ok(), "{negative}");
        }
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-0"), Some(0));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b"-9223372036854775809"), None);
        assert_eq!(integer(b"9999999999999999999"), None);
    }

    #[test]
    fn integers_have_only_digits() {
        for length in 1..=19 {
            for place in 0..length {
                for byte in *b"/:.-+ aA\0\xb1" {
                    let mut text = b"1234567890123456789"[..length].to_vec();
                    text[place] = byte;
                    let negative = place == 0 && byte == b'-' && length > 1;
                    assert_eq!(integer(&text).is_some(), negative, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn other_forms_are_left_to_the_caller() {
        for text in ["", "-", "+1", "01", " 1", "1 ", "1_0", "0x1", "--1", "1.0", "12345678x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_integer_before_other_text_is_read() {
        for (text, found) in [
            ("0,1", Some((0, ",1"))),
            ("-7}", Some((-7, "}"))),
            ("123456789012345678", Some((123_456_789_012_345_678, ""))),
            ("12a", Some((12, "a"))),
            ("1234567890123456789,", None),
            ("01,", None),
            ("-,", None),
            ("", None),
            ("+1", None),
            (" 1", None),
        ] {
            let found = found.map(|(value, rest): (i64, &str)| (value, rest.as_bytes()));
            assert_eq!(leading_integer(text.as_bytes()), found, "{text}");
        }
    }

    #[test]
    fn mutated_numbers_agree_with_the_standard_library() {
        hostile(&["0", "-1", "12345678", "1234567890123456789", "-9223372036854775808"], |text| {
            if let Some(value) = integer(text) {
                let text = std::str::from_utf8(text).unwrap();
                assert_eq!(text.parse(), Ok(value));
            }
        });
    }

    #[test]
    fn mutated_floats_agree_with_the_standard_library() {
        let samples = [
            "0",
            "-0",
            "1.5",
            "-1e-07",
            "123456789.123456789",
            "1.7976931348623157e+308",
            "5e-324",
            "NaN",
            "-nan",
            "Infinity",
            "-Infinity",
            "inf",
            ".5",
            "5.",
            "+1",
            "1e5",
            "0x1p3",
            "9007199254740993",
            "2.2250738585072011e-308",
            "8.41e+21",
            "4503599627370496.5",
        ];
        hostile(&samples, |text| {
            let expected = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            match (float(text), expected) {
                (Some(a), Some(b)) if a.is_nan() => assert!(b.is_nan()),
                (a, b) => assert_eq!(bits(a), bits(b), "{:?}", String::from_utf8_lossy(text)),
            }
        });
    }

    #[test]
    fn floats_are_exact() {
        for value in [0.1, -0.0, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1e22, 123456.789e-250] {
            let text = format!("{value:e}");
            assert_eq!(float(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
        assert!(float(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(float(b"Infinity"), Some(f64::INFINITY));
        assert_eq!(float(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(float(b"1e+308"), Some(1e308));
        assert_eq!(float(b"x"), None);
    }
}
