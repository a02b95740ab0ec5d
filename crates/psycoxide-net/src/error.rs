//! The errors between a client and a server, in libpq's words: programs match them.

use std::fmt;
use std::io;

use psycoxide_proto::{Error as ProtoError, Report};
use psycoxide_sql::message::Message;

use crate::config;
use crate::encryption_method::EncryptionMethod;
use crate::gss::GssFailure;
use crate::socket::address::Address;
use crate::tls::TlsFailure;

/// An error of a link.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not valid.
    Config(config::Error),
    /// No server could be connected to: all failed attempts.
    Connect(Vec<FailedAttempt>),
    /// An open conversation ended badly: the peer closed it or spoke nonsense, or the engine
    /// refused a request.
    Protocol(ProtoError),
    /// The socket failed while data were sent.
    Send(io::Error),
    /// The socket failed while data were received.
    Receive(io::Error),
    /// TLS failed, or the server ended it without a word.
    Tls(TlsFailure),
    /// Encryption by GSSAPI failed.
    Gss(GssFailure),
    /// Another error of the operating system.
    Io(io::Error),
    /// A time limit has passed.
    Timeout,
}

/// One attempt to connect that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailedAttempt {
    /// The host has no address; libpq's text.
    Host(String),
    /// The attempt with one of a server's addresses failed.
    Address {
        /// The address.
        address: Address,
        /// Why not.
        reason: Reason,
        /// A hint for the user, such as where a wrong password came from, or why there was none.
        note: Option<String>,
    },
}

/// Why an attempt failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The socket could not be connected.
    Unreachable(io::Error),
    /// The connection failed while the session was set up.
    Socket(io::Error),
    /// TLS could not be set up.
    Tls(TlsFailure),
    /// TLS failed, or ended, while the session was set up.
    Lost(TlsFailure),
    /// Encryption by GSSAPI could not be set up, or failed while the session was set up.
    Gss(GssFailure),
    /// `connect_timeout` has passed.
    Timeout,
    /// The server, or the conversation with it, ended the start-up.
    Protocol(ProtoError),
    /// The session was opened, but the statement that sets it up has failed.
    Setup(Box<Report>),
    /// The server is not of the kind that was asked for, with libpq's text.
    Unfit(String),
}

impl Error {
    /// The protocol's error, if that is what this is.
    pub fn protocol(&self) -> Option<&ProtoError> {
        match self {
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the encryption failure inside a stream's error, or else what `otherwise` makes of
    /// that error.
    #[cold]
    pub(crate) fn of_stream(error: io::Error, otherwise: impl FnOnce(io::Error) -> Self) -> Self {
        match (TlsFailure::of(&error), GssFailure::of(&error)) {
            (Some(failure), _) => Self::Tls(failure.clone()),
            (_, Some(failure)) => Self::Gss(failure.clone()),
            _ => otherwise(error),
        }
    }

    /// The connection was closed without a word from the server.
    pub(crate) fn lost() -> Self {
        Self::Protocol(ProtoError::Terminated(None))
    }
}

impl Reason {
    /// The reason when the server refuses encryption and no other method is left.
    pub(crate) fn refused(method: EncryptionMethod) -> Self {
        Self::Protocol(ProtoError::Unsupported(
            match method {
                EncryptionMethod::Tls => "server does not support SSL, but SSL was required",
                EncryptionMethod::Gss => {
                    "server doesn't support GSSAPI encryption, but it was required"
                }
            }
            .to_owned(),
        ))
    }

    /// The reason for a stream's error during the set-up of encryption.
    pub(crate) fn of_handshake(error: io::Error, method: EncryptionMethod) -> Self {
        if let Some(failure) = GssFailure::of(&error) {
            return Self::Gss(failure.clone());
        }
        if method == EncryptionMethod::Gss {
            return match error.kind() {
                io::ErrorKind::ConnectionReset => Self::Protocol(ProtoError::Terminated(None)),
                _ => Self::Socket(error),
            };
        }
        let failure = TlsFailure::of(&error).cloned();
        Self::Tls(failure.unwrap_or_else(|| {
            TlsFailure::Refused(format!("SSL SYSCALL error: {}", system(&error)))
        }))
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
            Self::Tls(failure) => failure.fmt(f),
            Self::Gss(failure) => failure.fmt(f),
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

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(text) => f.write_str(text),
            Self::Address { address, reason, note } => {
                write!(f, "connection to server {address} failed: ")?;
                reason.fmt(f)?;
                if let Reason::Unreachable(_) = reason {
                    f.write_str(match address {
                        Address::Tcp { .. } => {
                            "\n\tIs the server running on that host and accepting TCP/IP connections?"
                        }
                        Address::Unix { .. } => {
                            "\n\tIs the server running locally and accepting connections on that socket?"
                        }
                    })?;
                }
                note.as_ref().map_or(Ok(()), |note| write!(f, "\n{note}"))
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) | Self::Socket(error) => f.write_str(&system(error)),
            Self::Tls(failure) | Self::Lost(failure) => failure.fmt(f),
            Self::Gss(failure) => failure.fmt(f),
            Self::Timeout => f.write_str("timeout expired"),
            Self::Protocol(error) => write_protocol(f, error),
            Self::Setup(report) => f.write_str(&report_text(report)),
            Self::Unfit(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) | Self::Receive(error) | Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Tls(failure) => Some(failure),
            Self::Gss(failure) => Some(failure),
            _ => None,
        }
    }
}

impl From<Error> for Reason {
    /// The reason of an attempt that failed by an error of its conversation.
    fn from(error: Error) -> Self {
        match error {
            Error::Protocol(error) => Self::Protocol(error),
            Error::Tls(failure) => Self::Lost(failure),
            Error::Gss(failure) => Self::Gss(failure),
            Error::Send(error) | Error::Receive(error) | Error::Io(error) => Self::Socket(error),
            _ => Self::Timeout,
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

/// The operating system's words, without the number that Rust adds to them.
pub(crate) fn system(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(reason: Reason) -> FailedAttempt {
        let address =
            Address::Tcp { host: "127.0.0.1".to_owned(), address: "127.0.0.1:1".parse().unwrap() };
        FailedAttempt::Address { address, reason, note: None }
    }

    #[test]
    fn a_refused_connection_is_told_as_libpq_tells_it() {
        let refused = || Reason::Unreachable(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        assert_eq!(
            tcp(refused()).to_string(),
            "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\
             \tIs the server running on that host and accepting TCP/IP connections?"
        );
        let address = Address::Unix { path: "/s/.s.PGSQL.1".to_owned() };
        assert_eq!(
            FailedAttempt::Address { address, reason: refused(), note: None }.to_string(),
            "connection to server on socket \"/s/.s.PGSQL.1\" failed: Connection refused\n\
             \tIs the server running locally and accepting connections on that socket?"
        );
    }

    #[test]
    fn the_question_is_only_asked_about_an_unreachable_server() {
        assert_eq!(
            tcp(Reason::Timeout).to_string(),
            "connection to server at \"127.0.0.1\", port 1 failed: timeout expired"
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
        assert_eq!(
            Error::Connect(vec![FailedAttempt::Host("a".into()), tcp(Reason::Unfit("b".into()))])
                .to_string(),
            "a\nconnection to server at \"127.0.0.1\", port 1 failed: b"
        );
    }
}
