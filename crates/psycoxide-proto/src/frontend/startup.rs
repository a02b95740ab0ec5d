//! The messages that begin a conversation, and the one that is all of a conversation.

use crate::backend::session::CancelKey;
use crate::error::Error;
use crate::machine::startup::Startup;
use crate::wire::writer;

/// The code that stands in a CancelRequest where others have their protocol version.
const CANCEL_CODE: u32 = 80_877_102;

/// `StartupMessage`.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE>
pub(crate) fn startup_message(out: &mut Vec<u8>, startup: &Startup) -> Result<(), Error> {
    writer::sized(out, |out| {
        out.extend_from_slice(&startup.protocol.code().to_be_bytes());
        for (name, value) in &startup.parameters {
            // An empty name would end the list.
            if name.is_empty() {
                return Err(Error::Misuse("a start-up parameter without a name"));
            }
            writer::string(out, name)?;
            writer::string(out, value)?;
        }
        out.push(0);
        Ok(())
    })
}

/// `CancelRequest`.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST>
pub(crate) fn cancel_request(key: &CancelKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + key.secret.len());
    // A key has at most 256 bytes, so this cannot be too long.
    let _ = writer::sized(&mut out, |out| {
        out.extend_from_slice(&CANCEL_CODE.to_be_bytes());
        out.extend_from_slice(&key.pid.to_be_bytes());
        out.extend_from_slice(&key.secret);
        Ok(())
    });
    out
}

/// `Terminate` (frontend, `X`).
pub(crate) fn terminate(out: &mut Vec<u8>) {
    out.extend_from_slice(b"X\0\0\0\x04");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_message() {
        let mut startup = Startup::new(b"me", String::new());
        startup.parameters.push((b"database".to_vec(), b"d".to_vec()));
        let mut out = Vec::new();
        startup_message(&mut out, &startup).unwrap();
        assert_eq!(out, b"\0\0\0\x1c\0\x03\0\0user\0me\0database\0d\0\0");
    }

    #[test]
    fn parameters_cannot_smuggle_others() {
        let mut startup = Startup::new(b"me\0database\0template1", String::new());
        assert!(startup_message(&mut Vec::new(), &startup).is_err());
        startup.parameters = vec![(Vec::new(), Vec::new())];
        assert!(startup_message(&mut Vec::new(), &startup).is_err());
    }

    #[test]
    fn a_cancel_request() {
        let key = CancelKey { pid: 7, secret: b"abcd".to_vec() };
        assert_eq!(cancel_request(&key), b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd");
    }
}
