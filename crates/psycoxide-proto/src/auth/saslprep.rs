//! SASLprep (RFC 4013) of a password, as lenient as PostgreSQL.

use std::borrow::Cow;

/// Prepares a password for SCRAM.
///
/// A password that is not UTF-8, or that SASLprep prohibits, is used as it is: PostgreSQL's server
/// does so when it stores a password, and the client must do the same.
/// <https://www.postgresql.org/docs/current/sasl-authentication.html#SASL-SCRAM-SHA-256>
pub(crate) fn saslprep(password: &[u8]) -> Cow<'_, [u8]> {
    if password.is_ascii() && password.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Cow::Borrowed(password);
    }
    let prepared =
        std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    match prepared {
        // An empty result, e.g. of a lone soft hyphen, is prohibited as well.
        Some(text) if !text.is_empty() => Cow::Owned(text.into_owned().into_bytes()),
        _ => Cow::Borrowed(password),
    }
}

#[cfg(test)]
mod tests {
    use super::saslprep;

    /// The examples of RFC 4013, section 3, and the cases where raw bytes are kept.
    #[test]
    fn prepares_or_keeps() {
        for (password, prepared) in [
            ("user", "user"),
            ("USER", "USER"),
            ("I\u{ad}X", "IX"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            ("a\u{a0}b", "a b"),
            ("\u{7}", "\u{7}"),
            ("\u{627}1", "\u{627}1"),
            ("\u{ad}", "\u{ad}"),
        ] {
            assert_eq!(saslprep(password.as_bytes()), prepared.as_bytes(), "{password:?}");
        }
        assert_eq!(&*saslprep(b"\xff\xfe"), b"\xff\xfe");
    }
}
