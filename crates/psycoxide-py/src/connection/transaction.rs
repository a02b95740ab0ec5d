//! Transactions: how they begin and end.

use psycoxide_net::Session;
use psycoxide_sql::command::begin::{IsolationLevel, SessionDefault};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

use super::commands::commands;
use super::{Connection, Status};
use crate::driver::TurnGuard;
use crate::error;
use crate::text::text;

/// The version from which transactions can be deferrable.
const DEFERRABLE_SINCE: i64 = 90_100;

/// An argument of `set_session()`, which may be left out.
enum Setting<T> {
    Keep,
    Set(Option<T>),
}

impl<T> Setting<T> {
    fn from_argument(
        value: Option<&Bound<'_, PyAny>>,
        parse: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<Option<T>>,
    ) -> PyResult<Self> {
        match value {
            Some(value) if !value.is_none() => Ok(Self::Set(parse(value)?)),
            _ => Ok(Self::Keep),
        }
    }
}

/// A level by its number or its name; `None` for `None` and `'default'`.
fn parse_level(value: &Bound<'_, PyAny>) -> PyResult<Option<IsolationLevel>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.is_instance_of::<PyInt>() {
        let level = value.extract().ok().and_then(IsolationLevel::from_number);
        return match level {
            Some(level) => Ok(Some(level)),
            None => Err(PyValueError::new_err("isolation_level must be between 1 and 4")),
        };
    }
    let name = text(value)?;
    if name.eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    match IsolationLevel::from_name(&name) {
        Some(level) => Ok(Some(level)),
        None => Err(PyValueError::new_err(format!("bad value for isolation_level: '{name}'"))),
    }
}

/// A flag; `None` for `None` and `'default'`.
fn parse_flag(value: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
        let name = text(value)?;
        if name.eq_ignore_ascii_case("default") {
            return Ok(None);
        }
        return Err(PyValueError::new_err(format!(
            "the only string accepted is 'default'; got {name}"
        )));
    }
    Ok(Some(value.is_truthy()?))
}

impl Connection {
    /// Ends the driver's transaction with `command`; nothing is sent if there is none.
    pub fn end_transaction(slf: &Bound<'_, Self>, command: &str) -> PyResult<()> {
        if slf.get().state(slf.py()).status != Status::Begin {
            return Ok(());
        }
        let turn = TurnGuard::take(slf)?;
        let command = slf.get().state(slf.py()).end(command);
        turn.run(commands(command))
    }

    /// Refuses a method within a transaction.
    fn require_ready(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if !self.is_blank() {
            self.usable_session()?;
        }
        self.refuse_async(py, what)?;
        self.refuse_tpc_prepared(py, what)?;
        if self.state(py).status != Status::Ready {
            return Err(error::programming(format!("{what} cannot be used inside a transaction")));
        }
        Ok(())
    }

    /// Changes how transactions begin, and whether the driver begins them.
    ///
    /// In autocommit mode there is no `BEGIN` to carry the characteristics, so the session's
    /// defaults are set; they are reset when autocommit ends.
    fn change_session(
        slf: &Bound<'_, Self>,
        level: Setting<IsolationLevel>,
        readonly: Setting<bool>,
        deferrable: Setting<bool>,
        autocommit: Option<bool>,
    ) -> PyResult<()> {
        let this = slf.get();
        this.require_ready(slf.py(), "set_session")?;
        if matches!(deferrable, Setting::Set(_))
            && this.is_server_before(slf.py(), DEFERRABLE_SINCE)
        {
            return Err(error::programming(
                "the 'deferrable' setting is only available from PostgreSQL 9.1",
            ));
        }
        let turn = TurnGuard::take(slf)?;
        let (mut new, was_autocommit) = {
            let state = this.state(slf.py());
            (state.characteristics, state.autocommit)
        };
        let old = new;
        // In autocommit mode everything that is set is sent, even if unchanged: SQL may have
        // changed it.
        let said = [
            matches!(level, Setting::Set(_)),
            matches!(readonly, Setting::Set(_)),
            matches!(deferrable, Setting::Set(_)),
        ]
        .map(|given| given && autocommit.unwrap_or(was_autocommit));
        if let Setting::Set(level) = level {
            new.isolation = level;
        }
        if let Setting::Set(readonly) = readonly {
            new.readonly = readonly;
        }
        if let Setting::Set(deferrable) = deferrable {
            new.deferrable = deferrable;
        }
        let will_autocommit = autocommit.unwrap_or(was_autocommit);
        let nothing = Default::default();
        let (before, after) = match (was_autocommit, will_autocommit) {
            (false, false) => (nothing, nothing),
            (false, true) => (nothing, new),
            (true, true) => (old, new),
            (true, false) => (old, nothing),
        };
        let mut settings = Vec::new();
        if said[0] || before.isolation != after.isolation {
            settings.push(SessionDefault::Isolation(after.isolation));
        }
        if said[1] || before.readonly != after.readonly {
            settings.push(SessionDefault::ReadOnly(after.readonly));
        }
        if said[2] || before.deferrable != after.deferrable {
            settings.push(SessionDefault::Deferrable(after.deferrable));
        }
        turn.run(commands(settings.into_iter().map(|setting| setting.set().into_bytes())))?;
        let mut state = this.state(slf.py());
        state.characteristics = new;
        state.autocommit = will_autocommit;
        Ok(())
    }
}

#[pymethods]
impl Connection {
    /// commit() -- Commit the transaction; nothing is sent if there is none.
    ///
    /// After a failed statement the server answers a COMMIT by rolling back, which is not an error.
    /// Raises ProgrammingError on asynchronous connections and within a two-phase transaction,
    /// InterfaceError if the connection is closed, and the server's errors, such as an
    /// IntegrityError of a deferred constraint.
    fn commit(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        if this.is_blank() {
            return Ok(());
        }
        this.usable_session()?;
        this.refuse_async(slf.py(), "commit")?;
        this.refuse_tpc(slf.py(), "commit")?;
        Self::end_transaction(slf, "COMMIT")
    }

    /// rollback() -- Roll the transaction back; nothing is sent if there is none.
    ///
    /// Raises ProgrammingError on asynchronous connections and within a two-phase transaction,
    /// InterfaceError if the connection is closed.
    fn rollback(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        if this.is_blank() {
            return Ok(());
        }
        this.usable_session()?;
        this.refuse_async(slf.py(), "rollback")?;
        this.refuse_tpc(slf.py(), "rollback")?;
        Self::end_transaction(slf, "ROLLBACK")
    }

    /// A block is a transaction: committed at its end, rolled back if it raises. The connection
    /// stays open.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        let this = slf.get();
        if !this.is_blank() {
            this.usable_session()?;
        }
        let mut state = this.state(slf.py());
        if state.entered {
            drop(state);
            return Err(error::programming("the connection cannot be re-entered recursively"));
        }
        state.entered = true;
        drop(state);
        Ok(slf)
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let this = slf.get();
        this.state(slf.py()).entered = false;
        if !exc_type.is_none() {
            // A child that was forked within the block leaves the transaction to its parent.
            if this.session.get().is_some_and(Session::is_inherited) {
                return Ok(());
            }
            // The program's exception matters more than an error of a lost connection.
            return match slf.call_method0("rollback") {
                Err(raised) if this.open_session().is_ok() => Err(raised),
                _ => Ok(()),
            };
        }
        slf.call_method0("commit").map(drop)
    }

    /// set_session(isolation_level=None, readonly=None, deferrable=None, autocommit=None)
    ///
    /// Sets one or more characteristics of later transactions. None leaves a characteristic as it
    /// is, `'default'` leaves it to the server. The level is a number
    /// (`extensions.ISOLATION_LEVEL_*`) or its name in any case. Raises ProgrammingError within a
    /// transaction and on asynchronous connections, ValueError for an invalid value.
    #[pyo3(signature = (isolation_level=None, readonly=None, deferrable=None, autocommit=None))]
    fn set_session(
        slf: &Bound<'_, Self>,
        isolation_level: Option<&Bound<'_, PyAny>>,
        readonly: Option<&Bound<'_, PyAny>>,
        deferrable: Option<&Bound<'_, PyAny>>,
        autocommit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        slf.get().require_ready(slf.py(), "set_session")?;
        let level = Setting::from_argument(isolation_level, parse_level)?;
        let readonly = Setting::from_argument(readonly, parse_flag)?;
        let deferrable = Setting::from_argument(deferrable, parse_flag)?;
        let autocommit = match autocommit {
            Some(value) if !value.is_none() => Some(value.is_truthy()?),
            _ => None,
        };
        Self::change_session(slf, level, readonly, deferrable, autocommit)
    }

    /// Whether each statement is a transaction of its own: a bool. Setting it within a transaction
    /// raises ProgrammingError.
    #[getter]
    fn autocommit(&self, py: Python<'_>) -> bool {
        self.state(py).autocommit
    }

    #[setter]
    fn set_autocommit(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = value.is_truthy()?;
        Self::change_session(slf, Setting::Keep, Setting::Keep, Setting::Keep, Some(value))
    }

    /// The isolation level of later transactions: one of `extensions.ISOLATION_LEVEL_*` from 1 to
    /// 4, or None for the server's default. It may be set by name, too, in any case:
    /// `'serializable'`.
    #[getter]
    fn isolation_level(&self, py: Python<'_>) -> Option<i64> {
        self.state(py).characteristics.isolation.map(IsolationLevel::number)
    }

    #[setter(isolation_level)]
    fn set_isolation_level_attribute(
        slf: &Bound<'_, Self>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.get().require_ready(slf.py(), "set_session")?;
        let level = Setting::Set(parse_level(value)?);
        Self::change_session(slf, level, Setting::Keep, Setting::Keep, None)
    }

    /// Whether later transactions are read-only: a bool, or None for the server's default.
    #[getter]
    fn readonly(&self, py: Python<'_>) -> Option<bool> {
        self.state(py).characteristics.readonly
    }

    #[setter]
    fn set_readonly(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().require_ready(slf.py(), "set_session")?;
        let readonly = Setting::Set(parse_flag(value)?);
        Self::change_session(slf, Setting::Keep, readonly, Setting::Keep, None)
    }

    /// Whether later transactions are deferrable, which matters if they are serializable and
    /// read-only: a bool, or None for the server's default.
    #[getter]
    fn deferrable(&self, py: Python<'_>) -> Option<bool> {
        self.state(py).characteristics.deferrable
    }

    #[setter]
    fn set_deferrable(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().require_ready(slf.py(), "set_session")?;
        let deferrable = Setting::Set(parse_flag(value)?);
        Self::change_session(slf, Setting::Keep, Setting::Keep, deferrable, None)
    }

    /// set_isolation_level(level=None) -- Set the isolation level, rolling back first.
    ///
    /// 0 (`ISOLATION_LEVEL_AUTOCOMMIT`) turns autocommit on; 1 to 4, a name and None turn it off.
    /// `autocommit` and `isolation_level` do the same without rolling back. Raises ValueError for
    /// another level, ProgrammingError on asynchronous connections.
    #[pyo3(signature = (level=None))]
    fn set_isolation_level(
        slf: &Bound<'_, Self>,
        level: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        if this.is_blank() {
            return Ok(());
        }
        this.open_session()?;
        this.refuse_async(slf.py(), "\"isolation_level\"")?;
        this.refuse_tpc(slf.py(), "set_isolation_level")?;
        let (level, autocommit) = match level.filter(|level| !level.is_none()) {
            None => (Setting::Set(None), false),
            Some(level) if level.is_instance_of::<PyInt>() => match level.extract::<i64>()? {
                // The level is kept for the end of autocommit mode.
                0 => (Setting::Keep, true),
                number @ 1..=4 => (Setting::Set(IsolationLevel::from_number(number)), false),
                _ => {
                    return Err(PyValueError::new_err("isolation level must be between 0 and 4"));
                }
            },
            Some(level) => (Setting::Set(parse_level(level)?), false),
        };
        Self::end_transaction(slf, "ROLLBACK")?;
        Self::change_session(slf, level, Setting::Keep, Setting::Keep, Some(autocommit))
    }

    /// reset() -- Return the session to its defaults.
    ///
    /// Rolls back, then `DISCARD ALL`: prepared statements, temporary tables, LISTENs and settings
    /// are gone, and autocommit, isolation level, readonly and deferrable are at their defaults.
    /// Raises ProgrammingError on asynchronous connections.
    fn reset(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.refuse_blank(error::operational)?;
        this.open_session()?;
        this.refuse_async(slf.py(), "reset")?;
        let turn = TurnGuard::take(slf)?;
        let abort = this.state(slf.py()).end("ABORT");
        let discard = b"DISCARD ALL".to_vec();
        turn.run(commands(abort.into_iter().chain([discard])))?;
        let mut state = this.state(slf.py());
        state.transaction_number += 1;
        state.autocommit = false;
        state.characteristics = Default::default();
        state.status = Status::Ready;
        state.tpc = None;
        Ok(())
    }
}
