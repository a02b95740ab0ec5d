//! Numeric constants.
//!
//! A negative number gets a space before it: after a minus sign in the query, `--` would begin a
//! comment (CVE-2024-1597 is that fault in another driver).
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS-NUMERIC>
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS-NUMERIC>

/// The fewest digits of a text that may be as near to a float as another text of the same length.
/// Shorter texts are more than 2^-52 of the value apart, and neighbouring floats less.
const FEWEST_DIGITS_OF_A_TIE: usize = 16;

/// Below this all integers are floats: fewer digits than all of theirs do not read back the same.
const WHOLE: f64 = (1_u64 << 53) as f64;

/// Appends an integer.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b' ');
    }
    write_plain_integer(out, value);
}

/// The same for text that is not SQL: without the space.
pub fn write_plain_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends digits that something else has written, with the space if they are negative.
pub fn write_digits(out: &mut Vec<u8>, digits: &[u8]) {
    if digits.first() == Some(&b'-') {
        out.push(b' ');
    }
    out.extend_from_slice(digits);
}

/// Appends a float as Python's `repr` writes it: the shortest digits that read back the same.
///
/// NaN and the infinities have no numeric constant, so they are strings with a cast.
/// <https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-FLOAT>
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"'NaN'::float");
    }
    if value.is_infinite() {
        let text: &[u8] = if value > 0.0 { b"'Infinity'::float" } else { b"'-Infinity'::float" };
        return out.extend_from_slice(text);
    }
    if value.is_sign_negative() {
        out.push(b' ');
    }
    write_repr(out, value);
}

/// Appends a finite float as Python's `repr` writes it.
pub fn write_repr(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value < WHOLE && value.trunc() == value {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and not so large")]
        let whole = value as i64;
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        return out.extend_from_slice(b".0");
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    // In this range zmij and Python write the same, unless two shortest texts are equally near.
    if (value == 0.0 || (1e-4..1e16).contains(&value)) && !may_tie(value, text) {
        return out.extend_from_slice(text);
    }
    let (mantissa, exponent) = split_exponent(text);
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let mut digits = [0; 24];
    let mut count = 0;
    let mut zeros = 0;
    for &digit in mantissa.iter().filter(|&&byte| byte != b'.') {
        if digit == b'0' && count == 0 {
            zeros += 1;
        } else if let Some(slot) = digits.get_mut(count) {
            *slot = digit;
            count += 1;
        }
    }
    let digits = digits.get_mut(..count).unwrap_or_default();
    let ended = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    let digits = digits.get_mut(..ended).unwrap_or_default();
    let exponent = exponent + i32::try_from(point).unwrap_or(0) - 1 - zeros;
    break_tie(value, digits, exponent);
    lay_out(out, digits, exponent);
}

/// Whether another text with as many decimals could be as near to the value as `text`: the value
/// has exactly one decimal more then.
fn may_tie(value: f64, text: &[u8]) -> bool {
    // One byte of it is the point.
    if text.len() <= FEWEST_DIGITS_OF_A_TIE {
        return false;
    }
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let places = text.len().saturating_sub(point + 1);
    i32::try_from(places).is_ok_and(|places| decimals(value) == places + 1)
}

/// The number of decimals of the exact value, which is that of its binary places. Not for
/// subnormals.
fn decimals(value: f64) -> i32 {
    let bits = value.to_bits();
    let significand = (bits & ((1 << 52) - 1)) | 1 << 52;
    let scale = 1075 - i32::try_from(bits >> 52).unwrap_or(0);
    scale - i32::try_from(significand.trailing_zeros()).unwrap_or(0)
}

/// If two shortest texts are equally near (562949953421312.25: .2 and .3), takes the even one, as
/// Python does.
fn break_tie(value: f64, digits: &mut [u8], exponent: i32) {
    // No tie has more decimals: with so many binary places the value has more than 17 digits.
    const MOST: u32 = 24;
    let places = i32::try_from(digits.len()).unwrap_or(0) - 1 - exponent;
    let Some(places) = u32::try_from(places).ok().filter(|&places| places <= MOST) else { return };
    // The value is odd / 2^binary. Its decimal digits end in a 5, `places` + 1 places after the
    // point.
    let bits = value.to_bits();
    let significand = (bits & ((1 << 52) - 1)) | 1 << 52;
    if decimals(value) != i32::try_from(places).unwrap_or(0) + 1 {
        return;
    }
    let zeros = significand.trailing_zeros();
    let odd = u128::from(significand >> zeros);
    let Some(doubled) = odd.checked_mul(5_u128.pow(places)) else { return };
    let lower = doubled / 2;
    let mut even = lower + lower % 2;
    // Below a power of two the floats are closer: there only the upper neighbour may read back the
    // same.
    if format!("{even}e-{places}").parse() != Ok(value) {
        return;
    }
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(even % 10).unwrap_or(0);
        even /= 10;
    }
}

/// Places the point, or writes an exponent, as Python does below 1e-4 and from 1e16 on.
fn lay_out(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let (first, rest) = digits.split_at_checked(1).unwrap_or_default();
    match exponent {
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-exponent - 1).unsigned_abs() as usize));
            out.extend_from_slice(digits);
        }
        0..=15 => {
            let whole = exponent.unsigned_abs() as usize + 1;
            match digits.split_at_checked(whole) {
                Some((before, after)) if !after.is_empty() => {
                    out.extend_from_slice(before);
                    out.push(b'.');
                    out.extend_from_slice(after);
                }
                _ => {
                    out.extend_from_slice(digits);
                    out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
                    out.extend_from_slice(b".0");
                }
            }
        }
        _ => {
            out.extend_from_slice(first);
            if !rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(rest);
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.unsigned_abs() < 10 {
                out.push(b'0');
            }
            out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
        }
    }
}

fn split_exponent(text: &[u8]) -> (&[u8], i32) {
    let at = text.iter().position(|&byte| byte == b'e').unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(at);
    let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default())
        .ok()
        .and_then(|digits| digits.parse::<i32>().ok())
        .unwrap_or(0);
    (mantissa, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        write_float(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn integers() {
        let mut out = Vec::new();
        for value in [0, 7, -1, i64::MAX, i64::MIN] {
            write_integer(&mut out, value);
            out.push(b',');
        }
        assert_eq!(out, b"0,7, -1,9223372036854775807, -9223372036854775808,");
        out.clear();
        write_digits(&mut out, b"-12");
        write_digits(&mut out, b"34");
        assert_eq!(out, b" -1234");
    }

    #[test]
    fn floats_as_python_prints_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, " -0.0"),
            (1.0, "1.0"),
            (-1.5, " -1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (123456.789, "123456.789"),
            (1e15, "1000000000000000.0"),
            (9007199254740993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.2345678901234567e16, "1.2345678901234568e+16"),
            (1e22, "1e+22"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MIN_POSITIVE, " -2.2250738585072014e-308"),
            (f64::INFINITY, "'Infinity'::float"),
            (f64::NEG_INFINITY, "'-Infinity'::float"),
            (f64::NAN, "'NaN'::float"),
            // Halfway between two neighbours: the even one.
            (562949953421312.0 + 0.25, "562949953421312.2"),
            (562949953421312.0 + 0.75, "562949953421312.8"),
            (-1125899906842623.0 - 0.75, " -1125899906842623.8"),
            (1125899906842624.0 + 0.25, "1125899906842624.2"),
            (140737488355328.0 + 0.125, "140737488355328.12"),
            (140737488355328.0 + 0.375, "140737488355328.38"),
            (4398046511104.0 + 0.03125, "4398046511104.031"),
            (5.960_464_477_539_063e-8, "5.960464477539063e-08"),
            (0.5, "0.5"),
            (2.5, "2.5"),
            (0.125, "0.125"),
        ];
        for (value, text) in cases {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn floats_read_back_the_same() {
        let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(bits);
            // Integers of every size, halves, and any other values.
            for value in [value, (bits >> (bits % 60)) as f64, (bits >> (bits % 60)) as f64 / 2.0] {
                if value.is_finite() {
                    let read: f64 = float(value).trim().parse().expect("a number");
                    assert_eq!(read.to_bits(), value.to_bits());
                }
            }
        }
    }
}
