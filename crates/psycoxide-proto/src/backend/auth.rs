//! `Authentication…`: the server's requests for authentication.

use crate::wire::reader::{Malformed, Reader};

/// The authentication messages (backend, `R`), distinguished by their first number.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-AUTHENTICATIONOK>
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Authentication<'a> {
    /// 0: authenticated.
    Ok,
    /// 3: send the password as it is.
    CleartextPassword,
    /// 5: send the password hashed with this salt.
    Md5Password([u8; 4]),
    /// 7: begin GSSAPI.
    Gss,
    /// 8: the next token of GSSAPI or SSPI.
    GssContinue(&'a [u8]),
    /// 9: begin SSPI, which GSSAPI can answer.
    Sspi,
    /// 10: choose one of these SASL mechanisms.
    Sasl(Vec<&'a [u8]>),
    /// 11: the next message of the SASL exchange.
    SaslContinue(&'a [u8]),
    /// 12: the last message of the SASL exchange.
    SaslFinal(&'a [u8]),
    /// Any other number.
    Other(i32),
}

impl<'a> Authentication<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Authentication<'a>, Malformed> {
        let mut reader = Reader::new(body);
        let message = match reader.int32()? {
            0 => Authentication::Ok,
            3 => Authentication::CleartextPassword,
            5 => {
                let salt = reader.bytes(4)?.first_chunk::<4>().copied();
                Authentication::Md5Password(salt.ok_or("a salt that is not 4 bytes long")?)
            }
            7 => Authentication::Gss,
            8 => Authentication::GssContinue(reader.rest()),
            9 => Authentication::Sspi,
            10 => Authentication::Sasl(mechanisms(&mut reader)?),
            11 => Authentication::SaslContinue(reader.rest()),
            12 => Authentication::SaslFinal(reader.rest()),
            other => {
                reader.rest();
                Authentication::Other(other)
            }
        };
        reader.finish()?;
        Ok(message)
    }
}

/// The names of mechanisms, in the server's order of preference, up to an empty one.
fn mechanisms<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Malformed> {
    let mut names = Vec::new();
    loop {
        match reader.string()? {
            b"" => return Ok(names),
            name => names.push(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_told_by_its_number() {
        for (body, expected) in [
            (&b"\0\0\0\0"[..], Authentication::Ok),
            (b"\0\0\0\x03", Authentication::CleartextPassword),
            (b"\0\0\0\x05salt", Authentication::Md5Password(*b"salt")),
            (
                b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
                Authentication::Sasl(vec![b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]),
            ),
            (b"\0\0\0\x0a\0", Authentication::Sasl(vec![])),
            (b"\0\0\0\x0br=x", Authentication::SaslContinue(b"r=x")),
            (b"\0\0\0\x0cv=x", Authentication::SaslFinal(b"v=x")),
            (b"\0\0\0\x07", Authentication::Gss),
            (b"\0\0\0\x08token", Authentication::GssContinue(b"token")),
            (b"\0\0\0\x09", Authentication::Sspi),
            (b"\0\0\0\x06token", Authentication::Other(6)),
        ] {
            assert_eq!(Authentication::parse(body), Ok(expected));
        }
    }

    #[test]
    fn cuts_and_trailing_bytes_are_refused() {
        for body in [
            &b""[..],
            b"\0\0\0",
            b"\0\0\0\0x",
            b"\0\0\0\x03x",
            b"\0\0\0\x05sal",
            b"\0\0\0\x05salty",
            b"\0\0\0\x0a",
            b"\0\0\0\x0aSCRAM-SHA-256\0",
            b"\0\0\0\x0aSCRAM-SHA-256",
            b"\0\0\0\x0a\0x",
        ] {
            assert!(Authentication::parse(body).is_err(), "{body:?}");
        }
    }
}
