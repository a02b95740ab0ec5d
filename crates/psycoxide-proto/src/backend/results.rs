//! What a statement returns: its columns, its rows, and how it ended.

use std::cmp::Ordering;

use crate::result::columns::{Column, Columns};
use crate::wire::reader::{Malformed, Reader, SHORT, TRAILING};

/// `RowDescription` (backend, `T`): the columns of the rows that follow.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ROWDESCRIPTION>
pub(crate) fn row_description(body: &[u8]) -> Result<Columns, Malformed> {
    let mut reader = Reader::new(body);
    let count = reader.count()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(Column {
            name: reader.string()?.to_vec(),
            table_oid: reader.uint32()?,
            table_column: reader.int16()?,
            type_oid: reader.uint32()?,
            type_size: reader.int16()?,
            type_modifier: reader.int32()?,
            format: reader.int16()?,
        });
    }
    reader.finish()?;
    Ok(Columns(columns))
}

/// `DataRow` (backend, `D`): checks that it has `columns` fields and that their lengths add up, so
/// that reading it later cannot fail.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-DATAROW>
#[inline]
pub(crate) fn check_row(body: &[u8], columns: u16) -> Result<(), Malformed> {
    let (count, fields) = body.split_first_chunk::<2>().ok_or(SHORT)?;
    if u16::from_be_bytes(*count) != columns {
        return Err("a row has not as many fields as the result has columns");
    }
    // The start of the next field. It is checked against the row's length when that field is read,
    // and once at the end.
    let mut next = 0;
    for _ in 0..columns {
        let (length, _) = fields.get(next..).ok_or(SHORT)?.split_first_chunk().ok_or(SHORT)?;
        let length = i32::from_be_bytes(*length);
        next += size_of_val(&length);
        match usize::try_from(length) {
            Ok(length) => next += length,
            Err(_) if length == -1 => {}
            Err(_) => return Err("a field of negative length"),
        }
    }
    match next.cmp(&fields.len()) {
        Ordering::Less => Err(TRAILING),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(SHORT),
    }
}

/// The field of a `DataRow` that has only one.
pub(crate) fn only_field(body: &[u8]) -> Result<&[u8], Malformed> {
    check_row(body, 1)?;
    Ok(body.get(6..).unwrap_or_default())
}

/// `ParameterDescription` (backend, `t`): the types of a prepared statement's parameters.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-PARAMETERDESCRIPTION>
pub(crate) fn parameter_description(body: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut reader = Reader::new(body);
    let count = reader.count()?;
    let mut types = Vec::new();
    for _ in 0..count {
        types.push(reader.uint32()?);
    }
    reader.finish()?;
    Ok(types)
}

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

    const TWO_COLUMNS: &[u8] = b"\0\x02id\0\0\0\x40\x01\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0\
          \xe9\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\x08\0\x01";

    #[test]
    fn columns_have_all_their_fields() {
        let columns = row_description(TWO_COLUMNS).unwrap();
        assert_eq!(columns.len(), 2);
        assert_eq!(
            columns[0],
            Column {
                name: b"id".to_vec(),
                table_oid: 0x4001,
                table_column: 1,
                type_oid: 23,
                type_size: 4,
                type_modifier: -1,
                format: 0,
            }
        );
        assert_eq!((columns[1].name.as_slice(), columns[1].type_size), (&b"\xe9"[..], -1));
        assert_eq!((columns[1].type_modifier, columns[1].format), (8, 1));
        assert_eq!(row_description(b"\0\0").unwrap().len(), 0);
    }

    #[test]
    fn columns_are_refused_when_cut_or_trailed() {
        for end in 0..TWO_COLUMNS.len() {
            assert!(row_description(&TWO_COLUMNS[..end]).is_err(), "{end}");
        }
        assert_eq!(row_description(b"\0\0x").unwrap_err(), TRAILING);
        assert!(row_description(b"\xff\xff\0").is_err());
    }

    #[test]
    fn a_row_must_add_up() {
        let row = b"\0\x03\0\0\0\x02hi\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(check_row(row, 3), Ok(()));
        for end in 0..row.len() {
            assert!(check_row(&row[..end], 3).is_err(), "{end}");
        }
        assert!(check_row(row, 2).is_err());
        assert!(check_row(row, 4).is_err());
        assert_eq!(check_row(b"\0\0", 0), Ok(()));
        assert_eq!(check_row(b"\0\0x", 0), Err(TRAILING));
        assert!(check_row(b"\0\x01\xff\xff\xff\xfe", 1).is_err());
        assert!(check_row(b"\0\x01\x7f\xff\xff\xffx", 1).is_err());
    }

    #[test]
    fn parameters_have_types() {
        assert_eq!(parameter_description(b"\0\x02\0\0\0\x17\0\0\0\x19"), Ok(vec![23, 25]));
        assert!(parameter_description(b"\0\x02\0\0\0\x17\0\0\0").is_err());
        assert!(parameter_description(b"\0\0x").is_err());
    }

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
