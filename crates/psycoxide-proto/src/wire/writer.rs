//! Writes messages into a buffer, each with its true length.

/// Why a message cannot be sent. The caller is to blame, so it becomes
/// [`Error::Misuse`](crate::Error::Misuse).
pub(crate) type Refused = &'static str;

/// A string with a zero byte inside would end early and smuggle the rest in as another field.
pub(crate) const NUL: Refused = "a string to be sent contains a NUL (0x00) character";
/// Lengths are `Int32`.
pub(crate) const TOO_LONG: Refused = "a message to be sent is longer than the protocol allows";
/// Counts are `Int16`, which the server treats as unsigned.
pub(crate) const TOO_MANY: Refused = "more than 65535 items in one message";

/// The greatest length of a message, length field included: the length is an `Int32`.
const LIMIT: usize = 0x7fff_ffff;

/// A message being written at the end of a buffer.
///
/// A refused message leaves its beginning in the buffer. Callers that send several messages
/// truncate the buffer to the start of the first.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// The position of the length field.
    start: usize,
}

impl<'a> Writer<'a> {
    /// Begins a message of this type.
    pub(crate) fn message(out: &'a mut Vec<u8>, kind: u8) -> Writer<'a> {
        out.push(kind);
        Writer::untyped(out)
    }

    /// Begins a message without a type byte, as only the first of a connection is.
    pub(crate) fn untyped(out: &'a mut Vec<u8>) -> Writer<'a> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        Writer { out, start }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(crate) fn int16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn int32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn uint32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// The number of the items that follow.
    pub(crate) fn count(&mut self, count: usize) -> Result<(), Refused> {
        let count = u16::try_from(count).map_err(|_| TOO_MANY)?;
        self.out.extend_from_slice(&count.to_be_bytes());
        Ok(())
    }

    /// Bytes as they are. If they would make the message too long they are refused before they are
    /// copied.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let written = self.out.len() - self.start;
        if bytes.len() > LIMIT - written.min(LIMIT) {
            return Err(TOO_LONG);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// A string and its terminating zero byte.
    pub(crate) fn string(&mut self, text: &[u8]) -> Result<(), Refused> {
        if memchr::memchr(0, text).is_some() {
            return Err(NUL);
        }
        self.bytes(text)?;
        self.byte(0);
        Ok(())
    }

    /// A value after its length; the length -1 stands for NULL.
    pub(crate) fn nullable(&mut self, value: Option<&[u8]>) -> Result<(), Refused> {
        let Some(value) = value else {
            self.int32(-1);
            return Ok(());
        };
        self.int32(i32::try_from(value.len()).map_err(|_| TOO_LONG)?);
        self.bytes(value)
    }

    /// Writes the length.
    pub(crate) fn finish(self) -> Result<(), Refused> {
        let length = i32::try_from(self.out.len() - self.start).map_err(|_| TOO_LONG)?;
        match self.out.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut::<4>) {
            Some(field) => {
                *field = length.to_be_bytes();
                Ok(())
            }
            None => Err(TOO_LONG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_kind_of_field() {
        let mut out = b"before".to_vec();
        let mut writer = Writer::message(&mut out, b'B');
        writer.string(b"hi").unwrap();
        writer.int16(-1);
        writer.count(2).unwrap();
        writer.nullable(None).unwrap();
        writer.nullable(Some(b"ab")).unwrap();
        writer.uint32(0x8000_0000);
        writer.finish().unwrap();
        assert_eq!(
            out,
            b"beforeB\0\0\0\x19hi\0\xff\xff\0\x02\xff\xff\xff\xff\0\0\0\x02ab\x80\0\0\0"
        );
    }

    #[test]
    fn refuses_strings_and_counts_that_would_be_misread() {
        let mut out = Vec::new();
        let mut writer = Writer::message(&mut out, b'Q');
        assert_eq!(writer.string(b"select 1\0; drop"), Err(NUL));
        assert_eq!(writer.count(65536), Err(TOO_MANY));
    }

    #[test]
    fn refuses_a_length_that_would_wrap() {
        let huge = vec![0_u8; LIMIT - 3];
        let mut out = Vec::new();
        let mut writer = Writer::message(&mut out, b'd');
        assert_eq!(writer.bytes(&huge), Err(TOO_LONG));
        assert_eq!(out.len(), 5, "nothing was copied");
    }
}
