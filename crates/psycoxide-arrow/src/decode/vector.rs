//! pgvector's `vector` and `halfvec`.
//!
//! In binary they are the number of numbers, two bytes without a meaning, and the numbers. As text they
//! are `[1,2.5]`.

use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_schema::DataType;
use psycoxide_sql::binary::fixed;

use super::build::Build;
use super::list::{FixedLists, Form, lists};
use super::number;
use super::primitive::primitive;
use crate::error::Fault;

type Half = <Float16Type as ArrowPrimitiveType>::Native;

const MALFORMED: &str = "malformed vector";

/// The numbers of a vector in binary, of `width` bytes each.
pub(super) fn items(bytes: &[u8], width: usize) -> Result<impl Iterator<Item = &[u8]>, Fault> {
    let (header, numbers) = bytes.split_first_chunk::<4>().ok_or(MALFORMED)?;
    let [high, low, ..] = *header;
    if numbers.len() != usize::from(u16::from_be_bytes([high, low])) * width {
        return Err(MALFORMED.into());
    }
    Ok(numbers.chunks_exact(width))
}

/// The texts of a vector's numbers.
pub(super) fn items_of_text(text: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Fault> {
    let inner =
        text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).ok_or(MALFORMED)?;
    let count = if inner.is_empty() { 0 } else { usize::MAX };
    Ok(inner.split(|byte| *byte == b',').take(count))
}

/// A builder for vectors.
pub(super) fn vectors(half: bool, is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    let number = if half { DataType::Float16 } else { DataType::Float32 };
    let items = match (half, is_binary) {
        (false, _) => number::real(is_binary, &number)?,
        (true, true) => primitive::<Float16Type>(&number, |bytes| {
            Ok(Some(Half::from_bits(u16::from_be_bytes(fixed(bytes)?))))
        }),
        (true, false) => primitive::<Float16Type>(&number, |text| {
            Ok(Some(Half::from_f32(number::real_of_text(text)?)))
        }),
    };
    let form = match (is_binary, half) {
        (true, true) => Form::Vector(2),
        (true, false) => Form::Vector(4),
        (false, _) => Form::VectorText,
    };
    match to {
        DataType::FixedSizeList(..) => FixedLists::boxed(form, to, &number, items),
        _ => lists(form, to, 1, &number, items),
    }
}
