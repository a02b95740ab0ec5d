//! The ways to encrypt a stream.

use psycoxide_proto::{GSS_ENC_REQUEST, SSL_REQUEST};

/// What encrypts a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncryptionMethod {
    Tls,
    Gss,
}

impl EncryptionMethod {
    /// What asks the server for it.
    pub(crate) fn request(self) -> &'static [u8; 8] {
        match self {
            Self::Tls => &SSL_REQUEST,
            Self::Gss => &GSS_ENC_REQUEST,
        }
    }

    /// The server's yes.
    pub(crate) fn consent(self) -> u8 {
        match self {
            Self::Tls => b'S',
            Self::Gss => b'G',
        }
    }

    /// As libpq's messages name it, where the server answers and where it goes on.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Tls => ("SSL", "SSL"),
            Self::Gss => ("GSSAPI encryption", "GSS encryption"),
        }
    }
}
