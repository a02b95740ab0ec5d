//! Tuples and lists, filled in place.

use std::slice::Iter;

use psycoxide_proto::{Fields, PackedRow, Row, RowWriter};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Source;
use crate::cast::{CastPlan, Decoded, Decoder, Raised, Scene, Value, early, short};

/// The values of a row, one for each decoder.
trait Values {
    fn next(&mut self, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded;
}

impl Values for Fields<'_> {
    #[inline(always)]
    fn next(&mut self, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
        decoder.decode(scene, self.field())
    }
}

/// What was kept of each field.
impl Values for Iter<'_, Py<PyAny>> {
    #[inline]
    fn next(&mut self, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
        match Iterator::next(self) {
            Some(kept) => early::finish(decoder, scene, kept),
            None => decoder.decode(scene, None),
        }
    }
}

/// What was packed of each field.
impl Values for PackedRow<'_> {
    #[inline]
    fn next(&mut self, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
        short::finish(self, decoder, scene)
    }
}

/// What came, to be packed.
struct Noting<'a, 'b, 'c> {
    fields: Fields<'a>,
    writer: &'b mut RowWriter<'c>,
}

impl Values for Noting<'_, '_, '_> {
    #[inline(always)]
    fn next(&mut self, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
        short::keep(self.writer, decoder, scene, self.fields.field())
    }
}

/// A row as a tuple.
#[inline(always)]
pub fn row(scene: &Scene<'_, '_>, plan: &CastPlan, row: &Source<'_>) -> Result<Value, Raised> {
    match row {
        // By far most rows: they are made in the caller's loop.
        Source::Raw(row) => tuple(scene, plan, row.fields()),
        Source::Early(kept) => tuple(scene, plan, kept.iter()),
        Source::Packed(row) => packed(scene, plan, row),
    }
}

/// A row as what `factory` makes of the cursor, filled item by item.
pub fn made(
    scene: &Scene<'_, '_>,
    plan: &CastPlan,
    row: &Source<'_>,
    factory: &Bound<'_, PyAny>,
) -> Result<Value, Raised> {
    match row {
        Source::Raw(row) => sequence(scene, plan, row.fields(), factory),
        Source::Early(kept) => sequence(scene, plan, kept.iter(), factory),
        Source::Packed(row) => sequence(scene, plan, row.clone(), factory),
    }
}

/// A tuple of the row's values.
///
/// It is not tracked by the garbage collector while it is being filled, so that Python code which
/// a caster runs cannot find it; and not afterwards if its values are never tracked either, which
/// is what the collector would find out at its first pass.
#[inline(always)]
fn tuple(scene: &Scene<'_, '_>, plan: &CastPlan, mut values: impl Values) -> Result<Value, Raised> {
    let decoders = plan.decoders();
    // SAFETY: the GIL is held, as `scene.py` shows. The tuple has a place for each decoder. Each
    // place is filled once, with a reference of its own; if a value cannot be made the tuple is
    // dropped, which empty places do not disturb. The tuple of no items is shared, and left alone.
    unsafe {
        let tuple = ffi::PyTuple_New(decoders.len() as ffi::Py_ssize_t);
        if tuple.is_null() || decoders.is_empty() {
            return Value::from_owned(tuple);
        }
        ffi::PyObject_GC_UnTrack(tuple.cast());
        for (place, decoder) in decoders.iter().enumerate() {
            match values.next(decoder, scene) {
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

/// A tuple of a row that is packed at the same time.
#[inline(always)]
pub fn noted(
    scene: &Scene<'_, '_>,
    plan: &CastPlan,
    row: Row<'_>,
    writer: &mut RowWriter<'_>,
) -> Result<Value, Raised> {
    tuple(scene, plan, Noting { fields: row.fields(), writer })
}

/// A tuple of a packed row: apart, for the sake of the loops over raw ones.
#[inline(never)]
fn packed(scene: &Scene<'_, '_>, plan: &CastPlan, row: &PackedRow<'_>) -> Result<Value, Raised> {
    tuple(scene, plan, row.clone())
}

/// What a `row_factory` gives for the cursor, with `[i] = value` done for each value.
#[inline(never)]
fn sequence(
    scene: &Scene<'_, '_>,
    plan: &CastPlan,
    mut values: impl Values,
    factory: &Bound<'_, PyAny>,
) -> Result<Value, Raised> {
    let raise = |error| Raised::from_error(scene.py, error);
    let sequence = factory.call1((scene.cursor,)).map_err(raise)?;
    for (place, decoder) in plan.decoders().iter().enumerate() {
        let value = values.next(decoder, scene)?.into_bound(scene.py);
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

/// A list of `count` objects that `next` gives, or of as many as it gives.
pub fn list<'py>(
    py: Python<'py>,
    count: usize,
    mut next: impl FnMut() -> Option<Result<Value, Raised>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut filling = Filling::new(py, count)?;
    // Counted here, in registers: this is the loop over nearly all rows.
    let list = filling.list.as_ptr();
    let mut filled = 0;
    while filled < count {
        match next() {
            Some(Ok(value)) => {
                // SAFETY: the list has `count` places; each is filled once, with a reference of its
                // own.
                unsafe { ffi::PyList_SET_ITEM(list, filled as ffi::Py_ssize_t, value.into_ptr()) };
                filled += 1;
            }
            Some(Err(raised)) => return Err(raised.into_error(py)),
            None => break,
        }
    }
    filling.filled = filled;
    filling.finish()
}

/// A list that is made with its final size and hidden from the garbage collector while it has empty
/// places.
pub struct Filling<'py> {
    list: Bound<'py, PyList>,
    count: usize,
    filled: usize,
}

impl<'py> Filling<'py> {
    /// Nothing yet, with room for `count` objects.
    #[inline]
    pub fn new(py: Python<'py>, count: usize) -> PyResult<Self> {
        // SAFETY: the GIL is held. Empty places do not disturb the list's destruction.
        let list = unsafe {
            let list = ffi::PyList_New(count as ffi::Py_ssize_t);
            let list = Bound::from_owned_ptr_or_err(py, list)?;
            ffi::PyObject_GC_UnTrack(list.as_ptr().cast());
            list.cast_into_unchecked()
        };
        Ok(Self { list, count, filled: 0 })
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether there is no more room.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.filled >= self.count
    }

    /// Adds an object. What finds no room is dropped.
    #[inline]
    pub fn push(&mut self, value: Value) {
        if self.is_full() {
            return drop(value.into_bound(self.list.py()));
        }
        let place = self.filled as ffi::Py_ssize_t;
        // SAFETY: the list has `count` places; each is filled at most once, with a reference of
        // its own.
        unsafe { ffi::PyList_SET_ITEM(self.list.as_ptr(), place, value.into_ptr()) };
        self.filled += 1;
    }

    /// The list, without the places that are still empty.
    #[inline]
    pub fn finish(self) -> PyResult<Bound<'py, PyList>> {
        let (list, py) = (self.list.as_ptr(), self.list.py());
        // SAFETY: the GIL is held. Empty places are cut off before anybody else can see the list.
        unsafe {
            if self.filled < self.count {
                let (from, to) = (self.filled as ffi::Py_ssize_t, self.count as ffi::Py_ssize_t);
                if ffi::PyList_SetSlice(list, from, to, std::ptr::null_mut()) != 0 {
                    return Err(PyErr::fetch(py));
                }
            }
            ffi::PyObject_GC_Track(list.cast());
        }
        Ok(self.list)
    }
}
