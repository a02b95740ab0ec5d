//! The one interpreter of the process that has this module.
//!
//! Classes and imported objects are statics of the library, so a second interpreter would use
//! objects of the first. Python itself refuses such a module only in interpreters with a GIL of
//! their own, and only from 3.12 on.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// No interpreter has this number.
const NONE: i64 = -1;

static OWNER: AtomicI64 = AtomicI64::new(NONE);

/// Refuses the import in any interpreter but the first to import the module.
pub fn claim(py: Python<'_>) -> PyResult<()> {
    // SAFETY: the interpreter is attached, as `py` shows, so there is a current one.
    let current = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if current < 0 {
        return Err(PyErr::fetch(py));
    }
    match OWNER.compare_exchange(NONE, current, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => Ok(()),
        Err(owner) if owner == current => Ok(()),
        Err(owner) => Err(PyImportError::new_err(format!(
            "psycoxide is in use by interpreter {owner} of this process, and can be imported by \
             one only: use processes or threads instead of interpreters (mod_wsgi: a daemon \
             process for each application, or WSGIApplicationGroup %{{GLOBAL}} for all)"
        ))),
    }
}
