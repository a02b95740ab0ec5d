//! `Authentication…` (backend, `R`): what the server wants to be convinced by.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-AUTHENTICATIONOK>

use crate::wire::reader::{Malformed, Reader};

/// An authentication request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Authentication<'a> {
    /// We are in.
    Ok,
    /// A password in clear text.
    CleartextPassword,
    /// A password hashed with MD5 and this salt.
    Md5Password([u8; 4]),
    /// SASL, by one of these mechanisms.
    Sasl(Vec<&'a [u8]>),
    /// The mechanism's next message.
    SaslContinue(&'a [u8]),
    /// The mechanism's last message.
    SaslFinal(&'a [u8]),
    /// A method that is not spoken here, by its number.
    Other(i32),
}

impl<'a> Authentication<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let request = match reader.int32()? {
            0 => Self::Ok,
            3 => Self::CleartextPassword,
            5 => {
                let salt = reader.bytes(4)?;
                Self::Md5Password(salt.try_into().map_err(|_| "a salt that is not 4 bytes long")?)
            }
            10 => {
                let mut mechanisms = Vec::new();
                loop {
                    match reader.string()? {
                        b"" => break,
                        mechanism => mechanisms.push(mechanism),
                    }
                }
                Self::Sasl(mechanisms)
            }
            11 => Self::SaslContinue(reader.rest()),
            12 => Self::SaslFinal(reader.rest()),
            other => {
                reader.rest();
                Self::Other(other)
            }
        };
        reader.finish()?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for (body, expected) in [
            (&b"\0\0\0\0"[..], Authentication::Ok),
            (b"\0\0\0\x03", Authentication::CleartextPassword),
            (b"\0\0\0\x05abcd", Authentication::Md5Password(*b"abcd")),
            (b"\0\0\0\x0aA\0BC\0\0", Authentication::Sasl(vec![b"A", b"BC"])),
            (b"\0\0\0\x0bx", Authentication::SaslContinue(b"x")),
            (b"\0\0\0\x0c", Authentication::SaslFinal(b"")),
            (b"\0\0\0\x07", Authentication::Other(7)),
        ] {
            assert_eq!(Authentication::parse(body), Ok(expected));
        }
        for body in
            [&b""[..], b"\0\0\0", b"\0\0\0\0x", b"\0\0\0\x05abc", b"\0\0\0\x0aA\0", b"\0\0\0\x0aA"]
        {
            assert!(Authentication::parse(body).is_err());
        }
    }
}
