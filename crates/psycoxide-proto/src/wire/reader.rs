//! A cursor over one message's body. It checks every step and requires that the whole body is read.

use memchr::memchr;

/// A short reason, for the error text, why a message's body does not fit its layout.
pub type Malformed = &'static str;

/// The body ended inside a field.
pub(crate) const SHORT: Malformed = "the message ends inside a field";
/// Bytes are left after the last field.
pub(crate) const TRAILING: Malformed = "the message is longer than its contents";
/// A `String` lacks its zero byte.
pub(crate) const UNTERMINATED: Malformed = "a string has no end";

/// Reads the fields of a message's body in order.
///
/// Integers are big-endian, strings end with a zero byte:
/// <https://www.postgresql.org/docs/current/protocol-message-types.html>
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body }
    }

    /// `Byte1`.
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// `Int16`, signed as in the manual.
    pub(crate) fn int16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    /// `Int16` as a count, which the server itself treats as unsigned.
    pub(crate) fn count(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// `Int32`.
    pub(crate) fn int32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// `Int32` as an object identifier or another unsigned number.
    pub(crate) fn uint32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// `String`: the bytes up to a zero byte. The zero byte is consumed and not returned.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let end = memchr(0, self.rest).ok_or(UNTERMINATED)?;
        let text = self.bytes(end)?;
        self.byte()?;
        Ok(text)
    }

    /// `Byten`: exactly `n` bytes.
    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A value preceded by its `Int32` length, where -1 stands for NULL.
    pub(crate) fn nullable(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| "a negative length")?;
                self.bytes(length).map(Some)
            }
        }
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that the message ends here.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(TRAILING) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_kind_of_field() {
        let mut reader =
            Reader::new(b"x\xff\xfe\0\x02\x80\0\0\0hi\0\xff\xff\xff\xff\0\0\0\x02abtail");
        assert_eq!(reader.byte(), Ok(b'x'));
        assert_eq!(reader.int16(), Ok(-2));
        assert_eq!(reader.count(), Ok(2));
        assert_eq!(reader.uint32(), Ok(0x8000_0000));
        assert_eq!(reader.string(), Ok(&b"hi"[..]));
        assert_eq!(reader.nullable(), Ok(None));
        assert_eq!(reader.nullable(), Ok(Some(&b"ab"[..])));
        assert_eq!(reader.finish(), Err(TRAILING));
        assert_eq!(reader.rest(), b"tail");
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn refuses_missing_fields() {
        assert_eq!(Reader::new(b"\0\0\0").int32(), Err(SHORT));
        assert_eq!(Reader::new(b"abc").string(), Err(UNTERMINATED));
        assert_eq!(Reader::new(b"abc").bytes(4), Err(SHORT));
        assert_eq!(Reader::new(b"\xff\xff\xff\xfe").nullable(), Err("a negative length"));
        assert_eq!(Reader::new(b"\x7f\xff\xff\xffab").nullable(), Err(SHORT));
    }
}
