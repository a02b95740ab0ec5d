//! `ConnectionInfo`: what is known about a connection (`connection.info`), and the older methods of
//! `connection` that return the same.

use psycoxide_net::{ConnStatus, Link, TlsInfo};
use psycoxide_proto::{Engine, TransactionStatus};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::Connection;
use psycoxide_net::{Closed, Session, SessionSnapshot};

/// ConnectionInfo(connection)
///
/// More about a connection: its options, its server and its state.
#[pyclass(module = "psycoxide.extensions", subclass)]
pub struct ConnectionInfo {
    connection: Py<Connection>,
}

/// The version of the protocol that is spoken, which is assumed until the server has said so.
const PROTOCOL: i32 = 3;

/// `PQTRANS_*`: what `transaction_status` shows.
mod transaction {
    pub const IDLE: i32 = 0;
    pub const ACTIVE: i32 = 1;
    pub const INTRANS: i32 = 2;
    pub const INERROR: i32 = 3;
    pub const UNKNOWN: i32 = 4;
}

impl ConnectionInfo {
    /// The information about `connection`.
    pub fn of(connection: &Bound<'_, Connection>) -> Self {
        Self { connection: connection.clone().unbind() }
    }
}

impl Connection {
    /// What the link says, or the snapshot if the link cannot be asked: in a forked child.
    fn look<T>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Link) -> T,
        noted: impl FnOnce(&SessionSnapshot) -> T,
    ) -> Option<T> {
        let session = self.session.get()?;
        if let Some(link) = session.look() {
            return Some(question(&link));
        }
        self.is_open().then(|| self.state(py).snapshot.as_deref().map(noted))?
    }

    /// What the engine says, likewise.
    fn ask<T>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Engine) -> T,
        noted: impl FnOnce(&SessionSnapshot) -> T,
    ) -> Option<T> {
        self.look(py, |link| link.engine().map(question), |snapshot| Some(noted(snapshot)))?
    }

    fn option(&self, keyword: &str) -> Option<String> {
        self.config.get()?.get(keyword).map(str::to_owned)
    }

    fn tls(&self, py: Python<'_>) -> Option<TlsInfo> {
        self.look(py, Link::tls, |snapshot| snapshot.tls.clone())?
    }

    fn is_open(&self) -> bool {
        self.session.get().is_some_and(|session| session.closed() == Closed::Open)
    }

    /// Whether the options can be read with which the connection was opened, or failed to open.
    fn tells_options(&self, py: Python<'_>) -> bool {
        let failed = |session: &Session| {
            session.closed() == Closed::Broken && self.state(py).is_connecting()
        };
        self.is_open() || self.session.get().is_some_and(failed)
    }

    /// Whether an asynchronous connection is being opened.
    fn is_being_made(&self, py: Python<'_>) -> bool {
        self.is_open() && self.state(py).is_connecting()
    }

    fn status_number(&self, py: Python<'_>) -> i32 {
        if !self.is_open() {
            return ConnStatus::Bad as i32;
        }
        let noted = |_: &SessionSnapshot| ConnStatus::Ok;
        self.look(py, Link::status, noted).unwrap_or(ConnStatus::Ok) as i32
    }

    fn transaction_status_number(&self, py: Python<'_>) -> i32 {
        if !self.is_open() || self.is_being_made(py) {
            return transaction::UNKNOWN;
        }
        let status = |engine: &Engine| match (engine.is_idle(), engine.transaction_status()) {
            (false, _) => transaction::ACTIVE,
            (true, TransactionStatus::Idle) => transaction::IDLE,
            (true, TransactionStatus::InTransaction) => transaction::INTRANS,
            (true, TransactionStatus::InError) => transaction::INERROR,
        };
        // A link that cannot be asked was busy.
        self.ask(py, status, |_| transaction::ACTIVE).unwrap_or(transaction::UNKNOWN)
    }

    fn parameter<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyString>> {
        let context = self.quote_context(py);
        let value = self.ask(
            py,
            |engine| engine.parameter(name).map(<[u8]>::to_vec),
            |snapshot| snapshot.parameter(name).map(<[u8]>::to_vec),
        )??;
        Some(context.decode_lossy(py, &value))
    }

    /// Whether the session's time zone never has an offset from UTC.
    pub fn is_in_utc(&self, py: Python<'_>) -> bool {
        let utc = |name: &[u8]| matches!(name, b"UTC" | b"Etc/UTC" | b"GMT" | b"Etc/GMT");
        self.ask(
            py,
            |engine| engine.parameter("TimeZone").is_some_and(utc),
            |snapshot| snapshot.parameter("TimeZone").is_some_and(utc),
        )
        .unwrap_or(false)
    }

    pub(super) fn server_version_number(&self, py: Python<'_>) -> i64 {
        self.ask(py, Engine::server_version, |snapshot| snapshot.server_version)
            .map_or(0, i64::from)
    }

    /// Whether the server says that it is older than this version.
    pub fn is_server_before(&self, py: Python<'_>, version: i64) -> bool {
        (1..version).contains(&self.server_version_number(py))
    }

    fn backend_process(&self, py: Python<'_>) -> i32 {
        let pid = |engine: &Engine| engine.cancel_key().map_or(0, |key| key.pid);
        self.ask(py, pid, |snapshot| snapshot.backend_pid).unwrap_or(0)
    }

    fn protocol(&self, py: Python<'_>) -> i32 {
        let major = |engine: &Engine| engine.protocol_version().major;
        let known = self.ask(py, major, |snapshot| snapshot.protocol);
        let assumed = if self.is_being_made(py) { PROTOCOL } else { 0 };
        known.map_or(assumed, i32::from)
    }

    /// Keeps the versions, which can be read even when the session is over.
    pub fn note_versions(&self, py: Python<'_>) {
        let versions = (self.server_version_number(py), self.protocol(py));
        self.state(py).versions = versions;
    }

    fn dsn_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        if let Some(config) = self.config.get() {
            for (keyword, value) in config.parameters() {
                if !keyword.secret {
                    dict.set_item(keyword.name, value)?;
                }
            }
        }
        Ok(dict)
    }
}

#[pymethods]
impl ConnectionInfo {
    /// An instance before its `__init__`, of a connection that never was. Subclasses may pass any
    /// arguments.
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn blank(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let py = class.py();
        Ok(Self { connection: Py::new(py, Connection::unconnected(py))? })
    }

    fn __init__(slf: &Bound<'_, Self>, connection: Py<Connection>) -> PyResult<()> {
        let old = std::mem::replace(&mut *slf.try_borrow_mut()?, Self { connection });
        // Dropped after the borrow: a connection's destructor may run Python code that comes back
        // here.
        drop(old);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }

    /// The database's name.
    #[getter]
    fn dbname(&self, py: Python<'_>) -> Option<String> {
        self.connection.get().told_option(py, "dbname")
    }

    /// The user's name.
    #[getter]
    fn user(&self, py: Python<'_>) -> Option<String> {
        self.connection.get().told_option(py, "user")
    }

    /// The password, in clear.
    #[getter]
    fn password(&self, py: Python<'_>) -> Option<String> {
        let connection = self.connection.get();
        let told = connection.tells_options(py);
        told.then(|| connection.option("password").unwrap_or_default())
    }

    /// The server's host: a name, an address, or a socket's directory.
    #[getter]
    fn host(&self, py: Python<'_>) -> Option<String> {
        let connection = self.connection.get();
        connection
            .tells_options(py)
            .then(|| connection.look(py, Link::host, |snapshot| snapshot.host.clone()))??
    }

    /// The server's port.
    #[getter]
    fn port(&self, py: Python<'_>) -> Option<u16> {
        let connection = self.connection.get();
        connection
            .tells_options(py)
            .then(|| connection.look(py, Link::port, |snapshot| snapshot.port))??
    }

    /// The command-line options of the connection.
    #[getter]
    fn options(&self, py: Python<'_>) -> Option<String> {
        let connection = self.connection.get();
        let told = connection.tells_options(py);
        told.then(|| connection.option("options").unwrap_or_default())
    }

    /// The effective options of the connection, without the password.
    #[getter]
    fn dsn_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.connection.get().dsn_parameters(py)
    }

    /// 0 if the connection is good, 1 if it is bad; while connecting, a number of libpq's
    /// `ConnStatusType`.
    #[getter]
    fn status(&self, py: Python<'_>) -> i32 {
        self.connection.get().status_number(py)
    }

    /// The server's last report of the transaction: `extensions.TRANSACTION_STATUS_*`.
    #[getter]
    fn transaction_status(&self, py: Python<'_>) -> i32 {
        self.connection.get().transaction_status_number(py)
    }

    /// The version of the protocol: 3.
    #[getter]
    fn protocol_version(&self, py: Python<'_>) -> i32 {
        self.connection.get().protocol(py)
    }

    /// The server's version as a number: 150018 for 15.18.
    #[getter]
    fn server_version(&self, py: Python<'_>) -> i64 {
        self.connection.get().server_version_number(py)
    }

    /// The text of the connection's last error, or `None`.
    #[getter]
    fn error_message(&self, py: Python<'_>) -> Option<String> {
        let connection = self.connection.get();
        let message = connection.state(py).error_message.clone();
        let closed = connection.session.get().map(|session| session.closed() == Closed::ByUser);
        // The text of psycopg2 if it has no connection to ask.
        let nobody = || "connection pointer is NULL\n".to_owned();
        match closed {
            Some(true) => Some(nobody()),
            Some(false) => message,
            None => Some(message.unwrap_or_else(nobody)),
        }
    }

    /// The descriptor of the connection's socket, or -1.
    #[getter]
    fn socket(&self, py: Python<'_>) -> i32 {
        self.connection.get().look(py, Link::fd, |snapshot| snapshot.fd).unwrap_or(-1)
    }

    /// The process id of the server's backend.
    #[getter]
    fn backend_pid(&self, py: Python<'_>) -> i32 {
        self.connection.get().backend_process(py)
    }

    /// Whether the server asked for a password and there was none.
    #[getter]
    fn needs_password(&self, py: Python<'_>) -> bool {
        // If a password was needed and missing, there is no session.
        self.connection.get().ask(py, Engine::password_needed, |_| false).unwrap_or(false)
    }

    /// Whether the server asked for the password.
    #[getter]
    fn used_password(&self, py: Python<'_>) -> bool {
        let noted = |snapshot: &SessionSnapshot| snapshot.password_used;
        self.connection.get().ask(py, Engine::password_used, noted).unwrap_or(false)
    }

    /// Whether the connection uses TLS.
    #[getter]
    fn ssl_in_use(&self, py: Python<'_>) -> bool {
        self.connection.get().tls(py).is_some()
    }

    /// ssl_attribute(name) -- an attribute of the TLS connection, or `None` without TLS.
    fn ssl_attribute(&self, py: Python<'_>, name: &str) -> Option<String> {
        self.connection.get().tls(py)?.attribute(name)
    }

    /// The names that `ssl_attribute()` knows; none without TLS.
    #[getter]
    fn ssl_attribute_names(&self, py: Python<'_>) -> Vec<&'static str> {
        let tls = self.connection.get().tls(py);
        tls.map_or_else(Vec::new, |_| TlsInfo::NAMES.to_vec())
    }

    /// parameter_status(name) -- a parameter of the server as it last reported it, or `None`.
    fn parameter_status<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyString>> {
        self.connection.get().parameter(py, name)
    }
}

impl Connection {
    fn told_option(&self, py: Python<'_>, keyword: &str) -> Option<String> {
        self.tells_options(py).then(|| self.option(keyword))?
    }
}

#[pymethods]
impl Connection {
    /// get_transaction_status() -> int -- The server's last report of the transaction: one of
    /// `extensions.TRANSACTION_STATUS_*`.
    fn get_transaction_status(&self, py: Python<'_>) -> i32 {
        self.transaction_status_number(py)
    }

    /// get_parameter_status(parameter) -> str or None -- A parameter of the server, such as
    /// `'TimeZone'`, as the server last reported it; None if it does not report it. Raises
    /// InterfaceError if the connection is closed.
    fn get_parameter_status<'py>(
        &self,
        py: Python<'py>,
        parameter: &str,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        if !self.is_blank() {
            self.unclosed_session()?;
        }
        Ok(self.parameter(py, parameter))
    }

    /// get_backend_pid() -> int -- The id of the server's process for this session.
    fn get_backend_pid(&self, py: Python<'_>) -> PyResult<i32> {
        if !self.is_blank() {
            self.unclosed_session()?;
        }
        Ok(self.backend_process(py))
    }

    /// get_dsn_parameters() -> dict -- The options in effect as a dict, with defaults, without the
    /// password.
    fn get_dsn_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.unclosed_session()?;
        self.dsn_parameters(py)
    }

    /// The server's version as an int, such as 150018 for 15.18; it is kept when the connection is
    /// closed.
    #[getter]
    fn server_version(&self, py: Python<'_>) -> i64 {
        self.state(py).versions.0
    }

    /// The version of the protocol: 3.
    #[getter]
    fn protocol_version(&self, py: Python<'_>) -> i32 {
        self.state(py).versions.1
    }
}

/// Exports `ConnectionInfo`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ConnectionInfo>()
}
