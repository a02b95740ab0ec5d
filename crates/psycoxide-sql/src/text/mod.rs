//! PostgreSQL's text formats: from the output functions' text to plain values.
//!
//! The parsers accept what the server's output functions write (`DateStyle` ISO, every
//! `IntervalStyle`, both `bytea_output` formats) and refuse the rest. Any input gives a value or
//! [`Malformed`], in time linear in its length and without recursion. [`loose`] reads the dates and
//! times that others write. Whether a client can use a value (a year that its calendar class cannot
//! hold, say) is the caller's business.

pub mod array;
pub mod bytea;
pub mod composite;
pub mod date;
mod float;
pub mod hstore;
pub mod interval;
pub mod json;
mod lanes;
pub mod loose;
pub mod number;
pub mod range;
pub mod time;
pub mod timestamp;
pub mod uuid;

/// The text is not what the type's output function writes. Names the part that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// A date or timestamp, or one of the two special values beyond all others.
///
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment<T> {
    /// An ordinary value.
    Finite(T),
    /// `infinity`
    Infinity,
    /// `-infinity`
    MinusInfinity,
}

impl<T> Moment<T> {
    /// The special value with the name `text`, if there is one.
    fn special(text: &[u8]) -> Option<Self> {
        match text {
            b"infinity" => Some(Self::Infinity),
            b"-infinity" => Some(Self::MinusInfinity),
            _ => None,
        }
    }
}

/// Takes leading decimal digits off `text`. Returns their value and their count.
///
/// Returns `None` if there is no digit, or more than `most`.
fn digits(text: &mut &[u8], most: usize) -> Option<(u32, usize)> {
    debug_assert!(most <= 9);
    let mut value = 0;
    let mut count = 0;
    while let Some((digit @ b'0'..=b'9', rest)) = text.split_first() {
        if count == most {
            return None;
        }
        value = value * 10 + u32::from(digit - b'0');
        count += 1;
        *text = rest;
    }
    (count > 0).then_some((value, count))
}

/// Takes the byte `expected` off `text`. Returns false if there is another one.
fn take(text: &mut &[u8], expected: u8) -> bool {
    match text.split_first() {
        Some((first, rest)) if *first == expected => {
            *text = rest;
            true
        }
        _ => false,
    }
}

/// The value of two decimal digits.
#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

#[cfg(test)]
pub(crate) mod mutation {
    //! Hostile input: seeds, mutated repeatedly by a small deterministic generator.

    /// xorshift64*: the same inputs in every run.
    pub struct Random(pub u64);

    impl Random {
        pub fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
            usize::try_from(high).unwrap_or(0) % n.max(1)
        }
    }

    /// Calls `check` with 20 000 mutations of `seeds`: bytes changed, cut, doubled and spliced.
    pub fn hostile(seeds: &[&str], mut check: impl FnMut(&[u8])) {
        let alphabet = b"0123456789{}[]()\\\",:.-+ =xXTPYMDSHNULnull\x00\xff\xc3eE";
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..20_000 {
            let mut text = seeds[random.below(seeds.len())].as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(text.len() + 1);
                match random.below(5) {
                    0 => text.truncate(at),
                    1 => text.insert(at, alphabet[random.below(alphabet.len())]),
                    2 if at < text.len() => text[at] = alphabet[random.below(alphabet.len())],
                    3 if at < text.len() => drop(text.remove(at)),
                    _ => {
                        let tail = text[at..].to_vec();
                        text.extend_from_slice(&tail);
                    }
                }
            }
            check(&text);
        }
    }
}
