//! The session's client encoding.

use pyo3::prelude::*;

use super::Connection;
use super::commands::commands;
use super::state::AskedEncoding;
use crate::driver::{TurnGuard, refresh};
use crate::encoding::ClientEncoding;

#[pymethods]
impl Connection {
    /// The client encoding, by PostgreSQL's name without punctuation: `UTF8`, `LATIN1`, `SQLASCII`.
    #[getter]
    fn encoding(&self, py: Python<'_>) -> Option<String> {
        let state = self.state(py);
        let known = !state.encoding.is_empty() && !state.is_connecting();
        known.then(|| state.encoding.clone())
    }

    /// set_client_encoding(encoding) -- Set client encoding to `encoding`.
    ///
    /// Rolls the current transaction back first, as psycopg2 does; nothing happens if the session
    /// has that encoding already.
    fn set_client_encoding(slf: &Bound<'_, Self>, encoding: &str) -> PyResult<()> {
        let this = slf.get();
        this.usable_session()?;
        this.refuse_async(slf.py(), "set_client_encoding")?;
        this.refuse_tpc_prepared(slf.py(), "set_client_encoding")?;
        let wanted = psycoxide_sql::encoding::clean_name(encoding);
        if this.state(slf.py()).encoding == wanted {
            return Ok(());
        }
        // Before anything is sent: without a codec in Python for its encoding, the session would be
        // lost.
        if psycoxide_sql::encoding::by_name(&wanted).is_some() {
            ClientEncoding::lookup(slf.py(), &wanted)?;
        }
        let literal = this.quote_context(slf.py()).literal(wanted.as_bytes())?;
        let sql = [b"SET client_encoding TO ".as_slice(), &literal].concat();
        let turn = TurnGuard::take(slf)?;
        let rollback = this.state(slf.py()).end("ROLLBACK");
        turn.run(commands(rollback.into_iter().chain([sql])))?;
        let session = turn.session();
        let reported =
            session.ask(|engine| engine.parameter("client_encoding").map(<[u8]>::to_vec));
        let mut state = this.state(slf.py());
        state.asked_encoding = reported.flatten().map(|reported| AskedEncoding {
            name: wanted,
            reported: String::from_utf8_lossy(&reported).into_owned(),
        });
        state.parameters_version = None;
        drop(state);
        refresh(slf.py(), this, session)
    }
}
