//! Values written as SQL constants, so that no byte of them is read as SQL.

pub mod bytea;
pub mod datetime;
pub mod ident;
pub mod literal;
pub mod number;

use std::fmt;

/// Whether a plain string constant takes a backslash as it stands.
///
/// Follows the parameter `standard_conforming_strings`:
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StringStyle {
    /// `on`: a backslash is a character like any other.
    #[default]
    Standard,
    /// `off`: a backslash escapes, so constants are written `E'…'` with backslashes doubled.
    Escape,
}

impl StringStyle {
    /// The style that a value of `standard_conforming_strings` asks for.
    ///
    /// A server that does not report it is from a time when it was off.
    pub fn from_parameter(value: Option<&[u8]>) -> Self {
        match value {
            Some(b"on") => Self::Standard,
            _ => Self::Escape,
        }
    }
}

/// Text that cannot be written as an SQL constant or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A NUL, which no text value of the server can hold and which ends a query's text.
    Nul,
    /// At this offset, bytes that are no character of the session's encoding.
    ///
    /// They might swallow the closing quote: CVE-2006-2313, CVE-2025-1094.
    Invalid(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // psycopg2's own words, which programs and its tests compare.
            Error::Nul => f.write_str("A string literal cannot contain NUL (0x00) characters."),
            Error::Invalid(offset) => {
                write!(f, "invalid or incomplete multibyte character at byte {offset}")
            }
        }
    }
}

impl std::error::Error for Error {}
