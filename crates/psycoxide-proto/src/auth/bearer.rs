//! OAUTHBEARER: an OAuth bearer token instead of a password.
//!
//! <https://www.rfc-editor.org/rfc/rfc7628>, and
//! <https://www.postgresql.org/docs/current/sasl-authentication.html#SASL-OAUTHBEARER>

use zeroize::Zeroizing;

/// The mechanism's name.
pub(crate) const MECHANISM: &[u8] = b"OAUTHBEARER";

/// The client's empty reply to a refusal, so that the server can end the exchange.
pub(crate) const DISMISSAL: &[u8] = b"\x01";

/// The first message: the token, or without one the question where to get it.
pub(crate) fn first_message(token: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(b"n,,\x01auth=".to_vec());
    if let Some(token) = token {
        // Reserve all of it: growing step by step would leave copies behind.
        message.reserve_exact(b"Bearer ".len() + token.len() + 2);
        message.extend_from_slice(b"Bearer ");
        message.extend_from_slice(token);
    }
    message.extend_from_slice(b"\x01\x01");
    message
}

/// Whether a token has the form `b64token` of RFC 6750, section 2.1. Other characters could forge
/// parts of the message around it.
pub(crate) fn is_token(token: &[u8]) -> bool {
    let end = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let body = token.get(..end).unwrap_or_default();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    !body.is_empty() && body.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_that_of_the_rfc() {
        assert_eq!(first_message(Some(b"vF9d==")).as_slice(), b"n,,\x01auth=Bearer vF9d==\x01\x01");
        assert_eq!(first_message(None).as_slice(), b"n,,\x01auth=\x01\x01");
    }

    #[test]
    fn a_token_cannot_forge_a_message() {
        for token in [&b"a"[..], b"abc.DEF-_~+/019==", b"a="] {
            assert!(is_token(token), "{token:?}");
        }
        for token in [&b""[..], b"=", b"a b", b"a\x01host=x", b"a=b", b"a,b", "ä".as_bytes()] {
            assert!(!is_token(token), "{token:?}");
        }
    }
}
