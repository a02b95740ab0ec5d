//! What goes wrong.

use std::fmt;

/// A result, or a column of it, that cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutError(pub String);

/// A value that its Arrow type cannot hold, or that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// The row, counted from 1.
    pub row: u64,
    /// The column's name.
    pub column: String,
    /// What is wrong, and which option to choose.
    pub reason: String,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LayoutError {}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, column, reason } = self;
        write!(f, "row {row}, column \"{column}\": {reason}")
    }
}

impl std::error::Error for ValueError {}
