//! Rows that are converted when they are asked for.

use std::sync::Arc;
use std::time::Instant;

use psycoxide_arrow::Options;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::super::Cursor;
use super::super::place::Place;
use super::super::result::Tuples;
use crate::arrow::{ArrowTable, Batches, Collecting, Fault, TABLE};
use crate::connection::ResultTypes;
use crate::driver::Making;
use crate::error;

/// How many rows are converted between two looks at the clock.
const PORTION: usize = 2048;

/// Makes a table of the rows that are left in a cursor's result.
pub struct Converting {
    cursor: Py<Cursor>,
    /// The rows are read by it, as by a fetch.
    taken: bool,
    options: Arc<Options>,
    source: Source,
}

enum Source {
    /// They are Arrow's already.
    Batches(Batches),
    Rows {
        tuples: Arc<Tuples>,
        place: Place,
        /// `None` if the rows have no columns that were described.
        types: Option<ResultTypes>,
        collecting: Option<Collecting>,
    },
}

impl Converting {
    /// # Errors
    /// `ProgrammingError` if there is no result.
    pub fn new(cursor: &Bound<'_, Cursor>, taken: bool) -> PyResult<Self> {
        let (py, this) = (cursor.py(), cursor.get());
        let options = this.arrow_options(py).unwrap_or_default();
        let batches = this.state(py).fetched.batches.clone();
        let source = match batches {
            Some(batches) => Source::Batches(batches),
            None => {
                let (tuples, place) = this.tuples(py)?;
                let connection = this.connection(py)?.get();
                let columns = tuples.result.columns.clone();
                let types = columns.map(|columns| ResultTypes::new(py, connection, columns));
                Source::Rows { tuples, place, types, collecting: None }
            }
        };
        Ok(Self { cursor: cursor.clone().unbind(), taken, options, source })
    }

    /// The types of the result, if something of them has to be asked of the server.
    pub fn unknown_types(&self, py: Python<'_>) -> PyResult<Option<ResultTypes>> {
        let Source::Rows { types: Some(types), .. } = &self.source else { return Ok(None) };
        let connection = self.cursor.bind(py).get().connection(py)?.get();
        Ok(types.request(py, connection).map(|_| types.clone()))
    }

    /// Takes over the types, after the server was asked.
    pub fn know_types(&mut self, known: ResultTypes) {
        if let Source::Rows { types, .. } = &mut self.source {
            *types = Some(known);
        }
    }

    /// Converts rows until all are converted, or for as long as `until` says. Returns the batches at
    /// the end.
    fn convert(
        &mut self,
        py: Python<'_>,
        until: Option<Instant>,
    ) -> Result<Option<Batches>, Fault> {
        let this = self.cursor.bind(py).get();
        let (tuples, place, types, collecting) = match &mut self.source {
            Source::Batches(batches) => return Ok(Some(batches.clone())),
            Source::Rows { tuples, place, types, collecting } => (tuples, place, types, collecting),
        };
        let mut converted = match collecting.take() {
            Some(converted) => converted,
            None => {
                let Some(types) = types else {
                    return Err(Fault::Raised(error::internal("a table without columns")));
                };
                let (columns, catalog) = (types.columns(), types.catalog());
                Collecting::new(this.arrow_layout(py, columns, catalog, &self.options)?, TABLE)
            }
        };
        loop {
            let more = match place.row < tuples.rows_before_raw() {
                true => {
                    tuples.add_eager(py, place, &mut converted)?;
                    true
                }
                false => {
                    let most = if until.is_some() { PORTION } else { usize::MAX };
                    let rows = &tuples.result.rows;
                    let added = converted.add_some(py, rows, &mut place.position, most)?;
                    place.row += added;
                    added == most
                }
            };
            if !more {
                return Ok(Some(converted.finish()?));
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                *collecting = Some(converted);
                return Ok(None);
            }
        }
    }
}

impl Making for Converting {
    fn go_on(&mut self, py: Python<'_>, until: Option<Instant>) -> PyResult<Option<Py<PyAny>>> {
        let Some(batches) = self.convert(py, until)? else { return Ok(None) };
        let cursor = self.cursor.bind(py).get();
        let mut state = cursor.state(py);
        match &self.source {
            Source::Batches(_) if self.taken => {
                if let Some(batches) = &mut state.fetched.batches {
                    batches.batches = Vec::new();
                }
            }
            Source::Rows { tuples, place, .. } if self.taken => {
                state.fetched.reach(tuples, *place);
            }
            _ => {}
        }
        drop(state);
        Ok(Some(Py::new(py, ArrowTable::from(batches))?.into_any()))
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The cursor shows what the rows refer to.
        visit.call(&self.cursor)
    }
}

impl Tuples {
    /// Adds the row at a place, which is eager, and moves on to the next.
    fn add_eager(
        &self,
        py: Python<'_>,
        place: &mut Place,
        converted: &mut Collecting,
    ) -> Result<(), Fault> {
        let Some(eager) = &self.eager else {
            return Err(Fault::Raised(error::programming(
                "rows of this result were freed, as the cursor is forward_only",
            )));
        };
        let columns = self.result.columns.as_deref().map_or(&[][..], |columns| columns);
        let fields = eager.fields(py, place.row, columns)?;
        converted.add_fields(fields.iter().map(Option::as_deref))?;
        place.row += 1;
        Ok(())
    }
}
