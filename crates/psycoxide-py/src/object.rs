//! Owned references and raised exceptions as the hot path passes them: one word, no destructor.
//!
//! Decoding runs once per field, so its result is a bare pointer. The types keep the two
//! conventions of the C API apart (a new reference, or null with the exception set) without costing
//! anything: `Result<Value, Raised>` is one nullable pointer.

use std::ptr::NonNull;

use pyo3::prelude::*;
use pyo3::{ffi, types::PyAny};

/// A new reference, owned by this value. Forgetting it leaks; nothing worse.
#[must_use]
#[derive(Debug)]
pub struct Value(NonNull<ffi::PyObject>);

/// An exception is set in the interpreter: it must be taken or passed on.
#[must_use]
#[derive(Debug)]
pub struct Raised;

/// The result of decoding.
pub type Decoded = Result<Value, Raised>;

impl Value {
    /// Takes over what a function of the C API returned.
    ///
    /// # Safety
    /// `pointer` is a new reference, or null with an exception set.
    #[inline]
    pub unsafe fn from_owned(pointer: *mut ffi::PyObject) -> Decoded {
        NonNull::new(pointer).map(Value).ok_or(Raised)
    }

    /// Another reference to an object that is known to live.
    ///
    /// # Safety
    /// `pointer` is a valid object, and the GIL is held.
    #[inline]
    pub unsafe fn from_borrowed(pointer: *mut ffi::PyObject) -> Decoded {
        // SAFETY: the caller vouches for the object.
        unsafe {
            ffi::Py_INCREF(pointer);
            Self::from_owned(pointer)
        }
    }

    /// `None`
    #[inline]
    pub fn none(_py: Python<'_>) -> Decoded {
        // SAFETY: `None` lives for ever.
        unsafe { Self::from_borrowed(ffi::Py_None()) }
    }

    /// `True` or `False`
    #[inline]
    pub fn boolean(_py: Python<'_>, value: bool) -> Decoded {
        // SAFETY: the two truth values live for ever.
        unsafe { Self::from_borrowed(if value { ffi::Py_True() } else { ffi::Py_False() }) }
    }

    /// An `int`.
    #[inline]
    pub fn integer(_py: Python<'_>, value: i64) -> Decoded {
        // SAFETY: the GIL is held.
        unsafe {
            // CPython has a faster path for a `long`, which most often has 64 bits.
            Self::from_owned(match std::ffi::c_long::try_from(value) {
                Ok(value) => ffi::PyLong_FromLong(value),
                Err(_) => ffi::PyLong_FromLongLong(value),
            })
        }
    }

    /// The reference itself; the caller owns it now.
    #[inline]
    pub fn into_ptr(self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// The reference in PyO3's form.
    #[inline]
    pub fn into_bound(self, py: Python<'_>) -> Bound<'_, PyAny> {
        // SAFETY: the pointer is a valid owned reference and is given away here.
        unsafe { Bound::from_owned_ptr(py, self.into_ptr()) }
    }
}

impl From<Bound<'_, PyAny>> for Value {
    fn from(object: Bound<'_, PyAny>) -> Self {
        let pointer = object.into_ptr();
        // SAFETY: a `Bound` is never null.
        Self(unsafe { NonNull::new_unchecked(pointer) })
    }
}

impl Raised {
    /// Sets `error` as the current exception.
    #[cold]
    pub fn from_error(py: Python<'_>, error: PyErr) -> Self {
        error.restore(py);
        Self
    }

    /// Takes the current exception.
    #[cold]
    pub fn into_error(self, py: Python<'_>) -> PyErr {
        PyErr::fetch(py)
    }
}

/// A PyO3 result in the form of the hot path.
pub fn decoded(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Decoded {
    result.map(Value::from).map_err(|error| Raised::from_error(py, error))
}
