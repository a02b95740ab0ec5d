//! The `lobject` class: large objects.

mod function;
mod mode;

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::connection::Connection;
use crate::error;
use function::{Function, call, call_int4, call_int8};
use mode::{Mode, READ_AND_WRITE};

/// How much is moved in one call: the server and the client hold a chunk whole in memory.
const CHUNK: usize = 1 << 20;

/// lobject(conn, oid=0, mode='r', new_oid=0, new_file=None) -> large object
///
/// A large object, open on the server until its transaction ends. Made by `connection.lobject()`.
#[pyclass(name = "lobject", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct LargeObject {
    connection: Py<Connection>,
    /// The oid of the object.
    #[pyo3(get)]
    oid: u32,
    mode: Mode,
    /// The connection's mark when it was opened: another one means that the transaction is over.
    mark: u64,
    /// The server's descriptor; `None` once closed.
    descriptor: Mutex<Option<i32>>,
}

impl LargeObject {
    fn descriptor_lock(&self) -> MutexGuard<'_, Option<i32>> {
        self.descriptor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection and the descriptor, if the object can be used.
    fn usable<'py>(&self, py: Python<'py>) -> PyResult<(&Bound<'py, Connection>, i32)> {
        let connection = self.connection.bind(py);
        let Some(descriptor) = *self.descriptor_lock() else {
            return Err(error::interface("lobject already closed"));
        };
        if connection.get().open_session().is_err() {
            let closed = || error::interface("lobject already closed");
            return Err(connection.get().refusal().unwrap_or_else(closed));
        }
        check(py, connection.get())?;
        if connection.get().state(py).mark != self.mark {
            return Err(error::programming("lobject isn't valid anymore"));
        }
        Ok((connection, descriptor))
    }

    fn read_bytes(&self, py: Python<'_>, size: i64) -> PyResult<Vec<u8>> {
        let (connection, descriptor) = self.usable(py)?;
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        while left > 0 {
            let wanted = left.min(CHUNK);
            let length = i32::try_from(wanted).unwrap_or(i32::MAX);
            let arguments = vec![int4(descriptor), int4(length)];
            let chunk = call(connection, Function::Read, arguments)?;
            if chunk.len() > wanted {
                return Err(error::operational("the server gave more than was asked for"));
            }
            bytes.extend_from_slice(&chunk);
            if chunk.len() < wanted {
                break;
            }
            left -= wanted;
        }
        Ok(bytes)
    }

    fn write_bytes(&self, py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        let (connection, descriptor) = self.usable(py)?;
        for chunk in data.chunks(CHUNK) {
            let arguments = vec![int4(descriptor), chunk.to_vec()];
            call_int4(connection, Function::Write, arguments)?;
        }
        Ok(data.len())
    }
}

/// Refuses connections and moments that large objects cannot live in.
fn check(py: Python<'_>, connection: &Connection) -> PyResult<()> {
    connection.refuse_async(py, "lobject")?;
    connection.refuse_prepared(py, "lobject")?;
    if connection.outside_transactions(py) {
        return Err(error::programming("can't use a lobject outside of transactions"));
    }
    Ok(())
}

fn int4(value: i32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// The whole content of a file that is to become a large object.
fn read_file(py: Python<'_>, path: &str) -> PyResult<Vec<u8>> {
    py.detach(|| std::fs::read(path)).map_err(|error| {
        error::operational(format!("could not open file \"{path}\": {}\n", plain(&error)))
    })
}

/// An I/O error without Rust's "(os error N)".
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[pymethods]
impl LargeObject {
    #[new]
    #[pyo3(signature = (conn, oid=0, mode=None, new_oid=0, new_file=None))]
    fn new(
        conn: &Bound<'_, Connection>,
        oid: u32,
        mode: Option<&str>,
        new_oid: u32,
        new_file: Option<&str>,
    ) -> PyResult<Self> {
        let py = conn.py();
        let mut mode = Mode::parse(mode.unwrap_or_default())?;
        conn.get().open_session()?;
        check(conn.py(), conn.get())?;
        let content = new_file.map(|path| read_file(py, path)).transpose()?;
        let created = oid == 0;
        let mut oid = oid;
        if created {
            mode = mode.created();
            // The function that libpq calls: the server's messages name it.
            let created = match new_oid {
                0 => call_int4(conn, Function::Creat, vec![int4(READ_AND_WRITE)]),
                oid => call_int4(conn, Function::Create, vec![oid.to_be_bytes().to_vec()]),
            };
            oid = created?.cast_unsigned();
        }
        let descriptor = if mode.opens() {
            let arguments = vec![oid.to_be_bytes().to_vec(), int4(mode.flags())];
            Some(call_int4(conn, Function::Open, arguments)?)
        } else {
            None
        };
        let mark = conn.get().state(conn.py()).mark;
        let object = Self {
            connection: conn.clone().unbind(),
            oid,
            mode,
            mark,
            descriptor: Mutex::new(descriptor),
        };
        if let Some(content) = content {
            object.write_bytes(py, &content)?;
            call_int8(
                conn,
                Function::Seek,
                vec![int4(descriptor.unwrap_or_default()), 0_i64.to_be_bytes().to_vec(), int4(0)],
            )?;
        }
        Ok(object)
    }

    /// read(size=-1) -> str or bytes -- Read at most `size` bytes, by default to the end.
    ///
    /// bytes in binary mode, else str in the client encoding. Raises UnicodeDecodeError in text
    /// mode if the bytes are cut in the middle of a character, ProgrammingError after the
    /// transaction's end.
    #[pyo3(signature = (size=-1))]
    fn read<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyAny>> {
        let bytes = self.read_bytes(py, size)?;
        if self.mode.text {
            let context = self.connection.get().quote_context(py);
            return Ok(context.decode(py, &bytes)?.into_any());
        }
        Ok(PyBytes::new(py, &bytes).into_any())
    }

    /// write(data) -> int -- Write str (in the client encoding) or bytes; the number of bytes.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return self.write_bytes(py, bytes.as_bytes());
        }
        if let Ok(text) = data.cast::<PyString>() {
            let context = self.connection.get().quote_context(py);
            return self.write_bytes(py, context.encode(text)?.as_bytes());
        }
        Err(PyTypeError::new_err(format!(
            "lobject.write requires a string; got {} instead",
            data.get_type().name()?
        )))
    }

    /// seek(offset, whence=0) -> int -- Move: from the start (0), from here (1), from the end (2).
    ///
    /// Returns the new position in bytes.
    #[pyo3(signature = (offset, whence=0))]
    fn seek(&self, py: Python<'_>, offset: i64, whence: i32) -> PyResult<i64> {
        let (connection, descriptor) = self.usable(py)?;
        let arguments = vec![int4(descriptor), offset.to_be_bytes().to_vec(), int4(whence)];
        call_int8(connection, Function::Seek, arguments)
    }

    /// tell() -> int -- The position, in bytes from the start.
    fn tell(&self, py: Python<'_>) -> PyResult<i64> {
        let (connection, descriptor) = self.usable(py)?;
        call_int8(connection, Function::Tell, vec![int4(descriptor)])
    }

    /// truncate(len=0) -- Cut the object, or fill it with zeros, to `len` bytes.
    #[pyo3(signature = (len=0))]
    fn truncate(&self, py: Python<'_>, len: i64) -> PyResult<()> {
        let (connection, descriptor) = self.usable(py)?;
        let arguments = vec![int4(descriptor), len.to_be_bytes().to_vec()];
        call_int4(connection, Function::Truncate, arguments).map(drop)
    }

    /// export(filename) -- Write the whole object to a file on this machine.
    fn export(&self, py: Python<'_>, filename: &str) -> PyResult<()> {
        let connection = self.connection.bind(py);
        connection.get().open_session()?;
        check(py, connection.get())?;
        let arguments = vec![
            self.oid.to_be_bytes().to_vec(),
            int4(Mode { read: true, write: false, text: false }.flags()),
        ];
        let descriptor = call_int4(connection, Function::Open, arguments)?;
        let whole = Self {
            connection: self.connection.clone_ref(py),
            oid: self.oid,
            mode: self.mode,
            mark: connection.get().state(py).mark,
            descriptor: Mutex::new(Some(descriptor)),
        };
        let bytes = whole.read_bytes(py, -1)?;
        call_int4(connection, Function::Close, vec![int4(descriptor)])?;
        py.detach(|| std::fs::write(filename, bytes)).map_err(|error| {
            error::operational(format!("could not create file \"{filename}\": {}\n", plain(&error)))
        })
    }

    /// unlink() -- Close the object and remove it from the database.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        self.close(py)?;
        let connection = self.connection.bind(py);
        connection.get().open_session()?;
        check(py, connection.get())?;
        call_int4(connection, Function::Unlink, vec![self.oid.to_be_bytes().to_vec()]).map(drop)
    }

    /// close() -- Close the lobject. Closing twice is allowed; after its transaction there is
    /// nothing left to close.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.connection.bind(py);
        let this = connection.get();
        if this.session_to_end().is_none() || this.state(py).mark != self.mark {
            return Ok(());
        }
        let taken = self.descriptor_lock().take();
        match taken {
            Some(descriptor) if !this.outside_transactions(py) => {
                call_int4(connection, Function::Close, vec![int4(descriptor)]).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Whether the object, or its connection, is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.descriptor_lock().is_none() || self.connection.get().usable_session().is_err()
    }

    /// How the object was opened: `r`, `w`, `rw` or `n`, and `t` or `b`.
    #[getter]
    fn mode(&self) -> String {
        self.mode.text()
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
        let closed = i32::from(slf.get().closed());
        format!("<lobject object at {:p}; closed: {closed}>", slf.as_ptr())
    }

    /// psycopg2's, whatever `__repr__` a subclass has.
    fn __str__(slf: &Bound<'_, Self>) -> String {
        Self::__repr__(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }
}

#[pymethods]
impl Connection {
    /// lobject(oid=0, mode='r', new_oid=0, new_file=None, lobject_factory=extensions.lobject) ->
    /// lobject
    ///
    /// Opens the large object `oid`, or makes one if that is 0: with the oid `new_oid` if it is not
    /// 0, from the content of the local file `new_file` if there is one. The mode is `r`, `w`, `rw`
    /// or `n` (do not open), with `t` for str (the default) or `b` for bytes.
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
        check(py, slf.get())?;
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
