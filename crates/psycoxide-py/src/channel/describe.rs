//! What the server says of a query that it has parsed, and not run.

use std::time::{SystemTime, UNIX_EPOCH};

use psycoxide_net::Stop;
use psycoxide_proto::{Engine, Report, Request, TransactionStatus};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::statement::is_template;
use super::{Channel, seconds};
use crate::adapt;
use crate::connection::Connection;
use crate::cursor::Cursor;
use crate::driver::awaited::CallOptions;
use crate::driver::{Next, Operation, OperationContext, Reply};
use crate::error;

/// Has a query parsed, and gives the types of its parameters and its columns.
struct Describe {
    cursor: Py<Cursor>,
    sql: Vec<u8>,
    /// It was sent again with another text.
    again: bool,
}

impl Describe {
    /// Whether the statement can be described by another text.
    ///
    /// Odyssey prepares it under a name of its own, which it makes of the text, even if it has none;
    /// with one that was prepared before its table has changed the server refuses it for ever.
    #[cold]
    fn may_go_again(&self, context: OperationContext<'_, '_>, report: &Report) -> bool {
        !self.again
            && report.sqlstate() == Some("0A000")
            && report.field(b'R') == Some(b"RevalidateCachedQuery")
            && context.session.ask(Engine::transaction_status) == Some(TransactionStatus::Idle)
    }
}

impl Operation for Describe {
    type Output = Reply;

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let sql = self.sql.clone();
        Ok(Next::SendInTransaction(Request::prepare(Vec::new(), sql, Vec::new())))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let Some(outcome) = context.outcome(stop, &mut None)? else { return Ok(Next::Resume) };
        let py = context.py();
        let cursor = self.cursor.bind(py);
        if let Some(report) = &outcome.error
            && self.may_go_again(context, report)
        {
            self.again = true;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.sql.extend_from_slice(format!("\n-- {}", now.as_nanos()).as_bytes());
            return Ok(Next::Again);
        }
        match outcome.result {
            Some(result) if outcome.error.is_none() => {
                let types = PyTuple::new(py, &result.parameter_types)?;
                let columns = result.columns.as_ref();
                let columns =
                    columns.map(|columns| Cursor::describe_columns(cursor, columns)).transpose()?;
                let pair = (types, columns).into_pyobject(py)?;
                Ok(Next::Done(Reply::Object(pair.into_any().unbind())))
            }
            _ => {
                Cursor::take_outcome(cursor, outcome)?;
                Err(error::internal("a statement that was parsed and not described"))
            }
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)
    }
}

#[pymethods]
impl Channel {
    /// describe(cursor, query, timeout) -- The types of the parameters of a query, and its columns.
    #[pyo3(signature = (cursor, query, timeout, /))]
    fn describe<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        Self::check_owner(slf)?;
        if is_template(query) {
            return Err(error::programming(
                "prepare() does not take a template, which has its values in it",
            ));
        }
        let connection = Self::connection(slf);
        let text = Cursor::query_text(cursor, query, connection)?;
        let context = Connection::adapt_context(connection);
        let sql = adapt::numbered_query(py, &text, &context)?;
        connection.get().refuse_tpc_prepared(py, "prepare")?;
        cursor.get().note_query(py, &sql);
        let operation = Describe { cursor: cursor.clone().unbind(), sql, again: false };
        let options = CallOptions { timeout: seconds(timeout)?, ..CallOptions::default() };
        Self::run(slf, operation, options)
    }
}
