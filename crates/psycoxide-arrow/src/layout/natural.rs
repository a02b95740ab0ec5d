//! The Arrow type that a type's values become if no other is asked for.

use std::sync::Arc;

use arrow_schema::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, Fields, IntervalUnit,
    TimeUnit,
};

use super::kind::{Int, Kind};
use super::node::{Node, item, range_fields};
use crate::options::{EnumAs, IntervalAs, Numeric, Options, StringAs, UuidAs};

/// The precision and scale of a `numeric` with neither.
pub(super) const PLAIN_NUMERIC: (u8, i8) = (38, 18);

pub(super) fn data_type(kind: &Kind, options: &Options) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int(Int::Two) => DataType::Int16,
        Kind::Int(Int::Four) => DataType::Int32,
        Kind::Int(Int::Eight) => DataType::Int64,
        Kind::Int(Int::FourUnsigned) => DataType::UInt32,
        Kind::Int(Int::EightUnsigned) => DataType::UInt64,
        Kind::Float4 => DataType::Float32,
        Kind::Float8 => DataType::Float64,
        Kind::Numeric(digits) => numeric(*digits, options),
        Kind::Text(_) | Kind::Json | Kind::Jsonb => string(options.strings),
        Kind::Bytea | Kind::Geometry => binary(options.strings),
        Kind::Uuid => match options.uuid {
            UuidAs::Extension => DataType::FixedSizeBinary(16),
            UuidAs::String => string(options.strings),
        },
        Kind::Date => DataType::Date32,
        Kind::Time => DataType::Time64(TimeUnit::Microsecond),
        Kind::Timestamp { zoned: false } => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Timestamp { zoned: true } => {
            let zone = options.time_zone.as_deref().unwrap_or("UTC");
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()))
        }
        Kind::Interval => match options.interval {
            IntervalAs::MonthDayNano => DataType::Interval(IntervalUnit::MonthDayNano),
            IntervalAs::Duration => DataType::Duration(TimeUnit::Microsecond),
        },
        Kind::Void => DataType::Null,
        Kind::Enum(_) => match options.enums {
            EnumAs::String => string(options.strings),
            EnumAs::Dictionary => {
                DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8))
            }
        },
        Kind::Hstore => map(),
        Kind::Vector { half, size } => {
            let number = if *half { DataType::Float16 } else { DataType::Float32 };
            let item = Arc::new(Field::new("item", number, true));
            match size {
                Some(size) => DataType::FixedSizeList(item, *size),
                None => DataType::List(item),
            }
        }
        Kind::Array { element, dimensions, .. } => list(element, *dimensions),
        Kind::Range(bound) => DataType::Struct(range_fields(bound)),
        Kind::Multirange(range) => DataType::List(item(range)),
        Kind::Composite(parts) => DataType::Struct(
            parts.iter().map(|part| part.node.field(&part.name)).collect::<Fields>(),
        ),
    }
}

fn list(element: &Node, dimensions: usize) -> DataType {
    let mut field = item(element);
    for _ in 1..dimensions {
        field = Arc::new(Field::new("item", DataType::List(field), true));
    }
    DataType::List(field)
}

fn map() -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

pub(super) fn string(strings: StringAs) -> DataType {
    match strings {
        StringAs::Utf8 => DataType::Utf8,
        StringAs::Large => DataType::LargeUtf8,
        StringAs::View => DataType::Utf8View,
    }
}

fn binary(strings: StringAs) -> DataType {
    match strings {
        StringAs::Utf8 => DataType::Binary,
        StringAs::Large => DataType::LargeBinary,
        StringAs::View => DataType::BinaryView,
    }
}

fn numeric(digits: Option<(u16, i16)>, options: &Options) -> DataType {
    match (options.numeric, digits) {
        (Numeric::Float64, _) => DataType::Float64,
        (Numeric::String, _) => string(options.strings),
        (Numeric::DecimalOf(precision, scale), None) => decimal(precision, scale),
        (Numeric::Decimal, None) => decimal(PLAIN_NUMERIC.0, PLAIN_NUMERIC.1),
        (_, Some((precision, scale))) => {
            // Arrow has neither more decimals than digits nor, in practice, fewer than none.
            let (precision, scale) = match i32::from(scale) {
                scale @ ..0 => (i32::from(precision) - scale, 0),
                scale => (i32::from(precision).max(scale), scale),
            };
            match (u8::try_from(precision), i8::try_from(scale)) {
                (Ok(precision @ ..=DECIMAL256_MAX_PRECISION), Ok(scale)) => {
                    decimal(precision, scale)
                }
                _ => string(options.strings),
            }
        }
    }
}

fn decimal(precision: u8, scale: i8) -> DataType {
    if precision <= DECIMAL128_MAX_PRECISION {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Decimal256(precision, scale)
    }
}

/// The precision and scale in a `numeric`'s modifier. Since PostgreSQL 15 the scale may be negative,
/// or above the precision.
pub(super) fn precision_and_scale(modifier: i32) -> Option<(u16, i16)> {
    let bits = modifier.checked_sub(4).filter(|bits| *bits >= 0)?;
    let precision = u16::try_from(bits >> 16 & 0xffff).ok()?;
    let scale = i16::try_from(((bits & 0x7ff) ^ 1024) - 1024).ok()?;
    Some((precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_have_precision_and_scale() {
        let modifier = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        for (precision, scale) in [(1, 0), (10, 2), (1000, 1000), (2, -3), (3, 5), (1, -1000)] {
            assert_eq!(
                precision_and_scale(modifier(precision, scale)),
                Some((precision.try_into().unwrap(), scale.try_into().unwrap()))
            );
        }
        assert_eq!(precision_and_scale(-1), None);
        assert_eq!(precision_and_scale(i32::MIN), None);
    }

    #[test]
    fn decimals_hold_what_numerics_hold() {
        let of = |precision, scale| numeric(Some((precision, scale)), &Options::default());
        assert_eq!(of(10, 2), DataType::Decimal128(10, 2));
        assert_eq!(of(38, 38), DataType::Decimal128(38, 38));
        assert_eq!(of(39, 0), DataType::Decimal256(39, 0));
        assert_eq!(of(76, 76), DataType::Decimal256(76, 76));
        assert_eq!(of(77, 0), DataType::Utf8);
        assert_eq!(of(3, 5), DataType::Decimal128(5, 5));
        assert_eq!(of(2, 200), DataType::Utf8);
        assert_eq!(of(2, -3), DataType::Decimal128(5, 0));
        assert_eq!(of(2, -1000), DataType::Utf8);
        assert_eq!(numeric(None, &Options::default()), DataType::Decimal128(38, 18));
    }
}
