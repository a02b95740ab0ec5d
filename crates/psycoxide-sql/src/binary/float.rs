//! `real` in binary. Its text has the fewest digits that tell it from its neighbours, and the
//! number that those digits stand for is not the same number in double precision.

use super::{FAULT, fixed};
use crate::text::Malformed;

/// The double that is nearest to the shortest decimal of a `real`: what reading its text gives, in
/// a session whose `extra_float_digits` is at least 1, as it is by default since PostgreSQL 12.
pub fn float4(bytes: &[u8]) -> Result<f64, Malformed> {
    let value = f32::from_be_bytes(fixed(bytes)?);
    if !value.is_finite() || value == 0.0 {
        return Ok(value.into());
    }
    let shortest = format!("{value:e}");
    let decimals =
        shortest.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count() - 1;
    // Of two decimals that are as near as each other, the server takes the even one, and so does a
    // format of given length. It wants a decimal that is nearer to this number than to its
    // neighbours, not as near: else it takes more digits.
    let is_read_back =
        |decimal: &String| decimal.parse() == Ok(value) && !is_at_limit(value, decimal);
    let nearest = |decimals| Some(format!("{value:.decimals$e}")).filter(is_read_back);
    let text = nearest(decimals)
        .or_else(|| Some(shortest).filter(is_read_back))
        .or_else(|| (decimals + 1..=9).find_map(nearest))
        .ok_or(FAULT)?;
    text.parse().map_err(|_| FAULT)
}

/// Whether a decimal of up to nine digits lies exactly in the middle between this number and a
/// neighbour.
fn is_at_limit(value: f32, decimal: &str) -> bool {
    let Ok(read) = decimal.parse::<f64>() else { return false };
    let middle = |neighbour: f32| f64::midpoint(value.into(), neighbour.into());
    [value.next_up(), value.next_down()].map(middle).contains(&read)
        && is_exact(read.abs(), decimal.trim_start_matches('-')) == Some(true)
}

/// Whether a decimal of up to nine digits is this number of up to 25 bits: exactly, not only the
/// nearest that there is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn is_exact(number: f64, decimal: &str) -> Option<bool> {
    let (mantissa, exponent) = decimal.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u32 = format!("{whole}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
    // 25 bits hold up to ten factors of five, nine digits up to twelve.
    Some(match exponent {
        0..=10 => {
            let decimal = u128::from(digits) * 10_u128.pow(exponent.unsigned_abs());
            number.fract() == 0.0 && number as u128 == decimal
        }
        // This product has up to 53 bits.
        -12..0 => number * 10_f64.powi(-exponent) == f64::from(digits),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: f32) -> f64 {
        float4(&value.to_be_bytes()).unwrap()
    }

    #[test]
    fn values_are_those_of_the_text() {
        for (value, expected) in [
            (1.1, 1.1),
            (-0.1, -0.1),
            (0.0, 0.0),
            (16_777_216.0, 16_777_216.0),
            (f32::MAX, 3.4028235e38),
            (f32::MIN_POSITIVE, 1.1754944e-38),
            (1e-45, 1e-45),
            (f32::INFINITY, f64::INFINITY),
            (2_f32.powi(-12), 0.000_244_140_62),
            (-141_732.63, -141_732.62),
        ] {
            assert_eq!(read(value).to_bits(), f64::to_bits(expected), "{value}");
        }
        assert!(read(f32::NAN).is_nan());
        assert!(read(-0.0).is_sign_negative());
        assert_eq!(float4(b"\0\0\0"), Err(FAULT));
    }

    #[test]
    fn a_decimal_in_the_middle_is_not_taken() {
        // 2^26 and 4 (or 8) beside it: 67,108,864 has 67,108,860 and 67,108,872 as neighbours.
        assert!(is_at_limit(67_108_864.0, "6.7108862e7"));
        assert!(is_at_limit(-67_108_864.0, "-6.7108868e7"));
        assert!(!is_at_limit(67_108_864.0, "6.710886e7"));
        assert_eq!(is_exact(0.25, "2.5e-1"), Some(true));
        assert_eq!(is_exact(1e10, "1e10"), Some(true));
        assert_eq!(is_exact(1e22, "1e22"), Some(false));
    }
}
