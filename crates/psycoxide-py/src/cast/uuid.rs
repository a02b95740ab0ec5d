//! `uuid` as `uuid.UUID`.

use psycoxide_sql::text::uuid as read;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::context::DecodeContext;
use super::stdlib::is_of;
use crate::encoding::TextDecoder;
use crate::object::{Decoded, Raised, Value, decoded};
use crate::once::Once;

/// A `uuid.UUID`.
#[inline(never)]
pub fn uuid(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    let py = context.py;
    if text.is_empty() {
        // As psycopg2, for which an empty text is `None`.
        return Value::none(py);
    }
    let made = match read::uuid(text) {
        Ok(value) => from_number(context, value),
        Err(_) => call(context, text),
    };
    decoded(py, made)
}

/// The `uuid.UUID` of a 128-bit number.
pub fn from_number<'py>(
    context: &DecodeContext<'_, 'py>,
    value: u128,
) -> PyResult<Bound<'py, PyAny>> {
    match Maker::bind(context.fetch.stdlib.uuid()?)? {
        Some(maker) => maker.make(context.py, value),
        None => call(context, format!("{value:032x}").as_bytes()),
    }
}

/// `UUID(text)`, for text that a server does not write, and for a program's own class.
fn call<'py>(context: &DecodeContext<'_, 'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py;
    let string =
        TextDecoder::UTF8.decode(py, text).map_err(|raised: Raised| raised.into_error(py))?;
    context.fetch.stdlib.uuid()?.call1((string.into_bound(py),))
}

/// Makes `UUID`s without the constructor, which is written in Python and parses text.
///
/// A `UUID` has two slots: a number, and a mark of how safely it was made. Whether that holds in
/// the running Python is tested by making one both ways.
struct Maker {
    class: Py<PyType>,
    safety: Py<PyAny>,
}

impl Maker {
    /// The maker for this class; `None` if it is not the standard class, or not as expected.
    fn bind(found: &Bound<'_, PyAny>) -> PyResult<Option<&'static Self>> {
        static MAKER: Once<Option<Maker>> = Once::new();
        let py = found.py();
        if let Some(known) = MAKER.get(py) {
            return Ok(known.as_ref().filter(|known| found.is(&known.class)));
        }
        match found.cast::<PyType>() {
            Ok(class) if is_of(class, "uuid", "UUID")? => {
                Ok(MAKER.get_or_make(py, || Self::new(class))?.as_ref())
            }
            _ => Ok(None),
        }
    }

    fn new(class: &Bound<'_, PyType>) -> PyResult<Option<Self>> {
        let py = class.py();
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
