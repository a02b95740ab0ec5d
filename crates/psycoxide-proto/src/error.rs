//! What can go wrong in a conversation, and whose fault it is.

use std::fmt;

use crate::backend::report::Report;
use crate::machine::transitions::Phase;

/// Why an engine failed, or why it refused a command.
///
/// The variant names who is to blame, so that a caller can choose an exception without reading the
/// text. Texts follow libpq's wording where libpq has one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol. The connection cannot be trusted any more.
    Violation(Violation),
    /// The peer asked for something that the protocol allows and this crate does not support.
    Unsupported(String),
    /// Authentication failed on this side: there is no credential, or the server is not who it
    /// claims to be.
    Auth(AuthError),
    /// The server refused the connection (ErrorResponse during start-up).
    Server(Box<Report>),
    /// The server could not even begin the session. The text is from an error without fields, as in
    /// protocol 2.
    Refused(String),
    /// The peer closed the connection. Its last ErrorResponse, if it sent one.
    Terminated(Option<Box<Report>>),
    /// The caller asked for something impossible, or at the wrong time. The engine has not failed.
    Misuse(&'static str),
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// A message of unknown type.
    UnknownMessage(u8),
    /// An impossible length for this type of message: shorter than itself, or over the limit.
    Length {
        /// The message's type byte.
        message: u8,
        /// The declared length, which counts itself.
        length: u32,
    },
    /// A message that has no place in this phase.
    Unexpected {
        /// The message's type byte.
        message: u8,
        /// The phase of the conversation.
        phase: Phase,
    },
    /// A message whose contents contradict its layout.
    Malformed {
        /// The message's type byte.
        message: u8,
        /// What is wrong.
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
    /// The server's method is not allowed (libpq's `require_auth`).
    NotAllowed(&'static str),
    /// Channel binding is required and this exchange lacks it. The text says where that showed.
    ChannelBinding(&'static str),
    /// The server offers no SASL mechanism that this crate knows.
    NoMechanism,
    /// A message of the exchange came out of order.
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

/// Prints a message's type byte for an error text: as a character if it is one.
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
