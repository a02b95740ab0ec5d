//! Every Python object that the native module needs, imported by name at first use.
//!
//! At first use and not at initialisation: the module must import even where its package cannot.

use pyo3::prelude::*;

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

pub static B64DECODE: Lazy = Lazy::new("base64", "b64decode");
pub static B64ENCODE: Lazy = Lazy::new("base64", "b64encode");
pub static BUFFERED_RANDOM: Lazy = Lazy::new("io", "BufferedRandom");
pub static BUFFERED_READER: Lazy = Lazy::new("io", "BufferedReader");
pub static COMPOSABLE: Lazy = Lazy::new("psycoxide.sql", "Composable");
pub static DATETIME: Lazy = Lazy::new("datetime", "datetime");
pub static DECIMAL: Lazy = Lazy::new("decimal", "Decimal");
pub static FILE_IO: Lazy = Lazy::new("io", "FileIO");
pub static JSON_LOADS: Lazy = Lazy::new("json", "loads");
pub static REPLICATION_CURSOR: Lazy = Lazy::new("psycoxide.extras", "ReplicationCursor");
pub static TEXT_IO_BASE: Lazy = Lazy::new("io", "TextIOBase");
pub static TIMEZONE: Lazy = Lazy::new("datetime", "timezone");
pub static TOKEN_BYTES: Lazy = Lazy::new("secrets", "token_bytes");
pub static UUID: Lazy = Lazy::new("uuid", "UUID");
