//! Every Python object that the native module needs, imported by name at first use.
//!
//! Not at initialisation: the module must import even where its package cannot.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{ffi, intern};

use crate::once::Once;

/// A Python object that is imported once, when it is first asked for.
pub struct Lazy {
    module: &'static str,
    name: &'static str,
    value: Once<Py<PyAny>>,
}

impl Lazy {
    pub const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, value: Once::new() }
    }

    /// The object, imported if this is the first use.
    pub fn bind<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        self.value
            .get_or_make(py, || Ok(py.import(self.module)?.getattr(self.name)?.unbind()))
            .map(|value| value.bind(py))
    }
}

/// A function of this module that psycopg2's Python code looks up in a module of the package for
/// each call, so that programs and instrumentation can replace it there.
pub struct Replaceable {
    module: &'static str,
    name: &'static str,
    place: Once<Py<PyAny>>,
    own: Once<Py<PyAny>>,
}

impl Replaceable {
    pub const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, place: Once::new(), own: Once::new() }
    }

    /// The function that has replaced it, if there is one. There is none as long as the module has
    /// not been imported.
    pub fn replaced<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let place = match self.place.get(py) {
            Some(place) => place.bind(py),
            None => match loaded(py, PyString::intern(py, self.module).as_any())? {
                Some(module) => self.place.get_or_make(py, || Ok(module.unbind()))?.bind(py),
                None => return Ok(None),
            },
        };
        let own = self.own.get_or_make(py, || {
            let module = py.import(intern!(py, "psycoxide._psycopg"))?;
            module.getattr(self.name).map(Bound::unbind)
        })?;
        // By attribute, not in the module's dictionary, which may hold a lazy import that is still
        // to be done.
        Ok(place.getattr_opt(self.name)?.filter(|found| !found.is(own)))
    }
}

/// A module, if it has been imported.
pub fn loaded<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: the GIL is held; the dict of modules is borrowed from the interpreter.
    let modules = unsafe { Bound::from_borrowed_ptr(py, ffi::PyImport_GetModuleDict()) };
    modules.cast::<PyDict>()?.get_item(name)
}

pub static ADAPT: Replaceable = Replaceable::new("psycoxide.extensions", "adapt");
pub static CONNECT: Replaceable = Replaceable::new("psycoxide", "_connect");
pub static MAKE_DSN: Replaceable = Replaceable::new("psycoxide.extensions", "make_dsn");
pub static PARSE_DSN: Replaceable = Replaceable::new("psycoxide.extensions", "parse_dsn");

pub static B64DECODE: Lazy = Lazy::new("base64", "b64decode");
pub static B64ENCODE: Lazy = Lazy::new("base64", "b64encode");
pub static BUFFERED_RANDOM: Lazy = Lazy::new("io", "BufferedRandom");
pub static BUFFERED_READER: Lazy = Lazy::new("io", "BufferedReader");
pub static BYTES_IO: Lazy = Lazy::new("io", "BytesIO");
pub static COMPOSABLE: Lazy = Lazy::new("psycoxide.sql", "Composable");
pub static DATETIME: Lazy = Lazy::new("datetime", "datetime");
pub static DECIMAL: Lazy = Lazy::new("decimal", "Decimal");
pub static FILE_IO: Lazy = Lazy::new("io", "FileIO");
pub static REPLICATION_CURSOR: Lazy = Lazy::new("psycoxide.extras", "ReplicationCursor");
pub static STRING_IO: Lazy = Lazy::new("io", "StringIO");
pub static TEXT_IO_BASE: Lazy = Lazy::new("io", "TextIOBase");
pub static TIMEZONE: Lazy = Lazy::new("datetime", "timezone");
pub static TOKEN_BYTES: Lazy = Lazy::new("secrets", "token_bytes");
