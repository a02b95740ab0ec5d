//! Running statements.

use psycoxide_proto::Request;
use psycoxide_sql::statement::is_protocol_independent;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::Cursor;
use super::executemany::RowCountSum;
use super::query::QueryText;
use super::statement::{ForCursor, Statement};
use crate::connection::Connection;
use crate::driver::{Operation, OperationContext, TurnGuard, polled};
use crate::error;
use crate::text::text;

impl Cursor {
    /// The query with its parameters merged in.
    pub(super) fn merge(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        vars: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<u8>> {
        let (text, context) = QueryText::of(slf, query, slf.get().connection(slf.py())?)?;
        text.merge(&context, vars)
    }

    /// The same for a query that is run next: if merging fails, `cursor.query` becomes None.
    pub fn merge_to_run(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        vars: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<u8>> {
        let (text, context) = QueryText::of(slf, query, slf.get().connection(slf.py())?)?;
        text.merge(&context, vars).inspect_err(|_| slf.get().forget_query(slf.py()))
    }

    /// Runs `sql`, which may not contain a NUL: the server would read only what comes before it.
    pub(super) fn run(slf: &Bound<'_, Self>, sql: Vec<u8>, what: &str) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let connection = this.open_connection(py)?;
        if sql.is_empty() {
            this.reset(py);
            return Err(error::programming("can't execute an empty query"));
        }
        if memchr::memchr(0, &sql).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        connection.get().refuse_tpc_prepared(slf.py(), "execute")?;
        this.note_query(py, &sql);
        if connection.get().uses_poll(py) {
            let statement = Statement::new(ForCursor::polled(slf)?, Request::query(sql));
            return Self::start_polled(slf, connection, statement);
        }
        let turn = TurnGuard::take_as(connection, what)?;
        let cursor = ForCursor::called(slf);
        turn.run(if this.prefers_binary(py, &sql) {
            Statement::in_binary(cursor, sql)
        } else if connection.get().state(py).begins() && is_protocol_independent(&sql) {
            // The difference matters only if a BEGIN goes first.
            Statement::new(cursor, Request::statement(sql))
        } else {
            Statement::new(cursor, Request::query(sql))
        })
    }

    /// `executemany()` with a round trip for each item. Returns the sum of the row counts, -1 if
    /// one is unknown.
    fn run_one_by_one(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        vars_list: &Bound<'_, PyAny>,
    ) -> PyResult<i64> {
        let mut total = RowCountSum::default();
        for vars in vars_list.try_iter()? {
            let sql = Self::merge_to_run(slf, query, Some(&vars?))?;
            Self::run(slf, sql, "executemany")?;
            total.add(slf.get().state(slf.py()).fetched.rowcount);
        }
        Ok(total.rowcount())
    }

    /// Leaves a row count in the cursor, and nothing else of the statements that it counts.
    pub(super) fn leave_rowcount(slf: &Bound<'_, Self>, rowcount: i64) {
        let (py, this) = (slf.py(), slf.get());
        let tuples = {
            let mut state = this.state(py);
            state.fetched.rowcount = rowcount;
            (state.fetched.undo_read_ahead(), state.fetched.tuples.take())
        };
        let description = this.objects(py).description.take();
        drop((tuples, description));
    }

    /// Begins an operation that `poll()` drives.
    pub fn start_polled(
        slf: &Bound<'_, Self>,
        connection: &Bound<'_, Connection>,
        operation: impl Operation<Output = ()> + 'static,
    ) -> PyResult<()> {
        let session = connection.get().open_session()?;
        if session.is_polled() {
            return Err(error::programming(
                "execute cannot be used while an asynchronous query is underway",
            ));
        }
        slf.get().reset(slf.py());
        polled::start(OperationContext { connection, session }, operation)
    }

    /// Keeps the statement that is sent, for `cursor.query`.
    pub fn note_query(&self, py: Python<'_>, sql: &[u8]) {
        let query = PyBytes::new(py, sql).into_any().unbind();
        let old = std::mem::replace(&mut self.objects(py).query, query);
        drop(old);
    }

    /// Sets `cursor.query` to None.
    pub fn forget_query(&self, py: Python<'_>) {
        let old = std::mem::replace(&mut self.objects(py).query, py.None());
        drop(old);
    }

    /// The last statement as it was sent.
    pub fn query_bytes(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        let query = self.objects(py).query.clone_ref(py).into_bound(py);
        query.cast_into::<PyBytes>().ok().map(Bound::unbind)
    }
}

/// Refuses `method` while an asynchronous query is under way.
fn refuse_polled(py: Python<'_>, connection: &Connection, method: &str) -> PyResult<()> {
    if connection.uses_poll(py) && connection.open_session()?.is_polled() {
        return Err(error::programming(format!(
            "{method} cannot be used while an asynchronous query is underway"
        )));
    }
    Ok(())
}

// As in psycopg2, none of these methods has a signature that can be inspected. Without one, polars
// and others pass the parameters by position; with one, by names that they choose.
#[pymethods]
impl Cursor {
    /// execute(query, vars=None) -- Run a statement, or several with `;` between them.
    ///
    /// `query` is str, bytes or a `sql.Composable`. If `vars` is given, a sequence fills the `%s`
    /// and a mapping the `%(name)s` of the query, and `%%` stands for `%`. Outside autocommit mode
    /// a transaction begins if there is none. The rows, if any, are fetched with the `fetch`
    /// methods or by iterating. Returns None.
    ///
    /// Raises the server's errors as exceptions of `psycoxide.errors`; ProgrammingError if a
    /// parameter cannot be adapted, the query is empty or a COPY, the cursor is named and has been
    /// executed already; IndexError, KeyError, TypeError or ValueError if query and parameters do
    /// not fit; InterfaceError if the cursor or the connection is closed.
    #[pyo3(signature = (query, vars=None), text_signature = None)]
    fn execute(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        vars: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        let connection = this.open_connection(slf.py())?;
        if this.name().is_some() {
            return Self::execute_named(slf, connection, query, vars);
        }
        refuse_polled(slf.py(), connection.get(), "execute")?;
        if let (Some(known), Some(vars)) = (connection.get().known_queries(), vars) {
            return Self::execute_bound(slf, connection, known, query, vars);
        }
        let sql = Self::merge_to_run(slf, query, vars)?;
        Self::run(slf, sql, "execute")
    }

    /// executemany(query, vars_list, *, prepare=False) -- Run a statement once for each item of an
    /// iterable.
    ///
    /// The same as a loop over `execute()`, up to the first error. In a transaction, if the items
    /// are a list or a tuple and the statement is a plain INSERT, UPDATE or the like, hundreds of
    /// statements share a round trip; otherwise each has its own, which `extras.execute_batch()`
    /// and `extras.execute_values()` avoid. `rowcount` is the sum; rows are dropped. Raises what
    /// `execute()` does, ProgrammingError on named cursors and asynchronous connections.
    ///
    /// With `prepare` true, which is the fastest way, the server parses the statement once and gets
    /// the values apart from it. Raises ProgrammingError unless the statement is a plain `INSERT
    /// ... VALUES (%s, ...)` inside a transaction, and NotSupportedError for values that are not
    /// written as constants of the columns' types. Up to 4000 items are taken ahead.
    #[pyo3(signature = (query, vars_list, *, prepare=false), text_signature = None)]
    fn executemany(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        vars_list: &Bound<'_, PyAny>,
        prepare: bool,
    ) -> PyResult<()> {
        let this = slf.get();
        let connection = this.open_connection(slf.py())?;
        connection.get().refuse_async(slf.py(), "executemany")?;
        if this.name().is_some() {
            return Err(error::programming("can't call .executemany() on named cursors"));
        }
        this.state(slf.py()).fetched.rowcount = -1;
        let total = if prepare {
            Self::run_prepared(slf, query, vars_list)?
        } else {
            match Self::run_in_batches(slf, query, vars_list)? {
                Some(total) => total,
                None => Self::run_one_by_one(slf, query, vars_list)?,
            }
        };
        Self::leave_rowcount(slf, total);
        Ok(())
    }

    /// mogrify(query, vars=None) -> bytes -- The query as `execute()` would send it, in the client
    /// encoding.
    ///
    /// Raises what `execute()` does about parameters. Works on closed cursors too.
    #[pyo3(signature = (query, vars=None), text_signature = None)]
    fn mogrify<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        vars: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(slf.py(), &Self::merge(slf, query, vars)?))
    }

    /// callproc(procname, parameters=None) -- Call a function: `SELECT * FROM procname(...)`.
    ///
    /// A sequence has positional parameters, a mapping named ones. The name is not quoted. The
    /// result is fetched as that of a query. Returns the parameters if they are a list or a tuple,
    /// otherwise None. Raises what `execute()` does.
    #[pyo3(signature = (procname, parameters=None), text_signature = None)]
    fn callproc<'py>(
        slf: &Bound<'py, Self>,
        procname: &str,
        parameters: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let this = slf.get();
        let py = slf.py();
        let connection = this.open_connection(py)?;
        if this.name().is_some() {
            return Err(error::programming("can't call .callproc() on named cursors"));
        }
        refuse_polled(slf.py(), connection.get(), "callproc")?;
        let parameters = parameters.filter(|parameters| !parameters.is_none());
        let Some(parameters) = parameters else {
            let sql = format!("SELECT * FROM {procname}()");
            let sql = Self::query_text(slf, PyString::new(py, &sql).as_any(), connection)?;
            Self::run(slf, sql, "callproc")?;
            return Ok(None);
        };
        let placeholders = vec!["%s"; parameters.len()?].join(",");
        if let Ok(mapping) = parameters.cast::<PyDict>() {
            let mut names = Vec::new();
            for key in mapping.keys() {
                let name = PyString::new(py, &text(&key)?);
                let context = connection.get().quote_context(slf.py());
                let quoted = context.identifier(&name)?;
                let quoted = context.decode(py, &quoted)?.to_str()?.to_owned();
                // A `%` in a name does not begin a placeholder.
                names.push(format!("{}:=%s", quoted.replace('%', "%%")));
            }
            let sql = format!("SELECT * FROM {procname}({})", names.join(","));
            let query = PyString::new(py, &sql).into_any();
            let sql = Self::merge(slf, &query, Some(mapping.values().as_any()))?;
            Self::run(slf, sql, "callproc")?;
            return Ok(None);
        }
        let query = PyString::new(py, &format!("SELECT * FROM {procname}({placeholders})"));
        let sql = Self::merge(slf, query.as_any(), Some(&parameters))?;
        Self::run(slf, sql, "callproc")?;
        Ok(Some(parameters))
    }
}
