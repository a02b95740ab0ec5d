//! Connecting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::config::Error as ConfigError;
use psycoxide_net::{Config, ConnInfo, Environment, Link, OnDemand, ParameterBinding, Session};
use psycoxide_proto::StatementSettings;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::connecting::Connecting;
use super::dsn::{hide_password, merge, read, with_read};
use super::{Connection, Status, Waiter, credentials};
use crate::conventions::Conventions;
use crate::cursor::KnownQueries;
use crate::driver::{OperationContext, TurnGuard, blocking, polled, refresh};
use crate::error;
use crate::imports::{CONNECT, Lazy, MAKE_DSN};

#[pymethods]
impl Connection {
    /// Opens the connection: here and not in `__new__`, as in psycopg2, so that subclasses can
    /// override it.
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
    /// Does the work of `__init__`, also for subclasses in Rust. `given` is the connection string
    /// that the factory was called with, which may carry credentials; `dsn` may have more options.
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
        let read = read(dsn)?;
        let given = credentials::carried_by(given)?;
        this.state(slf.py()).asynchronous = asynchronous;
        let waiter = if asynchronous { Waiter::Program } else { Waiter::Call };
        let dialed = Self::dial(slf, read, given, waiter);
        let opened = dialed.and_then(|session| match asynchronous {
            true => polled::launch(OperationContext { connection: slf, session }, Connecting),
            false => TurnGuard::take_any(slf, session)?.run(Connecting),
        });
        opened.inspect_err(|raised| this.note_error(raised, slf.py()))
    }

    /// Begins to connect with the options of a connection string and keyword arguments, as
    /// `connect()` takes them. The [`Connecting`] operation goes on from there; `waiter` says who
    /// waits for it.
    pub fn dial_with(
        slf: &Bound<'_, Self>,
        dsn: Option<Bound<'_, PyAny>>,
        options: &Bound<'_, PyDict>,
        waiter: Waiter,
    ) -> PyResult<()> {
        let on_demand = on_demand(options)?;
        let (dsn, read) = merge(slf.py(), dsn, Some(options))?;
        let read = match read {
            Some(read) => Ok(read),
            None => self::read(&dsn)?,
        };
        let given = on_demand
            .map(|on_demand| credentials::CREDENTIALS.bind(slf.py())?.call((), Some(&on_demand)))
            .transpose()?;
        Self::dial(slf, read, given, waiter).map(drop)
    }

    /// Makes this a connection that begins no transactions: a replication session has none.
    pub fn never_begins(&self, py: Python<'_>) {
        self.state(py).replication = true;
    }

    /// Begins to connect. `given` supplies passwords and tokens.
    fn dial<'a>(
        slf: &'a Bound<'_, Self>,
        read: Result<ConnInfo, ConfigError>,
        given: Option<Bound<'_, PyAny>>,
        waiter: Waiter,
    ) -> PyResult<&'a Session> {
        let this = slf.get();
        let _ = this.dsn.set(read.as_ref().map(hide_password).unwrap_or_default());
        {
            let (notices, notifies) = (PyList::empty(slf.py()), PyList::empty(slf.py()));
            let mut objects = this.objects(slf.py());
            objects.notices = notices.into_any().unbind();
            objects.notifies = notifies.into_any().unbind();
        }
        let password = match &given {
            Some(given) => given.getattr("gives_password")?.is_truthy()?,
            None => false,
        };
        // Python supplies a token in any case: without a callable it runs the device flow.
        let on_demand = OnDemand { password, token: true };
        this.state(slf.py()).waiter = waiter;
        // SAFETY: the GIL is held, under which Python changes the environment. C code that changes
        // it without the GIL races with any reader.
        let environment = unsafe { Environment::of_process() };
        // Without the GIL, as this reads files and looks accounts up.
        let config =
            slf.py().detach(|| read.and_then(|read| Config::of(read, &environment, on_demand)));
        let mut config = config.map_err(|error| error::operational(format!("{error}\n")))?;
        config.find_system_store();
        let config = Arc::new(config);
        this.objects(slf.py()).credentials = given.map(Bound::unbind);
        let _ = this.config.set(Arc::clone(&config));
        if config.binding() == ParameterBinding::Auto
            && this.conventions == Conventions::Psycopg2
            && waiter == Waiter::Call
        {
            let _ = this.binding.set(KnownQueries::of(&config));
        }
        let timeout = config.operation_timeout();
        // Connecting to a Unix socket never waits, so the GIL is kept.
        let dialed = match config.is_local() {
            true => Link::dial(config),
            false => slf.py().detach(|| Link::dial(config)),
        };
        let mut link = dialed.map_err(|error| error::connecting(&error))?;
        if waiter == Waiter::EventLoop {
            link.keep_failed_socket();
        }
        if waiter == Waiter::Program {
            look_up(slf.py(), &mut link, timeout)?;
        }
        let session = this.session.get_or_init(|| Session::new(link));
        session.set_timeout(timeout);
        Ok(session)
    }

    /// Finishes connecting: the session is set up, and statements can run.
    pub fn connected(&self, py: Python<'_>) -> PyResult<()> {
        let session = self.session()?;
        if session.ask(|engine| engine.parameter("client_encoding").is_none()) == Some(true) {
            // The text is psycopg2's. A guessed encoding would garble texts.
            session.break_off();
            return Err(error::operational("server didn't return client encoding"));
        }
        refresh(py, self, session).inspect_err(|_| session.break_off())?;
        self.note_versions(py);
        if self.conventions == Conventions::Psycopg2 {
            let threshold = self.config.get().and_then(|config| config.prepare_threshold());
            let settings = StatementSettings { threshold, ..StatementSettings::default() };
            session.with_engine(|engine| engine.set_statement_settings(settings));
        }
        let used = self.objects(py).credentials.take();
        drop(used);
        let mut state = self.state(py);
        state.status = Status::Ready;
        state.autocommit = state.asynchronous;
        Ok(())
    }

    /// The time that other connections to the same server may take, if it is limited.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.config.get()?.connect_timeout()
    }
}

/// Waits until the names of hosts are looked up. libpq does so before it first returns, so that
/// `fileno()` returns a socket from the start.
fn look_up(py: Python<'_>, link: &mut Link, timeout: Option<Duration>) -> PyResult<()> {
    let until = timeout.map(|timeout| Instant::now() + timeout);
    while link.is_looking_up() {
        let deadline = [link.deadline(), until].into_iter().flatten().min();
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(error::timed_out());
        }
        blocking::wait_readable(py, link.fd(), deadline)?;
        link.look_up().map_err(|error| error::connecting(&error))?;
    }
    Ok(())
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
        // By position, as subclasses name the parameter `async_` or `async`.
        asynchronous => factory.call1((dsn, asynchronous)),
    }
}

/// connect(dsn=None, connection_factory=None, cursor_factory=None, **kwargs) -> connection
///
/// Open a connection to a PostgreSQL server.
///
/// `dsn` is a connection string of either form in
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>. Keywords are
/// merged into it as `extensions.make_dsn()` does: `dbname` (or `database`), `user`, `password`,
/// `host`, `port` and all the others. Options in neither come from the environment and the
/// defaults; no argument at all is fine.
///
/// `password` may also be a callable without arguments that returns the password, a str or None: it
/// is called whenever a server asks for it, once for each attempt, so that tokens which rotate are
/// fresh; passwords in the string, the environment and the password file are not used then.
/// `oauth_token` is a callable as well: it is called with an `extensions.OAuthRequest` when the
/// server asks for a bearer token of OAuth, and returns the token as a str. Their exceptions are
/// raised from here. (psycopg2 has neither.)
///
/// `connection_factory(dsn)`, usually a subclass of `extensions.connection`, makes the connection
/// that is returned; `cursor_factory` becomes its attribute of that name. With `async` or `async_`
/// true the connection is asynchronous and has to be polled: `connection_factory(dsn, async=1)`.
///
/// `binding="auto"` binds the parameters of queries on the server where that gives the same results,
/// and prepares a query that has run `prepare_threshold` times, none by default. (psycopg2 has
/// neither.)
///
/// Raises OperationalError if it cannot connect, ProgrammingError if `dsn` or a keyword is not
/// valid.
#[pyfunction]
#[pyo3(signature = (dsn=None, connection_factory=None, cursor_factory=None, **kwargs))]
fn connect<'py>(
    py: Python<'py>,
    dsn: Option<Bound<'py, PyAny>>,
    connection_factory: Option<Bound<'py, PyAny>>,
    cursor_factory: Option<Bound<'py, PyAny>>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut asynchronous = None;
    let mut on_demand = None;
    if let Some(kwargs) = kwargs {
        let any = |_: &Bound<'py, PyAny>| true;
        asynchronous = moved(kwargs, [intern!(py, "async"), intern!(py, "async_")], any)?;
        on_demand = self::on_demand(kwargs)?;
    }
    let (mut dsn, read) = match MAKE_DSN.replaced(py)? {
        Some(replaced) => (replaced.call((dsn,), kwargs)?, None),
        None => merge(py, dsn, kwargs)?,
    };
    if let Some(on_demand) = on_demand {
        let credentials = credentials::CREDENTIALS.bind(py)?.call((), Some(&on_demand))?;
        dsn = CREDENTIAL_DSN.bind(py)?.call_method1("carrying", (dsn, credentials))?;
    }
    let replaced = CONNECT.replaced(py)?;
    let connection = with_read(&dsn, read, || match (replaced, asynchronous) {
        (None, None) => _connect(py, &dsn, connection_factory, 0, 0),
        (replaced, options) => {
            let options = options.unwrap_or_else(|| PyDict::new(py));
            options.set_item("connection_factory", connection_factory)?;
            let connect = replaced.unwrap_or(OWN_CONNECT.bind(py)?.clone());
            connect.call((&dsn,), Some(&options))
        }
    })?;
    if let Some(cursor_factory) = cursor_factory {
        connection.setattr(intern!(py, "cursor_factory"), cursor_factory)?;
    }
    Ok(connection)
}

/// Moves the options out that are callables which supply credentials.
fn on_demand<'py>(options: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = options.py();
    let secrets = [intern!(py, "password"), intern!(py, "oauth_token")];
    moved(options, secrets, PyAnyMethods::is_callable)
}

static OWN_CONNECT: Lazy = Lazy::new("psycoxide._psycopg", "_connect");
static CREDENTIAL_DSN: Lazy = Lazy::new("psycoxide._credentials", "CredentialDSN");

/// Moves the entries that have one of these names, and a value that `fit` accepts, into a dict of
/// their own.
fn moved<'py>(
    kwargs: &Bound<'py, PyDict>,
    names: [&Bound<'py, PyString>; 2],
    fit: impl Fn(&Bound<'py, PyAny>) -> bool,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let mut moved = None;
    for name in names {
        let Some(value) = kwargs.get_item(name)?.filter(&fit) else { continue };
        kwargs.del_item(name)?;
        moved.get_or_insert_with(|| PyDict::new(kwargs.py())).set_item(name, value)?;
    }
    Ok(moved)
}

/// Exports `connect` and `_connect`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(connect, module)?)?;
    module.add_function(wrap_pyfunction!(_connect, module)?)
}
