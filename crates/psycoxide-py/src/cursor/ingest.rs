//! `adbc_ingest()`: the method. What it does is in Python, in `psycoxide._arrow`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::Cursor;

#[pymethods]
impl Cursor {
    /// adbc_ingest(table, data, mode='create', ...) -- Write Arrow data to a table, and return the
    /// number of rows written.
    ///
    /// `data` is a DataFrame of Polars or pandas 3, a table of pyarrow, a relation of DuckDB, or any
    /// other object with `__arrow_c_stream__()` or `__arrow_c_array__()`. Its columns go to the
    /// columns of the same names, in their types. `mode` is "create", "append", "replace" (drops
    /// the table first) or "create_append" (creates the table if there is none).
    ///
    /// All rows are written, or none: in a transaction that is open this is a savepoint, and in
    /// autocommit mode a transaction of its own; otherwise `commit()` follows, as after `execute()`.
    /// The connection stays usable after an error.
    ///
    /// `db_schema_name` is the table's schema, and `catalog_name` its database, which can only be
    /// the current one. A `temporary` table is made for the session. `on_conflict` "update" changes
    /// rows whose `key` (the names of columns with a unique index) exists already, "nothing" leaves
    /// them; a table that is made gets `key` as its primary key. `progress(rows, bytes)` is called
    /// every 0.1 s or less often, and at the end; what it raises ends the ingest.
    ///
    /// Raises TypeError if `data` are no Arrow data, ProgrammingError if they do not suit the table,
    /// DataError for a value that does not fit into its column or if their producer fails, and the
    /// server's errors.
    #[pyo3(signature = (
        table, data, mode="create", *, catalog_name=None, db_schema_name=None, temporary=false,
        on_conflict=None, key=None, progress=None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn adbc_ingest<'py>(
        slf: &Bound<'py, Self>,
        table: &Bound<'py, PyString>,
        data: &Bound<'py, PyAny>,
        mode: &str,
        catalog_name: Option<&Bound<'py, PyString>>,
        db_schema_name: Option<&Bound<'py, PyString>>,
        temporary: bool,
        on_conflict: Option<&Bound<'py, PyString>>,
        key: Option<&Bound<'py, PyAny>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_copy(slf, "adbc_ingest")?;
        let options = PyDict::new(slf.py());
        options.set_item("catalog_name", catalog_name)?;
        options.set_item("db_schema_name", db_schema_name)?;
        options.set_item("temporary", temporary)?;
        options.set_item("on_conflict", on_conflict)?;
        options.set_item("key", key)?;
        let module = slf.py().import("psycoxide._arrow.blocking")?;
        module.getattr("ingest")?.call1((slf, table, data, mode, options, progress))
    }
}
