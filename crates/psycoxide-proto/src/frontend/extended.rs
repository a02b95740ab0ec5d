//! Parse, Bind, Describe, Execute, Close, Sync.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>

use crate::frontend::parameters::Parameters;
use crate::wire::writer::{Refused, TOO_LONG, Writer};

/// The object of a Describe or Close.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ObjectKind {
    Statement,
    Portal,
}

impl ObjectKind {
    fn byte(self) -> u8 {
        match self {
            ObjectKind::Statement => b'S',
            ObjectKind::Portal => b'P',
        }
    }
}

/// `Parse` (frontend, `P`): prepares a statement; the unnamed one if the name is empty.
pub(crate) fn parse(
    out: &mut Vec<u8>,
    name: &[u8],
    sql: &[u8],
    types: &[u32],
) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'P');
    message.string(name)?;
    message.string(sql)?;
    message.count(types.len())?;
    for oid in types {
        message.uint32(*oid);
    }
    message.finish()
}

/// Begins a `Parse` of the unnamed statement. Its text comes next.
pub(crate) fn begin_parse(out: &mut Vec<u8>) {
    // The length is written last.
    out.extend_from_slice(b"P\0\0\0\0\0");
}

/// The bytes after the text of a `Parse`: no parameter types, then the messages of [`run_unnamed`].
pub(crate) const PARSED_AND_RUN: [u8; 26] =
    *b"\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0";

/// Ends the `Parse` that begins at `start`, after its text, and runs the statement. Writes nothing
/// if the message is too long.
pub(crate) fn end_parse_and_run(out: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
    // The message also counts the text's NUL and the number of types.
    let end = out.len() + 3;
    write_length(out, start, end)?;
    out.extend_from_slice(&PARSED_AND_RUN);
    Ok(())
}

/// Writes the length of the message that begins at `start` and ends at `end`. It does not count the
/// type byte.
fn write_length(out: &mut [u8], start: usize, end: usize) -> Result<(), Refused> {
    let length = i32::try_from(end - start - 1).map_err(|_| TOO_LONG)?;
    match out.get_mut(start + 1..).and_then(<[u8]>::first_chunk_mut::<4>) {
        Some(field) => {
            *field = length.to_be_bytes();
            Ok(())
        }
        None => Err(TOO_LONG),
    }
}

/// `Bind` (frontend, `B`): makes the unnamed portal from a statement and values.
pub(crate) fn bind(
    out: &mut Vec<u8>,
    statement: &[u8],
    parameters: &Parameters,
    result_formats: &[i16],
) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'B');
    message.string(b"")?;
    message.string(statement)?;
    parameters.write(&mut message)?;
    message.count(result_formats.len())?;
    for format in result_formats {
        message.int16(*format);
    }
    message.finish()
}

/// Begins a `Bind` of the unnamed statement to this many values, in text format for now.
pub(crate) fn begin_bind(out: &mut Vec<u8>, values: usize) {
    let count = u16::try_from(values).unwrap_or(u16::MAX).to_be_bytes();
    // The length is written last; both names are empty.
    out.extend_from_slice(b"B\0\0\0\0\0\0");
    out.extend_from_slice(&count);
    out.resize(out.len() + values * 2, 0);
    out.extend_from_slice(&count);
}

/// In the `Bind` that begins at `start`, sets the format of value `number` to binary.
pub(crate) fn mark_binary(out: &mut [u8], start: usize, number: usize) {
    // The lower byte of its format, after the type, the length, two empty names and a count.
    if let Some(format) = out.get_mut(start + 10 + number * 2) {
        *format = 1;
    }
}

/// Ends the `Bind` that begins at `start`, after its values.
pub(crate) fn end_bind(out: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
    // No result formats: all columns are text.
    out.extend_from_slice(b"\0\0");
    let end = out.len();
    write_length(out, start, end)
}

/// `Describe` (frontend, `D`).
pub(crate) fn describe(out: &mut Vec<u8>, target: ObjectKind, name: &[u8]) -> Result<(), Refused> {
    named(out, b'D', target, name)
}

/// `Close` (frontend, `C`).
pub(crate) fn close(out: &mut Vec<u8>, target: ObjectKind, name: &[u8]) -> Result<(), Refused> {
    named(out, b'C', target, name)
}

/// `Bind` of the unnamed statement without values, and `Execute`.
pub(crate) fn run_unnamed(out: &mut Vec<u8>) {
    out.extend_from_slice(b"B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0");
}

/// `Execute` (frontend, `E`) of the unnamed portal, without a row limit.
pub(crate) fn execute(out: &mut Vec<u8>) {
    out.extend_from_slice(b"E\0\0\0\x09\0\0\0\0\0");
}

/// `Sync` (frontend, `S`).
pub(crate) fn sync(out: &mut Vec<u8>) {
    out.extend_from_slice(SYNC);
}

const SYNC: &[u8] = b"S\0\0\0\x04";

/// Serialised messages and a [`sync`]. Reserves the memory once, as there may be many.
pub(crate) fn write_synced(out: &mut Vec<u8>, messages: &[u8]) {
    out.reserve(messages.len() + SYNC.len());
    out.extend_from_slice(messages);
    sync(out);
}

fn named(out: &mut Vec<u8>, kind: u8, target: ObjectKind, name: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, kind);
    message.byte(target.byte());
    message.string(name)?;
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::parameters::Written;

    #[test]
    fn a_statement_without_values_is_bound_and_executed() {
        let (mut out, mut short) = (Vec::new(), Vec::new());
        bind(&mut out, b"", &Parameters::default(), &[]).unwrap();
        execute(&mut out);
        run_unnamed(&mut short);
        assert_eq!(short, out);
    }

    #[test]
    fn the_messages_of_one_statement() {
        let mut out = Vec::new();
        parse(&mut out, b"", b"SELECT $1", &[23]).unwrap();
        assert_eq!(out, b"P\0\0\0\x15\0SELECT $1\0\0\x01\0\0\0\x17");
        out.clear();
        let mut parameters = Parameters::default();
        parameters.push(0, Some((b"7", Written::Text)));
        parameters.push(0, Some((b"8", Written::Binary)));
        bind(&mut out, b"s", &parameters, &[1]).unwrap();
        assert_eq!(
            out,
            b"B\0\0\0\x1d\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x017\0\0\0\x018\0\x01\0\x01"
        );
        out.clear();
        describe(&mut out, ObjectKind::Portal, b"").unwrap();
        execute(&mut out);
        close(&mut out, ObjectKind::Statement, b"s").unwrap();
        sync(&mut out);
        assert_eq!(out, b"D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0C\0\0\0\x07Ss\0S\0\0\0\x04");
    }
}
