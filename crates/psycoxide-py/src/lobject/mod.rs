//! The `lobject` class: large objects.

mod function;
mod mode;
mod opened;

use std::sync::OnceLock;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::connection::Connection;
use crate::error;
use crate::guarded::Guarded;
use function::{Function, call_int4, call_int8};
use mode::Mode;
use opened::{Opened, check_allowed, int4};

/// lobject(conn, oid=0, mode='r', new_oid=0, new_file=None) -> large object
///
/// A large object, open on the server until its transaction ends. Made by `connection.lobject()`.
#[pyclass(name = "lobject", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct LargeObject {
    /// The object that `__init__` opened. It can do so only once, because the descriptor belongs to
    /// a transaction.
    opened: OnceLock<Opened>,
}

impl LargeObject {
    fn opened(&self) -> PyResult<&Opened> {
        let unopened = "the lobject was not initialised: call its __init__";
        self.opened.get().ok_or_else(|| error::interface(unopened))
    }
}

/// The whole content of a file that is to become a large object.
fn read_file(py: Python<'_>, path: &str) -> PyResult<Vec<u8>> {
    py.detach(|| std::fs::read(path)).map_err(|error| {
        error::operational(format!("could not open file \"{path}\": {}\n", error_text(&error)))
    })
}

/// An I/O error without Rust's "(os error N)".
fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[pymethods]
impl LargeObject {
    /// An instance before its `__init__`. Subclasses may pass any arguments.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn blank(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { opened: OnceLock::new() }
    }

    #[pyo3(signature = (conn, oid=0, mode=None, new_oid=0, new_file=None))]
    fn __init__(
        &self,
        conn: &Bound<'_, Connection>,
        oid: u32,
        mode: Option<&str>,
        new_oid: u32,
        new_file: Option<&str>,
    ) -> PyResult<()> {
        let py = conn.py();
        if self.opened.get().is_some() {
            return Err(error::programming("the lobject is open already: make another one"));
        }
        let mode = Mode::parse(mode.unwrap_or_default())?;
        conn.get().open_session()?;
        check_allowed(py, conn.get())?;
        let content = new_file.map(|path| read_file(py, path)).transpose()?;
        let opened = Opened::open(conn, oid, mode, new_oid, content)?;
        let _ = self.opened.set(opened);
        Ok(())
    }

    /// The oid of the object.
    #[getter]
    fn oid(&self) -> u32 {
        self.opened.get().map_or(0, |opened| opened.oid)
    }

    /// read(size=-1) -> str or bytes -- Read up to `size` bytes, by default to the end.
    ///
    /// Returns bytes in binary mode, otherwise str, decoded from the client encoding. Raises
    /// UnicodeDecodeError in text mode if the bytes are cut in the middle of a character,
    /// ProgrammingError after the transaction's end.
    #[pyo3(signature = (size=-1))]
    fn read<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyAny>> {
        let opened = self.opened()?;
        let bytes = opened.read_bytes(py, size)?;
        if opened.mode.text {
            let context = opened.connection.get().quote_context(py);
            return Ok(context.decode(py, &bytes)?.into_any());
        }
        Ok(PyBytes::new(py, &bytes).into_any())
    }

    /// write(data) -> int -- Write str (in the client encoding) or bytes. Returns the number of
    /// bytes.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return self.opened()?.write_bytes(py, bytes.as_bytes());
        }
        if let Ok(text) = data.cast::<PyString>() {
            let opened = self.opened()?;
            let context = opened.connection.get().quote_context(py);
            return opened.write_bytes(py, context.encode(text)?.as_bytes());
        }
        Err(PyTypeError::new_err(format!(
            "lobject.write requires a string; got {} instead",
            data.get_type().name()?
        )))
    }

    /// seek(offset, whence=0) -> int -- Move to `offset`, counted from the start (`whence` 0), from
    /// here (1) or from the end (2).
    ///
    /// Returns the new position in bytes.
    #[pyo3(signature = (offset, whence=0))]
    fn seek(&self, py: Python<'_>, offset: i64, whence: i32) -> PyResult<i64> {
        let (connection, descriptor) = self.opened()?.usable(py)?;
        let arguments = vec![int4(descriptor), offset.to_be_bytes().to_vec(), int4(whence)];
        call_int8(connection, Function::Seek, arguments)
    }

    /// tell() -> int -- The position, in bytes from the start.
    fn tell(&self, py: Python<'_>) -> PyResult<i64> {
        let (connection, descriptor) = self.opened()?.usable(py)?;
        call_int8(connection, Function::Tell, vec![int4(descriptor)])
    }

    /// truncate(len=0) -- Cut the object to `len` bytes, or fill it up with zeros.
    #[pyo3(signature = (len=0))]
    fn truncate(&self, py: Python<'_>, len: i64) -> PyResult<()> {
        let (connection, descriptor) = self.opened()?.usable(py)?;
        let arguments = vec![int4(descriptor), len.to_be_bytes().to_vec()];
        call_int4(connection, Function::Truncate, arguments).map(drop)
    }

    /// export(filename) -- Write the whole object to a file on this machine.
    fn export(&self, py: Python<'_>, filename: &str) -> PyResult<()> {
        let opened = self.opened()?;
        let connection = opened.connection.bind(py);
        connection.get().open_session()?;
        check_allowed(py, connection.get())?;
        let arguments = vec![
            opened.oid.to_be_bytes().to_vec(),
            int4(Mode { read: true, write: false, text: false }.flags()),
        ];
        let descriptor = call_int4(connection, Function::Open, arguments)?;
        let whole = Opened {
            connection: opened.connection.clone_ref(py),
            oid: opened.oid,
            mode: opened.mode,
            transaction_number: connection.get().state(py).transaction_number,
            descriptor: Guarded::new(Some(descriptor)),
        };
        let bytes = whole.read_bytes(py, -1)?;
        call_int4(connection, Function::Close, vec![int4(descriptor)])?;
        py.detach(|| std::fs::write(filename, bytes)).map_err(|error| {
            error::operational(format!(
                "could not create file \"{filename}\": {}\n",
                error_text(&error)
            ))
        })
    }

    /// unlink() -- Close the object and remove it from the database.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        let opened = self.opened()?;
        opened.close(py)?;
        let connection = opened.connection.bind(py);
        connection.get().open_session()?;
        check_allowed(py, connection.get())?;
        call_int4(connection, Function::Unlink, vec![opened.oid.to_be_bytes().to_vec()]).map(drop)
    }

    /// close() -- Close the lobject. Closing twice is allowed; after its transaction there is
    /// nothing left to close.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.opened.get().map_or(Ok(()), |opened| opened.close(py))
    }

    /// Whether the object, or its connection, is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.opened.get().is_none_or(|opened| opened.is_closed(py))
    }

    /// How the object was opened: `r`, `w`, `rw` or `n`, and `t` or `b`.
    #[getter]
    fn mode(&self) -> Option<String> {
        self.opened.get().map(|opened| opened.mode.text())
    }

    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.call_method0("close").map(drop)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let closed = i32::from(slf.get().closed(slf.py()));
        format!("<lobject object at {:p}; closed: {closed}>", slf.as_ptr())
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> String {
        Self::__repr__(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.opened.get().map_or(Ok(()), |opened| visit.call(&opened.connection))
    }
}

#[pymethods]
impl Connection {
    /// lobject(oid=0, mode='r', new_oid=0, new_file=None, lobject_factory=extensions.lobject) ->
    /// lobject
    ///
    /// Opens the large object `oid`, or makes one if `oid` is 0: with the oid `new_oid` if that is
    /// not 0, and with the content of the local file `new_file` if that is given. The mode is `r`,
    /// `w`, `rw` or `n` (do not open), with `t` for str (the default) or `b` for bytes.
    ///
    /// Raises ProgrammingError in autocommit mode and on asynchronous connections, OperationalError
    /// if there is no such object.
    #[pyo3(signature = (oid=None, mode=None, new_oid=None, new_file=None, lobject_factory=None))]
    fn lobject<'py>(
        slf: &Bound<'py, Self>,
        oid: Option<Bound<'py, PyAny>>,
        mode: Option<Bound<'py, PyAny>>,
        new_oid: Option<Bound<'py, PyAny>>,
        new_file: Option<Bound<'py, PyAny>>,
        lobject_factory: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        slf.get().refuse_blank(error::operational)?;
        slf.get().open_session()?;
        check_allowed(py, slf.get())?;
        let factory = match lobject_factory.filter(|factory| !factory.is_none()) {
            Some(factory) => factory,
            None => py.get_type::<LargeObject>().into_any(),
        };
        let zero = || 0_u32.into_pyobject(py).map(Bound::into_any);
        let oid = oid.map_or_else(zero, Ok)?;
        let new_oid = new_oid.map_or_else(zero, Ok)?;
        let mode = mode.unwrap_or_else(|| PyString::new(py, "").into_any());
        let object = match new_file.filter(|file| !file.is_none()) {
            Some(file) => factory.call1((slf, oid, mode, new_oid, file))?,
            None => factory.call1((slf, oid, mode, new_oid))?,
        };
        if !object.is_instance_of::<LargeObject>() {
            return Err(PyTypeError::new_err(
                "lobject factory must be subclass of psycopg2.extensions.lobject",
            ));
        }
        Ok(object)
    }
}

/// Exports `lobject`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LargeObject>()
}
