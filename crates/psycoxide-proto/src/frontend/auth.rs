//! The answers to authentication requests: all of them are `p`.

use crate::error::Error;
use crate::wire::writer;

/// `PasswordMessage`: a password, or its MD5 hash.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-PASSWORDMESSAGE>
pub(crate) fn password(out: &mut Vec<u8>, password: &[u8]) -> Result<(), Error> {
    writer::message(out, b'p', |out| writer::string(out, password))
}

/// `SASLInitialResponse`: the mechanism and its first message.
pub(crate) fn sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) -> Result<(), Error> {
    writer::message(out, b'p', |out| {
        writer::string(out, mechanism.as_bytes())?;
        writer::value(out, Some(data))
    })
}

/// `SASLResponse`: a further message of the mechanism.
pub(crate) fn sasl(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Error> {
    writer::message(out, b'p', |out| {
        out.extend_from_slice(data);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mut out = Vec::new();
        password(&mut out, b"pw").unwrap();
        sasl_initial(&mut out, "M", b"d").unwrap();
        sasl(&mut out, b"d").unwrap();
        assert_eq!(out, b"p\0\0\0\x07pw\0p\0\0\0\x0bM\0\0\0\0\x01dp\0\0\0\x05d");
    }
}
