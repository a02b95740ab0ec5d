//! Statements, with and without a result for the caller.

use psycoxide_net::Stop;
use psycoxide_proto::{Outcome, Request};
use psycoxide_sql::statement::{check_single, is_pipelinable, is_protocol_independent, is_single};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySequence, PyString};

use super::rows::{Rows, Want};
use super::{Channel, seconds};
use crate::adapt;
use crate::connection::Connection;
use crate::cursor::{Cursor, ForCursor, Many, Run, Statement};
use crate::driver::awaited::CallOptions;
use crate::driver::{Making, Next, Operation, OperationContext, Reply, RowSink};
use crate::error;
use crate::imports::Lazy;

/// A statement whose result is read at once.
struct Query {
    statement: Statement,
    /// What the caller gets of the result.
    rows: Option<Rows>,
    /// The text that was sent, if it can be sent again: it is a statement that may be pipelined.
    again: Option<Py<PyBytes>>,
}

impl Query {
    fn reply(&mut self, context: OperationContext<'_, '_>, next: Next<()>) -> Next<Reply> {
        next.map(|()| match self.rows.take() {
            Some(rows) => Reply::Making(Box::new(rows)),
            None => Reply::Object(context.py().None()),
        })
    }
}

impl Operation for Query {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let next = self.statement.launch(context)?;
        Ok(self.reply(context, next))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let next = self.statement.land(context, stop)?;
        Ok(self.reply(context, next))
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        self.statement.failed(context, raised, outcome)
    }

    fn prepare_again(&mut self, context: OperationContext<'_, '_>) -> bool {
        let Some(sql) = &self.again else { return self.statement.rewind() };
        let request = Request::query(sql.as_bytes(context.py()).to_vec());
        self.statement.reset(request.pipelined());
        true
    }

    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        self.statement.sink()
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.statement.traverse(visit)?;
        // Bytes refer to nothing.
        self.rows.as_ref().map_or(Ok(()), |rows| rows.traverse(visit))
    }
}

/// What a program says about how a query is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueryForm {
    /// Whether it is prepared: at once, or never; `None` leaves that to the session.
    pub(super) prepare: Option<bool>,
    /// Whether columns come in binary: at once, or never; `None` leaves that to the session.
    pub(super) binary: Option<bool>,
}

/// How a query is sent.
pub(super) enum Sent {
    /// As text, perhaps with its parameters merged in.
    Text {
        request: Request,
        /// It may be sent while others are under way.
        pipelined: bool,
    },
    /// With its parameters apart from it.
    Bound(Run),
}

static TEMPLATE_PARTS: Lazy = Lazy::new("psycoxide._templates", "parts");

/// Whether a query is a template (`t"..."`, from Python 3.14 on).
pub(super) fn is_template(query: &Bound<'_, PyAny>) -> bool {
    if query.is_instance_of::<PyString>() {
        return false;
    }
    let class = query.get_type();
    class.name().is_ok_and(|name| name == "Template")
        && class.module().is_ok_and(|module| module == "string.templatelib")
}

/// The text of a template with its placeholders, and their values.
pub(super) fn template_parts<'py>(
    cursor: &Bound<'py, Cursor>,
    query: &Bound<'py, PyAny>,
    params: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if params.is_some() {
        return Err(PyTypeError::new_err(
            "a template has its parameters in it, and takes no others",
        ));
    }
    TEMPLATE_PARTS.bind(cursor.py())?.call1((query, cursor))?.extract()
}

impl Channel {
    /// A query with its parameters merged in, which the cursor notes.
    pub(super) fn text(
        slf: &Bound<'_, Self>,
        cursor: &Bound<'_, Cursor>,
        query: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<u8>> {
        let py = slf.py();
        let parts;
        let (query, params) = match is_template(query) {
            false => (query, params),
            true => {
                parts = template_parts(cursor, query, params)?;
                (&parts.0, Some(&parts.1))
            }
        };
        if params.is_some() {
            Self::refuse_merging_inside(slf, cursor, query)?;
        }
        let sql = Cursor::merge_to_run(cursor, query, params)?;
        if memchr::memchr(0, &sql).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        if sql.is_empty() {
            return Err(error::programming("can't execute an empty query"));
        }
        Self::connection(slf).get().refuse_tpc_prepared(py, "execute")?;
        cursor.get().note_query(py, &sql);
        Ok(sql)
    }

    /// Refuses placeholders inside quotes if the program wants its values bound: what it may write is
    /// the same, whether the peer binds or not.
    fn refuse_merging_inside(
        slf: &Bound<'_, Self>,
        cursor: &Bound<'_, Cursor>,
        query: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let chosen = slf.get().state.lock(py).binds;
        if !chosen {
            return Ok(());
        }
        let connection = Self::connection(slf);
        let text = Cursor::query_text(cursor, query, connection)?;
        adapt::refuse_merging_inside(py, &text, &Connection::adapt_context(connection))
    }

    /// How a query is sent.
    pub(super) fn sent(
        slf: &Bound<'_, Self>,
        cursor: &Bound<'_, Cursor>,
        query: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyAny>>,
        form: QueryForm,
    ) -> PyResult<Sent> {
        if slf.get().binds(slf)
            && let Some(run) = Self::bound(slf, cursor, query, params, form)?
        {
            return Ok(Sent::Bound(run));
        }
        let sql = Self::text(slf, cursor, query, params)?;
        let connection = Self::connection(slf).get();
        let pipelined = is_pipelinable(&sql);
        // A statement that reads the same by both protocols can go in one flush with a BEGIN; so
        // can one that writes, unless a rule gives it rows.
        let flexible = || is_protocol_independent(&sql) || pipelined && is_single(&sql);
        let request = match connection.state(slf.py()).begins() && flexible() {
            true => Request::statement(sql),
            false => Request::query(sql),
        };
        let request = if pipelined { request.pipelined() } else { request };
        Ok(Sent::Text { request, pipelined })
    }

    fn run_query<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        rows: Option<Rows>,
        timeout: Option<f64>,
        form: QueryForm,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        let form = match cursor.get().arrow_options(slf.py()) {
            Some(_) => QueryForm { binary: Some(true), ..form },
            None => form,
        };
        let for_cursor = ForCursor::called(cursor);
        let (statement, pipelined, again) = match Self::sent(slf, cursor, query, params, form)? {
            Sent::Bound(run) => {
                let pipelined = run.pipelined;
                (Statement::bound(for_cursor, run), pipelined, None)
            }
            Sent::Text { request, pipelined } => {
                let again = if pipelined { cursor.get().query_bytes(slf.py()) } else { None };
                (Statement::new(for_cursor, request), pipelined, again)
            }
        };
        let options =
            CallOptions { timeout: seconds(timeout)?, pipelined, ..CallOptions::default() };
        Self::run(slf, Query { statement, rows, again }, options)
    }

    fn fetch_rows<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        want: Want,
        row_factory: Option<Bound<'py, PyAny>>,
        timeout: Option<f64>,
        form: QueryForm,
    ) -> PyResult<Bound<'py, PyAny>> {
        let cursor = Cursor::of(Self::connection(slf))?;
        let rows = Rows::new(&cursor, want, row_factory);
        Self::run_query(slf, &cursor, query, params, Some(rows), timeout, form)
    }
}

#[pymethods]
impl Channel {
    /// is_single(text) -- Whether a text is one statement, and not a COPY, for a session with
    /// standard_conforming_strings.
    #[staticmethod]
    #[pyo3(signature = (text, /))]
    fn is_single(text: &str) -> bool {
        check_single(text.as_bytes()).is_ok()
    }

    /// execute(cursor, query, params, timeout, prepare, binary) -- Runs a query; the native cursor has the result.
    #[pyo3(signature = (cursor, query, params, timeout, prepare=None, binary=None, /))]
    fn execute<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::run_query(slf, cursor, query, params, None, timeout, QueryForm { prepare, binary })
    }

    /// executemany(cursor, query, items, returning, rowcount, timeout) -- Runs a query once for each
    /// item, in one transaction; the native cursor has the sum of the row counts, to which
    /// `rowcount` is added, and the rows if `returning`.
    #[pyo3(signature = (cursor, query, items, returning, rowcount, timeout, /))]
    fn executemany<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        items: &Bound<'py, PySequence>,
        returning: bool,
        rowcount: i64,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        Self::refuse_merging_inside(slf, cursor, query)?;
        let binds = slf.get().binds(slf);
        let many = Many::new(cursor, query, &items.to_tuple()?, binds, returning, rowcount)?;
        let options = CallOptions { timeout: seconds(timeout)?, ..CallOptions::default() };
        Self::run(slf, many, options)
    }

    /// fetch(query, params, row_factory, timeout, prepare, binary) -- Runs a query and returns all of its rows.
    #[pyo3(signature = (query, params, row_factory, timeout, prepare=None, binary=None, /))]
    fn fetch<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        row_factory: Option<Bound<'py, PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::fetch_rows(
            slf,
            query,
            params,
            Want::All,
            row_factory,
            timeout,
            QueryForm { prepare, binary },
        )
    }

    /// fetchrow(query, params, row_factory, timeout, prepare, binary) -- Runs a query and returns its first row, or
    /// `None`.
    #[pyo3(signature = (query, params, row_factory, timeout, prepare=None, binary=None, /))]
    fn fetchrow<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        row_factory: Option<Bound<'py, PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::fetch_rows(
            slf,
            query,
            params,
            Want::Row,
            row_factory,
            timeout,
            QueryForm { prepare, binary },
        )
    }

    /// fetchval(query, params, timeout, prepare, binary) -- Runs a query and returns the first value of its first
    /// row, or `None`.
    #[pyo3(signature = (query, params, timeout, prepare=None, binary=None, /))]
    fn fetchval<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::fetch_rows(
            slf,
            query,
            params,
            Want::Value,
            None,
            timeout,
            QueryForm { prepare, binary },
        )
    }

    /// read(cursor, count, row_factory) -- The next rows of a native cursor's result, all if
    /// `count` is negative.
    #[pyo3(signature = (cursor, count, row_factory, /))]
    fn read<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        count: i64,
        row_factory: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let want = usize::try_from(count).map_or(Want::All, Want::Some);
        let rows = Rows::new(cursor, want, row_factory);
        Self::give(slf, Reply::Making(Box::new(rows)))
    }
}
