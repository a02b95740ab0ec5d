//! Errors of configuration.

use std::fmt;

use super::secret::{HIDDEN, may_be_in, may_be_in_uri};

/// The reason why a configuration was refused. The texts are libpq's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no option of this name.
    UnknownOption(String),
    /// A word of a keyword/value string has no `=` after it.
    MissingEquals(String),
    /// A quoted value has no closing quote.
    UnterminatedQuote,
    /// The URI is malformed.
    Uri {
        /// What is wrong with it.
        what: String,
        /// The part that is wrong, or the whole URI.
        part: String,
    },
    /// A text has a NUL in it, where the server would take it to end.
    Nul,
    /// No service file has the service of this name.
    ServiceNotFound(String),
    /// The service file of this name does not exist.
    NoServiceFile(String),
    /// A service file is malformed.
    ServiceFile {
        /// What is wrong with it.
        what: String,
        /// The file's name.
        file: String,
        /// The number of the line.
        line: usize,
    },
    /// An option has a value that it cannot have.
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
    /// A port is out of range.
    Port(String),
    /// Options contradict each other; the text says how.
    Conflict(String),
    /// No user was given, and the operating system has no name for this user id.
    NoLocalUser(u32),
}

impl Error {
    /// Whether the connection string itself is wrong (its grammar, or an unknown option), and not a
    /// value or a file that it refers to.
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

    /// The error of a malformed connection string, without parts that may be secret.
    pub(super) fn of_unread(self, dsn: &str) -> Self {
        if may_be_in(dsn) { self.hidden() } else { self }
    }

    /// The error of a connection string's options, without parts that may be secret: a string with
    /// a password may have been split in the wrong places.
    pub(super) fn of_read(self, dsn: &str) -> Self {
        let hides = match &self {
            Error::Integer { keyword: "port", value } | Error::Port(value) => {
                // The string may be a URI into which keywords were merged.
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

    /// The error without any text that the user gave.
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
                // libpq quotes the names of these two options only.
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
