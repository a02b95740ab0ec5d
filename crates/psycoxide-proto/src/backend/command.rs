//! `CommandComplete` and `FunctionCallResponse`.

use crate::wire::reader::{Malformed, Reader};

/// `CommandComplete` (backend, `C`): the command's tag.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COMMANDCOMPLETE>
pub(crate) fn command_complete(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let tag = reader.string()?;
    reader.finish()?;
    Ok(tag)
}

/// `FunctionCallResponse` (backend, `V`): the function's result, `None` for NULL.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-FUNCTIONCALLRESPONSE>
pub(crate) fn function_call_response(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut reader = Reader::new(body);
    let value = reader.nullable()?;
    reader.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_values() {
        assert_eq!(command_complete(b"SELECT 1\0"), Ok(&b"SELECT 1"[..]));
        assert!(command_complete(b"SELECT 1").is_err());
        assert!(command_complete(b"SELECT 1\0x").is_err());
        assert_eq!(function_call_response(b"\0\0\0\x02ab"), Ok(Some(&b"ab"[..])));
        assert_eq!(function_call_response(b"\xff\xff\xff\xff"), Ok(None));
        assert!(function_call_response(b"\0\0\0\x03ab").is_err());
        assert!(function_call_response(b"\0\0\0\x01ab").is_err());
    }
}
