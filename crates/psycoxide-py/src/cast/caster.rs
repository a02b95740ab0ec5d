//! Typecaster objects: DB-API type objects that also convert values.

use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{PyTraverseError, ffi};

use super::decoder::Decoder;
use crate::error;

/// psycopg type-casting object
#[pyclass(name = "type", module = "psycoxide._psycopg", frozen)]
pub struct Caster {
    /// The caster's name.
    #[pyo3(get)]
    name: Py<PyAny>,
    /// The oids of the types that it is for.
    #[pyo3(get)]
    values: Py<PyTuple>,
    decoder: Decoder,
}

impl Caster {
    pub fn new(name: &Bound<'_, PyAny>, values: &Bound<'_, PyTuple>, decoder: Decoder) -> Self {
        Self { name: name.clone().unbind(), values: values.clone().unbind(), decoder }
    }

    /// How the caster makes an object of a value.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The oids that it registers for.
    pub fn values<'py>(&self, py: Python<'py>) -> &Bound<'py, PyTuple> {
        self.values.bind(py)
    }

    /// Whether `other` is one of the caster's oids, or a caster that shares an oid with it.
    fn holds(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = other.py();
        let oid = |value: Bound<'_, PyAny>| value.extract::<i64>();
        if let Ok(caster) = other.cast::<Self>() {
            for value in self.values(py) {
                let value = oid(value)?;
                for candidate in caster.get().values(py) {
                    if oid(candidate)? == value {
                        return Ok(true);
                    }
                }
            }
            return Ok(false);
        }
        // As `int(other)`: psycopg2 compares equal with "23" too, and raises if that is not a
        // number.
        // SAFETY: `other` is a valid object; the function returns a new reference, or null with an
        // exception set.
        let number =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyNumber_Long(other.as_ptr()))? };
        for value in self.values(py) {
            if number.eq(oid(value)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[pymethods]
impl Caster {
    fn __richcmp__(&self, other: &Bound<'_, PyAny>, operator: CompareOp) -> PyResult<bool> {
        // Every operator but `==` counts as `!=`.
        Ok(self.holds(other)? == matches!(operator, CompareOp::Eq))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let name = slf.get().name.bind(slf.py());
        let Ok(name) = name.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!(
                "Expected bytes or unicode string, got {} instead",
                name.get_type().name()?
            )));
        };
        Ok(format!("<psycoxide._psycopg.type '{}' at {:p}>", name.to_str()?, slf.as_ptr()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.name)?;
        visit.call(&self.values)?;
        self.decoder.traverse(&visit)
    }
}

/// new_type(values, name, castobj) -> typecaster
///
/// A typecaster called `name` for the types whose oids are in `values`, a tuple of int:
/// `castobj(text, cursor)` is called with a value's text (str), or None for NULL, and returns the
/// object for the row; it may be another typecaster. Use it with `register_type()`. Raises
/// TypeError if the oids are not a tuple of int.
#[pyfunction]
#[pyo3(signature = (values, name=None, castobj=None, baseobj=None))]
pub fn new_type<'py>(
    values: &Bound<'py, PyTuple>,
    name: Option<&Bound<'py, PyString>>,
    castobj: Option<&Bound<'py, PyAny>>,
    baseobj: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, Caster>> {
    // psycopg2 accepts `baseobj` and ignores it.
    let _ = baseobj;
    let py = values.py();
    let decoder = match castobj.map(|object| (object, object.cast::<Caster>())) {
        // A caster that runs no Python code is not called: its decoder is used directly.
        Some((_, Ok(caster))) if !caster.get().decoder().traits().runs_python => {
            caster.get().decoder().clone_ref(py)
        }
        Some((function, _)) => Decoder::Python(function.clone().unbind()),
        None => Decoder::Missing,
    };
    let none = py.None().into_bound(py);
    let name = name.map_or(&none, |name| name.as_any());
    Bound::new(py, Caster::new(name, values, decoder))
}

/// new_array_type(values, name, baseobj) -> typecaster
///
/// A typecaster called `name` for the array types whose oids are in `values`, a tuple of int. It
/// makes lists of the objects that the typecaster `baseobj` makes. Use it with `register_type()`.
#[pyfunction]
pub fn new_array_type<'py>(
    values: &Bound<'py, PyTuple>,
    name: &Bound<'py, PyString>,
    baseobj: &Bound<'py, Caster>,
) -> PyResult<Bound<'py, Caster>> {
    /// A limit, because decoding and dropping recurse into the elements' caster.
    const DEEPEST: usize = 64;
    let py = values.py();
    let element = baseobj.get().decoder();
    if element.depth() >= DEEPEST {
        return Err(error::programming("array casters nested too deeply"));
    }
    let decoder = Decoder::Array(Box::new(element.clone_ref(py)));
    Bound::new(py, Caster::new(name, values, decoder))
}
