//! Writes values as SQL constants, so that none of their bytes is read as SQL.

pub mod bytea;
pub mod datetime;
pub mod ident;
pub mod literal;
pub mod number;

use std::fmt;

/// What a backslash means in a plain string constant.
///
/// It depends on the parameter `standard_conforming_strings`:
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StringStyle {
    /// `on`: a backslash is an ordinary character.
    #[default]
    Standard,
    /// `off`: a backslash escapes, so constants are written `E'…'` with backslashes doubled.
    Escape,
}

impl StringStyle {
    /// The style for a value of `standard_conforming_strings`.
    ///
    /// Servers that do not report the parameter date from the time when it was off.
    pub fn from_parameter(value: Option<&[u8]>) -> Self {
        match value {
            Some(b"on") => Self::Standard,
            _ => Self::Escape,
        }
    }
}

/// Why text cannot be written as an SQL constant or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A NUL: no text value of the server can contain one, and it ends a query's text.
    Nul,
    /// At this offset, bytes that are not a character of the session's encoding.
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
