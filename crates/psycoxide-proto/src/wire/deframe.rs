//! Finds where a message ends, and checks its declared length.

use crate::error::Violation;
use crate::machine::transitions::Message;

/// The size of a header: every message but the first begins with a type byte and a length that
/// counts itself.
/// <https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>
pub(crate) const HEADER: usize = 5;

/// The limit for messages that have no reason to be long. As in libpq's `pqParseInput3`, a garbled
/// stream is noticed before gigabytes are awaited. It holds for every message while a connection
/// opens, as the peer has not proved anything yet.
pub(crate) const SHORT_LIMIT: u32 = 30_000;

/// ParameterDescription has at most 65535 types.
const PARAMETER_DESCRIPTION_LIMIT: u32 = 4 + 2 + 4 * 65_535;

/// A header with a plausible length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) message: Message,
    /// The length of the whole message, type byte included.
    pub(crate) total: usize,
}

/// Reads the header at the start of these bytes. Returns `None` if there are too few.
///
/// # Errors
/// An unknown type (as soon as its byte is there), or a length out of bounds.
pub(crate) fn header(bytes: &[u8], opening: bool) -> Result<Option<Header>, Violation> {
    let Some(kind) = bytes.first().copied() else {
        return Ok(None);
    };
    let message = Message::from_byte(kind).ok_or(Violation::UnknownMessage(kind))?;
    let Some([_, a, b, c, d]) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    if length < 4 || length > limit(message, opening) {
        return Err(Violation::Length { message: kind, length });
    }
    let total = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
    Ok(Some(Header { message, total }))
}

/// The greatest length of a message of this type.
fn limit(message: Message, opening: bool) -> u32 {
    match message {
        _ if opening => SHORT_LIMIT,
        Message::RowDescription
        | Message::DataRow
        | Message::CopyData
        | Message::FunctionCallResponse
        | Message::ErrorResponse
        | Message::NoticeResponse
        | Message::NotificationResponse => 0x7fff_ffff,
        Message::ParameterDescription => PARAMETER_DESCRIPTION_LIMIT,
        _ => SHORT_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_five_bytes() {
        let bytes = b"Z\0\0\0\x05I";
        for end in 0..HEADER {
            assert_eq!(header(&bytes[..end], false), Ok(None));
        }
        let whole = Header { message: Message::ReadyForQuery, total: 6 };
        assert_eq!(header(&bytes[..HEADER], false), Ok(Some(whole)));
        assert_eq!(header(bytes, false), Ok(Some(whole)));
    }

    #[test]
    fn a_length_counts_itself() {
        for length in 0..4 {
            assert_eq!(
                header(&[b'D', 0, 0, 0, length], false),
                Err(Violation::Length { message: b'D', length: length.into() })
            );
        }
        assert!(header(b"D\x80\0\0\0", false).is_err());
        assert!(header(b"D\xff\xff\xff\xff", false).is_err());
        assert!(header(b"D\x7f\xff\xff\xff", false).is_ok());
    }

    #[test]
    fn only_some_messages_may_be_long_and_none_while_the_session_opens() {
        let long = |kind: u8| [kind, 0, 0, 0x75, 0x31]; // 30001
        for kind in *b"TDdVENAt" {
            assert!(header(&long(kind), false).is_ok(), "{}", char::from(kind));
        }
        for kind in *b"RKSZCIGHWcv123nsW" {
            assert!(header(&long(kind), false).is_err(), "{}", char::from(kind));
        }
        for kind in *b"TDdVENAtRKSZ" {
            assert!(header(&long(kind), true).is_err(), "{}", char::from(kind));
        }
        assert!(header(b"R\0\0\x75\x30", true).is_ok());
        assert!(header(b"t\0\x04\0\x03", false).is_err());
    }

    #[test]
    fn an_unknown_type_is_refused_at_its_first_byte() {
        assert_eq!(header(b"H", false), Ok(None));
        assert_eq!(header(b"\0", false), Err(Violation::UnknownMessage(0)));
        assert_eq!(
            header(b"HTTP/1.1 400", false).unwrap_err(),
            Violation::Length { message: b'H', length: u32::from_be_bytes(*b"TTP/") }
        );
    }
}
