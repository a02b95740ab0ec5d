//! What is wrong with a configuration, in libpq's words.

use std::fmt;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no such option.
    UnknownOption(String),
    /// A keyword without a value.
    MissingEquals(String),
    /// A quoted value without its end.
    UnterminatedQuote,
    /// A URI that is not one; the whole message.
    Uri(String),
    /// A value that the option cannot have.
    Value {
        /// The option.
        option: &'static str,
        /// What it was given.
        value: String,
    },
    /// A value that should be a whole number.
    Integer {
        /// The option.
        option: &'static str,
        /// What it was given.
        value: String,
    },
    /// A port outside of 1 to 65535.
    Port(String),
    /// Lists of hosts whose lengths do not fit; the whole message.
    Lists(String),
    /// The service is nowhere defined.
    UnknownService(String),
    /// A service file that cannot be used; the whole message.
    ServiceFile(String),
    /// An option that asks for something that is not there; the whole message.
    Unsupported(String),
    /// The name of the user that runs the program cannot be found out.
    NoUser,
    /// A value with a NUL in it, which would end it on the wire.
    Nul(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(name) => write!(f, "invalid connection option \"{name}\""),
            Self::MissingEquals(name) => {
                write!(f, "missing \"=\" after \"{name}\" in connection info string")
            }
            Self::UnterminatedQuote => {
                f.write_str("unterminated quoted string in connection info string")
            }
            Self::Value { option, value } => match *option {
                "ssl_min_protocol_version" | "ssl_max_protocol_version" => {
                    write!(f, "invalid \"{option}\" value: \"{value}\"")
                }
                _ => write!(f, "invalid {option} value: \"{value}\""),
            },
            Self::Integer { option, value } => {
                write!(f, "invalid integer value \"{value}\" for connection option \"{option}\"")
            }
            Self::Port(value) => write!(f, "invalid port number: \"{value}\""),
            Self::UnknownService(name) => write!(f, "definition of service \"{name}\" not found"),
            Self::Uri(text)
            | Self::Lists(text)
            | Self::ServiceFile(text)
            | Self::Unsupported(text) => f.write_str(text),
            Self::NoUser => f.write_str("could not look up the name of the local user"),
            Self::Nul(name) => {
                write!(f, "the connection option \"{name}\" contains a NUL (0x00) character")
            }
        }
    }
}

impl std::error::Error for Error {}
