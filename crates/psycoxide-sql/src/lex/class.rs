//! What a byte may be part of.

/// White space.
pub(super) const SPACE: u8 = 1;
/// The first character of a name.
pub(super) const START: u8 = 2;
/// Any character of a name.
pub(super) const WORD: u8 = 4;
/// An operator.
pub(super) const OPERATOR: u8 = 8;
/// An operator's character that the SQL standard does not have.
pub(super) const EXTRA: u8 = 16;
/// A character of a dollar-quoted string's tag, but for the first one.
pub(super) const TAG: u8 = 32;

static CLASSES: [u8; 256] = classes();

/// Whether the byte is of one of these classes.
#[inline]
pub(super) fn is(byte: u8, classes: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|class| class & classes != 0)
}

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => START | WORD | TAG,
            b'0'..=b'9' => WORD | TAG,
            b'$' => WORD,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%' => OPERATOR | EXTRA,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' => OPERATOR,
            _ => 0,
        };
        byte += 1;
    }
    table
}
