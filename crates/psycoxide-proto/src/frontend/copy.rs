//! CopyData, CopyDone, CopyFail.

use crate::wire::writer::{Refused, Writer};

/// COPY FROM may cut its data anywhere, so a longer chunk becomes several messages: the server
/// takes no message of a gigabyte or more, and holds each one whole.
const COPY_PIECE: usize = 16 << 20;

/// `CopyData` (frontend, `d`): one message.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COPYDATA>
pub(crate) fn copy_data(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'd');
    message.bytes(data)?;
    message.finish()
}

/// The data of a COPY FROM, in as many messages as they need; none for no data.
pub(crate) fn copy_stream(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Refused> {
    data.chunks(COPY_PIECE).try_for_each(|piece| copy_data(out, piece))
}

/// `CopyDone` (frontend, `c`).
pub(crate) fn copy_done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"c\0\0\0\x04");
}

/// `CopyFail` (frontend, `f`): the server fails the COPY, with this reason in its message.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COPYFAIL>
pub(crate) fn copy_fail(out: &mut Vec<u8>, reason: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'f');
    message.string(reason)?;
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_done_and_failure() {
        let mut out = Vec::new();
        copy_data(&mut out, b"1\n").unwrap();
        copy_stream(&mut out, b"").unwrap();
        copy_stream(&mut out, b"2").unwrap();
        copy_done(&mut out);
        copy_fail(&mut out, b"no").unwrap();
        assert_eq!(out, b"d\0\0\0\x061\nd\0\0\0\x052c\0\0\0\x04f\0\0\0\x07no\0");
    }

    #[test]
    fn a_long_chunk_is_cut() {
        let mut out = Vec::new();
        copy_stream(&mut out, &vec![b'x'; COPY_PIECE + 3]).unwrap();
        assert_eq!(out.len(), COPY_PIECE + 5 + 5 + 3);
        assert!(out.ends_with(b"d\0\0\0\x07xxx"));
    }
}
