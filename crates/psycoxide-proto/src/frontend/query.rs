//! Query and FunctionCall.

use crate::wire::writer::{Refused, Writer};

/// `Query` (frontend, `Q`): a simple query.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-QUERY>
pub(crate) fn query(out: &mut Vec<u8>, sql: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'Q');
    message.string(sql)?;
    message.finish()
}

/// `FunctionCall` (frontend, `F`): arguments and result in binary.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-FUNCTIONCALL>
pub(crate) fn function_call(out: &mut Vec<u8>, oid: u32, args: &[Vec<u8>]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'F');
    message.uint32(oid);
    message.count(1)?; // one format for all arguments: binary
    message.int16(1);
    message.count(args.len())?;
    for arg in args {
        message.nullable(Some(arg))?;
    }
    message.int16(1);
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_string() {
        let mut out = Vec::new();
        query(&mut out, b"SELECT 1").unwrap();
        assert_eq!(out, b"Q\0\0\0\x0dSELECT 1\0");
        assert!(query(&mut out, b"SELECT 1\0 DROP").is_err());
    }

    #[test]
    fn a_function_call_is_binary_both_ways() {
        let mut out = Vec::new();
        function_call(&mut out, 952, &[vec![0, 0, 0, 7], vec![]]).unwrap();
        assert_eq!(
            out,
            b"F\0\0\0\x1c\0\0\x03\xb8\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\0\0\x01"
        );
    }
}
