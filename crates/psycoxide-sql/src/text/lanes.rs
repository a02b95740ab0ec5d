//! SWAR ("SIMD within a register"): decimal digits, eight at a time, in the byte lanes of one word.

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const LOWER_HALF: u64 = 0xFFFF_FFFF;

/// Eight characters, the first in the lowest byte, each less `0`.
///
/// Their value means nothing if there are flaws. That check is separate, so that one branch can
/// serve several words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes(u64);

impl Lanes {
    #[inline]
    pub(super) fn of(text: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(text).wrapping_sub(ZEROS))
    }

    /// The last `count` (< 8) characters, left-padded with `0`.
    #[inline]
    pub(super) fn of_last(text: [u8; 8], count: usize) -> Self {
        // The characters before them may be anything: clear them, so that they borrow nothing.
        let kept = !(u64::MAX >> (8 * count));
        Self((u64::from_le_bytes(text) & kept).wrapping_sub(ZEROS & kept))
    }

    /// Four characters, then another four that may overlap them in the text.
    #[inline]
    pub(super) fn of_halves(first: [u8; 4], last: [u8; 4]) -> Self {
        let (first, last) = (u32::from_le_bytes(first), u32::from_le_bytes(last));
        Self((u64::from(last) << 32 | u64::from(first)).wrapping_sub(ZEROS))
    }

    /// Zero if, and only if, all characters are digits.
    #[inline]
    pub(super) fn flaws(self) -> u64 {
        // A character below `0` sets the high bit of the difference, one above `9` that of the sum.
        // A byte that borrows from the next one, or carries into it, is flawed itself.
        (self.0 | self.0.wrapping_add(0x7676_7676_7676_7676)) & HIGH_BITS
    }

    /// The first digits, left-padded with `zeros` (< 8) zeros.
    #[inline]
    pub(super) fn after(self, zeros: usize) -> Self {
        Self(self.0 << (8 * zeros))
    }

    /// Without the first half's last `count` (≤ 4) digits, but with zeros before it.
    #[inline]
    pub(super) fn without(self, count: usize) -> Self {
        Self(self.0 & !LOWER_HALF | (self.0 << (8 * count)) & LOWER_HALF)
    }

    /// The number that the digits form.
    #[inline]
    pub(super) fn value(self) -> u64 {
        // Combine pairs, then fours, then all eight.
        let pairs = (self.0.wrapping_mul((10 << 8) + 1) >> 8) & 0x00FF_00FF_00FF_00FF;
        let fours = (pairs.wrapping_mul((100 << 16) + 1) >> 16) & 0x0000_FFFF_0000_FFFF;
        fours.wrapping_mul((10_000 << 32) + 1) >> 32
    }
}

/// Eight decimal digits.
#[inline]
pub(super) fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let lanes = Lanes::of(text);
    (lanes.flaws() == 0).then(|| lanes.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_in_every_lane_is_checked() {
        for lane in 0..8 {
            for byte in 0..=u8::MAX {
                // No borrow passes zeros that would pass nines, and the other way round.
                for others in [*b"12345678", *b"00000000", *b"99999999"] {
                    let mut text = others;
                    text[lane] = byte;
                    let expected = std::str::from_utf8(&text)
                        .ok()
                        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                        .and_then(|text| text.parse().ok());
                    assert_eq!(eight_digits(text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn flaws_of_neighbouring_bytes_do_not_cancel_out() {
        for lane in 0..7 {
            for byte in 0..=u8::MAX {
                for next in 0..=u8::MAX {
                    let mut text = *b"12345678";
                    text[lane] = byte;
                    text[lane + 1] = next;
                    let digits = text.iter().all(u8::is_ascii_digit);
                    assert_eq!(Lanes::of(text).flaws() == 0, digits, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn parts_of_a_word_are_parts_of_its_digits() {
        let lanes = Lanes::of(*b"12345678");
        for count in 0..8 {
            let (first, last) = (12_345_678 / 10_u64.pow(count), 12_345_678 % 10_u64.pow(count));
            let count = count as usize;
            assert_eq!(lanes.after(count).value(), first);
            let mut text = *b"12345678";
            text[..8 - count].fill(b'.');
            let lanes = Lanes::of_last(text, count);
            assert_eq!((lanes.flaws(), lanes.value()), (0, last));
        }
        for (text, number) in [("1234", 1234), ("12345", 12345), ("12345678", 12_345_678)] {
            let (first, last) = (text.as_bytes().first_chunk(), text.as_bytes().last_chunk());
            let both = Lanes::of_halves(*first.unwrap(), *last.unwrap());
            assert_eq!(both.without(8 - text.len()).value(), number);
        }
    }
}
