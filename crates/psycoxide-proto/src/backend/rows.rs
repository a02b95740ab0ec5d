//! `RowDescription`, `ParameterDescription`, and what a `DataRow` must be like.

use crate::result::columns::{Column, Columns};
use crate::wire::reader::{Malformed, Reader};

/// `RowDescription` (backend, `T`).
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
            format: match reader.int16()? {
                format @ (0 | 1) => format,
                _ => return Err("a format that is neither text nor binary"),
            },
        });
    }
    reader.finish()?;
    Ok(Columns(columns))
}

/// `ParameterDescription` (backend, `t`): the parameters' types.
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

/// Checks a `DataRow` (backend, `D`): as many fields as the result has columns, and lengths that
/// add up. After this, reading the row's fields is total.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-DATAROW>
#[inline]
pub(crate) fn check_data_row(body: &[u8], columns: usize) -> Result<(), Malformed> {
    let Some((count, mut rest)) = body.split_first_chunk::<2>() else {
        return Err("a row without a number of fields");
    };
    if usize::from(u16::from_be_bytes(*count)) != columns {
        return Err("a row whose number of fields is not the result's");
    }
    for _ in 0..columns {
        let Some((length, behind)) = rest.split_first_chunk::<4>() else {
            return Err("a row that ends before its fields");
        };
        rest = match i32::from_be_bytes(*length) {
            -1 => behind,
            length => usize::try_from(length)
                .ok()
                .and_then(|length| behind.get(length..))
                .ok_or("a field whose length is negative or longer than its row")?,
        };
    }
    if rest.is_empty() { Ok(()) } else { Err("a row that is longer than its fields") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_whole_or_not_at_all() {
        let body = b"\0\x01a\0\0\0\0\x02\0\x03\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
        let columns = row_description(body).unwrap();
        let column = columns.first().unwrap();
        assert_eq!((&column.name[..], column.table_oid, column.table_column), (&b"a"[..], 2, 3));
        assert_eq!((column.type_oid, column.type_size, column.type_modifier), (23, 4, -1));
        for end in 0..body.len() {
            assert!(row_description(&body[..end]).is_err(), "cut at {end}");
        }
        assert!(row_description(&[&body[..], b"x"].concat()).is_err());
        let mut wrong = body.to_vec();
        *wrong.last_mut().unwrap() = 2;
        assert!(row_description(&wrong).is_err());
        assert!(row_description(b"\xff\xff").is_err());
    }

    #[test]
    fn parameter_types() {
        assert_eq!(parameter_description(b"\0\x01\0\0\0\x17"), Ok(vec![23]));
        assert!(parameter_description(b"\0\x02\0\0\0\x17").is_err());
    }

    #[test]
    fn rows_that_contradict_themselves_are_found_out() {
        let body = b"\0\x02\0\0\0\x01x\xff\xff\xff\xff";
        assert_eq!(check_data_row(body, 2), Ok(()));
        for end in 0..body.len() {
            assert!(check_data_row(&body[..end], 2).is_err(), "cut at {end}");
        }
        assert!(check_data_row(&[&body[..], b"x"].concat(), 2).is_err());
        assert!(check_data_row(body, 1).is_err());
        assert!(check_data_row(body, 3).is_err());
        assert!(check_data_row(b"\0\x01\xff\xff\xff\xfe", 1).is_err());
        assert!(check_data_row(b"\0\x01\x7f\xff\xff\xff", 1).is_err());
        assert_eq!(check_data_row(b"\0\0", 0), Ok(()));
    }
}
