//! Values in binary formats, for the types whose binary format says as much as their text.
//!
//! The object is the one that the type's text decoder makes of the same value: the tests compare
//! the two. Other types are requested in text, whatever the cursor prefers: those whose binary
//! format says less (a `timestamptz` lacks its offset, unless the session is in UTC anyway; a
//! `real` lacks its digits), and those for which the user has another typecaster.

use psycoxide_sql::binary::array::Array;
use psycoxide_sql::binary::{self, FAULT, datetime, fixed};
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::text::{Malformed, Moment};
use pyo3::ffi;
use pyo3::prelude::*;

use super::context::DecodeContext;
use super::decoder::Decoder;
use super::{bytea, datetime as moments, decoder, uuid};
use crate::error;
use crate::object::{Decoded, Raised, Value, decoded};

/// A type's binary format, and with it the kind of object that a value becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinaryFormat {
    /// `int` of a `smallint`
    Int2,
    /// `int` of an `integer`
    Int4,
    /// `int` of a `bigint`
    Int8,
    /// `int` of an `oid`
    Oid,
    /// `float` of a `double precision`
    Float8,
    /// `bool`
    Boolean,
    /// `datetime.date`
    Date,
    /// `datetime.time` of a `time without time zone`
    Time,
    /// `datetime.datetime` of a `timestamp without time zone`
    Timestamp,
    /// `datetime.datetime` of a `timestamp with time zone`, in UTC
    TimestampTz,
    /// `uuid.UUID`
    Uuid,
    /// `memoryview` of a `bytea`
    Bytea,
    /// `bytes` of a `bytea`
    ByteaAsBytes,
    /// `list` of elements of this type
    Array(Oid, Box<BinaryFormat>),
}

impl BinaryFormat {
    /// The binary format of a type, if it makes the same objects as this decoder.
    pub fn of(oid: Oid, decoder: &Decoder) -> Option<Self> {
        Some(match (oid, decoder) {
            (oid::INT2, Decoder::Integer) => Self::Int2,
            (oid::INT4, Decoder::Integer) => Self::Int4,
            (oid::INT8, Decoder::Integer) => Self::Int8,
            (oid::OID, Decoder::Integer) => Self::Oid,
            (oid::FLOAT8, Decoder::Float) => Self::Float8,
            (oid::BOOL, Decoder::Boolean) => Self::Boolean,
            (oid::DATE, Decoder::Date) => Self::Date,
            (oid::TIME, Decoder::Time) => Self::Time,
            (oid::TIMESTAMP, Decoder::Timestamp) => Self::Timestamp,
            (oid::TIMESTAMPTZ, Decoder::TimestampTz) => Self::TimestampTz,
            (oid::UUID, Decoder::Uuid) => Self::Uuid,
            (oid::BYTEA, Decoder::Bytea) => Self::Bytea,
            (oid::BYTEA, Decoder::ByteaAsBytes) => Self::ByteaAsBytes,
            (array, Decoder::Array(decoder)) => {
                let element = element(array)?;
                Self::Array(element, Box::new(Self::of(element, decoder)?))
            }
            _ => return None,
        })
    }

    /// Whether this is about `timestamp with time zone`, whose text has the session's offset.
    pub fn has_zone(&self) -> bool {
        match self {
            Self::Array(_, element) => element.has_zone(),
            format => *format == Self::TimestampTz,
        }
    }

    /// Whether values are made as `uuid.UUID` makes them.
    pub fn is_uuid(&self) -> bool {
        match self {
            Self::Array(_, element) => element.is_uuid(),
            format => *format == Self::Uuid,
        }
    }

    /// Whether values are objects that the garbage collector does not track, or need not.
    pub fn is_atomic(&self) -> bool {
        !matches!(self, Self::Bytea | Self::Array(..))
    }

    /// The object for a value.
    #[inline(never)]
    pub fn decode(&self, context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
        let py = context.py;
        let value = match self {
            Self::Int2 => {
                fixed(bytes).map(|bytes| Value::integer(py, i16::from_be_bytes(bytes).into()))
            }
            Self::Int4 => {
                fixed(bytes).map(|bytes| Value::integer(py, i32::from_be_bytes(bytes).into()))
            }
            Self::Int8 => fixed(bytes).map(|bytes| Value::integer(py, i64::from_be_bytes(bytes))),
            Self::Oid => {
                fixed(bytes).map(|bytes| Value::integer(py, u32::from_be_bytes(bytes).into()))
            }
            Self::Float8 => fixed(bytes).map(|bytes| float(py, f64::from_be_bytes(bytes))),
            Self::Boolean => binary::boolean(bytes).map(|value| Value::boolean(py, value)),
            Self::Date => datetime::date(bytes).map(|date| moments::date_of(py, date)),
            Self::Time => datetime::time(bytes).map(|time| moments::time_of(context, time, None)),
            Self::Timestamp => datetime::timestamp(bytes)
                .map(|moment| moments::timestamp_of(context, moment, None)),
            Self::TimestampTz => datetime::timestamp(bytes)
                .map(|moment| moments::timestamp_of(context, in_utc(moment), Some(0))),
            Self::Uuid => fixed(bytes)
                .map(|bytes| decoded(py, uuid::from_number(context, u128::from_be_bytes(bytes)))),
            Self::ByteaAsBytes => Ok(decoder::bytes(py, bytes)),
            Self::Bytea => Ok(bytea::view(py, bytes.to_vec())),
            Self::Array(oid, element) => return array(context, *oid, element, bytes),
        };
        value.unwrap_or_else(|fault| Err(malformed(py, fault)))
    }
}

/// The element type of an array type.
fn element(array: Oid) -> Option<Oid> {
    Some(match array {
        oid::INT2_ARRAY => oid::INT2,
        oid::INT4_ARRAY => oid::INT4,
        oid::INT8_ARRAY => oid::INT8,
        oid::OID_ARRAY => oid::OID,
        oid::FLOAT8_ARRAY => oid::FLOAT8,
        oid::BOOL_ARRAY => oid::BOOL,
        oid::DATE_ARRAY => oid::DATE,
        oid::TIME_ARRAY => oid::TIME,
        oid::TIMESTAMP_ARRAY => oid::TIMESTAMP,
        oid::TIMESTAMPTZ_ARRAY => oid::TIMESTAMPTZ,
        oid::UUID_ARRAY => oid::UUID,
        oid::BYTEA_ARRAY => oid::BYTEA,
        _ => return None,
    })
}

#[inline]
fn float(_py: Python<'_>, value: f64) -> Decoded {
    // SAFETY: the GIL is held.
    unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value)) }
}

fn in_utc(moment: Moment<moments::Timestamp>) -> Moment<moments::Timestamp> {
    match moment {
        Moment::Finite(timestamp) => {
            Moment::Finite(moments::Timestamp { offset: Some(0), ..timestamp })
        }
        special => special,
    }
}

/// A list, nested as the array is; lower bounds are dropped.
fn array(
    context: &DecodeContext<'_, '_>,
    oid: Oid,
    element: &BinaryFormat,
    bytes: &[u8],
) -> Decoded {
    let py = context.py;
    let mut array = Array::parse(bytes).map_err(|fault| malformed(py, fault))?;
    if array.element != oid {
        return Err(malformed(py, FAULT));
    }
    let shape = array;
    let list = match shape.sizes() {
        [] => list(py, 0, || Err(malformed(py, FAULT)))?,
        sizes => nested(context, element, sizes, &mut array)?,
    };
    if array.is_at_end() {
        return Ok(list);
    }
    drop(list.into_bound(py));
    Err(malformed(py, FAULT))
}

/// Recurses once for each dimension, of which there are a handful.
fn nested(
    context: &DecodeContext<'_, '_>,
    element: &BinaryFormat,
    sizes: &[usize],
    array: &mut Array<'_>,
) -> Decoded {
    let py = context.py;
    match sizes {
        [] => match array.next_element() {
            Ok(Some(bytes)) => element.decode(context, bytes),
            Ok(None) => Value::none(py),
            Err(fault) => Err(malformed(py, fault)),
        },
        [size, inner @ ..] => list(py, *size, || nested(context, element, inner, array)),
    }
}

/// A list of `size` items. It is made when all of them are there, so that Python code that an item
/// runs (a `tzinfo_factory`) cannot see a half-filled list.
#[inline]
fn list(py: Python<'_>, size: usize, mut item: impl FnMut() -> Decoded) -> Decoded {
    let mut items = Vec::with_capacity(size);
    for _ in 0..size {
        items.push(item()?.into_bound(py));
    }
    // SAFETY: the GIL is held. The list has as many places as there are items; each is filled once,
    // with a reference that is given up here; nobody else has seen the list yet.
    unsafe {
        let list = ffi::PyList_New(size as ffi::Py_ssize_t);
        if !list.is_null() {
            for (place, item) in items.into_iter().enumerate() {
                ffi::PyList_SET_ITEM(list, place as ffi::Py_ssize_t, item.into_ptr());
            }
        }
        Value::from_owned(list)
    }
}

#[cold]
fn malformed(py: Python<'_>, fault: Malformed) -> Raised {
    Raised::from_error(py, error::data(fault.0))
}
