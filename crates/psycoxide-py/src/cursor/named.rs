//! Named cursors: the result stays on the server and comes in pieces.

use psycoxide_proto::Request;
use psycoxide_sql::command::named::{self, Declaration};
use pyo3::prelude::*;

use super::Cursor;
use super::statement::{ForCursor, Statement};
use crate::connection::Connection;
use crate::driver::TurnGuard;
use crate::error;

/// What a cursor knows of its counterpart on the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named {
    /// How it is declared.
    pub declaration: Declaration,
    /// It was declared by `execute()`.
    pub executed: bool,
    /// The connection's `transaction_number` at that time: once that is another, the transaction is
    /// over.
    pub transaction_number: u64,
    /// It was declared here and has not moved since: it is before the first row.
    pub at_start: bool,
    /// Its rows were given out as a stream of Arrow.
    pub streamed: bool,
}

impl Cursor {
    /// The name as an identifier in SQL.
    fn quoted_name(&self, py: Python<'_>, connection: &Connection) -> PyResult<Vec<u8>> {
        let context = connection.quote_context(py);
        match self.name() {
            Some(name) => context.identifier(name.bind(py)),
            None => Err(error::internal("the cursor has no name")),
        }
    }

    /// Refuses a cursor whose transaction is over.
    pub(super) fn check_transaction(
        &self,
        py: Python<'_>,
        connection: &Connection,
    ) -> PyResult<()> {
        let named = self.state(py).named;
        if !named.declaration.withhold
            && named.transaction_number != connection.state(py).transaction_number
        {
            return Err(error::programming("named cursor isn't valid anymore"));
        }
        Ok(())
    }

    /// `execute()` of a named cursor: declares it.
    pub(super) fn execute_named(
        slf: &Bound<'_, Self>,
        connection: &Bound<'_, Connection>,
        query: &Bound<'_, PyAny>,
        vars: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        let named = this.state(slf.py()).named;
        if named.executed {
            return Err(error::programming(
                "can't call .execute() on named cursors more than once",
            ));
        }
        if connection.get().outside_transactions(slf.py()) && !named.declaration.withhold {
            return Err(error::programming("can't use a named cursor outside of transactions"));
        }
        let sql = Self::merge(slf, query, vars)?;
        if sql.is_empty() {
            return Err(error::programming("can't execute an empty query"));
        }
        let name = this.quoted_name(slf.py(), connection.get())?;
        let transaction_number = connection.get().state(slf.py()).transaction_number;
        Self::run(slf, named.declaration.declare(&name, &sql), "execute")?;
        let mut state = this.state(slf.py());
        state.named.executed = true;
        state.named.streamed = false;
        state.named.transaction_number = transaction_number;
        state.named.at_start = true;
        state.fetched.rowcount = -1;
        Ok(())
    }

    /// Runs a command about the server's cursor. Rows that the client holds are dropped.
    ///
    /// A cursor `WITH HOLD` lives outside transactions and does not begin one.
    fn run_named(slf: &Bound<'_, Self>, request: Request) -> PyResult<()> {
        let this = slf.get();
        let connection = this.open_connection(slf.py())?;
        let withhold = this.state(slf.py()).named.declaration.withhold;
        connection.get().refuse_tpc_prepared(slf.py(), "fetch")?;
        let statement = Statement::about_named(ForCursor::called(slf), request, !withhold);
        TurnGuard::take(connection)?.run(statement)
    }

    /// Fetches the next `count` rows, all remaining rows if it is `None`; a negative count moves
    /// backwards, and for 0 only a cursor before its first row sends anything.
    pub(super) fn fetch_named(slf: &Bound<'_, Self>, count: Option<i64>) -> PyResult<()> {
        let this = slf.get();
        let connection = this.open_connection(slf.py())?;
        this.check_transaction(slf.py(), connection.get())?;
        if connection.get().outside_transactions(slf.py())
            && !this.state(slf.py()).named.declaration.withhold
        {
            return Err(error::programming("can't use a named cursor outside of transactions"));
        }
        // FETCH 0 returns the current row again, or fails if the cursor cannot move backwards.
        // Before the first row there is none, and programs ask for the description in this way.
        if count == Some(0) && !this.state(slf.py()).named.at_start {
            return Ok(());
        }
        let name = this.quoted_name(slf.py(), connection.get())?;
        Self::run_named(slf, Request::query(named::fetch(&name, count)))?;
        this.state(slf.py()).named.at_start &= count == Some(0);
        Ok(())
    }

    /// Moves the server's cursor.
    pub(super) fn scroll_named(slf: &Bound<'_, Self>, count: i64, absolute: bool) -> PyResult<()> {
        let this = slf.get();
        let connection = this.open_connection(slf.py())?;
        this.check_transaction(slf.py(), connection.get())?;
        let name = this.quoted_name(slf.py(), connection.get())?;
        Self::run_named(slf, Request::query(named::scroll(&name, count, absolute)))?;
        let mut state = this.state(slf.py());
        state.named.at_start = false;
        state.named.streamed = false;
        // The distance that it moved is not a number of rows.
        state.fetched.rowcount = -1;
        Ok(())
    }

    /// `close()` of a named cursor: closes the server's, if that is possible and needed.
    pub(super) fn close_named(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let connection = this.connection(py)?;
        let Some(session) = connection.get().session_to_end() else { return Ok(()) };
        // In a failed transaction the server refuses, and closes the cursor anyway when the
        // transaction ends.
        let status = session.ask(|engine| engine.transaction_status());
        if status == Some(psycoxide_proto::TransactionStatus::InError) {
            return Ok(());
        }
        this.check_transaction(slf.py(), connection.get())?;
        let named = this.state(slf.py()).named;
        if !named.executed {
            // It was not declared here, but a function may have left one of this name.
            if connection.get().outside_transactions(slf.py()) && !named.declaration.withhold {
                return Ok(());
            }
            let Some(name) = this.name() else { return Ok(()) };
            let context = connection.get().quote_context(slf.py());
            let literal = context.literal(context.encode(name.bind(py))?.as_bytes())?;
            Self::run_named(slf, Request::query(named::exists(&literal)))?;
            if this.state(slf.py()).fetched.rowcount == 0 {
                return Ok(());
            }
        }
        let name = this.quoted_name(py, connection.get())?;
        Self::run_named(slf, Request::query(named::close(&name)))
    }
}
