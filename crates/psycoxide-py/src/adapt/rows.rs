//! One query with many rows of values, which are bound on the server.

use std::sync::Arc;

use psycoxide_proto::{Repeat, Written};
use psycoxide_sql::insert;
use pyo3::prelude::*;

use super::bind::{BoundQuery, Values, bind_query, check, refuse_inside, syntax};
use super::context::AdaptContext;
use super::dump::{Dumped, Dumper, widen};
use super::mogrify::raise_fault_of_bound;
use super::template::ParsedQuery;
use crate::encoding::ClientEncoding;
use crate::error;

/// A query of which all placeholders can be bound, to be run for many rows of values.
pub struct RepeatedQuery {
    text: Arc<[u8]>,
    encoding: ClientEncoding,
    /// Whether a NULL may have the type of other rows, for each parameter.
    null_fits: Vec<bool>,
    /// The parameters that are bound only if they have a type.
    typed: Vec<usize>,
    is_insert: bool,
}

impl RepeatedQuery {
    /// `None` if it has to be merged, as some placeholder cannot be bound, or there is none.
    ///
    /// # Errors
    /// One of its placeholders can be neither bound nor merged.
    pub fn of(
        py: Python<'_>,
        query: &[u8],
        context: &AdaptContext<'_, '_>,
    ) -> PyResult<Option<Self>> {
        let encoding = context.quoting.encoding();
        let parsed = ParsedQuery::of_numbered(py, query, encoding, syntax(context))?;
        let numbered = match parsed.numbered() {
            Some(numbered) if raise_fault_of_bound(&parsed).is_ok() => numbered,
            // Merging raises the fault.
            _ => return Ok(None),
        };
        check(numbered)?;
        refuse_inside(numbered)?;
        let Some(text) = parsed.bound_text().filter(|_| !numbered.places().is_empty()) else {
            return Ok(None);
        };
        let is_insert = insert::numbered(&parsed.template, query, encoding.encoding()).is_ok();
        let mut null_fits = vec![true; numbered.parameters()];
        let mut typed = Vec::new();
        for (index, place) in numbered.places().iter().enumerate() {
            let number = if numbered.is_native() { place.value } else { index };
            if let Some(fits) = null_fits.get_mut(number) {
                *fits &= is_insert || numbered.null_fits(place);
            }
            if place.context.needs_type() {
                typed.push(number);
            }
        }
        Ok(Some(Self { text, encoding, null_fits, typed, is_insert }))
    }

    /// Its text, with `$1` and so on.
    pub fn text(&self) -> &Arc<[u8]> {
        &self.text
    }

    /// Whether it is a plain `INSERT … VALUES`, whose placeholders are whole values.
    pub fn is_insert(&self) -> bool {
        self.is_insert
    }

    /// A request without a row so far.
    pub fn repeat(&self) -> Repeat {
        Repeat::new(Arc::clone(&self.text), self.null_fits.len())
    }
}

/// Writes rows of values for a [`RepeatedQuery`].
///
/// Make a new one after the GIL was released, as with a `Dumper`.
pub struct RowBinder<'a, 'b, 'py> {
    query: &'b RepeatedQuery,
    parsed: Arc<ParsedQuery>,
    context: &'b AdaptContext<'a, 'py>,
    dumper: Dumper<'a, 'py>,
    binary: bool,
}

impl<'a, 'b, 'py> RowBinder<'a, 'b, 'py> {
    /// `text` is that of which `query` was made.
    pub fn new(
        py: Python<'py>,
        query: &'b RepeatedQuery,
        text: &[u8],
        context: &'b AdaptContext<'a, 'py>,
        binary: bool,
    ) -> PyResult<Self> {
        let encoding = context.quoting.encoding();
        let parsed = ParsedQuery::of_numbered(py, text, encoding, syntax(context))?;
        if encoding != query.encoding || parsed.bound_text().as_ref() != Some(&query.text) {
            return Err(error::programming("the client encoding changed during executemany()"));
        }
        Ok(Self { query, parsed, context, dumper: Dumper::new(context, binary)?, binary })
    }

    /// Adds a row. Each value has the type that it has by itself, as if it was the only row; but an
    /// integer that is a whole value of a plain INSERT may have that of wider numbers before it. A row
    /// with a value that cannot be bound is a statement of its own. Returns false, and adds nothing,
    /// if that has to be merged as a whole.
    pub fn row(&mut self, args: &Bound<'py, PyAny>, repeat: &mut Repeat) -> PyResult<bool> {
        let added = self.try_row(args, repeat);
        if !matches!(added, Ok(true)) {
            repeat.drop_row();
        }
        added
    }

    fn try_row(&mut self, args: &Bound<'py, PyAny>, repeat: &mut Repeat) -> PyResult<bool> {
        let Some(numbered) = self.parsed.numbered() else {
            return Err(error::internal("a query without its numbered form"));
        };
        let values = Values::of(&self.parsed, numbered, args)?;
        let (_, order) = numbered.all_bound().unwrap_or_default();
        let dumper = &mut self.dumper;
        let mut all = true;
        let is_insert = self.query.is_insert;
        for (number, (value, null_fits)) in order.iter().zip(&self.query.null_fits).enumerate() {
            let object = values.get(*value, dumper)?;
            let known = repeat.parsed_type(number);
            all = repeat.value(*null_fits, |out| {
                let start = out.len();
                Ok::<_, PyErr>(match dumper.value(&object, out)? {
                    Dumped::Bound(oid, Written::Binary) if is_insert && oid != known => {
                        let widened = widen(oid, known, start, out);
                        Some(widened.unwrap_or((oid, Written::Binary)))
                    }
                    Dumped::Bound(oid, written) => Some((oid, written)),
                    Dumped::Literal => None,
                })
            })?;
            if !all {
                break;
            }
        }
        let untyped = |number: &usize| repeat.row_types().get(*number) == Some(&0);
        let written = if all && !self.query.typed.iter().any(untyped) {
            repeat.end_row()
        } else {
            dumper.forget();
            let query = self.parsed.query();
            match bind_query(args.py(), query, Some(args), self.context, self.binary, false)? {
                BoundQuery::Statement(statement, _) => {
                    if memchr::memchr(0, statement.sql()).is_some() {
                        return Ok(false);
                    }
                    repeat.statement(&statement)
                }
                BoundQuery::Merged => return Ok(false),
            }
        };
        written.map(|()| true).map_err(|error| error::from_proto(&error))
    }
}
