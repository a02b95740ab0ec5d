//! What decoding needs from a cursor, and calls of typecasters outside a fetch.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::Cursor;
use crate::cast::{CastPlan, Caster, FetchContext, Registries, decode_object};
use crate::encoding::TextDecoder;

/// The `tzinfo_factory` of a cursor, if the program has set one, or of anything else that has one.
fn tzinfo_factory<'py>(cursor: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = cursor.py();
    match cursor.cast::<Cursor>() {
        Ok(cursor) => cursor.get().tzinfo_factory(py).map(|factory| factory.into_bound(py)),
        Err(_) => cursor.getattr(intern!(py, "tzinfo_factory")).ok(),
    }
}

impl Cursor {
    /// The context that the fields of a fetch share.
    pub fn fetch_context<'a, 'py>(slf: &'a Bound<'py, Self>) -> FetchContext<'a, 'py> {
        FetchContext::new(slf.as_any(), tzinfo_factory)
    }

    /// The registries in which this cursor looks up typecasters.
    pub(super) fn registries<'py>(&self, py: Python<'py>) -> PyResult<Registries<'py>> {
        let connection = self.connection(py)?.get();
        let own = [self.registered_types(py), Some(connection.string_types(py))];
        Ok(Registries::new(py, own, connection.conventions()))
    }

    /// How the fields of a COPY become objects, if they have these types.
    pub fn copy_plan(slf: &Bound<'_, Self>, types: &[u32], binary: bool) -> PyResult<CastPlan> {
        let (py, this) = (slf.py(), slf.get());
        CastPlan::for_copy(&this.registries(py)?, this.text_decoder(py)?, types, binary)
    }

    /// How values become text: the client encoding that the connection has now.
    pub(super) fn text_decoder(&self, py: Python<'_>) -> PyResult<TextDecoder> {
        Ok(self.connection(py)?.get().quote_context(py).encoding().decoder())
    }
}

#[pymethods]
impl Cursor {
    /// cast(oid, s) -> value -- The Python object for the text `s` (str, bytes or None) of a type.
    ///
    /// The typecaster is the one that a column of the type with this oid would have on this cursor;
    /// a type without one becomes a str.
    fn cast<'py>(
        slf: &Bound<'py, Self>,
        oid: u32,
        s: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let text;
        let value = if s.is_none() {
            None
        } else if let Ok(string) = s.cast::<PyString>() {
            let context = this.connection(py)?.get().quote_context(py);
            text = context.encode(string)?.as_bytes().to_vec();
            Some(text.as_slice())
        } else if let Ok(bytes) = s.cast::<PyBytes>() {
            Some(bytes.as_bytes())
        } else {
            return Err(PyTypeError::new_err(format!(
                "a bytes-like object is required, not '{}'",
                s.get_type().name()?
            )));
        };
        let decoder = this.registries(py)?.decoder(oid)?;
        decoder.import(py)?;
        let (fetch, encoding) = (Self::fetch_context(slf), this.text_decoder(py)?);
        match decoder.decode(&fetch.decoding(&encoding), value) {
            Ok(value) => Ok(value.into_bound(py)),
            Err(raised) => Err(raised.into_error(py)),
        }
    }
}

#[pymethods]
impl Caster {
    /// Any object may be passed as the cursor: one that is none counts as a cursor without
    /// settings.
    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Ok((value, cursor)) = args.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>() else {
            return Err(PyTypeError::new_err(format!(
                "function takes exactly 2 arguments ({} given)",
                args.len()
            )));
        };
        if value.is_none() {
            return Ok(value);
        }
        let (py, decoder) = (slf.py(), slf.get().decoder());
        decoder.import(py)?;
        // A cursor whose `__init__` never ran has no connection.
        let connected =
            cursor.cast::<Cursor>().ok().and_then(|cursor| cursor.get().text_decoder(py).ok());
        let encoding = connected.unwrap_or(TextDecoder::UTF8);
        let fetch = FetchContext::new(&cursor, tzinfo_factory);
        decode_object(decoder, &fetch.decoding(&encoding), &value)
    }
}
