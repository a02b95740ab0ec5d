//! Queries whose parameters are bound on the server.

use psycoxide_proto::{Engine, PrepareWhen, StatementSettings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::Channel;
use super::statement::{QueryForm, is_template, template_parts};
use crate::adapt::{self, BoundQuery};
use crate::connection::Connection;
use crate::cursor::{Cursor, Run};

impl Channel {
    /// Whether parameters are bound on the server: the program wants that, and the peer can.
    pub(super) fn binds(&self, slf: &Bound<'_, Self>) -> bool {
        let py = slf.py();
        if !self.state.lock(py).binds {
            return false;
        }
        let connection = self.connection.bind(py).get();
        let Some(session) = connection.any_session() else { return false };
        !connection.state(py).replication && session.ask(Engine::binds) == Some(true)
    }

    /// Whether values may be sent in binary formats: the server has those of PostgreSQL 10 and later.
    fn sends_binary(&self, slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let session = self.connection.bind(py).get().open_session()?;
        let version = session.ask(Engine::parameters_version);
        let mut state = self.state.lock(py);
        match state.sends_binary {
            Some((known, binary)) if Some(known) == version => Ok(binary),
            _ => {
                let asked =
                    session.ask(|engine| engine.parameter("integer_datetimes") == Some(b"on"));
                let binary = asked.unwrap_or_default();
                state.sends_binary = version.map(|version| (version, binary));
                Ok(binary)
            }
        }
    }

    /// The run of a query that is bound on the server; `None` if it is better sent as text.
    pub(super) fn bound(
        slf: &Bound<'_, Self>,
        cursor: &Bound<'_, Cursor>,
        query: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyAny>>,
        form: QueryForm,
    ) -> PyResult<Option<Run>> {
        let py = slf.py();
        let connection = Self::connection(slf);
        let parts;
        let (query, params) = match is_template(query) {
            false => (query, params),
            true => {
                parts = template_parts(cursor, query, params)?;
                (&parts.0, Some(&parts.1))
            }
        };
        let text = Cursor::query_text(cursor, query, connection)?;
        let context = Connection::adapt_context(connection);
        let binary = slf.get().sends_binary(slf)?;
        let prepares = form.prepare == Some(true);
        let bound = adapt::bind_query(py, &text, params, &context, binary, prepares);
        let bound = bound.inspect_err(|_| cursor.get().forget_query(py))?;
        let BoundQuery::Statement(statement, labels) = bound else { return Ok(None) };
        if memchr::memchr(0, statement.sql()).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        connection.get().refuse_tpc_prepared(py, "execute")?;
        cursor.get().note_query(py, statement.sql());
        let prepare = match form.prepare {
            _ if labels.reads_clock() => PrepareWhen::Never,
            None => PrepareWhen::Often,
            Some(true) => PrepareWhen::Now,
            Some(false) => PrepareWhen::Never,
        };
        // What is described first takes two requests.
        let pipelined = form.binary != Some(true) && labels.is_pipelinable(&statement);
        Ok(Some(Run::new(statement, Some(labels), prepare, form.binary, pipelined)))
    }
}

#[pymethods]
impl Channel {
    /// Whether parameters are bound on the server.
    #[getter(binds)]
    fn binds_attribute(&self, py: Python<'_>) -> bool {
        self.state.lock(py).binds
    }

    #[setter(binds)]
    fn set_binds(&self, py: Python<'_>, value: bool) {
        self.state.lock(py).binds = value;
    }

    /// statement_settings() -- How often a statement runs before it is prepared, `None` for never; and
    /// how many are prepared at most.
    fn statement_settings(slf: &Bound<'_, Self>) -> PyResult<(Option<u32>, usize)> {
        let session = Self::connection(slf).get().session()?;
        let settings = session.ask(Engine::statement_settings).unwrap_or_default();
        Ok((settings.threshold, settings.max))
    }

    /// set_statement_settings(threshold, max) -- Changes these.
    #[pyo3(signature = (threshold, max, /))]
    fn set_statement_settings(
        slf: &Bound<'_, Self>,
        threshold: Option<u32>,
        max: usize,
    ) -> PyResult<()> {
        let session = Self::connection(slf).get().session()?;
        let settings = StatementSettings { threshold, max };
        session.with_engine(|engine| engine.set_statement_settings(settings));
        Ok(())
    }

    /// prepared_statements() -- How many statements are prepared, and whether they can be: `None` if
    /// that is not known yet.
    fn prepared_statements(slf: &Bound<'_, Self>) -> PyResult<(usize, Option<bool>)> {
        let session = Self::connection(slf).get().session()?;
        let named = session.ask(Engine::named_statements).unwrap_or_default();
        Ok((named, session.ask(Engine::statement_names_last).flatten()))
    }
}
