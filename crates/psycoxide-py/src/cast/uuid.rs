//! `uuid` as `uuid.UUID`.

use psycoxide_sql::text::uuid as read;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::object::{Decoded, Raised, decoded};
use super::scene::Scene;
use super::text::UTF8;
use crate::imports;
use crate::once::Once;

/// A `uuid.UUID`.
#[inline(never)]
pub fn uuid(scene: &Scene<'_, '_>, text: &[u8]) -> Decoded {
    let py = scene.py;
    let made = match read::uuid(text) {
        Ok(value) => numbered(py, value),
        Err(_) => call(py, text),
    };
    decoded(py, made)
}

/// The `uuid.UUID` of a number.
pub fn numbered(py: Python<'_>, value: u128) -> PyResult<Bound<'_, PyAny>> {
    match Maker::bind(py)? {
        Some(maker) => maker.make(py, value),
        None => call(py, format!("{value:032x}").as_bytes()),
    }
}

/// `UUID(text)`, for what is not written as the server does.
fn call<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let string = UTF8.decode(py, text).map_err(|raised: Raised| raised.into_error(py))?;
    imports::UUID.bind(py)?.call1((string.into_bound(py),))
}

/// Makes `UUID`s without the constructor, which is written in Python and parses text.
///
/// A `UUID` is a number and a mark of how safely it was made, in two slots. That this is so in the
/// running Python is found out by making one both ways.
struct Maker {
    class: Py<PyType>,
    safety: Py<PyAny>,
}

impl Maker {
    /// The maker, or none if this Python's `UUID` is not as expected.
    fn bind(py: Python<'_>) -> PyResult<Option<&'static Self>> {
        static MAKER: Once<Option<Maker>> = Once::new();
        Ok(MAKER.get_or_make(py, || Self::new(py))?.as_ref())
    }

    fn new(py: Python<'_>) -> PyResult<Option<Self>> {
        let class = imports::UUID.bind(py)?.cast::<PyType>()?;
        let object = py.get_type::<PyAny>();
        if !class.getattr("__new__")?.is(object.getattr("__new__")?) {
            return Ok(None);
        }
        let value: u128 = 0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11;
        let usual = class.call1((PyString::new(py, &format!("{value:032x}")),))?;
        let safety = usual.getattr("is_safe")?.unbind();
        let maker = Self { class: class.clone().unbind(), safety };
        let Ok(made) = maker.make(py, value) else { return Ok(None) };
        let alike = made.eq(&usual)?
            && made.repr()?.as_any().eq(usual.repr()?)?
            && made.hash()? == usual.hash()?;
        Ok(alike.then_some(maker))
    }

    fn make<'py>(&self, py: Python<'py>, value: u128) -> PyResult<Bound<'py, PyAny>> {
        let number = value.into_pyobject(py)?;
        let (int, is_safe) = (intern!(py, "int"), intern!(py, "is_safe"));
        // SAFETY: the class is a plain Python class whose `__new__` is `object`'s, so its instances
        // are allocated in the ordinary way; all pointers are valid objects. The generic setter
        // stores into the slots, past the class's own `__setattr__`, which refuses to.
        unsafe {
            let class = self.class.as_ptr().cast();
            let made = Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(class, 0))?;
            let object = made.as_ptr();
            if ffi::PyObject_GenericSetAttr(object, int.as_ptr(), number.as_ptr()) != 0
                || ffi::PyObject_GenericSetAttr(object, is_safe.as_ptr(), self.safety.as_ptr()) != 0
            {
                return Err(PyErr::fetch(py));
            }
            // A number and a constant, never to be changed: this can be in no cycle.
            ffi::PyObject_GC_UnTrack(object.cast());
            Ok(made)
        }
    }
}
