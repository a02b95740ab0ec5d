//! The server's types for the columns of the data, where a table is made for them.

use arrow_schema::{DataType, Field, TimeUnit};

use super::target::{RANGE_FIELDS, plain};
use crate::error::LayoutError;

/// The key of a field's metadata that names its extension type.
const EXTENSION: &str = "ARROW:extension:name";
/// The key of a field's metadata that says which type of the server it has been read from.
const SERVER_TYPE: &str = "POSTGRESQL:type";
/// The key of a field's metadata with that type's modifier.
const SERVER_MODIFIER: &str = "POSTGRESQL:typmod";

/// Types whose values are unsigned integers in the data.
const IDENTIFIERS: &[&str] = &["oid", "xid", "cid"];

/// Types whose values are texts in the data, and that a column may be made with again.
const TEXTUAL: &[&str] = &[
    "json",
    "jsonb",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "bit varying",
    "varbit",
    "money",
    "tsvector",
    "tsquery",
    "jsonpath",
    "pg_lsn",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "uuid",
    "name",
    "character varying",
    "varchar",
    "timetz",
    "time with time zone",
];

/// The type of a column that is made for a field.
///
/// # Errors
/// A field that has no type of the server.
pub fn column_type(field: &Field) -> Result<String, LayoutError> {
    let unknown = || {
        LayoutError(format!(
            "column \"{}\": no type of the server is the obvious one for {}: create the table \
             first, and use mode=\"append\"",
            field.name(),
            field.data_type()
        ))
    };
    type_of(field).ok_or_else(unknown)
}

fn type_of(field: &Field) -> Option<String> {
    let metadata = |key: &str| field.metadata().get(key).map(String::as_str);
    let name = match plain(field.data_type()) {
        DataType::Null => "text",
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => {
            metadata(SERVER_TYPE).filter(|name| IDENTIFIERS.contains(name)).unwrap_or("bigint")
        }
        DataType::UInt64 => match metadata(SERVER_TYPE) {
            Some("xid8") => "xid8",
            _ => "numeric(20, 0)",
        },
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => return Some(numeric(*precision, *scale)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            match (metadata(SERVER_TYPE), metadata(EXTENSION)) {
                (Some(name), _) if TEXTUAL.contains(&name) => name,
                (Some("bit"), _) => return Some(bits(metadata(SERVER_MODIFIER))),
                (_, Some("arrow.json")) => "json",
                _ => "text",
            }
        }
        DataType::FixedSizeBinary(16) if metadata(EXTENSION) == Some("arrow.uuid") => "uuid",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let element = type_of(item)?;
            // An array's type does not say how many dimensions it has.
            return Some(match element.ends_with("[]") {
                true => element,
                false => format!("{element}[]"),
            });
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.iter().all(|field| is_text(field.data_type())) => {
                "hstore"
            }
            _ => return None,
        },
        DataType::Struct(fields) => {
            if !fields.iter().all(|field| RANGE_FIELDS.contains(&field.name().as_str())) {
                return None;
            }
            let bound = fields.iter().find(|field| field.name() == "lower")?;
            match plain(bound.data_type()) {
                DataType::Int32 => "int4range",
                DataType::Int64 => "int8range",
                DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..) => "numrange",
                DataType::Date32 => "daterange",
                DataType::Timestamp(unit, zone) if *unit != TimeUnit::Nanosecond => match zone {
                    Some(_) => "tstzrange",
                    None => "tsrange",
                },
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(name.to_owned())
}

fn is_text(data_type: &DataType) -> bool {
    matches!(plain(data_type), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The modifier of `bit` is its length. Without one it would be `bit(1)`.
fn bits(modifier: Option<&str>) -> String {
    match modifier.and_then(|length| length.parse::<u32>().ok()) {
        Some(length) if length > 0 => format!("bit({length})"),
        _ => "varbit".to_owned(),
    }
}

/// Digits before the point, if the scale is negative, as servers before PostgreSQL 15 have it too.
fn numeric(precision: u8, scale: i8) -> String {
    match u8::try_from(scale) {
        // More digits behind the point than there are at all.
        Ok(scale) => format!("numeric({}, {scale})", precision.max(scale)),
        Err(_) => format!("numeric({}, 0)", u16::from(precision) + u16::from(scale.unsigned_abs())),
    }
}
