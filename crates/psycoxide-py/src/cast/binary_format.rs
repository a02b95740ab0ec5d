//! Values in binary formats.
//!
//! The object is the one that the type's text decoder makes of the same value: the tests compare
//! the two. Where a type's text is simple to write, or has readers in Python, the text is written
//! from the binary format, and the decoder of text reads it.
//!
//! Results are [requested](BinaryFormat::is_preferred) in binary only where that pays for the client
//! and cannot change a value:
//!
//! | in text | why |
//! |---|---|
//! | text, varchar, bpchar, name, json, jsonb | the bytes are the same. In arrays they need no escapes, so those come in binary |
//! | numeric, inet, cidr, macaddr, macaddr8, ranges, multiranges | a `Decimal` and what Python code makes are made of text |
//! | real | its text has to be found first, which takes longer than reading it; that text depends on `extra_float_digits`, which the server does not report |
//! | timestamptz, unless the session is in UTC | the binary format has no offset |
//! | xml | the binary format names the client encoding |
//! | "char" | its text depends on the server's version |
//! | bit strings, money, geometric and text search types, composite values | they are `str`, or read by Python code, from text |
//! | enums, types of extensions, arrays of these | their OIDs do not say what they are. In `hstore` lengths are those of the server's encoding, whatever the client's |
//! | whatever has a typecaster of the program | it gets text |
//!
//! Where a setting of the session keeps a value from being read as text (a `DateStyle` other than
//! ISO, the `IntervalStyle` `iso_8601`) or makes that text inexact (`extra_float_digits` below 1), the
//! binary format still says all.

use psycoxide_sql::binary::array::{self, Array, Dimension};
use psycoxide_sql::binary::{self, FAULT, datetime, fixed, network, numeric, range};
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::text::{Malformed, Moment};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, ffi};

use super::context::DecodeContext;
use super::decoder::{self, Decoder, Traits};
use super::{bytea, datetime as moments, uuid};
use crate::encoding::TextDecoder;
use crate::error;
use crate::object::{Decoded, Raised, Value, decoded};

/// Writes the text that a value has in the text format.
type WriteText = fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>;

/// A type's binary format, and with it the kind of object that a value becomes.
#[derive(Debug)]
pub enum BinaryFormat {
    /// `int` of a `smallint`
    Int2,
    /// `int` of an `integer`
    Int4,
    /// `int` of a `bigint`
    Int8,
    /// `int` of an `oid`
    Oid,
    /// `int` of an `oid8`
    Oid8,
    /// `float` of a `real`
    Float4,
    /// `float` of a `double precision`
    Float8,
    /// `bool`
    Boolean,
    /// `datetime.date`
    Date,
    /// `datetime.time` of a `time without time zone`
    Time,
    /// `datetime.time` of a `time with time zone`
    TimeTz,
    /// `datetime.datetime` of a `timestamp without time zone`
    Timestamp,
    /// `datetime.datetime` of a `timestamp with time zone`, in UTC
    TimestampTz,
    /// `datetime.timedelta` of an `interval`
    Interval,
    /// `uuid.UUID`
    Uuid,
    /// `memoryview` of a `bytea`
    Bytea,
    /// `bytes` of a `bytea`
    ByteaAsBytes,
    /// What the decoder makes of the bytes, which are those of the text.
    Text(Decoder),
    /// The same after the version of a `jsonb`.
    Jsonb(Decoder),
    /// What the decoder makes of the text that is written.
    Written(WriteText, Decoder),
    /// `list` of elements of this type
    Array(Oid, Box<BinaryFormat>),
}

impl BinaryFormat {
    /// The binary format of a type, if it makes the same objects as this decoder.
    pub fn of(py: Python<'_>, oid: Oid, decoder: &Decoder) -> Option<Self> {
        Some(match (oid, decoder) {
            (oid::INT2, Decoder::Integer) => Self::Int2,
            (oid::INT4, Decoder::Integer) => Self::Int4,
            (oid::INT8, Decoder::Integer) => Self::Int8,
            (oid::OID, Decoder::Integer) => Self::Oid,
            (oid::OID8, Decoder::Integer) => Self::Oid8,
            (oid::FLOAT4, Decoder::Float) => Self::Float4,
            (oid::FLOAT8, Decoder::Float) => Self::Float8,
            (oid::BOOL, Decoder::Boolean) => Self::Boolean,
            (oid::DATE, Decoder::Date) => Self::Date,
            (oid::TIME, Decoder::Time) => Self::Time,
            (oid::TIMETZ, Decoder::Time) => Self::TimeTz,
            (oid::TIMESTAMP, Decoder::Timestamp) => Self::Timestamp,
            (oid::TIMESTAMPTZ, Decoder::TimestampTz) => Self::TimestampTz,
            (oid::INTERVAL, Decoder::Interval) => Self::Interval,
            (oid::UUID, Decoder::Uuid) => Self::Uuid,
            (oid::BYTEA, Decoder::Bytea) => Self::Bytea,
            (oid::BYTEA, Decoder::ByteaAsBytes) => Self::ByteaAsBytes,
            (array, Decoder::Array(decoder)) => {
                let element = oid::element_of(array)?;
                Self::Array(element, Box::new(Self::of(py, element, decoder)?))
            }
            (oid::JSONB, decoder) => Self::Jsonb(decoder.clone_ref(py)),
            // That of `xml` names the client encoding.
            (oid, decoder) if oid != oid::XML && oid::is_text_in_binary(oid) => {
                Self::Text(decoder.clone_ref(py))
            }
            (oid, decoder) => Self::Written(writer(oid)?, decoder.clone_ref(py)),
        })
    }

    /// The binary format of a type, for the objects that its values become if the program has
    /// registered nothing.
    pub fn usual(py: Python<'_>, oid: Oid) -> Option<Self> {
        let decoder = |oid| {
            Some(match oid {
                oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::OID8 => Decoder::Integer,
                oid::FLOAT4 | oid::FLOAT8 => Decoder::Float,
                oid::BOOL => Decoder::Boolean,
                oid::DATE => Decoder::Date,
                oid::TIME | oid::TIMETZ => Decoder::Time,
                oid::TIMESTAMP => Decoder::Timestamp,
                oid::TIMESTAMPTZ => Decoder::TimestampTz,
                oid::INTERVAL => Decoder::Interval,
                oid::UUID => Decoder::Uuid,
                oid::BYTEA => Decoder::ByteaAsBytes,
                oid::JSON | oid::JSONB => Decoder::Json,
                _ if oid::is_text_in_binary(oid) => Decoder::Text,
                _ => return None,
            })
        };
        let decoder = match oid::element_of(oid) {
            Some(element) => Decoder::Array(Box::new(decoder(element)?)),
            None => decoder(oid)?,
        };
        Self::of(py, oid, &decoder)
    }

    /// Whether results are to be requested in this format, in a session whose time zone is UTC or
    /// not.
    pub fn is_preferred(&self, utc: bool) -> bool {
        match self {
            Self::Text(_) | Self::Jsonb(_) | Self::Written(..) | Self::Float4 => false,
            Self::TimestampTz => utc,
            Self::Array(_, element) => match &**element {
                Self::Text(decoder) | Self::Jsonb(decoder) => {
                    matches!(decoder, Decoder::Text | Decoder::Json)
                }
                element => element.is_preferred(utc),
            },
            _ => true,
        }
    }

    /// The properties of the values.
    pub fn traits(&self) -> Traits {
        let plain = Traits::PLAIN;
        match self {
            Self::Array(_, element) => Traits { atomic: false, ..element.traits() },
            Self::Text(decoder) | Self::Jsonb(decoder) | Self::Written(_, decoder) => {
                decoder.traits()
            }
            Self::TimestampTz | Self::TimeTz => Traits { uses_zones: true, ..plain },
            Self::Uuid => Traits { as_uuid: true, ..plain },
            Self::Bytea => Traits { atomic: false, ..plain },
            _ => plain,
        }
    }

    /// Imports the classes of the values.
    pub fn import(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Array(_, element) => element.import(py),
            Self::Text(decoder) | Self::Jsonb(decoder) | Self::Written(_, decoder) => {
                decoder.import(py)
            }
            Self::Date
            | Self::Time
            | Self::TimeTz
            | Self::Timestamp
            | Self::TimestampTz
            | Self::Interval => moments::import(py),
            _ => Ok(()),
        }
    }

    /// A copy of the format.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Int2 => Self::Int2,
            Self::Int4 => Self::Int4,
            Self::Int8 => Self::Int8,
            Self::Oid => Self::Oid,
            Self::Oid8 => Self::Oid8,
            Self::Float4 => Self::Float4,
            Self::Float8 => Self::Float8,
            Self::Boolean => Self::Boolean,
            Self::Date => Self::Date,
            Self::Time => Self::Time,
            Self::TimeTz => Self::TimeTz,
            Self::Timestamp => Self::Timestamp,
            Self::TimestampTz => Self::TimestampTz,
            Self::Interval => Self::Interval,
            Self::Uuid => Self::Uuid,
            Self::Bytea => Self::Bytea,
            Self::ByteaAsBytes => Self::ByteaAsBytes,
            Self::Text(decoder) => Self::Text(decoder.clone_ref(py)),
            Self::Jsonb(decoder) => Self::Jsonb(decoder.clone_ref(py)),
            Self::Written(write, decoder) => Self::Written(*write, decoder.clone_ref(py)),
            Self::Array(oid, element) => Self::Array(*oid, Box::new(element.clone_ref(py))),
        }
    }

    /// Shows the garbage collector what this holds.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Array(_, element) => element.traverse(visit),
            Self::Text(decoder) | Self::Jsonb(decoder) | Self::Written(_, decoder) => {
                decoder.traverse(visit)
            }
            _ => Ok(()),
        }
    }

    /// The object for a value.
    ///
    /// Each arm calls a function that is not inlined, and this ends with it: it is only a jump.
    #[inline(never)]
    pub fn decode(&self, context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
        match self {
            Self::Int2 => int2(context, bytes),
            Self::Int4 => int4(context, bytes),
            Self::Int8 => int8(context, bytes),
            Self::Oid => oid(context, bytes),
            Self::Oid8 => oid8(context, bytes),
            Self::Float4 => float4(context, bytes),
            Self::Float8 => float8(context, bytes),
            Self::Boolean => boolean(context, bytes),
            Self::Date => date(context, bytes),
            Self::Time => time(context, bytes),
            Self::TimeTz => timetz(context, bytes),
            Self::Timestamp => timestamp(context, bytes),
            Self::TimestampTz => timestamptz(context, bytes),
            Self::Interval => interval(context, bytes),
            Self::Uuid => uuid(context, bytes),
            Self::ByteaAsBytes => decoder::bytes(context.py, bytes),
            Self::Bytea => bytea::view(context.py, bytes.to_vec()),
            Self::Text(decoder) => decoder.decode(context, Some(bytes)),
            Self::Jsonb(decoder) => jsonb(context, decoder, bytes),
            Self::Written(write, decoder) => written(context, *write, decoder, bytes),
            Self::Array(oid, element) => array(context, *oid, element, bytes),
        }
    }

    /// The object for NULL in an array: `None`, unless a caster in Python is asked.
    fn null(&self, context: &DecodeContext<'_, '_>) -> Decoded {
        match self {
            Self::Text(decoder) | Self::Jsonb(decoder) | Self::Written(_, decoder) => {
                decoder.decode(context, None)
            }
            _ => Value::none(context.py),
        }
    }
}

/// What writes the text of a type's values.
fn writer(oid: Oid) -> Option<WriteText> {
    Some(match oid {
        oid::NUMERIC => numeric::write,
        oid::INET => network::write_inet,
        oid::CIDR => network::write_cidr,
        oid::MACADDR => network::write_mac::<6>,
        oid::MACADDR8 => network::write_mac::<8>,
        oid::INT4RANGE => |bytes, out| range::write(bytes, out, binary::write_int4),
        oid::INT8RANGE => |bytes, out| range::write(bytes, out, binary::write_int8),
        oid::NUMRANGE => |bytes, out| range::write(bytes, out, numeric::write),
        oid::DATERANGE => |bytes, out| range::write(bytes, out, datetime::write_date),
        oid::TSRANGE => |bytes, out| range::write(bytes, out, datetime::write_timestamp),
        oid::TSTZRANGE => |bytes, out| range::write(bytes, out, datetime::write_timestamptz),
        oid::INT4MULTIRANGE => |bytes, out| range::write_multi(bytes, out, binary::write_int4),
        oid::INT8MULTIRANGE => |bytes, out| range::write_multi(bytes, out, binary::write_int8),
        oid::NUMMULTIRANGE => |bytes, out| range::write_multi(bytes, out, numeric::write),
        oid::DATEMULTIRANGE => |bytes, out| range::write_multi(bytes, out, datetime::write_date),
        oid::TSMULTIRANGE => |bytes, out| range::write_multi(bytes, out, datetime::write_timestamp),
        oid::TSTZMULTIRANGE => {
            |bytes, out| range::write_multi(bytes, out, datetime::write_timestamptz)
        }
        _ => return None,
    })
}

/// What a decoder makes of the text that is written for a value: ASCII, in every client encoding.
#[inline(never)]
fn written(
    context: &DecodeContext<'_, '_>,
    write: WriteText,
    decoder: &Decoder,
    bytes: &[u8],
) -> Decoded {
    let mut text = Vec::with_capacity(64);
    match write(bytes, &mut text) {
        Ok(()) => decoder.decode(&context.with_encoding(&TextDecoder::UTF8), Some(&text)),
        Err(fault) => Err(malformed(context.py, fault)),
    }
}

/// The object that `make` makes of what was read.
#[inline(always)]
fn made<T>(
    context: &DecodeContext<'_, '_>,
    read: Result<T, Malformed>,
    make: impl FnOnce(T) -> Decoded,
) -> Decoded {
    match read {
        Ok(value) => make(value),
        Err(fault) => Err(malformed(context.py, fault)),
    }
}

#[inline(never)]
fn int2(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| of_int2(context.py, value))
}

#[inline(never)]
fn int4(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| of_int4(context.py, value))
}

#[inline(never)]
fn int8(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| of_int8(context.py, value))
}

#[inline(never)]
fn oid(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| {
        Value::integer(context.py, u32::from_be_bytes(value).into())
    })
}

#[inline(never)]
fn oid8(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| {
        // SAFETY: the GIL is held.
        unsafe { Value::from_owned(ffi::PyLong_FromUnsignedLongLong(u64::from_be_bytes(value))) }
    })
}

#[inline(never)]
fn float4(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, binary::float::float4(bytes), |value| float(context.py, value))
}

#[inline(never)]
fn float8(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| of_float8(context.py, value))
}

#[inline(never)]
fn boolean(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, binary::boolean(bytes), |value| Value::boolean(context.py, value))
}

#[inline(never)]
fn date(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::date(bytes), |value| moments::date_of(context.py, value))
}

#[inline(never)]
fn time(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::time(bytes), |value| moments::time_of(context, value, None))
}

#[inline(never)]
fn timetz(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::timetz(bytes), |(time, offset)| {
        moments::time_of(context, time, Some(offset))
    })
}

#[inline(never)]
fn timestamp(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::timestamp(bytes), |value| moments::timestamp_of(context, value, None))
}

#[inline(never)]
fn timestamptz(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::timestamp(bytes), |moment| {
        let moment = match moment {
            Moment::Finite(moment) => {
                Moment::Finite(moments::Timestamp { offset: Some(0), ..moment })
            }
            special => special,
        };
        moments::timestamp_of(context, moment, Some(0))
    })
}

#[inline(never)]
fn interval(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, datetime::interval(bytes), |value| moments::interval_of(context.py, value))
}

#[inline(never)]
fn uuid(context: &DecodeContext<'_, '_>, bytes: &[u8]) -> Decoded {
    made(context, fixed(bytes), |value| {
        decoded(context.py, uuid::from_number(context, u128::from_be_bytes(value)))
    })
}

#[inline(never)]
fn jsonb(context: &DecodeContext<'_, '_>, decoder: &Decoder, bytes: &[u8]) -> Decoded {
    made(context, binary::jsonb(bytes), |text| decoder.decode(context, Some(text)))
}

#[inline]
fn of_int2(py: Python<'_>, bytes: [u8; 2]) -> Decoded {
    Value::integer(py, i16::from_be_bytes(bytes).into())
}

#[inline]
fn of_int4(py: Python<'_>, bytes: [u8; 4]) -> Decoded {
    Value::integer(py, i32::from_be_bytes(bytes).into())
}

#[inline]
fn of_int8(py: Python<'_>, bytes: [u8; 8]) -> Decoded {
    Value::integer(py, i64::from_be_bytes(bytes))
}

#[inline]
fn of_float8(py: Python<'_>, bytes: [u8; 8]) -> Decoded {
    float(py, f64::from_be_bytes(bytes))
}

#[inline]
fn float(_py: Python<'_>, value: f64) -> Decoded {
    // SAFETY: the GIL is held.
    unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value)) }
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
    let list = match array.dimensions {
        [] => list(py, 0, || Value::none(py))?,
        dimensions => nested(context, element, dimensions, &mut array)?,
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
    dimensions: &[Dimension],
    array: &mut Array<'_>,
) -> Decoded {
    let py = context.py;
    let [dimension, inner @ ..] = dimensions else { return Err(malformed(py, FAULT)) };
    let size = array::size(*dimension);
    if !inner.is_empty() {
        return hidden_list(py, size, || nested(context, element, inner, array));
    }
    match element {
        // A loop of its own for each type of small values.
        BinaryFormat::Int2 => numbers(py, size, array, of_int2),
        BinaryFormat::Int4 => numbers(py, size, array, of_int4),
        BinaryFormat::Int8 => numbers(py, size, array, of_int8),
        BinaryFormat::Float8 => numbers(py, size, array, of_float8),
        element => hidden_list(py, size, || match array.next_element() {
            Ok(Some(bytes)) => element.decode(context, bytes),
            Ok(None) => element.null(context),
            Err(fault) => Err(malformed(py, fault)),
        }),
    }
}

/// A list of numbers of `N` bytes, and of `None`.
///
/// Making a number runs no Python code, not even by way of the garbage collector.
#[inline(always)]
fn numbers<const N: usize>(
    py: Python<'_>,
    size: usize,
    array: &mut Array<'_>,
    make: impl Fn(Python<'_>, [u8; N]) -> Decoded,
) -> Decoded {
    // A copy of its own, which stays in registers.
    let mut rest = *array;
    let numbers = list(py, size, || match rest.next_fixed() {
        Ok(Some(bytes)) => make(py, bytes),
        Ok(None) => Value::none(py),
        Err(fault) => Err(malformed(py, fault)),
    });
    *array = rest;
    numbers
}

/// A list of `size` items, which the garbage collector does not track while it is being filled, so
/// that Python code that an item runs (a `tzinfo_factory`) cannot find it.
#[inline(always)]
fn hidden_list(py: Python<'_>, size: usize, mut item: impl FnMut() -> Decoded) -> Decoded {
    // SAFETY: the GIL is held, and the list lives.
    unsafe {
        let list = Value::from_owned(ffi::PyList_New(size as ffi::Py_ssize_t))?;
        let list = list.into_bound(py);
        ffi::PyObject_GC_UnTrack(list.as_ptr().cast());
        fill(list.as_ptr(), size, &mut item)?;
        ffi::PyObject_GC_Track(list.as_ptr().cast());
        Ok(Value::from(list))
    }
}

/// A list of `size` items that are made without running Python code.
#[inline(always)]
fn list(py: Python<'_>, size: usize, mut item: impl FnMut() -> Decoded) -> Decoded {
    // SAFETY: the GIL is held; nobody else has seen the list yet.
    unsafe {
        let list = Value::from_owned(ffi::PyList_New(size as ffi::Py_ssize_t))?.into_bound(py);
        fill(list.as_ptr(), size, &mut item)?;
        Ok(Value::from(list))
    }
}

/// Fills a list with `size` items. Empty places do not disturb the destruction of a list.
///
/// # Safety
/// `list` is a new list with `size` empty places. The GIL is held.
#[inline(always)]
unsafe fn fill(
    list: *mut ffi::PyObject,
    size: usize,
    item: &mut impl FnMut() -> Decoded,
) -> Result<(), Raised> {
    for place in 0..size {
        let item = item()?;
        // SAFETY: each place is filled once, with a reference that is given up here.
        unsafe { ffi::PyList_SET_ITEM(list, place as ffi::Py_ssize_t, item.into_ptr()) };
    }
    Ok(())
}

#[cold]
fn malformed(py: Python<'_>, fault: Malformed) -> Raised {
    Raised::from_error(py, error::data(fault.0))
}
