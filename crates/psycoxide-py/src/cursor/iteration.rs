//! Iteration over rows that were read ahead, without the way through PyO3's slot function: that is
//! shared by all classes with a `__next__`, and costs more than such a row.

use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use super::Cursor;

/// The slot function that PyO3 made of `Cursor.__next__`.
static NEXT: OnceLock<ffi::iternextfunc> = OnceLock::new();

/// Puts [`next`] into the class, before it has subclasses.
pub fn install(class: &Bound<'_, pyo3::types::PyType>) {
    // SAFETY: the GIL is held, the class is ready, and nobody has instances of it yet. Subclasses
    // inherit the slot.
    unsafe {
        let class = class.as_type_ptr();
        if let Some(slot) = (*class).tp_iternext {
            let _ = NEXT.set(slot);
            (*class).tp_iternext = Some(next);
        }
    }
}

/// The next row.
///
/// # Safety
/// Called by the interpreter, with an instance of the class.
unsafe extern "C" fn next(slf: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter holds the GIL, and `slf` is an instance, alive during the call.
    let row = unsafe {
        let py = Python::assume_attached();
        let slf = Borrowed::from_ptr(py, slf);
        Cursor::next_at_once(&slf.cast_unchecked::<Cursor>())
    };
    match (row, NEXT.get()) {
        (Some(row), _) => row.into_ptr(),
        // SAFETY: as above.
        (None, Some(slot)) => unsafe { slot(slf) },
        (None, None) => std::ptr::null_mut(),
    }
}
