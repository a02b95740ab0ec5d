//! Interior mutability for Python objects and the module, guarded by the GIL: a `RefCell`, or a
//! `Mutex` on free-threaded builds.
//!
//! Callers of an object's methods hold the GIL already. A lock beside it would cost two atomic
//! operations for each access, several dozen for each statement, and would never have to wait.

#[cfg(not(Py_GIL_DISABLED))]
mod lock {
    pub use std::cell::RefCell as Lock;
    pub use std::cell::RefMut as Guard;
}

#[cfg(Py_GIL_DISABLED)]
mod lock {
    pub use std::sync::Mutex as Lock;
    pub use std::sync::MutexGuard as Guard;
}

pub use lock::Guard;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

/// A value that is locked for a moment at a time, by threads that are attached to the interpreter.
pub struct Guarded<T>(lock::Lock<T>);

// SAFETY: every access to the value needs a `Python`, so that its thread holds the GIL, and a guard
// cannot leave its thread. If a guard is alive while the GIL is given away, `RefCell` lets no other
// thread in. Interpreters with a GIL of their own are refused when the module is imported.
#[cfg(not(Py_GIL_DISABLED))]
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T: Default> Default for Guarded<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Self(lock::Lock::new(value))
    }

    /// Locks the value. The guard must not be held during a call into Python, nor while the value
    /// is locked again.
    #[inline]
    pub fn lock<'a>(&'a self, _py: Python<'a>) -> Guard<'a, T> {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.0.borrow_mut();
        #[cfg(Py_GIL_DISABLED)]
        return self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    }

    /// The value for the garbage collector, which may run at any time: `None` if the value is
    /// locked.
    ///
    /// A `PyVisit` exists only while the collector runs, in a thread that is attached.
    pub fn visited(&self, _visit: &PyVisit<'_>) -> Option<Guard<'_, T>> {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.0.try_borrow_mut().ok();
        #[cfg(Py_GIL_DISABLED)]
        return self.0.try_lock().ok();
    }
}
