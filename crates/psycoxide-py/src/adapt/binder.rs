//! Rows of values as bind parameters (`$1`, `$2`), for `executemany(prepare=True)`.

use std::sync::Arc;

use psycoxide_proto::Repeat;
use psycoxide_sql::parameter::Unfit;
use psycoxide_sql::template::{Piece, Style};
use psycoxide_sql::{insert, oid::Oid};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::context::AdaptContext;
use super::dump::Dumper;
use super::mogrify::{item, raise_fault, too_many};
use super::registry::type_name;
use super::template::ParsedQuery;
use crate::encoding::QuoteContext;
use crate::error;

/// The query, a plain `INSERT … VALUES`, with `$1`, `$2` and so on in place of its placeholders.
///
/// # Errors
/// The template's own fault; `ProgrammingError` if the query is not a plain INSERT.
pub fn numbered(py: Python<'_>, query: &[u8], context: &QuoteContext) -> PyResult<Vec<u8>> {
    let parsed = ParsedQuery::of(py, query, context.encoding())?;
    raise_fault(&parsed)?;
    insert::numbered(&parsed.template, query, context.encoding().encoding()).map_err(|reason| {
        error::programming(format!(
            "executemany() with prepare=True takes only a plain INSERT ... VALUES (%s, ...): {reason}"
        ))
    })
}

/// Writes rows of parameters for one query.
///
/// Make a new one after the GIL was released, as with a `Merger`.
pub struct Binder<'a, 'py> {
    parsed: Arc<ParsedQuery>,
    dumper: Dumper<'a, 'py>,
}

impl<'a, 'py> Binder<'a, 'py> {
    /// `query` is in the session's encoding. `binary`: whether values may be sent in binary
    /// formats, because the server is known to have those of PostgreSQL 10 and later.
    pub fn new(
        py: Python<'py>,
        query: &[u8],
        context: &AdaptContext<'a, 'py>,
        binary: bool,
    ) -> PyResult<Self> {
        let parsed = ParsedQuery::of(py, query, context.quoting.encoding())?;
        Ok(Self { parsed, dumper: Dumper::new(context, binary)? })
    }

    /// Adds a row of parameters of these types. After an error `repeat` may hold a part of the row,
    /// which the caller drops.
    pub fn row(
        &mut self,
        args: &Bound<'py, PyAny>,
        types: &[Oid],
        repeat: &mut Repeat,
    ) -> PyResult<()> {
        let parsed = Arc::clone(&self.parsed);
        let mut types = types.iter();
        let named = parsed.template.style() == Some(Style::Names);
        let mut given = None;
        let values = parsed.template.pieces().iter().filter_map(|piece| match piece {
            Piece::Value(number) => Some(*number),
            Piece::Text(_) => None,
        });
        for (parameter, number) in values.enumerate() {
            let value = match parsed.name(number) {
                Some(name) => args.get_item(name)?,
                None => item(args, number)?,
            };
            if !named && given.is_none() {
                given = Some(args.len()?);
            }
            let oid = types.next().copied().unwrap_or_default();
            self.value(&value, parameter, oid, repeat)?;
        }
        if given.is_some_and(|given| given > parsed.template.positions()) {
            return Err(too_many());
        }
        if !(args.is_exact_instance_of::<PyTuple>()
            || args.is_exact_instance_of::<PyList>()
            || args.is_exact_instance_of::<PyDict>())
        {
            // A user's own sequence or mapping may run any code when it is asked for an item.
            self.dumper.forget();
        }
        repeat.end_row().map_err(|error| error::from_proto(&error))
    }

    fn value(
        &mut self,
        value: &Bound<'py, PyAny>,
        number: usize,
        oid: Oid,
        repeat: &mut Repeat,
    ) -> PyResult<()> {
        let added = repeat.value(true, |out| {
            let written = self.dumper.column(value, oid, out)?.map_err(|Unfit| {
                error::not_supported(format!(
                    "executemany() with prepare=True cannot send a value of type '{}' as parameter \
                     {} of the type with OID {oid}: pass a value that is written as a constant of \
                     that type, or leave prepare out",
                    type_name(value),
                    number + 1,
                ))
            })?;
            Ok::<_, PyErr>(Some((oid, written)))
        });
        added.map(drop)
    }
}
