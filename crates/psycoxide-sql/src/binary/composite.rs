//! Composite values in binary: the number of fields, then the type of each and its value.

use super::{FAULT, fixed, sized};
use crate::oid::Oid;
use crate::text::Malformed;

/// A reader of a composite value's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    left: usize,
    rest: &'a [u8],
}

/// A field: its type, and its value, `None` for NULL.
pub type Field<'a> = (Oid, Option<&'a [u8]>);

impl<'a> Fields<'a> {
    /// Starts at the beginning of a value.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (count, rest) = bytes.split_at_checked(4).ok_or(FAULT)?;
        let left = usize::try_from(i32::from_be_bytes(fixed(count)?)).map_err(|_| FAULT)?;
        Ok(Self { left, rest })
    }

    /// How many fields have not been read.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next field, `None` after the last.
    pub fn step(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else {
            return if self.rest.is_empty() { Ok(None) } else { Err(FAULT) };
        };
        let (oid, rest) = self.rest.split_first_chunk().ok_or(FAULT)?;
        self.left = left;
        self.rest = rest;
        Ok(Some((Oid::from_be_bytes(*oid), sized(&mut self.rest)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_types_and_values() {
        let bytes = b"\0\0\0\x02\0\0\0\x17\0\0\0\x01a\0\0\0\x19\xff\xff\xff\xff";
        let mut fields = Fields::parse(bytes).unwrap();
        assert_eq!(fields.left(), 2);
        assert_eq!(fields.step(), Ok(Some((23, Some(&b"a"[..])))));
        assert_eq!(fields.step(), Ok(Some((25, None))));
        assert_eq!(fields.step(), Ok(None));
        for end in 0..bytes.len() {
            let read = |mut fields: Fields<'_>| {
                while fields.step()?.is_some() {}
                Ok(())
            };
            assert_eq!(Fields::parse(&bytes[..end]).and_then(read), Err(FAULT), "{end}");
        }
        assert_eq!(Fields::parse(b"\xff\xff\xff\xff"), Err(FAULT));
        assert_eq!(Fields::parse(b"\0\0\0\0x").unwrap().step(), Err(FAULT));
    }
}
