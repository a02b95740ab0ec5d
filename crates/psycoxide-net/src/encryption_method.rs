//! The methods of encrypting a stream.

use psycoxide_proto::{GSS_ENC_REQUEST, SSL_REQUEST};

/// How a stream is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncryptionMethod {
    Tls,
    Gss,
}

impl EncryptionMethod {
    /// The message that asks the server for this encryption.
    pub(crate) fn request(self) -> &'static [u8; 8] {
        match self {
            Self::Tls => &SSL_REQUEST,
            Self::Gss => &GSS_ENC_REQUEST,
        }
    }

    /// The byte by which the server agrees.
    pub(crate) fn consent(self) -> u8 {
        match self {
            Self::Tls => b'S',
            Self::Gss => b'G',
        }
    }

    /// The names in libpq's messages: of the server's answer, and of the exchange that follows.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Tls => ("SSL", "SSL"),
            Self::Gss => ("GSSAPI encryption", "GSS encryption"),
        }
    }
}
