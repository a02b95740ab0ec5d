//! Arrays as nested lists, over any element caster.

use psycoxide_sql::text::array::{Item, Items, MAX_DEPTH, unescape};
use psycoxide_sql::text::{Malformed, number};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::context::DecodeContext;
use super::decoder::Decoder;
use crate::encoding::TextDecoder;
use crate::error;
use crate::object::{Decoded, Raised, Value};

/// A list of the objects that `element` makes of the array's elements; lower bounds are dropped.
#[inline(never)]
pub fn array(context: &DecodeContext<'_, '_>, element: &Decoder, text: &[u8]) -> Decoded {
    if context.encoding.is_ascii_safe() || text.is_ascii() {
        return walk(context, element, text);
    }
    // A byte that looks like `\` or `"` may be half of a character in this encoding: decode the
    // text first.
    let string = context.encoding.decode(context.py, text)?.into_bound(context.py);
    let utf8 = string.cast::<PyString>().map_err(PyErr::from).and_then(|string| string.to_str());
    match utf8 {
        Ok(utf8) => walk(&context.with_encoding(&TextDecoder::UTF8), element, utf8.as_bytes()),
        Err(error) => Err(Raised::from_error(context.py, error)),
    }
}

fn walk(context: &DecodeContext<'_, '_>, element: &Decoder, text: &[u8]) -> Decoded {
    if matches!(element, Decoder::Integer)
        && let Some(list) = integers(context.py, text)
    {
        return Ok(list);
    }
    let mut items = Items::new(text);
    let mut builder = ListBuilder::with_room_for(text);
    let mut unescaped = Vec::new();
    loop {
        let value = match items.step() {
            Ok(Some(Item::Plain(text))) => element.decode(context, Some(text))?,
            Ok(Some(Item::Escaped(text))) => {
                unescape(text, &mut unescaped);
                element.decode(context, Some(&unescaped))?
            }
            Ok(Some(Item::Null)) => element.decode(context, None)?,
            Ok(Some(Item::Open)) => {
                builder.open();
                continue;
            }
            Ok(Some(Item::Close)) => builder.close(context.py)?,
            Ok(None) => return builder.finish(context.py),
            Err(fault) => return Err(malformed(context.py, fault)),
        };
        builder.values.push(value.into_ptr());
    }
}

/// The list of a flat array of integers and NULLs, written as a server does. `None` for any other
/// array, which is left to the general walk.
fn integers(py: Python<'_>, text: &[u8]) -> Option<Value> {
    let mut rest = text.strip_prefix(b"{")?;
    let count = memchr::memchr_iter(b',', rest).count() + 1;
    // SAFETY: the GIL is held. Each place is filled at most once, with a reference of its own. No
    // Python code runs before the list is full, and a list that is dropped before has empty places,
    // which its destructor allows for.
    unsafe {
        let list = ffi::PyList_New(count as ffi::Py_ssize_t);
        let list = Bound::from_owned_ptr_or_opt(py, list).or_else(|| {
            ffi::PyErr_Clear();
            None
        })?;
        for place in 0..count {
            let value = if let Some(after) = rest.strip_prefix(b"NULL") {
                rest = after;
                Value::none(py)
            } else {
                let (number, after) = number::leading_integer(rest)?;
                rest = after;
                Value::integer(py, number)
            };
            let Ok(value) = value else {
                ffi::PyErr_Clear();
                return None;
            };
            ffi::PyList_SET_ITEM(list.as_ptr(), place as ffi::Py_ssize_t, value.into_ptr());
            rest = rest.strip_prefix(if place + 1 < count { b"," } else { b"}" })?;
        }
        rest.is_empty().then(|| Value::from(list))
    }
}

#[cold]
fn malformed(py: Python<'_>, fault: Malformed) -> Raised {
    Raised::from_error(py, error::data(fault.0))
}

/// The open arrays: the values of all of them, and where the values of each begin.
///
/// A list is made when its array ends, so that it has the right size at once, and no half-filled
/// list can be seen by Python code that an element's caster runs.
#[derive(Default)]
struct ListBuilder {
    /// Owned references.
    values: Vec<*mut ffi::PyObject>,
    starts: [usize; MAX_DEPTH],
    depth: usize,
}

impl ListBuilder {
    /// Reserves places for as many elements as the text seems to have, up to a limit.
    fn with_room_for(text: &[u8]) -> Self {
        const MOST: usize = 1024;
        let count = memchr::memchr_iter(b',', text).count() + 1;
        Self { values: Vec::with_capacity(count.min(MOST)), ..Self::default() }
    }

    fn open(&mut self) {
        // The walk refuses arrays that are nested more deeply.
        if let Some(start) = self.starts.get_mut(self.depth) {
            *start = self.values.len();
            self.depth += 1;
        }
    }

    /// Closes the innermost array, and returns the list of its values.
    fn close(&mut self, _py: Python<'_>) -> Decoded {
        // The walk closes only what it has opened.
        self.depth = self.depth.saturating_sub(1);
        let start = self.starts.get(self.depth).copied().unwrap_or_default();
        let start = start.min(self.values.len());
        // SAFETY: the GIL is held. The list has as many places as values follow `start`; each value
        // is a reference owned by `values`, which gives it up here; nobody else has seen the list
        // yet.
        unsafe {
            let list = ffi::PyList_New((self.values.len() - start) as ffi::Py_ssize_t);
            if !list.is_null() {
                for (place, value) in self.values.drain(start..).enumerate() {
                    ffi::PyList_SET_ITEM(list, place as ffi::Py_ssize_t, value);
                }
            }
            Value::from_owned(list)
        }
    }

    /// The outermost list: the one value that a balanced walk leaves.
    fn finish(mut self, py: Python<'_>) -> Decoded {
        match self.values.pop() {
            // SAFETY: `values` owned the reference and gives it up.
            Some(list) => unsafe { Value::from_owned(list) },
            None => Err(malformed(py, Malformed("malformed array"))),
        }
    }
}

impl Drop for ListBuilder {
    fn drop(&mut self) {
        for value in self.values.drain(..) {
            // SAFETY: the reference is owned by `values`; a builder lives inside a call that holds
            // the GIL. An exception may be set: destructors keep it.
            unsafe { ffi::Py_DECREF(value) };
        }
    }
}
