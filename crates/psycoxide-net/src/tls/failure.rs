//! The failures of TLS, in libpq's and OpenSSL's words: programs match them.

use std::fmt;
use std::io;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

use super::verifier;
use crate::config::TlsVersion;

/// Why TLS could not be set up, or ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsFailure {
    /// A file is missing or unfit, or the server is not what was asked for; libpq's text.
    Refused(String),
    /// The library found an error, or the server reported one by an alert.
    Library {
        /// The error.
        error: Box<Error>,
        /// A hint for the user, if the offered versions of TLS are the reason.
        hint: Option<String>,
    },
    /// The server closed the connection without a closing alert.
    Eof,
    /// The server ended the session with a closing alert.
    Closed,
}

impl TlsFailure {
    /// The failure when no version of TLS is left to offer.
    pub(super) fn no_version(least: TlsVersion, most: TlsVersion) -> Self {
        Self::Refused(format!("SSL error: no protocols available\n{}", hint(least, most)))
    }

    /// The failure of a handshake in which these versions were offered.
    pub(super) fn with_versions(self, least: TlsVersion, most: TlsVersion) -> Self {
        match self {
            Self::Library { error, .. } if is_about_version(&error) => {
                Self::Library { error, hint: Some(hint(least, most)) }
            }
            other => other,
        }
    }

    /// The TLS failure inside a stream's error, if there is one.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Error> for TlsFailure {
    fn from(error: Error) -> Self {
        Self::Library { error: Box::new(error), hint: None }
    }
}

impl From<TlsFailure> for io::Error {
    fn from(failure: TlsFailure) -> Self {
        io::Error::other(failure)
    }
}

impl std::error::Error for TlsFailure {}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => f.write_str(text),
            Self::Library { error, hint } => {
                write!(f, "SSL error: {}", words(error))?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n{hint}"))
            }
            Self::Eof => f.write_str("SSL SYSCALL error: EOF detected"),
            Self::Closed => f.write_str("SSL connection has been closed unexpectedly"),
        }
    }
}

fn hint(least: TlsVersion, most: TlsVersion) -> String {
    format!(
        "This may indicate that the server does not support any SSL protocol version between \
         {least} and {most}."
    )
}

fn is_about_version(error: &Error) -> bool {
    use PeerIncompatible as Peer;
    matches!(
        error,
        Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
            | Error::PeerIncompatible(
                Peer::ServerDoesNotSupportTls12Or13
                    | Peer::ServerTlsVersionIsDisabledByOurConfig
                    | Peer::Tls12NotOfferedOrEnabled
            )
    )
}

/// An error of rustls in OpenSSL's words, if OpenSSL has any for it.
fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => {
            format!("certificate verify failed: {}", verifier::words(error))
        }
        Error::AlertReceived(alert) => alert_words(*alert),
        Error::DecryptError => "decryption failed or bad record mac".to_owned(),
        Error::PeerSentOversizedRecord => "encrypted length too long".to_owned(),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "wrong version number".to_owned(),
        Error::PeerIncompatible(_) if is_about_version(error) => "unsupported protocol".to_owned(),
        Error::NoApplicationProtocol => "no application protocol".to_owned(),
        error => error.to_string(),
    }
}

fn alert_words(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let known = match alert {
        Alert::UnexpectedMessage => "ssl/tls alert unexpected message",
        Alert::BadRecordMac => "ssl/tls alert bad record mac",
        Alert::HandshakeFailure => "ssl/tls alert handshake failure",
        Alert::BadCertificate => "ssl/tls alert bad certificate",
        Alert::UnsupportedCertificate => "ssl/tls alert unsupported certificate",
        Alert::CertificateRevoked => "ssl/tls alert certificate revoked",
        Alert::CertificateExpired => "ssl/tls alert certificate expired",
        Alert::CertificateUnknown => "ssl/tls alert certificate unknown",
        Alert::IllegalParameter => "ssl/tls alert illegal parameter",
        Alert::UnknownCA => "tlsv1 alert unknown ca",
        Alert::AccessDenied => "tlsv1 alert access denied",
        Alert::DecodeError => "tlsv1 alert decode error",
        Alert::DecryptError => "tlsv1 alert decrypt error",
        Alert::ProtocolVersion => "tlsv1 alert protocol version",
        Alert::InsufficientSecurity => "tlsv1 alert insufficient security",
        Alert::InternalError => "tlsv1 alert internal error",
        Alert::UnrecognisedName => "tlsv1 unrecognized name",
        Alert::CertificateRequired => "tlsv13 alert certificate required",
        Alert::NoApplicationProtocol => "tlsv1 alert no application protocol",
        other => return format!("alert {other:?}"),
    };
    known.to_owned()
}
