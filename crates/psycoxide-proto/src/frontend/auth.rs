//! PasswordMessage, SASLInitialResponse and SASLResponse: all of type `p`.

use crate::wire::writer::{Refused, Writer};

/// `PasswordMessage` (frontend, `p`): a password, in clear or hashed.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-PASSWORDMESSAGE>
pub(crate) fn password(out: &mut Vec<u8>, password: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'p');
    message.string(password)?;
    message.finish()
}

/// `SASLInitialResponse` (frontend, `p`): the chosen mechanism and its first message.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SASLINITIALRESPONSE>
pub(crate) fn sasl_initial(
    out: &mut Vec<u8>,
    mechanism: &[u8],
    first: &[u8],
) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'p');
    message.string(mechanism)?;
    message.nullable(Some(first))?;
    message.finish()
}

/// `SASLResponse` (frontend, `p`): a further message of the mechanism.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SASLRESPONSE>
pub(crate) fn sasl_response(out: &mut Vec<u8>, response: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'p');
    message.bytes(response)?;
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_messages_of_one_type() {
        let mut out = Vec::new();
        password(&mut out, b"pw").unwrap();
        sasl_initial(&mut out, b"M", b"n,,").unwrap();
        sasl_response(&mut out, b"c=").unwrap();
        assert_eq!(out, b"p\0\0\0\x07pw\0p\0\0\0\x0dM\0\0\0\0\x03n,,p\0\0\0\x06c=");
    }

    #[test]
    fn a_password_with_a_zero_byte_is_refused() {
        assert!(password(&mut Vec::new(), b"p\0w").is_err());
    }
}
