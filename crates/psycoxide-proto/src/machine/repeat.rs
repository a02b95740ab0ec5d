//! One statement with many rows of parameters.

use std::sync::Arc;

use crate::error::Error;
use crate::frontend::extended::{self, ObjectKind};
use crate::frontend::parameters::Written;
use crate::machine::request::BoundStatement;
use crate::wire::writer::{Refused, TOO_LONG, TOO_MANY};

/// A statement with rows of parameters: bound and executed once a row, and parsed as often as the
/// types of the parameters change.
///
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    sql: Arc<[u8]>,
    parameters: usize,
    keeps: bool,
    /// The statement was parsed last, with these types.
    parsed: bool,
    types: Vec<u32>,
    /// The messages of each row, serialised.
    messages: Vec<u8>,
    /// Where the current row begins.
    start: usize,
    /// The types of the current row's values.
    found: Vec<u32>,
    rows: usize,
}

impl Repeat {
    /// A statement with `$1` and so on, of which there are this many.
    pub fn new(sql: Arc<[u8]>, parameters: usize) -> Repeat {
        let mut repeat = Repeat { sql, parameters, ..Repeat::default() };
        repeat.begin_row();
        repeat
    }

    /// Keeps the rows that it returns. If the columns change, because the statement was parsed
    /// anew, there is no result, and [`Tally::mixed`](crate::Tally::mixed) says so.
    #[must_use]
    pub fn keeping(mut self) -> Repeat {
        self.keeps = true;
        self
    }

    /// Whether rows are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Adds a parameter to the current row: `write` appends the value, and returns its type (0 lets
    /// the server choose) and its form. If it returns `None`, there is no such parameter: drop the
    /// row then. Returns whether there is one.
    ///
    /// `null_fits`: a NULL may have the type of the rows before it.
    ///
    /// # Errors
    /// Those of `write`. Drop the row then.
    #[inline]
    pub fn value<E>(
        &mut self,
        null_fits: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<(u32, Written)>, E>,
    ) -> Result<bool, E> {
        let at = self.messages.len();
        self.messages.extend_from_slice(&[0xff; 4]);
        let Some((mut oid, written)) = write(&mut self.messages)? else { return Ok(false) };
        let number = self.found.len();
        if written == Written::Null {
            self.messages.truncate(at + 4);
            if null_fits && oid == 0 {
                oid = self.parsed_type(number);
            }
        } else {
            let length = self.messages.len() - at - 4;
            // Saturates: a message that is too long is refused as a whole.
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            if let Some(field) = self.messages.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *field = length.to_be_bytes();
            }
        }
        if written == Written::Binary {
            extended::mark_binary(&mut self.messages, self.start, number);
        }
        self.found.push(oid);
        Ok(true)
    }

    /// The type that the parameter with this number, counted from 0, has in the complete rows; 0 if
    /// there are none.
    pub fn parsed_type(&self, number: usize) -> u32 {
        self.types.get(number).copied().unwrap_or(0)
    }

    /// The types of the current row's values so far.
    pub fn row_types(&self) -> &[u32] {
        &self.found
    }

    /// Ends the current row.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the row has another number of values than the statement has parameters,
    /// or is longer than the protocol allows, or the statement cannot be sent. The row is dropped
    /// then.
    pub fn end_row(&mut self) -> Result<(), Error> {
        let ended = match self.found.len() == self.parameters {
            true => self.write_row(),
            false => Err("a row with another number of parameters"),
        };
        self.end_with(ended)
    }

    fn write_row(&mut self) -> Result<(), Refused> {
        extended::end_bind(&mut self.messages, self.start)?;
        extended::execute(&mut self.messages);
        if !self.parsed || self.types != self.found {
            let mut parse = Vec::with_capacity(self.sql.len() + 64);
            write_parse(&mut parse, &self.sql, &self.found, self.keeps)?;
            self.messages.splice(self.start..self.start, parse);
            self.types.clone_from(&self.found);
            self.parsed = true;
        }
        Ok(())
    }

    /// Adds a row that is a statement of its own, in the place of the current row.
    ///
    /// # Errors
    /// [`Error::Misuse`] if it cannot be sent.
    pub fn statement(&mut self, statement: &BoundStatement) -> Result<(), Error> {
        self.messages.truncate(self.start);
        self.parsed = false;
        let written =
            write_parse(&mut self.messages, statement.sql(), statement.types(), self.keeps)
                .and_then(|()| extended::bind(&mut self.messages, b"", &statement.parameters, &[]));
        extended::execute(&mut self.messages);
        self.end_with(written)
    }

    fn end_with(&mut self, written: Result<(), Refused>) -> Result<(), Error> {
        if let Err(refused) = written {
            self.drop_row();
            return Err(Error::Misuse(refused));
        }
        self.rows += 1;
        self.start = self.messages.len();
        self.begin_row();
        Ok(())
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
        self.found.clear();
        extended::begin_bind(&mut self.messages, self.parameters);
    }

    /// Appends the messages and the Sync.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.is_empty() {
            return Err("a statement to be repeated without a row");
        }
        extended::write_synced(out, self.messages.get(..self.start).ok_or(TOO_LONG)?);
        Ok(())
    }
}

/// Parses the unnamed statement, and has it described if its rows are kept.
fn write_parse(out: &mut Vec<u8>, sql: &[u8], types: &[u32], keeps: bool) -> Result<(), Refused> {
    if types.len() > usize::from(u16::MAX) {
        return Err(TOO_MANY);
    }
    extended::parse(out, b"", sql, types)?;
    if keeps {
        extended::describe(out, ObjectKind::Statement, b"")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::parameters::Parameters;

    type Value = Result<Option<(u32, Written)>, u8>;

    fn text(oid: u32, value: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) -> Value {
        move |out| {
            out.extend_from_slice(value);
            Ok(Some((oid, Written::Text)))
        }
    }

    fn null(_out: &mut Vec<u8>) -> Value {
        Ok(Some((0, Written::Null)))
    }

    fn sent(repeat: &Repeat) -> Vec<u8> {
        let mut out = Vec::new();
        repeat.write(&mut out).unwrap();
        out
    }

    /// The types of each Parse, and the number of rows behind it.
    fn parses(repeat: &Repeat) -> Vec<(Vec<u32>, usize)> {
        let (sent, mut parses) = (sent(repeat), Vec::new());
        let mut rest = &sent[..];
        while let [kind, a, b, c, d, ..] = *rest {
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
            let body = &rest[5..=length];
            rest = &rest[1 + length..];
            match kind {
                b'P' => {
                    let types = &body[body.len() - 4 * repeat.parameters..];
                    let types = types.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid));
                    parses.push((types.collect(), 0));
                }
                b'E' => parses.last_mut().unwrap().1 += 1,
                _ => {}
            }
        }
        parses
    }

    #[test]
    fn a_row_is_a_bind_and_an_execute() {
        let mut repeat = Repeat::new(b"x".as_slice().into(), 3);
        assert_eq!(repeat.value(true, text(23, b"7")), Ok(true));
        assert_eq!(repeat.value(true, null), Ok(true));
        let truth = |out: &mut Vec<u8>| {
            out.push(1);
            Ok::<_, u8>(Some((16, Written::Binary)))
        };
        assert_eq!(repeat.value(true, truth), Ok(true));
        assert_eq!(repeat.row_types(), [23, 0, 16]);
        repeat.end_row().unwrap();
        let parse = b"P\0\0\0\x15\0x\0\0\x03\0\0\0\x17\0\0\0\0\0\0\0\x10";
        let row = b"B\0\0\0\x20\0\0\0\x03\0\0\0\0\0\x01\0\x03\0\0\0\x017\xff\xff\xff\xff\
            \0\0\0\x01\x01\0\0E\0\0\0\x09\0\0\0\0\0";
        assert_eq!(sent(&repeat), [&parse[..], row, b"S\0\0\0\x04"].concat());
        assert_eq!((repeat.len(), repeat.size()), (1, parse.len() + row.len()));
    }

    #[test]
    fn an_incomplete_row_is_not_sent() {
        let mut repeat = Repeat::new(b"x".as_slice().into(), 1);
        assert!(repeat.is_empty() && repeat.write(&mut Vec::new()).is_err());
        repeat.end_row().unwrap_err();
        assert_eq!(repeat.value(true, |_| Err(5)), Err(5));
        repeat.drop_row();
        assert_eq!(repeat.value(true, |_| Ok::<_, u8>(None)), Ok(false));
        repeat.drop_row();
        repeat.value(true, text(25, b"1")).unwrap();
        repeat.value(true, text(25, b"2")).unwrap();
        repeat.end_row().unwrap_err();
        repeat.value(true, text(25, b"3")).unwrap();
        repeat.end_row().unwrap();
        repeat.value(true, text(25, b"4")).unwrap();
        assert_eq!(repeat.len(), 1);
        let out = sent(&repeat);
        assert!(out.ends_with(b"\0\0\0\x013\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"), "{out:x?}");
        let mut refused = Repeat::new(b"\0".as_slice().into(), 0);
        refused.end_row().unwrap_err();
        assert!(refused.is_empty() && refused.write(&mut Vec::new()).is_err());
    }

    #[test]
    fn other_types_are_parsed_anew() {
        let mut repeat = Repeat::new(b"x".as_slice().into(), 2);
        for (first, second) in [(23, 25), (23, 25), (20, 25), (0, 25), (0, 25), (23, 25)] {
            repeat.value(true, text(first, b"1")).unwrap();
            repeat.value(true, text(second, b"x")).unwrap();
            repeat.end_row().unwrap();
        }
        let types = [(23, 2), (20, 1), (0, 2), (23, 1)];
        assert_eq!(parses(&repeat), types.map(|(first, rows)| (vec![first, 25], rows)));
    }

    #[test]
    fn a_null_fits_where_it_may() {
        let mut repeat = Repeat::new(b"x".as_slice().into(), 2);
        for value in [None, Some(23), None, Some(23), None, Some(20), None] {
            for null_fits in [true, false] {
                let added = match value {
                    Some(oid) => repeat.value(null_fits, text(oid, b"1")),
                    None => repeat.value(null_fits, null),
                };
                assert_eq!(added, Ok(true));
            }
            repeat.end_row().unwrap();
        }
        let types =
            [[0, 0], [23, 23], [23, 0], [23, 23], [23, 0], [20, 20], [20, 0]].map(Vec::from);
        assert_eq!(parses(&repeat), types.map(|types| (types, 1)));
    }

    #[test]
    fn a_statement_may_take_the_place_of_a_row() {
        let mut repeat = Repeat::new(b"x".as_slice().into(), 1).keeping();
        let mut parameters = Parameters::default();
        parameters.push(20, Some((b"8", Written::Text)));
        let other = BoundStatement::new(b"other".as_slice().into(), parameters);
        for _ in 0..2 {
            repeat.value(true, text(23, b"1")).unwrap();
            repeat.end_row().unwrap();
        }
        repeat.value(true, text(23, b"1")).unwrap();
        repeat.statement(&other).unwrap();
        repeat.value(true, text(23, b"1")).unwrap();
        repeat.end_row().unwrap();
        let nul = BoundStatement::new(b"\0".as_slice().into(), Parameters::default());
        repeat.statement(&nul).unwrap_err();
        assert_eq!(parses(&repeat), [(vec![23], 2), (vec![20], 1), (vec![23], 1)]);
        assert_eq!(repeat.len(), 4);
        let out = sent(&repeat);
        let described = memchr::memmem::find_iter(&out, b"D\0\0\0\x06S\0").count();
        assert_eq!(described, 3);
    }
}
