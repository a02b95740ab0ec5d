//! Tuples made into the rows of `extras`' cursors, in place in the list that was fetched.
//!
//! The classes are written in Python. What their constructors would do is done here through the
//! slots of the classes that they are made from, with the collector off: no Python code runs, as
//! the caller makes sure that the classes are our own.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::{collector, ordered};

/// Replaces each tuple in `rows` by what `make` makes of it.
fn replace<'py>(
    rows: &Bound<'py, PyList>,
    make: impl Fn(&Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let _paused = collector::pause();
    for index in 0..rows.len() {
        let row = rows.get_item(index)?;
        rows.set_item(index, make(row.cast_exact::<PyTuple>()?)?)?;
    }
    Ok(())
}

/// A new object of a class, from `tp_new` and without `__init__`.
fn new_object<'py>(
    class: &Bound<'py, PyType>,
    none: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the class is valid, and a slot that is there is of the slot's type.
    unsafe {
        let class = class.as_type_ptr();
        let Some(new) = (*class).tp_new else {
            return Err(PyTypeError::new_err("a class that makes no objects"));
        };
        let object = new(class, none.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(none.py(), object)
    }
}

/// Makes each tuple in `rows` a `cls`, which is derived from `_OrderedRow`, with these names (a
/// tuple of str) for keys; of equal names the last value is kept.
#[pyfunction]
fn _real_dict_rows(
    rows: &Bound<'_, PyList>,
    cls: &Bound<'_, PyType>,
    names: &Bound<'_, PyTuple>,
) -> PyResult<()> {
    if !ordered::is_class(cls) {
        return Err(PyTypeError::new_err("the class of the rows must be an _OrderedRow"));
    }
    // A class of the user's could compare its keys in Python.
    let names = names
        .iter_borrowed()
        .map(|name| name.cast_exact::<PyString>().map(|name| name.to_owned()))
        .collect::<Result<Vec<_>, _>>()?;
    let none = PyTuple::empty(rows.py());
    let template = PyDict::new(rows.py());
    for name in &names {
        template.set_item(name, rows.py().None())?;
    }
    replace(rows, |values| {
        let row = new_object(cls, &none)?;
        let values = values.iter_borrowed().map(|value| value.as_ptr());
        ordered::fill(&row, &template, names.iter().map(|name| name.as_ptr()).zip(values))?;
        Ok(row)
    })
}

/// Makes each tuple in `rows` a `cls`, which is derived from list and has an attribute `_index`.
#[pyfunction]
fn _dict_rows(
    rows: &Bound<'_, PyList>,
    cls: &Bound<'_, PyType>,
    index: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if !cls.is_subclass_of::<PyList>()? {
        return Err(PyTypeError::new_err("the class of the rows must be a list"));
    }
    let py = rows.py();
    let (none, name) = (PyTuple::empty(py), intern!(py, "_index"));
    replace(rows, |values| {
        let row = new_object(cls, &none)?;
        // SAFETY: all are valid objects, and `row` is a list.
        let failed = unsafe {
            let row = row.as_ptr();
            ffi::PyList_SetSlice(row, 0, 0, values.as_ptr()) != 0
                || ffi::PyObject_GenericSetAttr(row, name.as_ptr(), index.as_ptr()) != 0
        };
        if failed { Err(PyErr::fetch(py)) } else { Ok(row) }
    })
}

/// Makes each tuple in `rows` a `cls`, which `namedtuple()` made for as many columns.
#[pyfunction]
fn _named_rows(rows: &Bound<'_, PyList>, cls: &Bound<'_, PyType>) -> PyResult<()> {
    let py = rows.py();
    // SAFETY: the class is valid; a type's sizes are public.
    let plain = unsafe {
        let (class, tuple) = (cls.as_type_ptr(), &raw mut ffi::PyTuple_Type);
        (*class).tp_basicsize == (*tuple).tp_basicsize
            && (*class).tp_itemsize == (*tuple).tp_itemsize
    };
    if !cls.is_subclass_of::<PyTuple>()? || !plain {
        return Err(PyTypeError::new_err("the class of the rows must be a tuple without more"));
    }
    replace(rows, |values| {
        let count = values.len();
        // SAFETY: the class is a tuple's, made in the ordinary way, so it has `count` places, all
        // empty. Each is filled once, with a reference of its own, before anybody else sees it.
        unsafe {
            let row = ffi::PyType_GenericAlloc(cls.as_type_ptr(), count as ffi::Py_ssize_t);
            let row = Bound::from_owned_ptr_or_err(py, row)?;
            forget_hash(row.as_ptr());
            for (place, value) in values.iter_borrowed().enumerate() {
                let value = value.to_owned().into_ptr();
                ffi::PyTuple_SET_ITEM(row.as_ptr(), place as ffi::Py_ssize_t, value);
            }
            Ok(row)
        }
    })
}

/// Says of a new tuple that its hash is not known: from Python 3.14 on tuples remember it, and what
/// the allocator leaves there is zeros, which would be taken for the hash.
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

/// Exports the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_real_dict_rows, module)?)?;
    module.add_function(wrap_pyfunction!(_dict_rows, module)?)?;
    module.add_function(wrap_pyfunction!(_named_rows, module)?)
}
