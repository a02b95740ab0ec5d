//! StartupMessage, CancelRequest and Terminate: the first and the last messages.

use crate::backend::session::CancelKey;
use crate::wire::writer::{Refused, Writer};

/// The request code of a CancelRequest: "1234 in the most significant 16 bits, and 5678 in the
/// least significant 16 bits."
const CANCEL_REQUEST: u32 = 1234 << 16 | 5678;

/// `SSLRequest` (frontend): its length and its code, "1234 in the most significant 16 bits, and
/// 5679 in the least significant 16 bits." The reply is a single byte, `S` or `N`.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// `GSSENCRequest` (frontend): the same with 5680. The reply is a single byte, `G` or `N`.
pub const GSS_ENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// `StartupMessage` (frontend): the protocol version, then names and values.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE>
pub(crate) fn startup(
    out: &mut Vec<u8>,
    version: u32,
    parameters: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), Refused> {
    let mut message = Writer::untyped(out);
    message.uint32(version);
    for (name, value) in parameters {
        if name.is_empty() {
            // An empty name would end the list.
            return Err("a connection parameter has no name");
        }
        message.string(name)?;
        message.string(value)?;
    }
    message.byte(0);
    message.finish()
}

impl CancelKey {
    /// `CancelRequest` (frontend): the only message on a connection of its own, which the server
    /// then closes.
    ///
    /// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST>
    pub fn request_message(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.secret.len());
        let mut message = Writer::untyped(&mut out);
        message.uint32(CANCEL_REQUEST);
        message.int32(self.pid);
        // Neither call can fail: a key has at most 256 bytes.
        let _ = message.bytes(&self.secret);
        let _ = message.finish();
        out
    }
}

/// `Terminate` (frontend, `X`).
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-TERMINATE>
pub(crate) fn terminate(out: &mut Vec<u8>) {
    out.extend_from_slice(b"X\0\0\0\x04");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn startup_lists_the_parameters() {
        let parameters = [(b"user".to_vec(), b"me".to_vec()), (b"database".to_vec(), b"".to_vec())];
        let mut out = Vec::new();
        startup(&mut out, 3 << 16, &parameters).unwrap();
        assert_eq!(out, b"\0\0\0\x1b\0\x03\0\0user\0me\0database\0\0\0");
    }

    #[test]
    fn startup_values_cannot_smuggle_parameters() {
        let mut out = Vec::new();
        let smuggled = [(b"application_name".to_vec(), b"x\0user\0postgres".to_vec())];
        assert!(startup(&mut out, 3 << 16, &smuggled).is_err());
        assert!(startup(&mut out, 3 << 16, &[(Vec::new(), b"x".to_vec())]).is_err());
    }

    #[test]
    fn cancel_quotes_the_key() {
        let key = CancelKey { pid: 7, secret: b"abcd".to_vec() };
        assert_eq!(key.request_message(), b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd");
        let key = CancelKey { pid: -1, secret: vec![b'k'; 256] };
        let message = key.request_message();
        assert_eq!(message.len(), 12 + 256);
        assert_eq!(message[..4], [0, 0, 1, 12]);
    }
}
