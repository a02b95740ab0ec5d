//! Rows of classes that are derived from tuple, made from tuples: named tuples and records.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyType};

use super::collector;

/// A class whose instances are tuples and nothing more, as `namedtuple()` makes them.
pub struct NamedTupleClass<'a, 'py>(&'a Bound<'py, PyType>);

impl<'a, 'py> NamedTupleClass<'a, 'py> {
    /// # Errors
    /// `TypeError` for any other class.
    pub fn of(class: &'a Bound<'py, PyType>) -> PyResult<Self> {
        // SAFETY: the class is valid; a type's sizes are public.
        let same_sizes = unsafe {
            let (class, tuple) = (class.as_type_ptr(), &raw mut ffi::PyTuple_Type);
            (*class).tp_basicsize == (*tuple).tp_basicsize
                && (*class).tp_itemsize == (*tuple).tp_itemsize
        };
        if !same_sizes || !class.is_subclass_of::<PyTuple>()? {
            return Err(PyTypeError::new_err("the class of the rows must be a tuple without more"));
        }
        Ok(Self(class))
    }

    /// An instance with these values.
    pub fn record(&self, values: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the class is laid out as tuple, so its instances are allocated in the ordinary
        // way, with this many places, all empty. Each is filled once, with a reference of its own,
        // before anybody else sees the record.
        unsafe {
            let count = values.len() as ffi::Py_ssize_t;
            let record = ffi::PyType_GenericAlloc(self.0.as_type_ptr(), count);
            let record = Bound::from_owned_ptr_or_err(values.py(), record)?;
            forget_hash(record.as_ptr());
            for (place, value) in values.iter_borrowed().enumerate() {
                let value = value.to_owned().into_ptr();
                ffi::PyTuple_SET_ITEM(record.as_ptr(), place as ffi::Py_ssize_t, value);
            }
            Ok(record)
        }
    }
}

/// Marks the hash of a new tuple as unknown. From Python 3.14 on tuples remember their hash, and
/// the zeros that the allocator leaves there would be taken for one.
///
/// # Safety
/// `tuple` is an instance of tuple, or of a class derived from it, that nobody else sees.
unsafe fn forget_hash(_tuple: *mut ffi::PyObject) {
    // SAFETY: it is laid out as a tuple.
    #[cfg(Py_3_14)]
    unsafe {
        (*_tuple.cast::<ffi::PyTupleObject>()).ob_hash = -1;
    }
}

/// The row, if it is a tuple of `count` values. It is not if a row factory made it, or if it
/// belongs to another result than the class.
fn fitting<'a, 'py>(row: &'a Bound<'py, PyAny>, count: usize) -> Option<&'a Bound<'py, PyTuple>> {
    row.cast_exact::<PyTuple>().ok().filter(|values| values.len() == count)
}

fn make<'py>(cls: &Bound<'py, PyType>, row: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    cls.call_method1(intern!(cls.py(), "_make"), (row,))
}

/// `cls._make(row)`, where `namedtuple()` made `cls` with `count` fields.
#[pyfunction]
fn _record<'py>(
    cls: &Bound<'py, PyType>,
    count: usize,
    row: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    match fitting(&row, count) {
        Some(values) => NamedTupleClass::of(cls)?.record(values),
        None => make(cls, row),
    }
}

/// The same for each row of a list, in place.
#[pyfunction]
fn _records(cls: &Bound<'_, PyType>, count: usize, rows: &Bound<'_, PyList>) -> PyResult<()> {
    let class = NamedTupleClass::of(cls)?;
    let mut paused = Some(collector::pause());
    for index in 0..rows.len() {
        let row = rows.get_item(index)?;
        let record = match fitting(&row, count) {
            Some(values) => class.record(values)?,
            None => {
                // Python code runs: the collector may run again.
                paused = None;
                make(cls, row)?
            }
        };
        rows.set_item(index, record)?;
    }
    drop(paused);
    Ok(())
}

/// Exports the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_record, module)?)?;
    module.add_function(wrap_pyfunction!(_records, module)?)
}
