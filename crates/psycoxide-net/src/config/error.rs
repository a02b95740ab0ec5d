//! What can be wrong with a configuration.

use std::fmt;

use super::secret::{HIDDEN, may_be_in, may_be_in_uri};

/// Why a configuration was refused. The texts are libpq's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no option of this name.
    UnknownOption(String),
    /// A word of a keyword/value string is not followed by `=`.
    MissingEquals(String),
    /// A quoted value does not end.
    UnterminatedQuote,
    /// The URI cannot be read.
    Uri {
        /// What is wrong with it.
        what: String,
        /// The part that is wrong, or all of it.
        part: String,
    },
    /// Text with a NUL, which would end it early on its way to the server.
    Nul,
    /// The service asked for is in no service file.
    ServiceNotFound(String),
    /// There is no service file of this name.
    NoServiceFile(String),
    /// The service file itself is wrong.
    ServiceFile {
        /// What is wrong with it.
        what: String,
        /// Its name.
        file: String,
        /// The number of the line.
        line: usize,
    },
    /// An option's value is none of those it may have.
    Value {
        /// The option.
        keyword: &'static str,
        /// Its value.
        value: String,
    },
    /// An option's value is not an integer, or too large for one.
    Integer {
        /// The option.
        keyword: &'static str,
        /// Its value.
        value: String,
    },
    /// What is to be a port is no number of one.
    Port(String),
    /// Values that contradict each other; in which way.
    Conflict(String),
    /// No user was named, and the operating system knows no name for this user id.
    NoLocalUser(u32),
}

impl Error {
    /// Whether the connection string itself is at fault (its grammar, or an option of no known
    /// name), rather than a value or something that it refers to.
    pub fn is_syntax(&self) -> bool {
        matches!(
            self,
            Error::UnknownOption(_)
                | Error::MissingEquals(_)
                | Error::UnterminatedQuote
                | Error::Uri { .. }
                | Error::Nul
        )
    }

    /// The error as it may be shown of a connection string that could not be read.
    pub(super) fn of_unread(self, dsn: &str) -> Self {
        if may_be_in(dsn) { self.hidden() } else { self }
    }

    /// The error as it may be shown of what a connection string says: it may say something else than
    /// was meant.
    pub(super) fn of_read(self, dsn: &str) -> Self {
        let hides = match &self {
            Error::Integer { keyword: "port", value } | Error::Port(value) => {
                // Keywords may have been merged into what was a URI.
                may_be_in(value) || may_be_in_uri(dsn) || dsn.contains('@')
            }
            Error::Value { value, .. } | Error::Integer { value, .. } => may_be_in(value),
            Error::ServiceNotFound(name)
            | Error::NoServiceFile(name)
            | Error::ServiceFile { file: name, .. } => may_be_in(name),
            _ => false,
        };
        if hides { self.hidden() } else { self }
    }

    /// Without any text of the user's.
    fn hidden(self) -> Self {
        let hidden = HIDDEN.to_owned();
        match self {
            Error::UnknownOption(_) => Error::UnknownOption(hidden),
            Error::MissingEquals(_) => Error::MissingEquals(hidden),
            Error::Uri { what, .. } => Error::Uri { what, part: hidden },
            Error::ServiceNotFound(_) => Error::ServiceNotFound(hidden),
            Error::NoServiceFile(_) => Error::NoServiceFile(hidden),
            Error::ServiceFile { what, line, .. } => {
                Error::ServiceFile { what, file: hidden, line }
            }
            Error::Value { keyword, .. } => Error::Value { keyword, value: hidden },
            Error::Integer { keyword, .. } => Error::Integer { keyword, value: hidden },
            Error::Port(_) => Error::Port(hidden),
            error => error,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownOption(name) => write!(f, "invalid connection option \"{name}\""),
            Error::MissingEquals(word) => {
                write!(f, "missing \"=\" after \"{word}\" in connection info string")
            }
            Error::UnterminatedQuote => {
                f.write_str("unterminated quoted string in connection info string")
            }
            Error::Uri { what, part } => write!(f, "{what}: \"{part}\""),
            Error::Port(port) => write!(f, "invalid port number: \"{port}\""),
            Error::Conflict(what) => f.write_str(what),
            Error::NoServiceFile(file) => write!(f, "service file \"{file}\" not found"),
            Error::ServiceFile { what, file, line } => {
                write!(f, "{what} in service file \"{file}\", line {line}")
            }
            Error::Nul => f.write_str("connection options cannot contain NUL characters"),
            Error::ServiceNotFound(name) => write!(f, "definition of service \"{name}\" not found"),
            Error::Value { keyword, value } => match *keyword {
                // libpq quotes the name of these two only.
                "ssl_min_protocol_version" | "ssl_max_protocol_version" => {
                    write!(f, "invalid \"{keyword}\" value: \"{value}\"")
                }
                _ => write!(f, "invalid {keyword} value: \"{value}\""),
            },
            Error::Integer { keyword, value } => {
                write!(f, "invalid integer value \"{value}\" for connection option \"{keyword}\"")
            }
            Error::NoLocalUser(uid) => write!(f, "local user with ID {uid} does not exist"),
        }
    }
}

impl std::error::Error for Error {}
