//! What can go wrong between a client and a server, in libpq's words: programs match them.

use std::fmt;
use std::io;

use psycoxide_proto::{Error as ProtoError, Report};
use psycoxide_sql::message::Message;

use crate::config;
use crate::socket::place::Place;

/// A failure of a link.
#[derive(Debug)]
pub enum Error {
    /// The configuration is not valid.
    Config(config::Error),
    /// No server could be connected to: what each attempt came to.
    Connect(Vec<Attempt>),
    /// An open conversation ended badly: the peer closed it, spoke nonsense, or the engine refused
    /// what it was asked to do.
    Protocol(ProtoError),
    /// The socket failed while data were sent.
    Send(io::Error),
    /// The socket failed while data were received.
    Receive(io::Error),
    /// Another failure of the operating system.
    Io(io::Error),
    /// A bound on the time has passed.
    Timeout,
}

/// One attempt to connect that failed.
#[derive(Debug)]
pub enum Attempt {
    /// The host's name has no address.
    Name {
        /// The name.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// A server's address did not work out.
    Place {
        /// The address.
        place: Place,
        /// Why not.
        reason: Reason,
    },
}

/// Why an address did not work out.
#[derive(Debug)]
pub enum Reason {
    /// There is no connection.
    Socket(io::Error),
    /// `connect_timeout` has passed.
    Timeout,
    /// The server, or the conversation with it, ended the start-up.
    Protocol(ProtoError),
}

impl Error {
    /// The protocol's error, if that is what this is.
    pub fn protocol(&self) -> Option<&ProtoError> {
        match self {
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }

    /// The connection was closed without a word from the server.
    pub(crate) fn lost() -> Self {
        Self::Protocol(ProtoError::Terminated(None))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Connect(attempts) => {
                for (index, attempt) in attempts.iter().enumerate() {
                    if index > 0 {
                        f.write_str("\n")?;
                    }
                    attempt.fmt(f)?;
                }
                Ok(())
            }
            Self::Protocol(error) => write_protocol(f, error),
            Self::Send(error) => {
                write!(f, "could not send data to server: {}", system(error))
            }
            Self::Receive(error) => {
                write!(f, "could not receive data from server: {}", system(error))
            }
            Self::Io(error) => write!(f, "could not wait for the server: {}", system(error)),
            Self::Timeout => f.write_str("timeout expired"),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, reason) = match self {
            Self::Name { host, reason } => {
                return write!(f, "could not translate host name \"{host}\" to address: {reason}");
            }
            Self::Place { place, reason } => (place, reason),
        };
        write!(f, "connection to server {place} failed: ")?;
        match reason {
            Reason::Socket(error) => {
                f.write_str(&system(error))?;
                f.write_str(match place {
                    Place::Tcp { .. } => {
                        "\n\tIs the server running on that host and accepting TCP/IP connections?"
                    }
                    Place::Unix { .. } => {
                        "\n\tIs the server running locally and accepting connections on that socket?"
                    }
                })
            }
            Reason::Timeout => f.write_str("timeout expired"),
            Reason::Protocol(error) => write_protocol(f, error),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) | Self::Receive(error) | Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        Self::Config(error)
    }
}

impl From<ProtoError> for Error {
    fn from(error: ProtoError) -> Self {
        Self::Protocol(error)
    }
}

fn write_protocol(f: &mut fmt::Formatter<'_>, error: &ProtoError) -> fmt::Result {
    match error {
        ProtoError::Server(report) | ProtoError::Terminated(Some(report)) => {
            f.write_str(report_text(report).trim_end_matches('\n'))
        }
        ProtoError::Terminated(None) => f.write_str(
            "server closed the connection unexpectedly\n\
             \tThis probably means the server terminated abnormally\n\
             \tbefore or while processing the request.",
        ),
        error => write!(f, "{error}"),
    }
}

/// The text of a report that came before the session had an encoding.
fn report_text(report: &Report) -> String {
    let field = |code| report.field(code).map(String::from_utf8_lossy);
    let (severity, primary) = (field(b'S'), field(b'M'));
    let (detail, hint) = (field(b'D'), field(b'H'));
    Message {
        severity: severity.as_deref(),
        primary: primary.as_deref(),
        detail: detail.as_deref(),
        hint: hint.as_deref(),
        ..Message::default()
    }
    .text(true)
}

/// The operating system's words, without the number that Rust puts behind them.
fn system(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_told_as_libpq_tells_it() {
        let place =
            Place::Tcp { host: "127.0.0.1".to_owned(), address: "127.0.0.1:1".parse().unwrap() };
        let reason = Reason::Socket(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        let error = Error::Connect(vec![Attempt::Place { place, reason }]);
        assert_eq!(
            error.to_string(),
            "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\
             \tIs the server running on that host and accepting TCP/IP connections?"
        );
    }

    #[test]
    fn a_lost_connection_is_told_as_libpq_tells_it() {
        assert!(
            Error::lost().to_string().starts_with("server closed the connection unexpectedly\n")
        );
    }

    #[test]
    fn each_attempt_has_its_line() {
        let name = |host: &str| Attempt::Name {
            host: host.to_owned(),
            reason: "Name or service not known".to_owned(),
        };
        assert_eq!(
            Error::Connect(vec![name("a"), name("b")]).to_string(),
            "could not translate host name \"a\" to address: Name or service not known\n\
             could not translate host name \"b\" to address: Name or service not known"
        );
    }
}
