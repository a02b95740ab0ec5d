//! Connecting, and what a connection string says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::{Config, Interest, Link, OnDemand, wait};
use psycoxide_proto::Event;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{Connection, Status, credentials};
use crate::driver::{Operation, Reached, refresh};
use crate::error;
use crate::session::Session;
use crate::text;

#[pymethods]
impl Connection {
    /// Opens the connection. Overridden by subclasses, so it is here that it happens, as in
    /// psycopg2.
    #[pyo3(signature = (dsn, r#async=0, async_=0))]
    fn __init__(
        slf: &Bound<'_, Self>,
        dsn: &Bound<'_, PyAny>,
        r#async: i64,
        async_: i64,
    ) -> PyResult<()> {
        Self::initialise(slf, dsn, dsn, r#async != 0 || async_ != 0)
    }
}

impl Connection {
    /// What `__init__` does, for subclasses in Rust as well. `given` is the connection string that
    /// the factory was called with, which may carry credentials.
    pub fn initialise(
        slf: &Bound<'_, Self>,
        dsn: &Bound<'_, PyAny>,
        given: &Bound<'_, PyAny>,
        asynchronous: bool,
    ) -> PyResult<()> {
        let this = slf.get();
        if this.session.get().is_some() {
            return Err(error::programming("the connection is already initialised"));
        }
        let text = dsn_text(dsn)?;
        let given = credentials::carried_by(given)?;
        let _ = this.dsn.set(hide_password(&text));
        let opened = Self::open(slf, &text, given, asynchronous);
        opened.inspect_err(|raised| this.note_error(raised, slf.py()))
    }

    /// No transaction is ever begun: a replication session has none.
    pub fn never_begins(&self) {
        self.state().replication = true;
    }

    fn open(
        slf: &Bound<'_, Self>,
        dsn: &str,
        given: Option<Bound<'_, PyAny>>,
        asynchronous: bool,
    ) -> PyResult<()> {
        let this = slf.get();
        let password = match &given {
            Some(given) => given.getattr("gives_password")?.is_truthy()?,
            None => false,
        };
        // Python is asked for a token in any case: where there is no callable it knows a flow.
        let on_demand = OnDemand { password, token: true };
        let config = Config::parse_with(dsn, on_demand)
            .map_err(|error| error::operational(format!("{error}\n")))?;
        let config = Arc::new(config);
        this.objects().credentials = given.map(Bound::unbind);
        let _ = this.config.set(Arc::clone(&config));
        {
            let mut state = this.state();
            state.asynchronous = asynchronous;
            state.autocommit = asynchronous;
            state.status = if asynchronous { Status::Connecting } else { Status::Setup };
        }
        let timeout = config.operation_timeout();
        let mut link =
            slf.py().detach(|| Link::dial(config)).map_err(|error| error::connecting(&error))?;
        if asynchronous {
            look_up(slf.py(), &mut link, timeout)?;
        }
        let session = this.session.get_or_init(|| Session::new(link));
        session.set_timeout(timeout);
        if asynchronous {
            session.begin_polled();
            return Ok(());
        }
        let operation = Operation::connecting(slf, session)?;
        let opened = loop {
            match operation.resume() {
                Ok(Reached::End(_)) => return this.connected(slf.py()),
                Ok(Reached::Pause(Event::Ask(ask))) => {
                    if let Err(raised) = credentials::give(slf, session, ask) {
                        break Err(raised);
                    }
                }
                Ok(_) => break Err(error::operational("the server began a COPY while connecting")),
                Err(raised) => break Err(raised),
            }
        };
        session.break_off();
        opened
    }

    /// Keeps the text of what went wrong, for `info.error_message`.
    pub fn note_error(&self, raised: &PyErr, py: Python<'_>) {
        self.state().error_message = Some(raised.value(py).to_string());
    }

    /// The session is set up: statements can run.
    pub fn connected(&self, py: Python<'_>) -> PyResult<()> {
        let session = self.session()?;
        if session.ask(|engine| engine.parameter("client_encoding").is_none()) == Some(true) {
            // psycopg2's own words. To guess would be to garble text.
            session.break_off();
            return Err(error::operational("server didn't return client encoding"));
        }
        refresh(py, self, session).inspect_err(|_| session.break_off())?;
        self.note_versions();
        let used = self.objects().credentials.take();
        drop(used);
        self.state().status = Status::Ready;
        Ok(())
    }

    /// The bound on everything that needs another connection to the same server.
    pub fn connect_timeout(&self) -> Option<Duration> {
        let seconds: i64 = self.config.get()?.get("connect_timeout")?.trim().parse().ok()?;
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }
}

/// Waits until the names of hosts are looked up, which libpq does before it first returns: what
/// `fileno()` gives is a socket from the start.
fn look_up(py: Python<'_>, link: &mut Link, timeout: Option<Duration>) -> PyResult<()> {
    let until = timeout.map(|timeout| Instant::now() + timeout);
    while link.is_looking_up() {
        let deadline = [link.deadline(), until].into_iter().flatten().min();
        let fd = link.fd();
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(error::timed_out());
        }
        match py.detach(|| wait(fd, Interest::READ, deadline)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => py.check_signals()?,
            Err(error) => return Err(error::operational(format!("{error}\n"))),
            Ok(_) => {
                link.advance().map_err(|error| error::connecting(&error))?;
            }
        }
    }
    Ok(())
}

fn dsn_text(dsn: &Bound<'_, PyAny>) -> PyResult<String> {
    match text::optional(dsn)? {
        Some(text) => Ok(text),
        None => Err(PyTypeError::new_err(format!(
            "argument 1 must be str, not {}",
            dsn.get_type().name()?
        ))),
    }
}

/// The connection string with `xxx` for its password; unchanged if it has none.
fn hide_password(dsn: &str) -> String {
    let Ok(options) = Config::parse_dsn(dsn) else {
        return String::new();
    };
    if !options.iter().any(|(name, _)| psycoxide_net::config::is_secret(name)) {
        return dsn.to_owned();
    }
    let shown: Vec<String> = options
        .iter()
        .map(|(name, value)| {
            let value = if psycoxide_net::config::is_secret(name) {
                "xxx".to_owned()
            } else {
                quote(value)
            };
            format!("{name}={value}")
        })
        .collect();
    shown.join(" ")
}

/// A value as it stands in a connection string.
fn quote(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    if value.is_empty() || value.contains(char::is_whitespace) {
        format!("'{escaped}'")
    } else {
        escaped
    }
}

/// _connect(dsn, [connection_factory], [async]) -> new connection
///
/// What `connect()` calls: the factory is called with the connection string, and with a 1 behind it
/// if the connection is to be asynchronous.
#[pyfunction]
#[pyo3(signature = (dsn, connection_factory=None, r#async=0, async_=0))]
fn _connect<'py>(
    py: Python<'py>,
    dsn: &Bound<'py, PyAny>,
    connection_factory: Option<Bound<'py, PyAny>>,
    r#async: i64,
    async_: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let factory = match connection_factory.filter(|factory| !factory.is_none()) {
        Some(factory) => factory,
        None => py.get_type::<Connection>().into_any(),
    };
    match r#async.max(async_) {
        0 => factory.call1((dsn,)),
        // By position: subclasses call the parameter `async_` or `async`, as they like.
        asynchronous => factory.call1((dsn, asynchronous)),
    }
}

/// parse_dsn(dsn) -> dict
///
/// The options that a connection string (keywords and values, or a URI) gives, as a dict of str to
/// str, without defaults. Raises ProgrammingError with libpq's words if the string is not valid.
#[pyfunction]
fn parse_dsn<'py>(py: Python<'py>, dsn: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let options = Config::parse_dsn(&dsn_text(dsn)?)
        .map_err(|error| error::programming(format!("invalid dsn: {error}\n")))?;
    let dict = PyDict::new(py);
    for (name, value) in options {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// Exports `_connect` and `parse_dsn`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_connect, module)?)?;
    module.add_function(wrap_pyfunction!(parse_dsn, module)?)
}
