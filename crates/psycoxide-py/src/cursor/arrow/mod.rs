//! Results as Arrow.
//!
//! There are two ways. If `cursor.arrow` is set when a statement runs, its columns come in binary, and
//! become Arrow's while they arrive (`arriving.rs`). The rows of every other result are converted when
//! they are asked for, from the text that they came in (`converting.rs`).

mod arriving;
mod converting;
mod layout;
mod named;

use std::sync::Arc;

use psycoxide_arrow::Options;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

pub use arriving::ArrivingArrow;
pub use converting::Converting;
pub use named::FetchedPortions;

use super::Cursor;
use crate::arrow::{self, ArrowTable, ForeignReader, stream_capsule};
use crate::driver::{Making, TurnGuard};
use crate::error;
use crate::imports::Lazy;

static TO_PYARROW: Lazy = Lazy::new("psycoxide._arrow.libraries", "to_pyarrow");
static TO_READER: Lazy = Lazy::new("psycoxide._arrow.libraries", "to_reader");
static TO_PANDAS: Lazy = Lazy::new("psycoxide._arrow.libraries", "to_pandas");
static TO_POLARS: Lazy = Lazy::new("psycoxide._arrow.libraries", "to_polars");

impl Cursor {
    /// How rows are to become Arrow's while they arrive, if they are.
    pub fn arrow_options(&self, py: Python<'_>) -> Option<Arc<Options>> {
        self.state(py).arrow.clone()
    }

    /// The error for rows that are asked for as tuples, if they are Arrow's.
    #[cold]
    pub(super) fn refuse_rows_of_arrow(&self, py: Python<'_>) -> PyResult<()> {
        match self.state(py).fetched.batches {
            None => Ok(()),
            Some(_) => Err(error::programming(
                "the rows of this result have become Arrow's, as cursor.arrow was set: fetch them by \
                 fetch_arrow_table(), fetch_df() and the like, or set cursor.arrow = None before \
                 execute()",
            )),
        }
    }

    /// The rows that are left, as a table. It is the same table until rows are `taken`.
    fn arrow_table<'py>(slf: &Bound<'py, Self>, taken: bool) -> PyResult<Bound<'py, ArrowTable>> {
        let py = slf.py();
        Self::check_fetch(slf)?;
        let mut converting = Converting::new(slf, taken)?;
        if let Some(types) = converting.unknown_types(py)? {
            let connection = slf.get().open_connection(py)?;
            if connection.get().is_awaited(py) {
                return Err(error::programming(
                    "types of this result have to be asked of the server, which an event loop waits \
                     for: await cursor.fetch_arrow()",
                ));
            }
            let lookup = types.look_up(py, connection.get());
            converting.know_types(TurnGuard::take(connection)?.run(lookup)?);
        }
        match converting.go_on(py, None)? {
            Some(table) => Ok(table.into_bound(py).cast_into::<ArrowTable>()?),
            None => Err(error::internal("a conversion without a time limit that has not ended")),
        }
    }
}

#[pymethods]
impl Cursor {
    /// Whether, and how, the rows of statements become Arrow's while they arrive: None, True, or
    /// `psycoxide.arrow.ArrowOptions`. Not in psycopg2.
    ///
    /// If it is set, columns come in PostgreSQL's binary formats, and rows are read by
    /// `fetch_arrow_table()` and the like, no longer by `fetchone()`. Each statement that returns rows
    /// costs a second round trip, unless it is prepared.
    #[getter(arrow)]
    fn arrow_attribute(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.objects(py).arrow.as_ref().map(|options| options.clone_ref(py))
    }

    #[setter]
    fn set_arrow(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let options = match value.is_none() || value.extract::<bool>().is_ok_and(|on| !on) {
            true => None,
            false => Some(Arc::new(arrow::options(value)?)),
        };
        let object = options.as_ref().map(|_| value.clone().unbind());
        self.state(py).arrow = options;
        let old = std::mem::replace(&mut self.objects(py).arrow, object);
        drop(old);
        Ok(())
    }

    /// The rows that are left, as an `arrow_array_stream` capsule. They stay where they are, and can be
    /// taken again; those of a named cursor only once.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        slf: &Bound<'py, Self>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        if slf.get().name().is_some() {
            Self::check_fetch(slf)?;
            return stream_capsule(py, ForeignReader::new(FetchedPortions::begin(slf)?));
        }
        Self::arrow_table(slf, false)?.get().__arrow_c_stream__(py, requested_schema)
    }

    /// The Arrow schema of the result as an `arrow_schema` capsule.
    fn __arrow_c_schema__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyCapsule>> {
        if slf.get().name().is_some() && !slf.get().has_rows(slf.py()) {
            Self::check_fetch(slf)?;
            Self::fetch_named(slf, Some(0))?;
        }
        Self::arrow_table(slf, false)?.get().__arrow_c_schema__(slf.py())
    }

    /// fetch_arrow() -> ArrowTable -- All remaining rows as Arrow's record batches.
    ///
    /// Any library that knows Arrow's PyCapsule interface takes what is returned. Raises DataError for
    /// a value that its Arrow type cannot hold, with row and column and the option to choose, and
    /// ProgrammingError if the last statement returned no rows. Not in psycopg2; the names of these
    /// methods are those of ADBC.
    fn fetch_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, ArrowTable>> {
        if slf.get().name().is_some() {
            Self::check_fetch(slf)?;
            return FetchedPortions::begin(slf)?.all(slf.py());
        }
        Self::arrow_table(slf, true)
    }

    /// fetch_arrow_table() -> pyarrow.Table -- The same as a table of pyarrow's, which has to be
    /// installed.
    fn fetch_arrow_table<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        TO_PYARROW.bind(slf.py())?.call1((slf.call_method0("fetch_arrow")?,))
    }

    /// fetchallarrow() -> pyarrow.Table -- Another name of `fetch_arrow_table()`.
    fn fetchallarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method0("fetch_arrow_table")
    }

    /// fetch_record_batch() -> pyarrow.RecordBatchReader -- All remaining rows, a batch at a time.
    ///
    /// A named cursor fetches them from the server while they are read, in constant memory; it must
    /// not be used meanwhile.
    fn fetch_record_batch<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match slf.get().name() {
            Some(_) => TO_READER.bind(py)?.call1((slf,)),
            None => TO_READER.bind(py)?.call1((slf.call_method0("fetch_arrow")?,)),
        }
    }

    /// fetch_df() -> pandas.DataFrame -- All remaining rows as a DataFrame; pandas and pyarrow have to
    /// be installed.
    fn fetch_df<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        TO_PANDAS.bind(slf.py())?.call1((slf.call_method0("fetch_arrow")?,))
    }

    /// fetch_polars() -> polars.DataFrame -- The same as a DataFrame of polars, which has to be
    /// installed.
    fn fetch_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        TO_POLARS.bind(slf.py())?.call1((slf.call_method0("fetch_arrow")?,))
    }
}
