//! The adapters that take no connection: they have no `prepare()`.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::{ObjectCell, conform, quoted, text_of};
use crate::adapt::context::AdapterConnection;
use crate::adapt::registry::Native;

macro_rules! plain_adapters {
    ($($(#[$doc:meta])* $class:ident, $name:literal, $module:literal;)*) => {
        $(
            $(#[$doc])*
            #[pyclass(name = $name, module = $module, subclass, frozen)]
            #[derive(Default)]
            pub struct $class {
                wrapped: ObjectCell,
            }

            impl $class {
                /// The object that is adapted.
                fn wrapped<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
                    self.wrapped.get_or_none(py)
                }
            }

            #[pymethods]
            impl $class {
                #[new]
                #[pyo3(signature = (*_args, **_kwargs))]
                fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
                    Self::default()
                }

                #[pyo3(signature = (adapted, /))]
                fn __init__(&self, py: Python<'_>, adapted: Py<PyAny>) {
                    self.wrapped.set(py, Some(adapted));
                }

                /// The object that is adapted.
                #[getter]
                fn adapted<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
                    self.wrapped.get_or_none(py)
                }

                /// The object as SQL text.
                fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                    let object = self.wrapped.get_or_none(py);
                    quoted(py, Native::$class, &object, &AdapterConnection::default())
                }

                fn __conform__<'py>(
                    slf: &Bound<'py, Self>,
                    protocol: &Bound<'py, PyAny>,
                ) -> Bound<'py, PyAny> {
                    conform(slf, protocol)
                }

                fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
                    text_of(py, &self.getquoted(py)?, &AdapterConnection::default())
                }

                fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                    self.wrapped.traverse(&visit)
                }

                fn __clear__(&self, py: Python<'_>) {
                    self.wrapped.set(py, None);
                }
            }
        )*

        /// The built-in adapter that `adapter` is and the object in it; `None` for adapters of
        /// other files, and for classes that inherit from these.
        pub fn unwrap<'py>(adapter: &Bound<'py, PyAny>) -> Option<(Native, Bound<'py, PyAny>)> {
            $(if let Ok(plain) = adapter.cast_exact::<$class>() {
                return Some((Native::$class, plain.get().wrapped(adapter.py())));
            })*
            None
        }

        /// Adds the classes of this file to the module.
        pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
            $(module.add_class::<$class>()?;)*
            module.add_class::<NoneAdapter>()
        }
    };
}

plain_adapters! {
    /// AsIs(object): the object's `str()`, as it is: never use it for text from outside.
    AsIs, "AsIs", "psycoxide.extensions";
    /// Boolean(object): `true` or `false`, by whether the object is true.
    Boolean, "Boolean", "psycoxide.extensions";
    /// Decimal(number): a `decimal.Decimal` by its digits; NaN and the infinities as strings with a
    /// cast.
    Decimal, "Decimal", "psycoxide._psycopg";
    /// Float(number): a float by its digits; NaN and the infinities as strings with a cast. A space
    /// stands before a minus.
    Float, "Float", "psycoxide.extensions";
    /// Int(number): an int by its digits. A space stands before a minus.
    Int, "Int", "psycoxide.extensions";
}

/// NoneAdapter(None): `NULL`, for None inside composites. As a parameter None needs no adapter.
#[pyclass(name = "NoneAdapter", module = "psycoxide.extensions", subclass, frozen, dict, weakref)]
pub struct NoneAdapter;

#[pymethods]
impl NoneAdapter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(obj)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self
    }

    #[pyo3(signature = (_obj))]
    fn __init__(&self, _obj: &Bound<'_, PyAny>) {}

    /// `NULL`, or the bytes given instead.
    #[pyo3(signature = (_null=None), text_signature = "($self, _null=b'NULL')")]
    fn getquoted<'py>(
        &self,
        py: Python<'py>,
        _null: Option<Bound<'py, PyBytes>>,
    ) -> Bound<'py, PyBytes> {
        _null.unwrap_or_else(|| PyBytes::new(py, b"NULL"))
    }
}
