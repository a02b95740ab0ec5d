//! `numeric` in binary: groups of four decimal digits.
//!
//! A header of four 16-bit words (the number of groups, the weight of the first one in powers of
//! 10,000, the sign, the number of decimals in the text), then the groups.

use super::FAULT;
use crate::text::Malformed;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;
/// The most decimals that a `numeric` can have.
const MOST_DECIMALS: u16 = 0x3fff;

/// A `numeric`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numeric<'a> {
    /// An ordinary number.
    Finite(Digits<'a>),
    /// `NaN`
    NaN,
    /// `Infinity`
    Infinity,
    /// `-Infinity`
    MinusInfinity,
}

/// The digits of a number, in groups of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits<'a> {
    /// Whether it is below zero.
    pub negative: bool,
    /// The power of 10,000 by which the first group is multiplied.
    pub weight: i32,
    /// How many decimals its text has.
    pub decimals: u16,
    groups: &'a [[u8; 2]],
}

impl<'a> Digits<'a> {
    /// How many groups there are. What lies outside of them is zero.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether it is zero.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The groups, the most significant one first, each below 10,000.
    #[inline]
    pub fn groups(&self) -> impl Iterator<Item = Result<u16, Malformed>> + use<'a> {
        self.groups.iter().map(|group| below_10_000(*group))
    }
}

#[inline]
fn below_10_000(group: [u8; 2]) -> Result<u16, Malformed> {
    match u16::from_be_bytes(group) {
        group @ 0..=9999 => Ok(group),
        _ => Err(FAULT),
    }
}

/// Reads the header of a `numeric`. Its groups are checked when they are read.
#[inline]
pub fn numeric(bytes: &[u8]) -> Result<Numeric<'_>, Malformed> {
    let (header, groups) = bytes.split_first_chunk::<8>().ok_or(FAULT)?;
    let [c1, c2, w1, w2, s1, s2, d1, d2] = *header;
    let (count, sign) = (u16::from_be_bytes([c1, c2]), u16::from_be_bytes([s1, s2]));
    let weight = i32::from(i16::from_be_bytes([w1, w2]));
    let decimals = u16::from_be_bytes([d1, d2]);
    let (groups, rest) = groups.as_chunks::<2>();
    if !rest.is_empty() || groups.len() != usize::from(count) {
        return Err(FAULT);
    }
    let special = |value| if count == 0 { Ok(value) } else { Err(FAULT) };
    match sign {
        0 | NEGATIVE if decimals <= MOST_DECIMALS => {
            Ok(Numeric::Finite(Digits { negative: sign == NEGATIVE, weight, decimals, groups }))
        }
        NAN => special(Numeric::NaN),
        INFINITY => special(Numeric::Infinity),
        MINUS_INFINITY => special(Numeric::MinusInfinity),
        _ => Err(FAULT),
    }
}

/// Writes the text of a `numeric`, with all the decimals of its scale.
pub fn write(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let special = match numeric(bytes)? {
        Numeric::Finite(digits) => return write_digits(digits, out),
        Numeric::NaN => "NaN",
        Numeric::Infinity => "Infinity",
        Numeric::MinusInfinity => "-Infinity",
    };
    out.extend_from_slice(special.as_bytes());
    Ok(())
}

fn write_digits(digits: Digits<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let Digits { negative, weight, decimals, groups } = digits;
    if negative {
        out.push(b'-');
    }
    // The groups before the point, then those after it; what lies outside of the groups is zero.
    let group = |place: i32| match usize::try_from(place).ok().and_then(|at| groups.get(at)) {
        Some(group) => below_10_000(*group),
        None => Ok(0),
    };
    if weight < 0 {
        out.push(b'0');
    } else {
        let first = four_digits(group(0)?);
        // No leading zeros; but a zero alone stays.
        let zeros = first.iter().take(3).take_while(|digit| **digit == b'0').count();
        out.extend_from_slice(first.get(zeros..).unwrap_or_default());
        for place in 1..=weight {
            out.extend_from_slice(&four_digits(group(place)?));
        }
    }
    if decimals > 0 {
        out.push(b'.');
        let end = out.len() + usize::from(decimals);
        let mut place = weight + 1;
        // A number below 0.0001 begins some groups after the point.
        while out.len() < end {
            out.extend_from_slice(&four_digits(group(place)?));
            place += 1;
        }
        out.truncate(end);
    }
    Ok(())
}

/// The digits of a number below 10,000.
#[allow(clippy::cast_possible_truncation)]
#[inline]
fn four_digits(group: u16) -> [u8; 4] {
    // Each is below 10.
    let digit = |value: u16| b'0' + (value % 10) as u8;
    [digit(group / 1000), digit(group / 100), digit(group / 10), digit(group)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[i32]) -> Result<String, Malformed> {
        #[allow(clippy::cast_possible_truncation)]
        let bytes: Vec<u8> = words.iter().flat_map(|word| (*word as i16).to_be_bytes()).collect();
        let mut out = Vec::new();
        write(&bytes, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn digits_stand_where_the_weight_says() {
        for (words, expected) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 3], "0.000"),
            (&[0, -1, 0, 0], "0"),
            (&[1, 0, 0, 0, 1], "1"),
            (&[1, 0, 0, 0, 9999], "9999"),
            (&[1, 1, 0, 0, 12], "120000"),
            (&[2, 1, 0, 2, 1, 2], "10002.00"),
            (&[2, 0, 0x4000, 2, 1, 1000], "-1.10"),
            (&[1, -1, 0, 4, 1], "0.0001"),
            (&[1, -1, 0, 1, 5000], "0.5"),
            (&[1, -2, 0, 5, 1000], "0.00001"),
            (&[1, -5, 0, 20, 1], "0.00000000000000000001"),
            (&[1, 5, 0, 0, 100], "10000000000000000000000"),
            (&[0, 0, 0xc000, 0], "NaN"),
            (&[0, 0, 0xd000, 32], "Infinity"),
            (&[0, 0, 0xf000, 32], "-Infinity"),
        ] {
            assert_eq!(text(words).as_deref(), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for words in [
            &[][..],
            &[0, 0, 0],
            &[1, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[1, 0, 0, 0, 10_000],
            &[1, 0, 0, 0, -1],
            &[0, 0, 1, 0],
            &[0, 0, 0, 0x4000],
            &[1, 0, 0xc000, 0, 1],
        ] {
            assert_eq!(text(words), Err(FAULT), "{words:?}");
        }
        assert_eq!(write(&[0; 9], &mut Vec::new()), Err(FAULT));
    }
}
