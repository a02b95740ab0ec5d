//! What can go wrong in a conversation, and whose fault it is.

use std::fmt;

use crate::backend::report::Report;
use crate::machine::transitions::Phase;

/// Why an engine failed, or why it refused a command.
///
/// The variant names who is to blame, so that a caller can choose what to raise without reading
/// the text. Texts follow libpq's wording where libpq has one for the case.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol. The connection cannot be trusted any more.
    Violation(Violation),
    /// The peer asked for something legal that this crate does not do.
    Unsupported(String),
    /// Authentication failed on this side: nothing to answer with, or the server is not who it
    /// claims to be.
    Auth(AuthError),
    /// The server refused the connection (ErrorResponse during start-up).
    Server(Box<Report>),
    /// The server could not even begin the session; its words (an error without fields, as in
    /// protocol 2).
    Refused(String),
    /// The peer closed the connection, with its last words if it had any.
    Terminated(Option<Box<Report>>),
    /// The caller asked for something that cannot be done now, or at all. The engine has not
    /// failed.
    Misuse(&'static str),
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// A message of no known type.
    UnknownMessage(u8),
    /// A length that no message of this type can have (shorter than itself, or over the limit).
    Length {
        /// The message's type byte.
        message: u8,
        /// The length declared, which counts itself.
        length: u32,
    },
    /// A message that has no place in this phase.
    Unexpected {
        /// The message's type byte.
        message: u8,
        /// Where the conversation was.
        phase: Phase,
    },
    /// A message whose contents contradict its layout.
    Malformed {
        /// The message's type byte.
        message: u8,
        /// What does not fit.
        reason: &'static str,
    },
    /// More session state than any server has reason to send.
    Flood(&'static str),
}

/// Why authentication failed on this side.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AuthError {
    /// The server asked for a password and there is none.
    PasswordMissing,
    /// The server's method is not among those allowed (libpq's `require_auth`).
    NotAllowed(&'static str),
    /// Channel binding is required and this exchange does not give it; how that shows.
    ChannelBinding(&'static str),
    /// The server offers no SASL mechanism that is known here.
    NoMechanism,
    /// A message of the exchange came out of its order.
    OutOfOrder(&'static str),
    /// A SCRAM message could not be read.
    Scram(&'static str),
    /// The iteration count is not in 1..=10,000,000.
    Iterations,
    /// The server's nonce does not begin with the client's.
    Nonce,
    /// The server could not prove that it knows the password.
    ServerSignature,
    /// The server reported a failure inside the SCRAM exchange.
    ScramRefused(String),
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Error {
        Error::Violation(violation)
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Error {
        Error::Auth(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Violation(violation) => violation.fmt(f),
            Error::Unsupported(what) | Error::Refused(what) => f.write_str(what),
            Error::Auth(error) => error.fmt(f),
            Error::Server(report) => write!(f, "{report}"),
            Error::Terminated(Some(report)) => {
                write!(f, "{report}\nserver closed the connection unexpectedly")
            }
            Error::Terminated(None) => f.write_str("server closed the connection unexpectedly"),
            Error::Misuse(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::UnknownMessage(message) => {
                write!(
                    f,
                    "unexpected response from server; first received character was {}",
                    MessageType(*message)
                )
            }
            Violation::Length { message, length } => write!(
                f,
                "lost synchronization with server: got message type {}, length {length}",
                MessageType(*message)
            ),
            Violation::Unexpected { message, phase: Phase::Authenticate } => write!(
                f,
                "expected authentication request from server, but received {}",
                MessageType(*message)
            ),
            Violation::Unexpected { message, phase: Phase::Idle } => {
                write!(f, "message type 0x{message:02x} arrived from server while idle")
            }
            Violation::Unexpected { message, phase } => {
                write!(
                    f,
                    "unexpected message type {} from server in phase {phase:?}",
                    MessageType(*message)
                )
            }
            Violation::Malformed { message, reason } => {
                write!(f, "malformed message type {} from server: {reason}", MessageType(*message))
            }
            Violation::Flood(what) => write!(f, "server sent too many {what}"),
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::PasswordMissing => f.write_str("fe_sendauth: no password supplied"),
            AuthError::NotAllowed(what) => {
                write!(f, "authentication method requirement failed: {what}")
            }
            AuthError::NoMechanism => {
                f.write_str("none of the server's SASL authentication mechanisms are supported")
            }
            AuthError::OutOfOrder(what) | AuthError::ChannelBinding(what) => f.write_str(what),
            AuthError::Scram(reason) => write!(f, "malformed SCRAM message ({reason})"),
            AuthError::Iterations => {
                f.write_str("malformed SCRAM message (invalid iteration count)")
            }
            AuthError::Nonce => f.write_str("invalid SCRAM response (nonce mismatch)"),
            AuthError::ServerSignature => f.write_str("incorrect server signature"),
            AuthError::ScramRefused(reason) => {
                write!(f, "error received from server in SCRAM exchange: {reason}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// A message's type as a reader of an error text wants to see it.
struct MessageType(u8);

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "\"{}\"", char::from(self.0))
        } else {
            write!(f, "0x{:02x}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_message() {
        let error = Error::from(Violation::Length { message: b'Z', length: 3 });
        assert_eq!(
            error.to_string(),
            "lost synchronization with server: got message type \"Z\", length 3"
        );
        let error = Error::from(Violation::UnknownMessage(0));
        assert!(error.to_string().ends_with("was 0x00"), "{error}");
    }

    #[test]
    fn last_words_come_first() {
        let report = Report::parse(b"SFATAL\0C57P01\0Mbye\0\0").unwrap();
        let text = Error::Terminated(Some(Box::new(report))).to_string();
        assert_eq!(text, "FATAL:  bye\nserver closed the connection unexpectedly");
    }
}
