//! `CommandComplete` and `FunctionCallResponse`: the end of a command.

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

/// Writes the message that [`command_complete`] reads this tag from.
pub(crate) fn write_command_complete(out: &mut Vec<u8>, tag: &[u8]) {
    // The tag was in a message, so it fits into one.
    let length = u32::try_from(4 + tag.len() + 1).unwrap_or(u32::MAX);
    out.push(b'C');
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(tag);
    out.push(0);
}

/// `FunctionCallResponse` (backend, `V`): the function's value, `None` for NULL.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-FUNCTIONCALLRESPONSE>
pub(crate) fn function_call_response(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut reader = Reader::new(body);
    let value = reader.nullable()?;
    reader.finish()?;
    Ok(value)
}

/// A message with an empty body, such as ParseComplete or EmptyQueryResponse.
pub(crate) fn empty(body: &[u8]) -> Result<(), Malformed> {
    Reader::new(body).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_string() {
        assert_eq!(command_complete(b"SELECT 1\0"), Ok(&b"SELECT 1"[..]));
        assert!(command_complete(b"SELECT 1").is_err());
        assert!(command_complete(b"SELECT 1\0x").is_err());
        let mut out = Vec::new();
        write_command_complete(&mut out, b"SELECT 1");
        assert_eq!(out, b"C\0\0\0\x0dSELECT 1\0");
    }

    #[test]
    fn a_function_value_may_be_null() {
        assert_eq!(function_call_response(b"\xff\xff\xff\xff"), Ok(None));
        assert_eq!(function_call_response(b"\0\0\0\x01x"), Ok(Some(&b"x"[..])));
        assert!(function_call_response(b"\0\0\0\x02x").is_err());
        assert!(function_call_response(b"\0\0\0\x01xy").is_err());
        assert!(function_call_response(b"\xff\xff\xff\xfd").is_err());
    }

    #[test]
    fn an_empty_body_is_empty() {
        assert!(empty(b"").is_ok());
        assert!(empty(b"x").is_err());
    }
}
