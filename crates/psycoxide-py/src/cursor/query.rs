//! The text of a query, in whatever form it is given.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Cursor;
use crate::adapt::{self, AdaptContext};
use crate::connection::Connection;
use crate::encoding::Encoded;
use crate::error;
use crate::imports;

/// A query's text in the client encoding, borrowed if no conversion is needed.
pub(super) enum QueryText<'a, 'py> {
    Str(Encoded<'a, 'py>),
    Bytes(&'a [u8]),
    Composed(Vec<u8>),
}

impl<'a, 'py> QueryText<'a, 'py> {
    /// The text of a query given as str, bytes, or a composed object, and the context for its
    /// parameters. A composed object runs Python code, which may change how the session quotes.
    pub(super) fn of(
        cursor: &Bound<'py, Cursor>,
        query: &'a Bound<'py, PyAny>,
        connection: &'a Bound<'py, Connection>,
    ) -> PyResult<(Self, AdaptContext<'a, 'py>)> {
        let mut context = Connection::adapt_context(connection);
        let text = if let Ok(text) = query.cast::<PyString>() {
            Self::Str(context.quoting.encode(text)?)
        } else if let Ok(bytes) = query.cast::<PyBytes>() {
            Self::Bytes(bytes.as_bytes())
        } else if query.is_none() {
            Self::Bytes(b"")
        } else if query.is_instance(imports::COMPOSABLE.bind(cursor.py())?)? {
            let text = query.call_method1("as_string", (cursor,))?;
            let (text, after) = QueryText::of(cursor, &text, connection)?;
            context = context.with_quoting(after.quoting);
            Self::Composed(text.into_vec())
        } else {
            return Err(PyTypeError::new_err(format!(
                "argument 1 must be a string or unicode object: got {} instead",
                query.get_type().name()?
            )));
        };
        if text.as_bytes().is_empty() {
            return Err(error::programming("can't execute an empty query"));
        }
        Ok((text, context))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Str(text) => text.as_bytes(),
            Self::Bytes(text) => text,
            Self::Composed(text) => text,
        }
    }

    /// The query with its parameters merged in, if there are any.
    pub(super) fn merge(
        self,
        context: &AdaptContext<'_, 'py>,
        vars: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<u8>> {
        match vars.filter(|vars| !vars.is_none()) {
            None => Ok(self.into_vec()),
            Some(vars) => adapt::mogrify(vars.py(), self.as_bytes(), vars, context),
        }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Composed(text) => text,
            text => text.as_bytes().to_vec(),
        }
    }
}

impl Cursor {
    /// The bytes of a query given as str, bytes, or a composed object.
    pub fn query_text<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        connection: &Bound<'py, Connection>,
    ) -> PyResult<Vec<u8>> {
        Ok(QueryText::of(slf, query, connection)?.0.into_vec())
    }
}
