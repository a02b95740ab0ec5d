//! Key/value pairs of the extension hstore in binary: their number, then each key and its value.

use super::{FAULT, sized};
use crate::text::Malformed;

/// A reader of an hstore's pairs.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    left: u32,
    rest: &'a [u8],
}

/// A key and its value, `None` for NULL.
pub type Pair<'a> = (&'a [u8], Option<&'a [u8]>);

impl<'a> Pairs<'a> {
    /// Starts at the beginning of a value.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (count, rest) = bytes.split_first_chunk().ok_or(FAULT)?;
        let left = u32::try_from(i32::from_be_bytes(*count)).map_err(|_| FAULT)?;
        Ok(Self { left, rest })
    }

    /// The next pair, `None` after the last.
    pub fn step(&mut self) -> Result<Option<Pair<'a>>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else {
            return if self.rest.is_empty() { Ok(None) } else { Err(FAULT) };
        };
        self.left = left;
        let key = sized(&mut self.rest)?.ok_or(FAULT)?;
        Ok(Some((key, sized(&mut self.rest)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Pair<'_>>, Malformed> {
        let mut pairs = Pairs::parse(bytes)?;
        let mut all = Vec::new();
        while let Some(pair) = pairs.step()? {
            all.push(pair);
        }
        Ok(all)
    }

    #[test]
    fn pairs_have_keys_and_perhaps_values() {
        let bytes = b"\0\0\0\x02\0\0\0\x01a\0\0\0\x01b\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(read(bytes), Ok(vec![(&b"a"[..], Some(&b"b"[..])), (b"", None)]));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(FAULT), "{end}");
        }
        assert_eq!(read(b"\0\0\0\0x"), Err(FAULT));
        assert_eq!(read(b"\xff\xff\xff\xff"), Err(FAULT));
        assert_eq!(read(b"\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff"), Err(FAULT));
    }
}
