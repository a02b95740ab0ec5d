//! The cyclic garbage collector, kept out of loops that only make new objects.
//!
//! Rows are many new objects, none of which can be garbage yet: collections while they are made
//! cost up to half of the time and find nothing. The switch belongs to the process, so it is turned
//! only while the GIL is held throughout and no Python code runs, and nobody can see it.

/// The collector is off until this is dropped, if it was on.
#[must_use]
pub struct Pause {
    #[cfg(not(Py_GIL_DISABLED))]
    was_on: bool,
}

/// Turns the collector off.
pub fn pause() -> Pause {
    Pause {
        #[cfg(not(Py_GIL_DISABLED))]
        // SAFETY: called in a function that holds the GIL.
        was_on: unsafe { pyo3::ffi::PyGC_Disable() } != 0,
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        #[cfg(not(Py_GIL_DISABLED))]
        if self.was_on {
            // SAFETY: dropped in the function that called `pause`, which holds the GIL.
            unsafe { pyo3::ffi::PyGC_Enable() };
        }
    }
}
