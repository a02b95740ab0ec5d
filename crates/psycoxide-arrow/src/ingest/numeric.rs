//! `numeric` in binary: groups of four decimal digits.

const NEGATIVE: u16 = 0x4000;
pub const NAN: u16 = 0xc000;
pub const INFINITY: u16 = 0xd000;
pub const MINUS_INFINITY: u16 = 0xf000;

/// The most digits that a number is written with: those of a double near the smallest, and of a
/// decimal of 256 bits.
const MOST_GROUPS: usize = 400;

/// Writes NaN or an infinity.
pub fn special(out: &mut Vec<u8>, sign: u16) {
    header(out, 0, 0, sign, 0);
}

fn header(out: &mut Vec<u8>, groups: u16, weight: i16, sign: u16, decimals: u16) {
    let [g1, g2] = groups.to_be_bytes();
    let [w1, w2] = weight.to_be_bytes();
    let [s1, s2] = sign.to_be_bytes();
    let [d1, d2] = decimals.to_be_bytes();
    out.extend_from_slice(&[g1, g2, w1, w2, s1, s2, d1, d2]);
}

/// Writes a number without its point, and how many of its digits are behind that.
#[inline]
pub fn write(out: &mut Vec<u8>, number: i128, scale: i8) -> Option<()> {
    let magnitude = number.unsigned_abs();
    // At most three zeros behind, so that the groups begin at the point.
    if let (Ok(small), 0..) = (u64::try_from(magnitude), scale)
        && small < 1_000_000_000_000_000
    {
        small_number(out, small, number < 0, u16::from(scale.unsigned_abs()));
        return Some(());
    }
    digits(out, number < 0, magnitude.to_string().as_bytes(), scale.into())
}

#[allow(clippy::cast_possible_truncation)]
fn small_number(out: &mut Vec<u8>, number: u64, negative: bool, scale: u16) {
    let missing = (4 - scale % 4) % 4;
    let mut rest = number * [1, 10, 100, 1000].get(usize::from(missing)).copied().unwrap_or(1);
    // The last group has this weight.
    let mut weight = -(i16::try_from((scale + missing) / 4).unwrap_or_default());
    // 18 digits, which are five groups.
    let mut groups = [0_u16; 5];
    let mut count = 0;
    while rest != 0 {
        // Below 10,000.
        let group = (rest % 10_000) as u16;
        rest /= 10_000;
        weight += 1;
        // Zeros at the end are not written.
        if (group != 0 || count > 0)
            && let Some(place) = groups.get_mut(count)
        {
            *place = group;
            count += 1;
        }
    }
    if count == 0 {
        header(out, 0, 0, 0, scale);
        return;
    }
    let sign = if negative { NEGATIVE } else { 0 };
    header(out, count as u16, weight - 1, sign, scale);
    for group in groups.get(..count).unwrap_or_default().iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// Writes a number of ASCII digits, `scale` of which are behind the point. `None` if `numeric` has
/// no room for it.
pub fn digits(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: i32) -> Option<()> {
    let decimals = u16::try_from(scale.max(0)).ok().filter(|scale| *scale <= 0x3fff)?;
    // The digits with zeros at both ends, so that the groups begin at the point.
    let (missing, zeros) = match scale {
        0.. => ((4 - scale % 4) % 4, 0),
        _ => (0, scale.unsigned_abs()),
    };
    let last_weight = -(scale.max(0) + missing) / 4;
    let behind = usize::try_from(missing.unsigned_abs() + zeros).ok()?;
    let length = digits.len() + behind;
    let in_front = (4 - length % 4) % 4;
    let count = (length + in_front) / 4;
    if count > MOST_GROUPS {
        return None;
    }
    let digit = |at: usize| -> u16 {
        let found = at.checked_sub(in_front).and_then(|at| digits.get(at));
        found.map_or(0, |digit| u16::from(digit.wrapping_sub(b'0')))
    };
    let group = |place: usize| {
        (0..4).fold(0_u16, |value, at| value.wrapping_mul(10).wrapping_add(digit(place * 4 + at)))
    };
    let first = (0..count).find(|place| group(*place) != 0);
    let Some(first) = first else {
        header(out, 0, 0, 0, decimals);
        return Some(());
    };
    let last = (first..count).rev().find(|place| group(*place) != 0)?;
    let weight = last_weight + i32::try_from(count - 1 - first).ok()?;
    let sign = if negative { NEGATIVE } else { 0 };
    let groups = u16::try_from(last - first + 1).ok()?;
    header(out, groups, i16::try_from(weight).ok()?, sign, decimals);
    for place in first..=last {
        out.extend_from_slice(&group(place).to_be_bytes());
    }
    Some(())
}

/// Writes a finite number by its shortest digits, as `{:e}` formats it.
pub fn scientific(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = i32::try_from(fraction.len()).ok()? - exponent;
    digits(out, negative, format!("{whole}{fraction}").as_bytes(), scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> String {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        write(&mut bytes).unwrap();
        psycoxide_sql::binary::numeric::write(&bytes, &mut out).unwrap();
        // No group of zeros at either end, as the server has it.
        if let [_, _, _, _, _, _, _, _, first1, first2, .., last1, last2] = bytes[..] {
            assert!([first1, first2] != [0, 0] && [last1, last2] != [0, 0], "{bytes:?}");
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        for (number, scale, expected) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (1, 0, "1"),
            (-1, 1, "-0.1"),
            (10_000, 0, "10000"),
            (10_000, 4, "1.0000"),
            (1, 5, "0.00001"),
            (12_345_678, 3, "12345.678"),
            (100_000_000, 0, "100000000"),
            (999_999_999_999_999, 7, "99999999.9999999"),
            (-1_000_000_000_000_000, 3, "-1000000000000.000"),
            (5, -3, "5000"),
            (0, -3, "0"),
            (i128::MAX, 38, "1.70141183460469231731687303715884105727"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(text(|out| write(out, number, scale)), expected);
        }
    }

    #[test]
    fn both_ways_of_writing_agree() {
        for shift in 0..50_u32 {
            for scale in 0..20_i8 {
                let number = (0x5_DEEC_E66D_i128 * 7919) % (1 << shift);
                let (mut fast, mut slow) = (Vec::new(), Vec::new());
                write(&mut fast, number, scale).unwrap();
                digits(&mut slow, false, number.to_string().as_bytes(), scale.into()).unwrap();
                assert_eq!(fast, slow, "{number} {scale}");
            }
        }
    }

    #[test]
    fn floats_have_their_shortest_digits() {
        for value in [0.1, -1.5, 1e22, 123_456_789.25, 1e-7, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            let written = text(|out| scientific(out, &format!("{value:e}")));
            assert_eq!(written.parse(), Ok(value), "{written}");
        }
        assert_eq!(text(|out| scientific(out, "1e3")), "1000");
        assert_eq!(text(|out| scientific(out, "1.25e1")), "12.5");
    }
}
