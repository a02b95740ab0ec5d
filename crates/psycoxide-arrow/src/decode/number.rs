//! Booleans, integers and floating-point numbers.

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::DataType;
use psycoxide_sql::binary::{self, fixed};
use psycoxide_sql::text::number;

use super::build::{Build, Nulls};
use super::decimal;
use super::primitive::{Booleans, primitive};
use crate::error::Fault;
use crate::layout::kind::Int;

pub(super) fn boolean(is_binary: bool) -> Box<dyn Build> {
    fn boxed(
        read: impl Fn(&[u8]) -> Result<bool, Fault> + Send + Sync + 'static,
    ) -> Box<dyn Build> {
        Box::new(Booleans { values: BooleanBufferBuilder::new(0), nulls: Nulls::default(), read })
    }
    if is_binary {
        return boxed(|bytes| Ok(binary::boolean(bytes)?));
    }
    boxed(|text| match text {
        b"t" => Ok(true),
        b"f" => Ok(false),
        _ => Err("malformed boolean".into()),
    })
}

const BAD_INTEGER: &str = "malformed integer";

/// An integer that has less than 64 bits, or a sign, from text.
#[inline]
fn from_text<T: TryFrom<i64>>(text: &[u8]) -> Result<T, Fault> {
    let value = number::integer(text).ok_or(BAD_INTEGER)?;
    T::try_from(value).map_err(|_| BAD_INTEGER.into())
}

#[inline]
fn unsigned_from_text(text: &[u8]) -> Result<u64, Fault> {
    match number::integer(text) {
        Some(value) => u64::try_from(value).map_err(|_| BAD_INTEGER.into()),
        None => std::str::from_utf8(text)
            .ok()
            .filter(|text| !text.starts_with('+'))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| BAD_INTEGER.into()),
    }
}

macro_rules! big_endian {
    ($native:ty) => {
        |bytes| Ok(Some(<$native>::from_be_bytes(fixed(bytes)?)))
    };
}

pub(super) fn integer(int: Int, is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    Some(match (int, is_binary, to) {
        (Int::Two, true, DataType::Int16) => primitive::<Int16Type>(to, big_endian!(i16)),
        (Int::Four, true, DataType::Int32) => primitive::<Int32Type>(to, big_endian!(i32)),
        (Int::Eight, true, DataType::Int64) => primitive::<Int64Type>(to, big_endian!(i64)),
        (Int::FourUnsigned, true, DataType::UInt32) => {
            primitive::<UInt32Type>(to, big_endian!(u32))
        }
        (Int::EightUnsigned, true, DataType::UInt64) => {
            primitive::<UInt64Type>(to, big_endian!(u64))
        }
        (Int::Two, false, DataType::Int16) => {
            primitive::<Int16Type>(to, |text| from_text(text).map(Some))
        }
        (Int::Four, false, DataType::Int32) => {
            primitive::<Int32Type>(to, |text| from_text(text).map(Some))
        }
        (Int::Eight, false, DataType::Int64) => {
            primitive::<Int64Type>(to, |text| from_text(text).map(Some))
        }
        (Int::FourUnsigned, false, DataType::UInt32) => {
            primitive::<UInt32Type>(to, |text| from_text(text).map(Some))
        }
        (Int::EightUnsigned, false, DataType::UInt64) => {
            primitive::<UInt64Type>(to, |text| unsigned_from_text(text).map(Some))
        }
        _ => return other_integer(reader(int, is_binary), to),
    })
}

type Read<T> = fn(&[u8]) -> Result<T, Fault>;

fn reader(int: Int, is_binary: bool) -> Read<i128> {
    match (int, is_binary) {
        (Int::Two, true) => |bytes| Ok(i16::from_be_bytes(fixed(bytes)?).into()),
        (Int::Four, true) => |bytes| Ok(i32::from_be_bytes(fixed(bytes)?).into()),
        (Int::Eight, true) => |bytes| Ok(i64::from_be_bytes(fixed(bytes)?).into()),
        (Int::FourUnsigned, true) => |bytes| Ok(u32::from_be_bytes(fixed(bytes)?).into()),
        (Int::EightUnsigned, true) => |bytes| Ok(u64::from_be_bytes(fixed(bytes)?).into()),
        (Int::EightUnsigned, false) => |text| Ok(unsigned_from_text(text)?.into()),
        (_, false) => |text| Ok(from_text::<i64>(text)?.into()),
    }
}

/// An integer in a type that was asked for.
fn other_integer(read: Read<i128>, to: &DataType) -> Option<Box<dyn Build>> {
    fn narrowed<T>(read: Read<i128>, to: &DataType) -> Box<dyn Build>
    where
        T: ArrowPrimitiveType,
        T::Native: TryFrom<i128>,
    {
        primitive::<T>(to, move |bytes| {
            let value = read(bytes)?;
            T::Native::try_from(value).map(Some).map_err(|_| beyond(value, &T::DATA_TYPE))
        })
    }
    Some(match to {
        DataType::Int8 => narrowed::<Int8Type>(read, to),
        DataType::Int16 => narrowed::<Int16Type>(read, to),
        DataType::Int32 => narrowed::<Int32Type>(read, to),
        DataType::Int64 => narrowed::<Int64Type>(read, to),
        DataType::UInt8 => narrowed::<UInt8Type>(read, to),
        DataType::UInt16 => narrowed::<UInt16Type>(read, to),
        DataType::UInt32 => narrowed::<UInt32Type>(read, to),
        DataType::UInt64 => narrowed::<UInt64Type>(read, to),
        DataType::Float32 => primitive::<Float32Type>(to, move |bytes| {
            let value = read(bytes)?;
            let float = value as f32;
            if float as i128 == value { Ok(Some(float)) } else { Err(inexact(value)) }
        }),
        DataType::Float64 => primitive::<Float64Type>(to, move |bytes| {
            let value = read(bytes)?;
            let float = value as f64;
            if float as i128 == value { Ok(Some(float)) } else { Err(inexact(value)) }
        }),
        DataType::Decimal128(precision, scale) => {
            let limit = decimal::limit(*precision, *scale)?;
            let unit = 10_i128.checked_pow(u32::try_from(*scale).ok()?)?;
            let to_name = to.clone();
            primitive::<Decimal128Type>(to, move |bytes| {
                let value = read(bytes)?;
                let scaled = value.checked_mul(unit).filter(|scaled| scaled.abs() < limit);
                scaled.map(Some).ok_or_else(|| beyond(value, &to_name))
            })
        }
        _ => return None,
    })
}

#[cold]
fn beyond(value: i128, to: &DataType) -> Fault {
    format!("{value} is beyond the range of {to}: choose a wider type for the column in schema")
        .into()
}

#[cold]
fn inexact(value: i128) -> Fault {
    format!(
        "{value} is no floating-point number of this size: choose another type for the column in \
             types"
    )
    .into()
}

pub(super) fn real(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    Some(match (is_binary, to) {
        (true, DataType::Float32) => primitive::<Float32Type>(to, big_endian!(f32)),
        // The text tells a number from its neighbours in single precision.
        (false, DataType::Float32) => {
            primitive::<Float32Type>(to, |text| real_of_text(text).map(Some))
        }
        (true, DataType::Float64) => {
            primitive::<Float64Type>(to, |bytes| Ok(Some(f32::from_be_bytes(fixed(bytes)?).into())))
        }
        (false, DataType::Float64) => {
            primitive::<Float64Type>(to, |text| Ok(Some(real_of_text(text)?.into())))
        }
        _ => return None,
    })
}

/// A `real` from its text. A double rounded twice may be a neighbour of it.
pub(super) fn real_of_text(text: &[u8]) -> Result<f32, Fault> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "malformed floating-point number".into())
}

pub(super) fn double(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    fn binary(bytes: &[u8]) -> Result<f64, Fault> {
        Ok(f64::from_be_bytes(fixed(bytes)?))
    }
    fn text(text: &[u8]) -> Result<f64, Fault> {
        number::float(text).ok_or_else(|| "malformed floating-point number".into())
    }
    let read = if is_binary { binary } else { text };
    Some(match (is_binary, to) {
        (true, DataType::Float64) => primitive::<Float64Type>(to, |bytes| binary(bytes).map(Some)),
        (false, DataType::Float64) => primitive::<Float64Type>(to, |bytes| text(bytes).map(Some)),
        (_, DataType::Float32) => primitive::<Float32Type>(to, move |bytes| {
            let value = read(bytes)?;
            let single = value as f32;
            if f64::from(single) == value || value.is_nan() {
                return Ok(Some(single));
            }
            Err(format!("{value} is no float32: choose float64 for the column in schema").into())
        }),
        _ => return None,
    })
}
