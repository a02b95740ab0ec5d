//! What goes wrong.

use std::borrow::Cow;
use std::fmt;

use psycoxide_sql::text::Malformed;

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

/// The reason of a [`ValueError`], as small as can be: the result of reading a value is to stay in
/// registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(Box<Cow<'static, str>>);

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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for Fault {
    #[cold]
    fn from(reason: &'static str) -> Self {
        Self(Box::new(reason.into()))
    }
}

impl From<String> for Fault {
    #[cold]
    fn from(reason: String) -> Self {
        Self(Box::new(reason.into()))
    }
}

impl From<Malformed> for Fault {
    #[cold]
    fn from(Malformed(reason): Malformed) -> Self {
        reason.into()
    }
}
