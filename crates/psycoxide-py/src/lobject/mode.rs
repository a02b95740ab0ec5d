//! How a large object is opened.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `INV_WRITE` and `INV_READ` of `libpq/libpq-fs.h`.
const INV_WRITE: i32 = 0x0002_0000;
const INV_READ: i32 = 0x0004_0000;
/// The mode in which libpq makes large objects.
pub const READ_AND_WRITE: i32 = INV_READ | INV_WRITE;

/// The mode given to `connection.lobject()`: `[r|w|rw|n][b|t]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
    /// Read str rather than bytes.
    pub text: bool,
}

impl Mode {
    /// Parses a mode; by default it is reading, as text.
    pub fn parse(mode: &str) -> PyResult<Self> {
        let (access, text) = match mode.strip_suffix('b') {
            Some(access) => (access, false),
            None => (mode.strip_suffix('t').unwrap_or(mode), true),
        };
        let (read, write) = match access {
            "" | "r" => (true, false),
            "w" => (false, true),
            "rw" => (true, true),
            "n" => (false, false),
            _ => {
                return Err(PyValueError::new_err(format!("bad mode for lobject: '{mode}'")));
            }
        };
        Ok(Self { read, write, text })
    }

    /// The mode of an object that was just made: there is nothing to read in it yet.
    pub fn created(self) -> Self {
        Self { read: false, write: true, ..self }
    }

    /// Whether the object is opened: not in the mode `n`.
    pub fn opens(self) -> bool {
        self.read || self.write
    }

    /// The flags of `lo_open`.
    pub fn flags(self) -> i32 {
        let read = if self.read { INV_READ } else { 0 };
        let write = if self.write { INV_WRITE } else { 0 };
        read | write
    }

    /// The mode as `lobject.mode` shows it.
    pub fn text(self) -> String {
        let access = match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => return "n".to_owned(),
        };
        format!("{access}{}", if self.text { "t" } else { "b" })
    }
}
