//! The rows of a named cursor, fetched from the server while they are read.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use psycoxide_arrow::RowDecoder;
use pyo3::prelude::*;

use super::super::Cursor;
use crate::arrow::{ArrowTable, BatchSource, Batches, Fault, STREAM};
use crate::connection::ResultTypes;
use crate::driver::TurnGuard;
use crate::error;

/// A source of the rows that a named cursor has not fetched yet.
pub struct FetchedPortions {
    cursor: Py<Cursor>,
    decoder: RowDecoder,
    /// The server has no more rows.
    over: bool,
}

impl FetchedPortions {
    /// Begins to read. The rows that the cursor has fetched and not given out come first.
    pub fn begin(cursor: &Bound<'_, Cursor>) -> PyResult<Self> {
        let (py, this) = (cursor.py(), cursor.get());
        if this.state(py).named.streamed {
            return Err(error::programming(
                "the rows of this named cursor were given out as a stream of Arrow already: they can \
                 be read once",
            ));
        }
        if !this.has_rows(py) {
            // Before the first row, FETCH 0 describes the result; elsewhere it returns a row again.
            let state = this.state(py);
            let count = if state.named.at_start { 0 } else { state.itersize.max(1) };
            drop(state);
            Cursor::fetch_named(cursor, Some(count))?;
        }
        let (tuples, _) = this.tuples(py)?;
        let Some(columns) = tuples.result.columns.clone() else {
            return Err(error::internal("a table without columns"));
        };
        let connection = this.open_connection(py)?;
        let mut types = ResultTypes::new(py, connection.get(), columns);
        if types.request(py, connection.get()).is_some() {
            let lookup = types.look_up(py, connection.get());
            types = TurnGuard::take(connection)?.run(lookup)?;
        }
        let options = this.arrow_options(py).unwrap_or_default();
        let layout = this.arrow_layout(py, types.columns(), types.catalog(), &options)?;
        this.state(py).named.streamed = true;
        Ok(Self {
            cursor: cursor.clone().unbind(),
            decoder: RowDecoder::new(layout.into()),
            over: false,
        })
    }

    /// All rows as a table.
    pub fn all<'py>(mut self, py: Python<'py>) -> PyResult<Bound<'py, ArrowTable>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.fetch(py)? {
            batches.push(batch);
        }
        self.cursor.bind(py).get().state(py).named.streamed = false;
        let schema = self.decoder.layout().schema().clone();
        Bound::new(py, ArrowTable::from(Batches { schema, batches }))
    }

    /// The next batch; `None` at the end.
    fn fetch(&mut self, py: Python<'_>) -> Result<Option<RecordBatch>, Fault> {
        let cursor = self.cursor.bind(py);
        let this = cursor.get();
        while !self.over {
            let (tuples, mut place) = this.tuples(py)?;
            let decoder = &mut self.decoder;
            let before = decoder.rows();
            let full = py.detach(|| {
                let mut rows = tuples.result.rows.iter_from(place.position);
                let full = decoder.append(&mut rows, STREAM);
                place.position = rows.position();
                full
            })?;
            place.row += decoder.rows() - before;
            this.state(py).fetched.reach(&tuples, place);
            if full {
                return Ok(Some(self.decoder.finish()?));
            }
            drop(tuples);
            let itersize = this.state(py).itersize.max(1);
            Cursor::check_fetch(cursor)?;
            Cursor::fetch_named(cursor, Some(itersize))?;
            self.over = !Cursor::is_row_left(cursor);
        }
        match self.decoder.rows() {
            0 => Ok(None),
            _ => Ok(Some(self.decoder.finish()?)),
        }
    }
}

impl BatchSource for FetchedPortions {
    fn schema(&self) -> SchemaRef {
        self.decoder.layout().schema().clone()
    }

    fn next_batch(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        Ok(self.fetch(py)?)
    }
}
