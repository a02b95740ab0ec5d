//! `Query` and `FunctionCall`.

use crate::error::Error;
use crate::wire::writer;

/// `Query` (frontend, `Q`).
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-QUERY>
pub(crate) fn query(out: &mut Vec<u8>, sql: &[u8]) -> Result<(), Error> {
    writer::message(out, b'Q', |out| writer::string(out, sql))
}

/// `FunctionCall` (frontend, `F`): arguments and result in binary.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-FUNCTIONCALL>
pub(crate) fn function_call(out: &mut Vec<u8>, oid: u32, args: &[Vec<u8>]) -> Result<(), Error> {
    writer::message(out, b'F', |out| {
        out.extend_from_slice(&oid.to_be_bytes());
        // One format code, for all arguments: binary.
        out.extend_from_slice(&[0, 1, 0, 1]);
        writer::count(out, args.len())?;
        for arg in args {
            writer::value(out, Some(arg))?;
        }
        out.extend_from_slice(&[0, 1]);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mut out = Vec::new();
        query(&mut out, b"select").unwrap();
        assert_eq!(out, b"Q\0\0\0\x0bselect\0");
        out.clear();
        function_call(&mut out, 5, &[b"ab".to_vec()]).unwrap();
        assert_eq!(out, b"F\0\0\0\x16\0\0\0\x05\0\x01\0\x01\0\x01\0\0\0\x02ab\0\x01");
    }
}
