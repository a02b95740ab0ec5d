//! `hstore` as `dict`.

use psycoxide_sql::text::hstore::Pairs;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::context::DecodeContext;
use crate::encoding::TextDecoder;
use crate::error;
use crate::object::{Decoded, Raised, Value};

/// A dict of `str` to `str` or `None`.
#[inline(never)]
pub fn hstore(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    let py = context.py;
    if context.encoding.is_ascii_safe() || text.is_ascii() {
        return walk(context, text);
    }
    // A byte that looks like `\` or `"` may be half of a character in this encoding: decode the
    // text first.
    let string = context.encoding.decode(py, text)?.into_bound(py);
    let utf8 = string.cast::<PyString>().map_err(PyErr::from).and_then(|string| string.to_str());
    match utf8 {
        Ok(utf8) => walk(&context.with_encoding(&TextDecoder::UTF8), utf8.as_bytes()),
        Err(error) => Err(Raised::from_error(py, error)),
    }
}

fn walk(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    let py = context.py;
    let dict = PyDict::new(py);
    let mut pairs = Pairs::new(text);
    loop {
        let (key, value) = match pairs.step() {
            Ok(Some(pair)) => pair,
            Ok(None) => return Ok(Value::from(dict.into_any())),
            Err(fault) => {
                let error = error::interface(format!("error parsing hstore: {fault}"));
                return Err(Raised::from_error(py, error));
            }
        };
        let key = context.fetch.keys.intern(py, &key, || context.encoding.decode(py, &key))?;
        let value = match value {
            Some(value) => context.encoding.decode(py, &value)?,
            None => Value::none(py)?,
        };
        let set = dict.set_item(key, value.into_bound(py));
        set.map_err(|error| Raised::from_error(py, error))?;
    }
}
