//! Floating-point numbers as the server writes most of them: digits, a point, digits.

use super::lanes::Lanes;

/// Powers of ten.
const TENS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// More digits than these may not fit 64 bits.
const MOST_DIGITS: usize = 19;
/// So many, and a point.
const MOST_LENGTH: usize = MOST_DIGITS + 1;
/// The inverses of the powers of ten.
const INVERSES: [Inverse; MOST_DIGITS + 1] = inverses();

/// The inverse of a power of ten.
#[derive(Clone, Copy)]
struct Inverse {
    /// The first 128 bits, rounded up. They are those of a power of five's inverse.
    bits: u128,
    /// What the exponent of a product with 64 bits is, in the form that numbers have it in.
    exponent: u64,
}

const fn inverses() -> [Inverse; MOST_DIGITS + 1] {
    let mut inverses = [Inverse { bits: 0, exponent: 0 }; MOST_DIGITS + 1];
    let (mut places, mut five) = (0, 1_u128);
    while places <= MOST_DIGITS {
        let width = if places == 0 { 0 } else { 128 - five.leading_zeros() };
        // 2ⁿ / five, bit by bit, such that 128 bits come out.
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

/// A number of up to nineteen digits without an exponent. None is not a verdict.
#[inline]
pub(super) fn plain(text: &[u8]) -> Option<f64> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(negative)..)?;
    let (significand, places) = match digits.len() {
        0 => return None,
        1..8 => short(digits)?,
        8..=MOST_LENGTH => long(digits)?,
        _ => return None,
    };
    let value = scaled(significand, places)?;
    Some(f64::from_bits(value.to_bits() | u64::from(negative) << 63))
}

/// The digits of such a number, and how many of them stand behind the point.
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
    // A digit on each side.
    if point == Some(0) || point == Some(digits.len() - 1) {
        return None;
    }
    Some((significand, places))
}

/// The same of eight characters and more. Where the point is, and so how many digits there are on
/// each side, differs from number to number: no branch depends on it, as it would be guessed wrong.
#[inline]
fn long(digits: &[u8]) -> Option<(u64, usize)> {
    const POINTS: u64 = u64::from_le_bytes([b'.'; 8]);
    let first = u64::from_le_bytes(*digits.first_chunk()?);
    // The lowest byte that is zero gets its high bit set; those above it do not matter.
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
    // Of what are no digits it is something, and refused below.
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

/// A number with eight digits or more before its point, or without one.
fn pointed_late(digits: &[u8]) -> Option<(u64, usize)> {
    let mut significand = 0_u64;
    let mut rest = digits;
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        // Twenty digits may overflow: they are refused below.
        significand = significand.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = after;
    }
    let fraction = match rest {
        [] if digits.len() <= MOST_DIGITS => rest,
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
/// By the algorithm of D. Lemire, "Number parsing at a gigabyte per second" (2021): the product with
/// the inverse of a power of five, of which 128 bits are enough to tell on which side of a tie it
/// lies, for powers as small as these (N. Mushtak and D. Lemire, "Fast number parsing without
/// fallback", 2022). A division would do where both are exact, but which numbers those are cannot be
/// guessed, and a branch that is guessed wrong costs as much.
#[inline]
#[allow(clippy::cast_precision_loss)] // Rounding is what this is about.
fn scaled(significand: u64, places: usize) -> Option<f64> {
    if places == 0 || significand == 0 {
        return Some(significand as f64);
    }
    let inverse = INVERSES.get(places)?;
    let (head, tail) = halves(inverse.bits);
    let shift = significand.leading_zeros();
    let normal = u128::from(significand << shift);
    let (mut high, mut low) = halves(normal * u128::from(head));
    // Where all bits below those that are kept are set, what comes from the tail decides.
    if high & 0x1FF == 0x1FF {
        let (carried, _) = halves(normal * u128::from(tail));
        let overflowed;
        (low, overflowed) = low.overflowing_add(carried);
        high += u64::from(overflowed);
    }
    let top = high >> 63;
    // 53 bits are kept, and one more to round by.
    let dropped = top + 9;
    let mut kept = high >> dropped;
    // Half-way between two numbers, which can only be with few places: to the even one.
    if low <= 1 && places <= 4 && kept & 3 == 1 && kept << dropped == high {
        kept -= 1;
    }
    kept = (kept + (kept & 1)) >> 1;
    let exponent = inverse.exponent + top - u64::from(shift);
    // Should rounding carry into a 54th bit, this sum carries it into the exponent.
    Some(f64::from_bits((exponent << 52) + (kept - (1 << 52))))
}

fn halves(value: u128) -> (u64, u64) {
    #[allow(clippy::cast_possible_truncation)]
    ((value >> 64) as u64, value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, the same each time (xorshift).
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

    /// A number of these digits with so many places.
    fn pointed(digits: u64, places: usize) -> String {
        let text = format!("{digits:0width$}", width = places + 1);
        let (whole, fraction) = text.split_at(text.len() - places);
        if places == 0 { text } else { format!("{whole}.{fraction}") }
    }

    #[test]
    fn digits_are_rounded_as_the_standard_library_rounds_them() {
        for (n, bits) in random().take(1_000_000).enumerate() {
            // Of all lengths, and most often of full length.
            let digits = (bits >> if n % 3 == 0 { n % 64 } else { 0 }) % 10_u64.pow(18);
            let text = pointed(digits, n % 19);
            check(&text);
            check(&format!("-{text}"));
        }
    }

    #[test]
    fn what_the_server_writes_is_read_back() {
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
    fn ties_go_to_the_even_one() {
        // Between two numbers above 2^53 lie .5s; below, numbers with up to four places can be ties.
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
    fn what_is_another_matter_is_left_alone() {
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
