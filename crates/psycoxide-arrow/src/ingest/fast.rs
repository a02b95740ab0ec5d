//! The columns of a batch, with shortcuts for those that most data are made of.

use arrow_array::types::{
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, LargeStringArray, PrimitiveArray, StringArray, StringViewArray};
use arrow_schema::{DataType, TimeUnit};

use super::Format;
use super::binary::{self, Fault};
use super::moment;
use super::source::{Source, Unknown};
use super::target::{Kind, Type};
use super::text;

/// A column of a batch.
pub enum Cell<'a> {
    Int2(&'a PrimitiveArray<Int16Type>),
    Int4(&'a PrimitiveArray<Int32Type>),
    Int8(&'a PrimitiveArray<Int64Type>),
    Float4(&'a PrimitiveArray<Float32Type>),
    Float8(&'a PrimitiveArray<Float64Type>),
    Micros(&'a PrimitiveArray<TimestampMicrosecondType>),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Other(Source<'a>, &'a Type),
}

impl<'a> Cell<'a> {
    pub fn new(array: &'a dyn Array, target: &'a Type, format: Format) -> Result<Self, Unknown> {
        let any = array.as_any();
        let fast = match (format, array.data_type(), &target.kind) {
            (Format::Text, ..) => None,
            (_, DataType::Int16, Kind::Int2) => any.downcast_ref().map(Self::Int2),
            (_, DataType::Int32, Kind::Int4) => any.downcast_ref().map(Self::Int4),
            (_, DataType::Int64, Kind::Int8) => any.downcast_ref().map(Self::Int8),
            (_, DataType::Float32, Kind::Float4) => any.downcast_ref().map(Self::Float4),
            (_, DataType::Float64, Kind::Float8) => any.downcast_ref().map(Self::Float8),
            (
                _,
                DataType::Timestamp(TimeUnit::Microsecond, _),
                Kind::Timestamp | Kind::Timestamptz,
            ) => any.downcast_ref().map(Self::Micros),
            (_, DataType::Utf8, Kind::Text) => any.downcast_ref().map(Self::Utf8),
            (_, DataType::LargeUtf8, Kind::Text) => any.downcast_ref().map(Self::LargeUtf8),
            (_, DataType::Utf8View, Kind::Text) => any.downcast_ref().map(Self::Utf8View),
            _ => None,
        };
        match fast {
            Some(cell) => Ok(cell),
            None => Ok(Self::Other(Source::new(array)?, target)),
        }
    }

    /// Appends the field of a row that the batch has.
    #[inline]
    pub fn binary(&self, at: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Int2(array) => number(*array, at, out, |array| array.value(at).to_be_bytes()),
            Self::Int4(array) => number(*array, at, out, |array| array.value(at).to_be_bytes()),
            Self::Int8(array) => number(*array, at, out, |array| array.value(at).to_be_bytes()),
            Self::Float4(array) => number(*array, at, out, |array| array.value(at).to_be_bytes()),
            Self::Float8(array) => number(*array, at, out, |array| array.value(at).to_be_bytes()),
            Self::Micros(array) => {
                if array.is_null(at) {
                    return null(out);
                }
                let [a, b, c, d, e, f, g, h] = moment::timestamp(array.value(at))?.to_be_bytes();
                out.extend_from_slice(&[0, 0, 0, 8, a, b, c, d, e, f, g, h]);
            }
            Self::Utf8(array) if array.is_valid(at) => return bytes(array.value(at), out),
            Self::LargeUtf8(array) if array.is_valid(at) => return bytes(array.value(at), out),
            Self::Utf8View(array) if array.is_valid(at) => return bytes(array.value(at), out),
            Self::Utf8(_) | Self::LargeUtf8(_) | Self::Utf8View(_) => return null(out),
            Self::Other(source, target) => return binary::field(source.get(at), target, out),
        }
        Ok(())
    }

    /// The same in the text format.
    pub fn text(&self, at: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Other(source, target) => text::field(source.get(at), target, scratch, out),
            // There are no others in this format.
            _ => Err("the column was prepared for the binary format".to_owned()),
        }
    }
}

#[inline]
fn number<A: Array, const N: usize>(
    array: &A,
    at: usize,
    out: &mut Vec<u8>,
    get: impl FnOnce(&A) -> [u8; N],
) {
    if array.is_null(at) {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&get(array));
}

#[inline]
fn null(out: &mut Vec<u8>) -> Result<(), Fault> {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
    Ok(())
}

#[inline]
fn bytes(text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let length =
        i32::try_from(text.len()).map_err(|_| "the text is too long for COPY".to_owned())?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
