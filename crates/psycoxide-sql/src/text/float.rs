//! Floating-point numbers in the server's usual form: digits, a point, digits.

use super::lanes::Lanes;

/// Powers of ten.
const TENS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// More digits may not fit into 64 bits.
const MAX_DIGITS: usize = 19;
/// The greatest number of digits, and a point.
const MAX_LENGTH: usize = MAX_DIGITS + 1;
/// The inverses of the powers of ten.
const INVERSES: [Inverse; MAX_DIGITS + 1] = inverses();

/// The inverse of a power of ten.
#[derive(Clone, Copy)]
struct Inverse {
    /// The first 128 bits, rounded up. They are those of the inverse of a power of five.
    bits: u128,
    /// The biased exponent of a product with a 64-bit number whose highest bit is set.
    exponent: u64,
}

const fn inverses() -> [Inverse; MAX_DIGITS + 1] {
    let mut inverses = [Inverse { bits: 0, exponent: 0 }; MAX_DIGITS + 1];
    let (mut places, mut five) = (0, 1_u128);
    while places <= MAX_DIGITS {
        let width = if places == 0 { 0 } else { 128 - five.leading_zeros() };
        // 2ⁿ / five by long division, for the n that gives 128 bits.
        let (mut bits, mut rest, mut left) = (0_u128, 1_u128, width + 127);
        while left > 0 {
            rest <<= 1;
            bits <<= 1;
            if rest >= five {
                rest -= five;
                bits |= 1;
            }
            left -= 1;
        }
        inverses[places] =
            Inverse { bits: bits + 1, exponent: 1086 - width as u64 - places as u64 };
        places += 1;
        five *= 5;
    }
    inverses
}

/// A number of up to nineteen digits without an exponent. `None` means that it is not on this fast
/// path; the caller falls back.
#[inline]
pub(super) fn plain(text: &[u8]) -> Option<f64> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(negative)..)?;
    let (significand, places) = match digits.len() {
        0 => return None,
        1..8 => short(digits)?,
        8..=MAX_LENGTH => long(digits)?,
        _ => return None,
    };
    let value = scaled(significand, places)?;
    Some(f64::from_bits(value.to_bits() | u64::from(negative) << 63))
}

/// The digits of such a number, and how many of them come after the point.
#[inline]
fn short(digits: &[u8]) -> Option<(u64, usize)> {
    let mut significand = 0;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => significand = significand * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(place),
            _ => return None,
        }
    }
    let places = point.map_or(0, |point| digits.len() - 1 - point);
    // There must be a digit on each side of the point.
    if point == Some(0) || point == Some(digits.len() - 1) {
        return None;
    }
    Some((significand, places))
}

/// As [`short`], for eight characters and more. Branches do not depend on the place of the point:
/// it varies from number to number, so they would be mispredicted.
#[inline]
fn long(digits: &[u8]) -> Option<(u64, usize)> {
    const POINTS: u64 = u64::from_le_bytes([b'.'; 8]);
    let first = u64::from_le_bytes(*digits.first_chunk()?);
    // SWAR: the lowest zero byte gets its high bit set; the bytes above it do not matter.
    let unlike = first ^ POINTS;
    let found = unlike.wrapping_sub(0x0101_0101_0101_0101) & !unlike & 0x8080_8080_8080_8080;
    let whole = match found.trailing_zeros() as usize / 8 {
        0 => return None,
        whole @ 1..8 => whole,
        _ => return pointed_late(digits),
    };
    let places = digits.len() - whole - 1;
    if places == 0 {
        return None;
    }
    // The seven digits among the first eight characters, without the point between them.
    let before = (1 << (8 * whole)) - 1;
    let seven = (first & before) | (first >> 8 & !before);
    let start = Lanes::of((seven << 8 | u64::from(b'0')).to_le_bytes());
    // If some are not digits the value is meaningless, and refused below.
    let (mut flaws, mut significand) = (start.flaws(), start.value());
    let mut rest = digits.get(8..)?;
    while let Some((eight, after)) = rest.split_first_chunk() {
        let eight = Lanes::of(*eight);
        flaws |= eight.flaws();
        significand = significand.wrapping_mul(100_000_000).wrapping_add(eight.value());
        rest = after;
    }
    let last = Lanes::of_last(*digits.last_chunk()?, rest.len());
    significand = significand.wrapping_mul(*TENS.get(rest.len())?).wrapping_add(last.value());
    if flaws | last.flaws() != 0 {
        return None;
    }
    Some((significand, places))
}

/// A number with eight or more digits before its point, or without a point.
fn pointed_late(digits: &[u8]) -> Option<(u64, usize)> {
    let mut significand = 0_u64;
    let mut rest = digits;
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        // Twenty digits may overflow; they are refused below.
        significand = significand.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = after;
    }
    let fraction = match rest {
        [] if digits.len() <= MAX_DIGITS => rest,
        [b'.', fraction @ ..] if !fraction.is_empty() => fraction,
        _ => return None,
    };
    for byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        significand = significand * 10 + u64::from(digit);
    }
    Some((significand, fraction.len()))
}

/// `significand` divided by ten to the power of `places`, rounded to nearest, ties to even.
///
/// The algorithm is D. Lemire's, "Number parsing at a gigabyte per second" (2021): it multiplies by
/// the inverse of a power of five. For powers as small as these, 128 bits of the inverse are enough
/// to tell on which side of a tie the product lies (N. Mushtak and D. Lemire, "Fast number parsing
/// without fallback", 2022). A division would do if both numbers are exact, but the branch on that
/// would be mispredicted and cost as much.
#[inline]
#[allow(clippy::cast_precision_loss)] // Rounding is the purpose.
fn scaled(significand: u64, places: usize) -> Option<f64> {
    if places == 0 || significand == 0 {
        return Some(significand as f64);
    }
    let inverse = INVERSES.get(places)?;
    let (head, tail) = halves(inverse.bits);
    let shift = significand.leading_zeros();
    let normal = u128::from(significand << shift);
    let (mut high, mut low) = halves(normal * u128::from(head));
    // If all the bits below the kept ones are set, the carry from the tail decides.
    if high & 0x1FF == 0x1FF {
        let (carried, _) = halves(normal * u128::from(tail));
        let overflowed;
        (low, overflowed) = low.overflowing_add(carried);
        high += u64::from(overflowed);
    }
    let top = high >> 63;
    // Keep 53 bits, and one more to round by.
    let dropped = top + 9;
    let mut kept = high >> dropped;
    // Halfway between two floats, which is possible only with few places: take the even one.
    if low <= 1 && places <= 4 && kept & 3 == 1 && kept << dropped == high {
        kept -= 1;
    }
    kept = (kept + (kept & 1)) >> 1;
    let exponent = inverse.exponent + top - u64::from(shift);
    // If rounding carries into a 54th bit, this sum carries it into the exponent.
    Some(f64::from_bits((exponent << 52) + (kept - (1 << 52))))
}

fn halves(value: u128) -> (u64, u64) {
    #[allow(clippy::cast_possible_truncation)]
    ((value >> 64) as u64, value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers, the same in each run (xorshift).
    fn random() -> impl Iterator<Item = u64> {
        std::iter::successors(Some(0x2545_F491_4F6C_DD1D_u64), |x| {
            let x = x ^ (x << 13);
            let x = x ^ (x >> 7);
            Some(x ^ (x << 17))
        })
    }

    fn check(text: &str) {
        let expected: f64 = text.parse().unwrap();
        let found = plain(text.as_bytes());
        assert_eq!(found.map(f64::to_bits), Some(expected.to_bits()), "{text}: {found:?}");
    }

    /// A number of these digits with this many places.
    fn pointed(digits: u64, places: usize) -> String {
        let text = format!("{digits:0width$}", width = places + 1);
        let (whole, fraction) = text.split_at(text.len() - places);
        if places == 0 { text } else { format!("{whole}.{fraction}") }
    }

    #[test]
    fn digits_are_rounded_as_the_standard_library_rounds_them() {
        for (n, bits) in random().take(1_000_000).enumerate() {
            // Of all lengths, mostly of full length.
            let digits = (bits >> if n % 3 == 0 { n % 64 } else { 0 }) % 10_u64.pow(18);
            let text = pointed(digits, n % 19);
            check(&text);
            check(&format!("-{text}"));
        }
    }

    #[test]
    fn the_servers_text_is_read_back() {
        for bits in random().take(300_000) {
            let fraction = f64::from_bits(bits >> 12 | 0x3FF0_0000_0000_0000) - 1.0;
            for scale in [1.0, 1e3, 1e6] {
                let value = fraction * scale;
                let text = format!("{value}");
                if let Some(found) = plain(text.as_bytes()) {
                    assert_eq!(found.to_bits(), value.to_bits(), "{text}");
                }
            }
        }
        assert!(plain(b"0.8444218515250481").is_some());
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        // Above 2^53 the ties end in .5; below, numbers with up to four places can be ties.
        for base in [1 << 53, (1 << 53) + 2, (1 << 54) - 2, 1 << 50, (1 << 51) + 1, (1 << 49) + 7] {
            for near in 0..2_000_u64 {
                for places in 0..=4 {
                    let digits = (base + near / 100)
                        .checked_mul(10_u64.pow(places))
                        .and_then(|digits| digits.checked_add(near % 100 * 625));
                    if let Some(digits) = digits.filter(|digits| *digits < 10_u64.pow(19)) {
                        check(&pointed(digits, places as usize));
                    }
                }
            }
        }
        for text in ["9007199254740993", "4503599627370496.5", "4503599627370497.5"] {
            check(text);
        }
        check("2251799813685248.25");
        check("2251799813685248.75");
        check("1125899906842624.125");
        check("1125899906842624.375");
        check("562949953421312.0625");
        check("562949953421312.1875");
    }

    #[test]
    fn around_each_power_of_two_and_of_ten() {
        for shift in 0..64 {
            for near in 0..5 {
                for digits in
                    [(1_u64 << shift).saturating_add(near), (1 << shift) - 1_u64.min(near)]
                {
                    for places in 0..19 {
                        if pointed(digits, places).len() <= 20 {
                            check(&pointed(digits, places));
                        }
                    }
                }
            }
        }
        for text in ["0", "-0", "0.0", "-0.0", "0.1", "1.0", "0.3", "9999999999999999999"] {
            check(text);
        }
        check("0.000000000000000001");
        check("9999999999.999999999");
        check("999999999999999999.9");
    }

    #[test]
    fn other_forms_are_left_to_the_fallback() {
        for text in [
            "",
            "-",
            ".",
            "-.",
            ".5",
            "5.",
            "+1",
            " 1",
            "1 ",
            "1e5",
            "1.5e-7",
            "NaN",
            "Infinity",
            "1_0",
            "0x1",
            "1.2.3",
            "1.2345678x",
            "1.1234567890123456789",
            "12345678901234567890",
            "18446744073709551616",
            "99999999999999999999",
            "--1",
            "1,5",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }
}
