//! The connection that values are written for, and how it quotes.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::encoding::{QuoteContext, SessionQuoting};
use crate::guarded::Guarded;

/// The connection that values are written for, as adapters get it in `prepare()`, with a snapshot
/// of how its session quotes, so that all values of a statement are quoted alike.
#[derive(Clone, Copy)]
pub struct AdaptContext<'a, 'py> {
    /// A connection, or None.
    pub conn: &'a Bound<'py, PyAny>,
    /// How the session quotes.
    pub quoting: QuoteContext,
    session: Option<&'a SessionQuoting>,
}

impl<'a, 'py> AdaptContext<'a, 'py> {
    /// The context for `conn`, whose session quotes as `session` says now.
    pub fn new(conn: &'a Bound<'py, PyAny>, session: &'a SessionQuoting) -> Self {
        Self { conn, quoting: session.now(conn.py()), session: Some(session) }
    }

    /// The context without a session: `quoting` says how to quote, and adapters get `conn` as it
    /// is.
    pub fn without_session(conn: &'a Bound<'py, PyAny>, quoting: QuoteContext) -> Self {
        Self { conn, quoting, session: None }
    }

    /// The same context with the quoting rules of another moment.
    pub fn with_quoting(self, quoting: QuoteContext) -> Self {
        Self { quoting, ..self }
    }
}

/// The connection that an adapter got in psycopg2's method `prepare()`.
#[derive(Default)]
pub struct AdapterConnection(Guarded<Option<(Py<PyAny>, Option<SessionQuoting>)>>);

impl AdapterConnection {
    /// Keeps `conn`; `session` says how it quotes, if it is a connection.
    pub fn set(&self, py: Python<'_>, conn: Py<PyAny>, session: Option<SessionQuoting>) {
        self.replace(py, Some((conn, session)));
    }

    /// Keeps the connection of a context, if it has one, as `prepare()` does.
    pub fn prepare(&self, context: &AdaptContext<'_, '_>) {
        if let Some(session) = context.session {
            self.set(context.conn.py(), context.conn.clone().unbind(), Some(session.clone()));
        }
    }

    /// Forgets the connection.
    pub fn clear(&self, py: Python<'_>) {
        self.replace(py, None);
    }

    /// The connection, or None.
    pub fn conn<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        let kept = self.0.lock(py);
        let conn = kept.as_ref().map(|(conn, _)| conn.bind(py).clone());
        conn.unwrap_or_else(|| py.None().into_bound(py))
    }

    /// Whether there is a connection.
    pub fn is_set(&self, py: Python<'_>) -> bool {
        self.0.lock(py).is_some()
    }

    /// How the connection's session quotes now; without a connection, how adapters quote that never
    /// got one.
    pub fn quoting(&self, py: Python<'_>) -> QuoteContext {
        self.session(py).map_or_else(QuoteContext::default, |session| session.now(py))
    }

    /// Calls `write` with a context for this connection.
    pub fn with_context<'py, T>(
        &self,
        py: Python<'py>,
        write: impl FnOnce(&AdaptContext<'_, 'py>) -> T,
    ) -> T {
        let (conn, session) = (self.conn(py), self.session(py));
        write(&match &session {
            Some(session) => AdaptContext::new(&conn, session),
            None => AdaptContext::without_session(&conn, QuoteContext::default()),
        })
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.visited(visit).as_deref() {
            Some(Some((conn, _))) => visit.call(conn),
            _ => Ok(()),
        }
    }

    fn session(&self, py: Python<'_>) -> Option<SessionQuoting> {
        self.0.lock(py).as_ref().and_then(|(_, session)| session.clone())
    }

    fn replace(&self, py: Python<'_>, new: Option<(Py<PyAny>, Option<SessionQuoting>)>) {
        let old = std::mem::replace(&mut *self.0.lock(py), new);
        // Dropped after the lock: a destructor may run Python code that comes back here.
        drop(old);
    }
}
