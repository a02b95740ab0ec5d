//! Eager decoding, in two steps: most of it when a field arrives, the rest at the fetch.
//!
//! In between there is an immutable object that no user sees: the value itself, the memory behind a
//! `memoryview`, or the raw field as `bytes`.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBool, PyBytes, PyFloat, PyInt, PyString};

use super::binary_format::BinaryFormat;
use super::bytea;
use super::context::DecodeContext;
use super::decoder::{Decoder, bytes};
use crate::encoding;
use crate::object::{Decoded, Raised, Value};

/// Whether most of the work can be done before the fetch.
pub fn is_eager(decoder: &Decoder) -> bool {
    matches!(decoder, Decoder::Text | Decoder::Bytea) || is_bytea(decoder)
}

/// Whether this reads the binary format of `bytea`.
fn is_bytea(decoder: &Decoder) -> bool {
    matches!(decoder, Decoder::BinaryFormat(format) if matches!(**format, BinaryFormat::Bytea))
}

/// The first step, when the field arrives. The context's encoding is UTF-8.
///
/// Fails only when memory runs out.
pub fn keep(decoder: &Decoder, context: &DecodeContext<'_, '_>, field: Option<&[u8]>) -> Decoded {
    let Some(text) = field else { return Value::none(context.py) };
    let kept = match decoder {
        Decoder::Text | Decoder::Integer | Decoder::Float | Decoder::Boolean => {
            decoder.decode(context, field)
        }
        Decoder::Bytea => bytea::decode_chunk(context.py, text),
        decoder if is_bytea(decoder) => bytea::chunk(context.py, text.to_vec()),
        _ => return bytes(context.py, text),
    };
    match kept {
        Ok(value) => {
            let value = value.into_bound(context.py);
            // The `str` needs two or four bytes for each character where the server sent mostly
            // one: the raw field is smaller.
            if encoding::str_size(&value) > text.len() {
                return bytes(context.py, text);
            }
            Ok(Value::from(value))
        }
        // The error is raised again when the row is fetched.
        Err(raised) => {
            drop(raised.into_error(context.py));
            bytes(context.py, text)
        }
    }
}

/// The second step, in the context of a fetch. If the encoding is no longer UTF-8, text is decoded
/// again.
#[inline]
pub fn finish(decoder: &Decoder, context: &DecodeContext<'_, '_>, kept: &Py<PyAny>) -> Decoded {
    let kept = kept.bind(context.py);
    if kept.is_none() {
        return decoder.decode(context, None);
    }
    if let Ok(field) = kept.cast_exact::<PyBytes>() {
        return decoder.decode(context, Some(field.as_bytes()));
    }
    match decoder {
        Decoder::Text if !context.encoding.is_utf8() => match text_of(kept) {
            Ok(text) => decoder.decode(context, Some(text.as_bytes())),
            Err(error) => Err(Raised::from_error(context.py, error)),
        },
        Decoder::Bytea => bytea::view_of(kept),
        decoder if is_bytea(decoder) => bytea::view_of(kept),
        _ => Ok(Value::from(kept.clone())),
    }
}

/// The field that an object was kept of.
pub fn field(kept: &Bound<'_, PyAny>, binary: bool) -> PyResult<Option<Vec<u8>>> {
    if kept.is_none() {
        return Ok(None);
    }
    if let Ok(field) = kept.cast_exact::<PyBytes>() {
        return Ok(Some(field.as_bytes().to_vec()));
    }
    if kept.is_instance_of::<PyString>() {
        return text_of(kept).map(|text| Some(text.as_bytes().to_vec()));
    }
    if kept.is_instance_of::<PyBool>() {
        return Ok(Some(if kept.is_truthy()? { b"t".to_vec() } else { b"f".to_vec() }));
    }
    if kept.is_instance_of::<PyInt>() || kept.is_instance_of::<PyFloat>() {
        return Ok(Some(kept.repr()?.to_str()?.as_bytes().to_vec()));
    }
    let value = PyBuffer::<u8>::get(
        &bytea::view_of(kept).map_err(|raised| raised.into_error(kept.py()))?.into_bound(kept.py()),
    )?
    .to_vec(kept.py())?;
    if binary {
        return Ok(Some(value));
    }
    let mut text = b"\\x".to_vec();
    text.resize(2 + 2 * value.len(), 0);
    // The lengths fit: it cannot fail.
    let _ = const_hex::encode_to_slice(&value, text.get_mut(2..).unwrap_or_default());
    Ok(Some(text))
}

/// The UTF-8 bytes that a `str` was decoded from: there is only one form.
fn text_of<'a>(kept: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    kept.cast::<PyString>()?.to_str()
}
