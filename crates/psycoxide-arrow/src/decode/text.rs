//! What becomes text or a byte string.

use arrow_array::types::{
    BinaryType, BinaryViewType, LargeBinaryType, LargeUtf8Type, StringViewType, Utf8Type,
};
use arrow_schema::DataType;
use psycoxide_sql::binary::{self, datetime, fixed, numeric};
use psycoxide_sql::text::{bytea, uuid};

use super::build::{Build, Nulls};
use super::dictionary::dictionary;
use super::primitive::FixedBinary;
use super::strings::{strings, views};
use crate::error::Fault;
use crate::layout::kind::{Int, Kind, Text, Write};

/// Adds the text, or the bytes, of a value.
trait Writer: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static {}
impl<F: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static> Writer for F {}

/// A builder of the text of any type.
pub(super) fn text(kind: &Kind, is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    let labels = match kind {
        Kind::Enum(labels) => labels,
        _ => &[][..],
    };
    if !is_binary {
        return texts(to, labels, same);
    }
    match kind {
        Kind::Text(Text::Same) | Kind::Json | Kind::Enum(_) => texts(to, labels, same),
        Kind::Jsonb => texts(to, labels, |bytes, out| same(binary::jsonb(bytes)?, out)),
        Kind::Text(Text::Char) => texts(to, labels, write_char),
        _ => {
            let write = writer(kind)?;
            texts(to, labels, move |bytes, out| Ok(write(bytes, out)?))
        }
    }
}

#[inline]
fn same(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    out.extend_from_slice(bytes);
    Ok(())
}

/// What writes the text of a value in binary.
fn writer(kind: &Kind) -> Option<Write> {
    Some(match kind {
        Kind::Text(Text::Written(write)) => *write,
        Kind::Bool => |bytes, out| {
            out.push(if binary::boolean(bytes)? { b't' } else { b'f' });
            Ok(())
        },
        Kind::Int(Int::Four) => binary::write_int4,
        Kind::Int(Int::Eight) => binary::write_int8,
        Kind::Numeric(_) => numeric::write,
        Kind::Date => datetime::write_date,
        Kind::Time => datetime::write_clock,
        Kind::Timestamp { zoned: false } => datetime::write_timestamp,
        Kind::Timestamp { zoned: true } => datetime::write_timestamptz,
        Kind::Uuid => |bytes, out| {
            use std::io::Write;
            for (place, byte) in fixed::<16>(bytes)?.iter().enumerate() {
                if matches!(place, 4 | 6 | 8 | 10) {
                    out.push(b'-');
                }
                write!(out, "{byte:02x}").map_err(|_| binary::FAULT)?;
            }
            Ok(())
        },
        _ => return None,
    })
}

/// A `"char"` as the server writes it since PostgreSQL 16.
fn write_char(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match fixed::<1>(bytes)? {
        [0] => {}
        [byte @ ..0x80] => out.push(byte),
        [byte] => {
            out.extend([b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)])
        }
    }
    Ok(())
}

fn texts(to: &DataType, labels: &[String], write: impl Writer) -> Option<Box<dyn Build>> {
    Some(match to {
        DataType::Utf8 => strings::<Utf8Type>(write),
        DataType::LargeUtf8 => strings::<LargeUtf8Type>(write),
        DataType::Utf8View => views::<StringViewType>(write),
        DataType::Dictionary(key, value) => return dictionary(key, value, labels, write),
        _ => return None,
    })
}

fn byte_strings(to: &DataType, write: impl Writer) -> Option<Box<dyn Build>> {
    Some(match to {
        DataType::Binary => strings::<BinaryType>(write),
        DataType::LargeBinary => strings::<LargeBinaryType>(write),
        DataType::BinaryView => views::<BinaryViewType>(write),
        DataType::FixedSizeBinary(width) => Box::new(FixedBinary {
            width: usize::try_from(*width).ok()?,
            len: 0,
            values: Vec::new(),
            nulls: Nulls::default(),
            write,
        }),
        _ => return None,
    })
}

/// A builder for `bytea`.
pub(super) fn bytes(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    if is_binary {
        return byte_strings(to, same);
    }
    byte_strings(to, |text, out| same(&bytea::bytes(text)?, out))
}

/// A builder for PostGIS's types: the text is EWKB in hexadecimal digits.
pub(super) fn geometry(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    if is_binary {
        return byte_strings(to, same);
    }
    byte_strings(to, |text, out| {
        let escaped = [b"\\x", text].concat();
        same(&bytea::bytes(&escaped).map_err(|_| "malformed geometry")?, out)
    })
}

/// A builder for `uuid` as 16 bytes.
pub(super) fn uuids(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    if is_binary {
        return byte_strings(to, |bytes, out| same(&fixed::<16>(bytes)?, out));
    }
    byte_strings(to, |text, out| same(&uuid::uuid(text)?.to_be_bytes(), out))
}

/// Whether this is a type of texts.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}
