//! COPY between a table and a file object: the methods.

use psycoxide_sql::command::copy::Table;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Cursor;
use super::file_copy::{FileCopy, method};
use super::statement::ForCursor;
use crate::connection::Connection;
use crate::driver::TurnGuard;

impl Cursor {
    /// Runs a COPY statement over a file.
    fn copy(
        slf: &Bound<'_, Self>,
        sql: Vec<u8>,
        file: &Bound<'_, PyAny>,
        size: i64,
    ) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let connection = this.open_connection(py)?;
        if memchr::memchr(0, &sql).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        this.note_query(py, &sql);
        this.reset(py);
        let turn = TurnGuard::take(connection)?;
        let quoting = connection.get().quote_context(py);
        turn.run(FileCopy::new(ForCursor::called(slf), file, size, sql, quoting))
    }

    /// The checks that every kind of COPY begins with.
    pub(super) fn check_copy<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
    ) -> PyResult<Bound<'py, Connection>> {
        let connection = slf.get().open_connection(slf.py())?;
        connection.get().refuse_async(slf.py(), method)?;
        connection.get().refuse_tpc_prepared(slf.py(), method)?;
        Ok(connection.clone())
    }

    /// The checks of `copy_from()` and `copy_to()`, and their table and options, quoted.
    fn quote_copy(
        slf: &Bound<'_, Self>,
        method: &str,
        table: &Bound<'_, PyString>,
        columns: Option<&Bound<'_, PyAny>>,
        [separator, null]: [Option<Bound<'_, PyString>>; 2],
    ) -> PyResult<Table> {
        let context = Self::check_copy(slf, method)?.get().quote_context(slf.py());
        let literal = |text: Option<Bound<'_, PyString>>, default: &str| {
            let text = text.unwrap_or_else(|| PyString::new(slf.py(), default));
            context.literal(context.encode(&text)?.as_bytes())
        };
        let mut quoted = Table {
            name: context.identifier(table)?,
            columns: Vec::new(),
            separator: literal(separator, "\t")?,
            null: literal(null, "\\N")?,
        };
        if let Some(columns) = columns.filter(|columns| !columns.is_none()) {
            for column in columns.try_iter()? {
                quoted.columns.push(context.identifier(column?.cast::<PyString>()?)?);
            }
        }
        Ok(quoted)
    }
}

#[pymethods]
impl Cursor {
    /// copy_from(file, table, sep='\t', null='\\N', size=8192, columns=None) -- Fill a table from a
    /// file in COPY's text format.
    ///
    /// `file.read(size)` is called until it returns an empty str (if the file is an
    /// `io.TextIOBase`) or empty bytes. `table` and `columns` are quoted, so a name with a schema
    /// needs `copy_expert()`. `rowcount` is the number of rows. An exception of `read()` is raised,
    /// with the server's answer as its cause, and the connection stays usable. Raises
    /// ProgrammingError on asynchronous connections, and the server's errors.
    #[pyo3(signature = (file, table, sep=None, null=None, size=8192, columns=None))]
    fn copy_from<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        table: &Bound<'py, PyString>,
        sep: Option<Bound<'py, PyString>>,
        null: Option<Bound<'py, PyString>>,
        size: i64,
        columns: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        method(file, "read")?;
        let table = Self::quote_copy(slf, "copy_from", table, columns, [sep, null])?;
        Self::copy(slf, table.copy_from(), file, size)
    }

    /// copy_to(file, table, sep='\t', null='\\N', columns=None) -- Write a table to a file in
    /// COPY's text format.
    ///
    /// `file.write(data)` is called with str if the file is an `io.TextIOBase`, otherwise with
    /// bytes. Everything else is as for `copy_from()`.
    #[pyo3(signature = (file, table, sep=None, null=None, columns=None))]
    fn copy_to<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        table: &Bound<'py, PyString>,
        sep: Option<Bound<'py, PyString>>,
        null: Option<Bound<'py, PyString>>,
        columns: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        method(file, "write")?;
        let table = Self::quote_copy(slf, "copy_to", table, columns, [sep, null])?;
        Self::copy(slf, table.copy_to(), file, 0)
    }

    /// copy_expert(sql, file, size=8192) -- Run any COPY statement over a file.
    ///
    /// `sql` is a `COPY ... FROM STDIN` or `COPY ... TO STDOUT`: str, bytes or a `sql.Composable`,
    /// without parameters. `file` is read or written as by `copy_from()` and `copy_to()`. Raises
    /// what they do, and ProgrammingError if the statement is no such COPY.
    #[pyo3(signature = (sql, file, size=8192))]
    fn copy_expert<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        file: &Bound<'py, PyAny>,
        size: i64,
    ) -> PyResult<()> {
        let connection = Self::check_copy(slf, "copy_expert")?;
        if !file.hasattr("read")? && !file.hasattr("write")? {
            return Err(PyTypeError::new_err(
                "file must be a readable file-like object for COPY FROM; \
                 a writable file-like object for COPY TO.",
            ));
        }
        let sql = Self::query_text(slf, sql, &connection)?;
        Self::copy(slf, sql, file, size)
    }
}
