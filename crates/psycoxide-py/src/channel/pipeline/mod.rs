//! Pipelines: statements that are sent together, each with a result of its own.
//!
//! Python queues statements, and starts a [`Part`] whenever there are enough, or someone waits. The
//! statements of a group are one transaction. A group that is sent as one part is the server's
//! implicit transaction, with a single Sync; otherwise BEGIN goes with its first part and COMMIT
//! with its last.

mod group;
mod part;
mod statement;

use std::time::Instant;

use psycoxide_proto::Engine;
use psycoxide_sql::statement::{Unfit, check_single, is_copy};
use pyo3::prelude::*;

use super::rows::{Rows, Want};
use super::statement::{QueryForm, is_template};
use super::{Channel, Silent, seconds};
use crate::cursor::{Cursor, Run};
use crate::driver::awaited::{Awaitable, Call, CallOptions, LoopDriver, What};
use crate::driver::{Reply, Running};
use crate::error;
use group::PipelineGroup;
use part::{Close, Kind, Part};
use statement::PipelineStatement;

#[pymethods]
impl Channel {
    /// pipeline_statement(cursor, query, params, want, row_factory, prepare) -- A statement for a pipeline.
    /// `want` is what becomes of its rows: "rows", "row", "value" or None.
    #[pyo3(signature = (cursor, query, params, want, row_factory, prepare=None, /))]
    fn pipeline_statement<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        want: Option<&str>,
        row_factory: Option<Bound<'py, PyAny>>,
        prepare: Option<bool>,
    ) -> PyResult<PipelineStatement> {
        Self::check_owner(slf)?;
        let connection = Self::connection(slf);
        connection.get().usable_session()?;
        if !is_template(query) {
            refuse_unfit(&Cursor::query_text(cursor, query, connection)?)?;
        }
        let form = QueryForm { prepare, binary: Some(false) };
        let bound = match slf.get().binds(slf) {
            true => Self::bound(slf, cursor, query, params, form)?,
            false => None,
        };
        let run = match bound {
            Some(run) => run,
            None => {
                let sql = Self::text(slf, cursor, query, params)?;
                // Raw SQL may begin it.
                if is_copy(&sql) {
                    refuse_unfit(&sql)?;
                }
                Run::of_text(&sql)
            }
        };
        let want = match want {
            None => None,
            Some("rows") => Some(Want::All),
            Some("row") => Some(Want::Row),
            Some(_) => Some(Want::Value),
        };
        let rows = want.map(|want| Rows::new(cursor, want, row_factory));
        Ok(PipelineStatement::new(cursor, run, rows))
    }

    /// start_part(group, statements, atomic, follows, begins, commits, timeout) -- Sends statements.
    /// Returns what awaits the end of that, or None if it has ended. `follows`: they are not the
    /// first of their group.
    #[pyo3(signature = (group, statements, atomic, follows, begins, commits, timeout, /))]
    #[expect(clippy::too_many_arguments, reason = "called by Python alone")]
    fn start_part(
        slf: &Bound<'_, Self>,
        group: Py<PipelineGroup>,
        statements: Vec<Py<PipelineStatement>>,
        atomic: bool,
        follows: bool,
        begins: bool,
        commits: bool,
        timeout: Option<f64>,
    ) -> PyResult<Option<Py<Awaitable>>> {
        let (py, this) = (slf.py(), slf.get());
        let kind = if atomic { Kind::Atomic } else { Kind::Separate };
        let until = seconds(timeout)?.map(|timeout| Instant::now() + timeout);
        let part = Part::new(group, statements, kind, (begins, commits), until);
        Self::check_owner(slf)?;
        let Some(driver) = &this.driver else {
            let options = CallOptions { timeout: seconds(timeout)?, ..CallOptions::default() };
            Self::run(slf, part, options)?;
            return Ok(None);
        };
        let session = Self::connection(slf).get().any_session();
        // Behind a statement of another task it could be hit by the cancel request for that. And
        // only what is sent as a whole can be followed.
        let pipelines = session.and_then(|session| session.ask(Engine::pipelines)) == Some(true);
        let pipelined = atomic && follows && pipelines;
        let timeout = seconds(timeout)?.or_else(|| this.state.lock(py).timeout);
        let options = CallOptions { timeout, pipelined, ..CallOptions::default() };
        let call = Call { what: What::Run(Box::new(Running::new(part))), options };
        let driver = driver.bind(py);
        let awaitable = Bound::new(py, Awaitable::waiting(driver))?;
        LoopDriver::begin(driver, Some(&awaitable), call)?;
        Ok(Some(awaitable.unbind()))
    }

    /// statement_done(statement) -- Waits until a statement that was sent has its answer.
    #[pyo3(signature = (statement, /))]
    fn statement_done<'py>(
        slf: &Bound<'py, Self>,
        statement: &Bound<'py, PipelineStatement>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), statement.get());
        match &slf.get().driver {
            Some(driver) if !this.done(py) => {
                let awaitable = Bound::new(py, Awaitable::waiting(driver.bind(py)))?;
                this.add_waiting(&awaitable);
                Ok(awaitable.into_any())
            }
            _ => Self::give(slf, Reply::Object(py.None())),
        }
    }

    /// statement_result(statement) -- The rows of a statement that has its answer, once.
    #[pyo3(signature = (statement, /))]
    fn statement_result<'py>(
        slf: &Bound<'py, Self>,
        statement: &Bound<'py, PipelineStatement>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), statement.get());
        this.note_read(py);
        let rows = this.take_rows(py);
        if let Some(raised) = this.error(py) {
            return Err(raised);
        }
        Self::give(
            slf,
            match rows {
                Some(rows) => Reply::Making(Box::new(rows)),
                None => Reply::Object(py.None()),
            },
        )
    }

    /// own(block) -- Only code within that block may use the connection, from now on.
    #[pyo3(signature = (block, /))]
    fn own(slf: &Bound<'_, Self>, block: Py<PyAny>) -> PyResult<()> {
        Self::check_owner(slf)?;
        slf.get().state.lock(slf.py()).owner.get_or_insert(block);
        Ok(())
    }

    /// close_group(block, detached) -- Rolls back what parts have begun, and lets others use the
    /// connection.
    #[pyo3(signature = (block, detached, /))]
    fn close_group<'py>(
        slf: &Bound<'py, Self>,
        block: &Bound<'py, PyAny>,
        detached: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().disown(block);
        let options = CallOptions { shielded: true, detached, ..CallOptions::default() };
        Self::run(slf, Silent(Close), options)
    }

    /// disown_group(block) -- Lets others use the connection.
    #[pyo3(signature = (block, /))]
    fn disown_group(&self, block: &Bound<'_, PyAny>) {
        self.disown(block);
    }
}

fn refuse_unfit(sql: &[u8]) -> PyResult<()> {
    let reason = match check_single(sql) {
        Ok(()) => return Ok(()),
        Err(Unfit::Several) => "takes one statement at a time: call it for each of them",
        Err(Unfit::Copy) => "does not take COPY",
    };
    Err(error::programming(format!("a pipeline {reason}")))
}

/// Exports the classes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PipelineStatement>()?;
    module.add_class::<PipelineGroup>()
}
