//! Building rows as tuples and by factories, and lists of them.

use std::borrow::Cow;
use std::slice::Iter;

use psycoxide_proto::Fields;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::StoredRow;
use crate::cast::{CastPlan, DecodeContext, Decoder, eager};
use crate::object::{Decoded, Raised, Value};

/// The values of a row, one for each decoder.
trait Values {
    fn next(&mut self, decoder: &Decoder, context: &DecodeContext<'_, '_>) -> Decoded;
}

impl Values for Fields<'_> {
    #[inline(always)]
    fn next(&mut self, decoder: &Decoder, context: &DecodeContext<'_, '_>) -> Decoded {
        decoder.decode(context, self.field())
    }
}

/// The objects of an eager row.
impl Values for Iter<'_, Py<PyAny>> {
    #[inline]
    fn next(&mut self, decoder: &Decoder, context: &DecodeContext<'_, '_>) -> Decoded {
        match Iterator::next(self) {
            Some(kept) => eager::finish(decoder, context, kept),
            None => decoder.decode(context, None),
        }
    }
}

/// The fields of a row of COPY.
impl Values for Iter<'_, Option<Cow<'_, [u8]>>> {
    #[inline]
    fn next(&mut self, decoder: &Decoder, context: &DecodeContext<'_, '_>) -> Decoded {
        decoder.decode(context, Iterator::next(self).and_then(Option::as_deref))
    }
}

/// A row of COPY as a tuple.
pub fn copied(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    fields: &[Option<Cow<'_, [u8]>>],
) -> Result<Value, Raised> {
    tuple_of(context, plan, fields.iter())
}

/// A row as a tuple.
#[inline(always)]
pub fn tuple(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    row: &StoredRow<'_>,
) -> Result<Value, Raised> {
    match row {
        // By far most rows are raw: this is inlined into the caller's loop.
        StoredRow::Raw(row) => tuple_of(context, plan, row.fields()),
        StoredRow::Eager(kept) => tuple_of(context, plan, kept.iter()),
    }
}

/// A row as what `factory` makes of the cursor, filled item by item.
pub fn by_factory(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    row: &StoredRow<'_>,
    factory: &Bound<'_, PyAny>,
) -> Result<Value, Raised> {
    match row {
        StoredRow::Raw(row) => sequence(context, plan, row.fields(), factory),
        StoredRow::Eager(kept) => sequence(context, plan, kept.iter(), factory),
    }
}

/// A tuple of the row's values.
///
/// The garbage collector does not track it while it is being filled, so that Python code run by a
/// caster cannot find it. If none of the values is ever tracked, the tuple is not either: the
/// collector would untrack it at its first pass.
#[inline(always)]
fn tuple_of(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    mut values: impl Values,
) -> Result<Value, Raised> {
    let decoders = plan.decoders();
    // SAFETY: the GIL is held, as `context.py` shows. The tuple has a place for each decoder. Each
    // place is filled once, with a reference of its own; if a value cannot be made the tuple is
    // dropped, which empty places do not disturb. The tuple of no items is shared, and left alone.
    unsafe {
        let tuple = ffi::PyTuple_New(decoders.len() as ffi::Py_ssize_t);
        if tuple.is_null() || decoders.is_empty() {
            return Value::from_owned(tuple);
        }
        ffi::PyObject_GC_UnTrack(tuple.cast());
        for (place, decoder) in decoders.iter().enumerate() {
            match values.next(decoder, context) {
                Ok(value) => {
                    ffi::PyTuple_SET_ITEM(tuple, place as ffi::Py_ssize_t, value.into_ptr());
                }
                Err(raised) => {
                    ffi::Py_DECREF(tuple);
                    return Err(raised);
                }
            }
        }
        if !plan.is_atomic() {
            ffi::PyObject_GC_Track(tuple.cast());
        }
        Value::from_owned(tuple)
    }
}

/// What a `row_factory` returns for the cursor, with `[i] = value` done for each value.
#[inline(never)]
fn sequence(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    mut values: impl Values,
    factory: &Bound<'_, PyAny>,
) -> Result<Value, Raised> {
    let raise = |error| Raised::from_error(context.py, error);
    let sequence = factory.call1((context.fetch.cursor,)).map_err(raise)?;
    for (place, decoder) in plan.decoders().iter().enumerate() {
        let value = values.next(decoder, context)?.into_bound(context.py);
        // SAFETY: both are valid objects; the sequence takes a reference of its own.
        let status = unsafe {
            let place = place as ffi::Py_ssize_t;
            ffi::PySequence_SetItem(sequence.as_ptr(), place, value.as_ptr())
        };
        if status != 0 {
            return Err(Raised);
        }
    }
    Ok(Value::from(sequence))
}

/// A list of up to `count` objects from `next`.
///
/// The list is made with its final size and hidden from the garbage collector while it has empty
/// places.
pub fn list<'py>(
    py: Python<'py>,
    count: usize,
    mut next: impl FnMut() -> Option<Result<Value, Raised>>,
) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: the GIL is held. The list has `count` places; each is filled at most once, with a
    // reference of its own. Empty places do not disturb its destruction, and are cut off before
    // anybody else can see the list.
    unsafe {
        let list = ffi::PyList_New(count as ffi::Py_ssize_t);
        let list = Bound::from_owned_ptr_or_err(py, list)?;
        ffi::PyObject_GC_UnTrack(list.as_ptr().cast());
        let mut filled = 0;
        while filled < count {
            match next() {
                Some(Ok(value)) => {
                    let place = filled as ffi::Py_ssize_t;
                    ffi::PyList_SET_ITEM(list.as_ptr(), place, value.into_ptr());
                    filled += 1;
                }
                Some(Err(raised)) => return Err(raised.into_error(py)),
                None => break,
            }
        }
        if filled < count {
            let (from, to) = (filled as ffi::Py_ssize_t, count as ffi::Py_ssize_t);
            if ffi::PyList_SetSlice(list.as_ptr(), from, to, std::ptr::null_mut()) != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        ffi::PyObject_GC_Track(list.as_ptr().cast());
        Ok(list.cast_into_unchecked())
    }
}
