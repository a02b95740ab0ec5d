//! The properties of an encrypted connection, in libpq's terms (`PQsslAttribute`).

use rustls::{CipherSuite, CommonState, ProtocolVersion};

/// The attributes of a connection over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version: `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher suite by OpenSSL's name: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES256-GCM-SHA384`.
    pub cipher: &'static str,
    /// How many bits the cipher's key has.
    pub key_bits: u16,
    /// The protocol negotiated by ALPN, if the server named one.
    pub alpn: Option<String>,
}

impl TlsInfo {
    /// The names of the attributes, in libpq's order.
    pub const NAMES: [&'static str; 6] =
        ["library", "key_bits", "cipher", "compression", "protocol", "alpn"];

    pub(super) fn of(connection: &CommonState) -> Self {
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let (cipher, key_bits) = suite.map_or(("unknown", 0), cipher);
        Self {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "unknown",
            },
            cipher,
            key_bits,
            alpn: connection
                .alpn_protocol()
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        }
    }

    /// The attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<String> {
        Some(match name {
            "library" => "rustls".to_owned(),
            "key_bits" => self.key_bits.to_string(),
            "cipher" => self.cipher.to_owned(),
            "compression" => "off".to_owned(),
            "protocol" => self.protocol.to_owned(),
            "alpn" => self.alpn.clone().unwrap_or_default(),
            _ => return None,
        })
    }
}

/// OpenSSL's name for a cipher suite, and the length of its key in bits.
fn cipher(suite: CipherSuite) -> (&'static str, u16) {
    match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => ("TLS_AES_256_GCM_SHA384", 256),
        CipherSuite::TLS13_AES_128_GCM_SHA256 => ("TLS_AES_128_GCM_SHA256", 128),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => ("TLS_CHACHA20_POLY1305_SHA256", 256),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => {
            ("ECDHE-ECDSA-AES256-GCM-SHA384", 256)
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
            ("ECDHE-ECDSA-AES128-GCM-SHA256", 128)
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            ("ECDHE-ECDSA-CHACHA20-POLY1305", 256)
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => ("ECDHE-RSA-AES256-GCM-SHA384", 256),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => ("ECDHE-RSA-AES128-GCM-SHA256", 128),
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            ("ECDHE-RSA-CHACHA20-POLY1305", 256)
        }
        other => (other.as_str().unwrap_or("unknown"), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_can_be_agreed_on_has_its_name() {
        for suite in rustls::crypto::ring::ALL_CIPHER_SUITES {
            let (name, bits) = cipher(suite.suite());
            assert!(!name.contains("WITH") && bits >= 128, "{suite:?}");
        }
    }
}
