//! One statement with many rows of parameters.

use crate::error::Error;
use crate::frontend::extended;
use crate::frontend::parameters::Written;
use crate::wire::writer::{NUL, Refused, TOO_LONG, TOO_MANY};

/// A statement with rows of parameters: parsed once, bound and executed once a row.
///
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    sql: Vec<u8>,
    types: Vec<u32>,
    /// Bind and Execute of each row, serialised.
    messages: Vec<u8>,
    /// Where the current row begins.
    start: usize,
    /// How many values the current row has.
    values: usize,
    rows: usize,
}

impl Repeat {
    /// A statement with `$1` and so on, whose parameters have these types.
    pub fn new(sql: Vec<u8>, types: Vec<u32>) -> Repeat {
        let mut repeat = Repeat { sql, types, ..Repeat::default() };
        repeat.begin_row();
        repeat
    }

    /// Adds a parameter to the current row: `write` appends the value and returns its form.
    ///
    /// # Errors
    /// Those of `write`. Drop the row then.
    pub fn value<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, E>,
    ) -> Result<(), E> {
        let at = self.messages.len();
        self.messages.extend_from_slice(&[0xff; 4]);
        let written = write(&mut self.messages)?;
        if written == Written::Null {
            self.messages.truncate(at + 4);
        } else {
            let length = self.messages.len() - at - 4;
            // Saturates: a message that is too long is refused as a whole.
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            if let Some(field) = self.messages.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *field = length.to_be_bytes();
            }
        }
        if written == Written::Binary {
            extended::mark_binary(&mut self.messages, self.start, self.values);
        }
        self.values += 1;
        Ok(())
    }

    /// Ends the current row.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the row has another number of values than there are types, or is longer
    /// than the protocol allows. The row is dropped then.
    pub fn end_row(&mut self) -> Result<(), Error> {
        let ended = extended::end_bind(&mut self.messages, self.start);
        if self.values == self.types.len() && ended.is_ok() {
            extended::execute(&mut self.messages);
            self.rows += 1;
            self.start = self.messages.len();
            self.begin_row();
            return Ok(());
        }
        let refused = ended.err().unwrap_or("a row with another number of parameters");
        self.drop_row();
        Err(Error::Misuse(refused))
    }

    /// Drops the current row.
    pub fn drop_row(&mut self) {
        self.messages.truncate(self.start);
        self.begin_row();
    }

    /// The number of complete rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no complete row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The size of the complete rows in bytes.
    pub fn size(&self) -> usize {
        self.start
    }

    fn begin_row(&mut self) {
        self.values = 0;
        extended::begin_bind(&mut self.messages, self.types.len());
    }

    /// Appends the messages and the Sync.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.is_empty() {
            return Err("a statement to be repeated without a row");
        }
        if self.types.len() > usize::from(u16::MAX) {
            return Err(TOO_MANY);
        }
        if memchr::memchr(0, &self.sql).is_some() {
            return Err(NUL);
        }
        extended::parse(out, b"", &self.sql, &self.types)?;
        extended::write_synced(out, self.messages.get(..self.start).ok_or(TOO_LONG)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) -> Result<Written, ()> {
        move |out| {
            out.extend_from_slice(value);
            Ok(Written::Text)
        }
    }

    #[test]
    fn a_row_is_a_bind_and_an_execute() {
        let mut repeat = Repeat::new(b"x".to_vec(), vec![23, 25, 16]);
        repeat.value(text(b"7")).unwrap();
        repeat.value(|_| Ok::<_, ()>(Written::Null)).unwrap();
        let truth = |out: &mut Vec<u8>| {
            out.push(1);
            Ok::<_, ()>(Written::Binary)
        };
        repeat.value(truth).unwrap();
        repeat.end_row().unwrap();
        let mut out = Vec::new();
        repeat.write(&mut out).unwrap();
        let parse = b"P\0\0\0\x15\0x\0\0\x03\0\0\0\x17\0\0\0\x19\0\0\0\x10";
        let row = b"B\0\0\0\x20\0\0\0\x03\0\0\0\0\0\x01\0\x03\0\0\0\x017\xff\xff\xff\xff\
            \0\0\0\x01\x01\0\0E\0\0\0\x09\0\0\0\0\0";
        assert_eq!(out, [&parse[..], row, b"S\0\0\0\x04"].concat());
        assert_eq!((repeat.len(), repeat.size()), (1, row.len()));
    }

    #[test]
    fn an_incomplete_row_is_not_sent() {
        let mut repeat = Repeat::new(b"x".to_vec(), vec![23]);
        assert!(repeat.is_empty() && repeat.write(&mut Vec::new()).is_err());
        repeat.end_row().unwrap_err();
        assert_eq!(repeat.value(|_| Err(5)), Err(5));
        repeat.drop_row();
        repeat.value(text(b"1")).unwrap();
        repeat.value(text(b"2")).unwrap();
        repeat.end_row().unwrap_err();
        repeat.value(text(b"3")).unwrap();
        repeat.end_row().unwrap();
        repeat.value(text(b"4")).unwrap();
        let mut out = Vec::new();
        repeat.write(&mut out).unwrap();
        assert_eq!(repeat.len(), 1);
        assert!(out.ends_with(b"\0\0\0\x013\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"), "{out:x?}");
        assert!(Repeat::new(b"\0".to_vec(), vec![]).write(&mut Vec::new()).is_err());
    }
}
