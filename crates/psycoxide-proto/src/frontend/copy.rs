//! `CopyData`, `CopyDone`, `CopyFail`.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>

use crate::error::Error;
use crate::wire::writer;

/// `CopyData` (frontend, `d`).
pub(crate) fn data(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    writer::message(out, b'd', |out| {
        out.extend_from_slice(bytes);
        Ok(())
    })
}

/// `CopyDone` (frontend, `c`).
pub(crate) fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"c\0\0\0\x04");
}

/// `CopyFail` (frontend, `f`). A reason ends at its first zero byte.
pub(crate) fn fail(out: &mut Vec<u8>, reason: &[u8]) -> Result<(), Error> {
    let reason = reason.split(|byte| *byte == 0).next().unwrap_or_default();
    writer::message(out, b'f', |out| writer::string(out, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mut out = Vec::new();
        data(&mut out, b"1\n").unwrap();
        done(&mut out);
        fail(&mut out, b"no\0more").unwrap();
        assert_eq!(out, b"d\0\0\0\x061\nc\0\0\0\x04f\0\0\0\x07no\0");
    }
}
