//! How a field becomes an object: the one `match` that runs for every value of a result.

use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, ffi};

use super::binary_format::BinaryFormat;
use super::context::DecodeContext;
use super::{array, bytea, datetime, hstore, json, number, uuid};
use crate::encoding::TextDecoder;
use crate::imports::{DECIMAL, Lazy};
use crate::object::{Decoded, Raised, Value};

static ERROR: Lazy = Lazy::new("psycoxide._exceptions", "Error");

/// How the text of a value becomes an object. NULL is `None`, except for casters in Python.
#[derive(Debug)]
pub enum Decoder {
    /// `str`
    Text,
    /// `bytes`, as they came.
    Bytes,
    /// `int`
    Integer,
    /// `float`
    Float,
    /// `decimal.Decimal`
    Decimal,
    /// `bool`
    Boolean,
    /// `datetime.date`
    Date,
    /// `datetime.datetime`
    Timestamp,
    /// `datetime.datetime`, aware for the infinities too.
    TimestampTz,
    /// `datetime.time`
    Time,
    /// `datetime.timedelta`
    Interval,
    /// `memoryview` of the bytes of a `bytea`.
    Bytea,
    /// `bytes` of a `bytea`.
    ByteaAsBytes,
    /// `uuid.UUID`
    Uuid,
    /// What `json.loads` returns.
    Json,
    /// `dict` of `str` to `str` or `None`.
    Hstore,
    /// What another decoder makes of the text, made from the binary format.
    BinaryFormat(Box<BinaryFormat>),
    /// `list`, nested as the array is, of the objects of the elements' decoder.
    Array(Box<Decoder>),
    /// Whatever a callable returns for `(str or None, cursor)`.
    Python(Py<PyAny>),
    /// A caster that was made without a function.
    Missing,
}

/// Properties of a decoder's values, and of making them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Decoding can run Python code, other than to make a `tzinfo` or run a codec.
    pub runs_python: bool,
    /// Values may have an offset, and so a `tzinfo`.
    pub uses_zones: bool,
    /// Decoding depends on the client encoding.
    pub uses_encoding: bool,
    /// Values are what `json.loads` returns, unless a program has replaced it.
    pub as_json: bool,
    /// Values are what `uuid.UUID` returns, likewise.
    pub as_uuid: bool,
    /// Values are objects that the garbage collector does not track, or need not.
    pub atomic: bool,
}

impl Traits {
    /// Those of values such as `int`.
    pub const PLAIN: Self = Self {
        runs_python: false,
        uses_zones: false,
        uses_encoding: false,
        as_json: false,
        as_uuid: false,
        atomic: true,
    };
}

impl Decoder {
    /// The object for a field.
    ///
    /// Each arm calls a function that is not inlined. So this is only a jump, inlined into the loop
    /// over the fields, and an `int` does not pay for the registers that a `float` needs.
    #[inline(always)]
    pub fn decode(&self, context: &DecodeContext<'_, '_>, field: Option<&[u8]>) -> Decoded {
        let Some(text) = field else { return self.null(context) };
        match self {
            Self::Text => string(context, text),
            Self::Integer => number::integer(context, text),
            Self::Float => number::float(context, text),
            Self::Boolean => number::boolean(context, text),
            Self::Decimal => number::decimal(context, text),
            Self::Timestamp => datetime::timestamp(context, text),
            Self::TimestampTz => datetime::timestamptz(context, text),
            Self::Date => datetime::date(context, text),
            Self::Time => datetime::time(context, text),
            Self::Interval => datetime::interval(context, text),
            Self::Bytea => bytea::bytea(context.py, text),
            Self::ByteaAsBytes => bytea::byte_string(context.py, text),
            Self::Array(element) => array::array(context, element, text),
            Self::Uuid => uuid::uuid(context, text),
            Self::Json => json::json(context, text),
            Self::Hstore => hstore::hstore(context, text),
            Self::Bytes => bytes(context.py, text),
            Self::BinaryFormat(format) => format.decode(context, text),
            Self::Python(function) => by_caster(context, function, text),
            Self::Missing => Err(missing(context.py)),
        }
    }

    #[inline(never)]
    fn null(&self, context: &DecodeContext<'_, '_>) -> Decoded {
        match self {
            Self::Python(function) => call(context, function, Value::none(context.py)?),
            Self::Missing => Err(missing(context.py)),
            _ => Value::none(context.py),
        }
    }

    /// The properties that have to be known before a column's values are decoded.
    pub fn traits(&self) -> Traits {
        let plain = Traits::PLAIN;
        match self {
            Self::Array(element) => Traits { atomic: false, ..element.traits() },
            Self::BinaryFormat(format) => format.traits(),
            Self::Text => Traits { uses_encoding: true, ..plain },
            Self::Timestamp | Self::TimestampTz | Self::Time => {
                Traits { uses_zones: true, ..plain }
            }
            Self::Json => Traits { uses_encoding: true, as_json: true, atomic: false, ..plain },
            Self::Hstore => Traits { uses_encoding: true, atomic: false, ..plain },
            Self::Uuid => Traits { as_uuid: true, ..plain },
            Self::Bytea => Traits { atomic: false, ..plain },
            Self::Python(_) => {
                Traits { runs_python: true, uses_encoding: true, atomic: false, ..plain }
            }
            Self::Missing => Traits { runs_python: true, atomic: false, ..plain },
            Self::Bytes
            | Self::ByteaAsBytes
            | Self::Integer
            | Self::Float
            | Self::Decimal
            | Self::Boolean
            | Self::Date
            | Self::Interval => plain,
        }
    }

    /// Imports the classes of the values, so that decoding need not run Python code for that.
    pub fn import(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Date | Self::Timestamp | Self::TimestampTz | Self::Time | Self::Interval => {
                datetime::import(py)
            }
            Self::Decimal => DECIMAL.bind(py).map(|_| ()),
            Self::Array(element) => element.import(py),
            Self::BinaryFormat(format) => format.import(py),
            _ => Ok(()),
        }
    }

    /// How deeply array decoders are nested in this one.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(element) => 1 + element.depth(),
            _ => 0,
        }
    }

    /// A copy of the decoder.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Text => Self::Text,
            Self::Bytes => Self::Bytes,
            Self::Integer => Self::Integer,
            Self::Float => Self::Float,
            Self::Decimal => Self::Decimal,
            Self::Boolean => Self::Boolean,
            Self::Date => Self::Date,
            Self::Timestamp => Self::Timestamp,
            Self::TimestampTz => Self::TimestampTz,
            Self::Time => Self::Time,
            Self::Interval => Self::Interval,
            Self::Bytea => Self::Bytea,
            Self::ByteaAsBytes => Self::ByteaAsBytes,
            Self::Uuid => Self::Uuid,
            Self::Json => Self::Json,
            Self::Hstore => Self::Hstore,
            Self::BinaryFormat(format) => Self::BinaryFormat(Box::new(format.clone_ref(py))),
            Self::Array(element) => Self::Array(Box::new(element.clone_ref(py))),
            Self::Python(function) => Self::Python(function.clone_ref(py)),
            Self::Missing => Self::Missing,
        }
    }

    /// Shows the garbage collector what this holds.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Array(element) => element.traverse(visit),
            Self::BinaryFormat(format) => format.traverse(visit),
            Self::Python(function) => visit.call(function),
            _ => Ok(()),
        }
    }
}

/// A `str`.
#[inline(never)]
fn string(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    context.encoding.decode(context.py, text)
}

/// A `bytes` of the field as it came.
#[inline(never)]
pub fn bytes(_py: Python<'_>, text: &[u8]) -> Decoded {
    // SAFETY: `text` is valid for its length, and copied.
    unsafe {
        let length = text.len() as ffi::Py_ssize_t;
        Value::from_owned(ffi::PyBytes_FromStringAndSize(text.as_ptr().cast(), length))
    }
}

/// Calls a caster in Python with a text.
#[inline(never)]
fn by_caster(context: &DecodeContext<'_, '_>, function: &Py<PyAny>, text: &[u8]) -> Decoded {
    let value = context.encoding.decode(context.py, text)?;
    call(context, function, value)
}

#[inline(never)]
fn call(context: &DecodeContext<'_, '_>, function: &Py<PyAny>, value: Value) -> Decoded {
    let value = value.into_bound(context.py);
    let arguments = [value.as_ptr(), context.fetch.cursor.as_ptr()];
    // SAFETY: the function and both arguments are valid objects, held here during the call.
    unsafe {
        Value::from_owned(ffi::PyObject_Vectorcall(
            function.as_ptr(),
            arguments.as_ptr(),
            arguments.len(),
            std::ptr::null_mut(),
        ))
    }
}

#[cold]
fn missing(py: Python<'_>) -> Raised {
    let error = ERROR
        .bind(py)
        .and_then(|class| class.call1(("internal error: no casting function found",)));
    let error = match error {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    };
    Raised::from_error(py, error)
}

/// Decodes a value that Python code passed: `str`, `bytes` or `None`.
pub fn decode_object<'py>(
    decoder: &Decoder,
    context: &DecodeContext<'_, 'py>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    use pyo3::exceptions::PyTypeError;
    use pyo3::types::{PyBytes, PyString};

    let decoded = if value.is_none() {
        decoder.decode(context, None)
    } else if let Ok(string) = value.cast::<PyString>() {
        // A `str` is decoded already: whatever the session's encoding, its bytes are UTF-8 now.
        decoder
            .decode(&context.with_encoding(&TextDecoder::UTF8), Some(string.to_str()?.as_bytes()))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        decoder.decode(context, Some(bytes.as_bytes()))
    } else {
        return Err(PyTypeError::new_err(format!(
            "a bytes-like object is required, not '{}'",
            value.get_type().name()?
        )));
    };
    match decoded {
        Ok(value) => Ok(value.into_bound(context.py)),
        Err(raised) => Err(raised.into_error(context.py)),
    }
}
