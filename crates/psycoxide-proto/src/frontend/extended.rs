//! Parse, Bind, Describe, Execute, Close, Sync.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>

use crate::error::Error;
use crate::wire::writer;

/// A parameter of a statement run by the extended query protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The value, `None` for NULL.
    pub value: Option<Vec<u8>>,
    /// Its format: 0 is text, 1 is binary.
    pub format: i16,
}

/// `Parse` (frontend, `P`).
pub(crate) fn parse(
    out: &mut Vec<u8>,
    name: &[u8],
    sql: &[u8],
    types: &[u32],
) -> Result<(), Error> {
    writer::message(out, b'P', |out| {
        writer::string(out, name)?;
        writer::string(out, sql)?;
        writer::count(out, types.len())?;
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
        Ok(())
    })
}

/// `Bind` (frontend, `B`) of the unnamed portal.
pub(crate) fn bind(
    out: &mut Vec<u8>,
    statement: &[u8],
    params: &[Parameter],
    result_format: i16,
) -> Result<(), Error> {
    writer::message(out, b'B', |out| {
        writer::string(out, b"")?;
        writer::string(out, statement)?;
        writer::count(out, params.len())?;
        for param in params {
            out.extend_from_slice(&param.format.to_be_bytes());
        }
        writer::count(out, params.len())?;
        for param in params {
            writer::value(out, param.value.as_deref())?;
        }
        writer::count(out, 1)?;
        out.extend_from_slice(&result_format.to_be_bytes());
        Ok(())
    })
}

/// `Describe` (frontend, `D`) of the unnamed portal.
pub(crate) fn describe_portal(out: &mut Vec<u8>) {
    out.extend_from_slice(b"D\0\0\0\x06P\0");
}

/// `Describe` (frontend, `D`) of a statement.
pub(crate) fn describe_statement(out: &mut Vec<u8>, name: &[u8]) -> Result<(), Error> {
    writer::message(out, b'D', |out| {
        out.push(b'S');
        writer::string(out, name)
    })
}

/// `Execute` (frontend, `E`) of the unnamed portal, to its end.
pub(crate) fn execute(out: &mut Vec<u8>) {
    out.extend_from_slice(b"E\0\0\0\x09\0\0\0\0\0");
}

/// `Close` (frontend, `C`) of a statement.
pub(crate) fn close_statement(out: &mut Vec<u8>, name: &[u8]) -> Result<(), Error> {
    writer::message(out, b'C', |out| {
        out.push(b'S');
        writer::string(out, name)
    })
}

/// `Sync` (frontend, `S`).
pub(crate) fn sync(out: &mut Vec<u8>) {
    out.extend_from_slice(b"S\0\0\0\x04");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mut out = Vec::new();
        parse(&mut out, b"s", b"q", &[23]).unwrap();
        assert_eq!(out, b"P\0\0\0\x0es\0q\0\0\x01\0\0\0\x17");
        out.clear();
        let params = [
            Parameter { value: Some(b"1".to_vec()), format: 0 },
            Parameter { value: None, format: 1 },
        ];
        bind(&mut out, b"s", &params, 1).unwrap();
        let expected =
            b"B\0\0\0\x1e\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x011\xff\xff\xff\xff\0\x01\0\x01";
        let mut expected = expected.to_vec();
        let length = u8::try_from(expected.len() - 1).unwrap();
        expected[4] = length;
        assert_eq!(out, expected);
        out.clear();
        describe_portal(&mut out);
        describe_statement(&mut out, b"s").unwrap();
        execute(&mut out);
        close_statement(&mut out, b"s").unwrap();
        sync(&mut out);
        assert_eq!(
            out,
            b"D\0\0\0\x06P\0D\0\0\0\x07Ss\0E\0\0\0\x09\0\0\0\0\0C\0\0\0\x07Ss\0S\0\0\0\x04"
        );
    }
}
