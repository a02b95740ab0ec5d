//! CopyData, CopyDone, CopyFail.

use crate::wire::outbox::Outbox;
use crate::wire::writer::{Refused, Writer};

/// The longest piece of a COPY FROM in one message. The data may be cut anywhere, the server holds
/// each message whole, and it refuses messages of a gigabyte or more.
const COPY_PIECE: usize = 16 << 20;

/// The type and the length of a message.
const COPY_HEADER: usize = 5;

/// `CopyData` (frontend, `d`): one message.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COPYDATA>
pub(crate) fn copy_data(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Refused> {
    let mut message = Writer::message(out, b'd');
    message.bytes(data)?;
    message.finish()
}

/// The data of a COPY FROM, in as many messages as they need; no data need none. Data are added to
/// the last message until it is sent, as each message costs the server much more than a few bytes.
pub(crate) fn copy_stream(out: &mut Outbox, data: &[u8]) -> Result<(), Refused> {
    if data.is_empty() || out.extend(data, COPY_PIECE) {
        return Ok(());
    }
    out.append(|out| data.chunks(COPY_PIECE).try_for_each(|piece| copy_data(out, piece)))?;
    if data.len() < COPY_PIECE {
        out.leave_open(COPY_HEADER + data.len());
    }
    Ok(())
}

/// `CopyDone` (frontend, `c`).
pub(crate) fn copy_done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"c\0\0\0\x04");
}

/// `CopyFail` (frontend, `f`): makes the server fail the COPY, with this reason in its message.
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
        copy_done(&mut out);
        copy_fail(&mut out, b"no").unwrap();
        assert_eq!(out, b"d\0\0\0\x061\nc\0\0\0\x04f\0\0\0\x07no\0");
    }

    #[test]
    fn data_that_are_not_sent_yet_are_one_message() {
        let mut out = Outbox::default();
        for data in [&b"1\n"[..], b"", b"2", b"\n"] {
            copy_stream(&mut out, data).unwrap();
        }
        assert_eq!(out.pending(), b"d\0\0\0\x081\n2\n");
        out.sent(9);
        copy_stream(&mut out, b"3\n").unwrap();
        assert_eq!(out.pending(), b"d\0\0\0\x063\n");
    }

    #[test]
    fn a_long_chunk_is_cut() {
        let mut out = Outbox::default();
        copy_stream(&mut out, &vec![b'x'; COPY_PIECE + 3]).unwrap();
        assert_eq!(out.pending().len(), COPY_PIECE + 5 + 5 + 3);
        assert!(out.pending().ends_with(b"d\0\0\0\x07xxx"));
    }
}
