//! Query and FunctionCall.

use crate::wire::outbox::LONG;
use crate::wire::writer::{NUL, Refused, TOO_LONG, Writer};

/// `Query` (frontend, `Q`): a simple query.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-QUERY>
pub(crate) fn query(out: &mut Vec<u8>, sql: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'Q');
    message.string(sql)?;
    message.finish()
}

/// A simple query with an owned text. A long text that comes first becomes the buffer itself, as
/// moving it is faster than getting new pages for a copy.
pub(crate) fn query_of(out: &mut Vec<u8>, mut sql: Vec<u8>) -> Result<(), Refused> {
    if sql.len() < LONG || !out.is_empty() {
        return query(out, &sql);
    }
    if memchr::memchr(0, &sql).is_some() {
        return Err(NUL);
    }
    let length = i32::try_from(sql.len() + 5).map_err(|_| TOO_LONG)?;
    let [a, b, c, d] = length.to_be_bytes();
    sql.reserve_exact(6);
    sql.push(0);
    sql.splice(0..0, [b'Q', a, b, c, d]);
    *out = sql;
    Ok(())
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
    fn a_long_query_is_the_same_message_in_its_own_memory() {
        for length in [0, 1, LONG - 1, LONG, LONG + 1] {
            let mut sql = Vec::with_capacity(length + 6);
            sql.resize(length, b'x');
            let memory = sql.as_ptr();
            let (mut copied, mut moved) = (Vec::new(), Vec::new());
            query(&mut copied, &sql).unwrap();
            query_of(&mut moved, sql.clone()).unwrap();
            assert!(moved == copied);
            query_of(&mut moved, sql.clone()).unwrap();
            assert!(moved == copied.repeat(2));
            moved.clear();
            query_of(&mut moved, sql).unwrap();
            assert_eq!(moved.as_ptr() == memory, length >= LONG);
        }
        let mut out = Vec::new();
        assert_eq!(query_of(&mut out, vec![0; LONG]), Err(NUL));
        assert!(out.is_empty());
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
