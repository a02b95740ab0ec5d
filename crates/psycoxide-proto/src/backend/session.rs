//! Messages about the session itself: its parameters, its cancel key, its transaction status, its
//! notifications, the negotiated protocol version.

use crate::wire::reader::{Malformed, Reader};

/// The session's transaction status, as in `ReadyForQuery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction block (`I`).
    Idle,
    /// In a transaction block (`T`).
    InTransaction,
    /// In a failed transaction block: only ROLLBACK helps (`E`).
    InError,
}

/// `ReadyForQuery` (backend, `Z`): the server is ready for a new cycle.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-READYFORQUERY>
pub(crate) fn ready_for_query(body: &[u8]) -> Result<TransactionStatus, Malformed> {
    let mut reader = Reader::new(body);
    let status = match reader.byte()? {
        b'I' => TransactionStatus::Idle,
        b'T' => TransactionStatus::InTransaction,
        b'E' => TransactionStatus::InError,
        _ => return Err("an unknown transaction status"),
    };
    reader.finish()?;
    Ok(status)
}

/// `ParameterStatus` (backend, `S`): a run-time parameter and its current value.
///
/// Sent at start-up for each reported parameter and, asynchronously, whenever one changes.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-PARAMETERSTATUS>
pub(crate) fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(body);
    let name = reader.string()?;
    let value = reader.string()?;
    reader.finish()?;
    Ok((name, value))
}

/// `BackendKeyData` (backend, `K`): the key that a `CancelRequest` must quote.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA>:
/// "The minimum and maximum key length are 4 and 256 bytes, respectively."
#[derive(Clone, PartialEq, Eq)]
pub struct CancelKey {
    /// The process id of the backend.
    pub pid: i32,
    /// The secret key: 4 bytes, or up to 256 from protocol 3.2 on.
    pub secret: Vec<u8>,
}

impl CancelKey {
    pub(crate) fn parse(body: &[u8]) -> Result<CancelKey, Malformed> {
        let mut reader = Reader::new(body);
        let pid = reader.int32()?;
        let secret = reader.rest();
        if !(4..=256).contains(&secret.len()) {
            return Err("a cancel key that is not 4 to 256 bytes long");
        }
        Ok(CancelKey { pid, secret: secret.to_vec() })
    }
}

/// Prints only the process id: whoever knows the key may cancel.
impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelKey").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// `NotificationResponse` (backend, `A`): a NOTIFY on a channel that the session listens to.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-NOTIFICATIONRESPONSE>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The process id of the notifying backend.
    pub pid: i32,
    /// The channel's name.
    pub channel: Vec<u8>,
    /// The payload, possibly empty.
    pub payload: Vec<u8>,
}

impl Notification {
    pub(crate) fn parse(body: &[u8]) -> Result<Notification, Malformed> {
        let mut reader = Reader::new(body);
        let pid = reader.int32()?;
        let channel = reader.string()?.to_vec();
        let payload = reader.string()?.to_vec();
        reader.finish()?;
        Ok(Notification { pid, channel, payload })
    }
}

/// `NegotiateProtocolVersion` (backend, `v`): the server supports only an older minor version, or
/// does not know some `_pq_.` options.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-NEGOTIATEPROTOCOLVERSION>
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NegotiateProtocolVersion<'a> {
    /// The newest version that the server supports: major in the upper half, minor in the lower.
    pub(crate) newest: u32,
    /// The options that the server does not know.
    pub(crate) unknown: Vec<&'a [u8]>,
}

impl<'a> NegotiateProtocolVersion<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<NegotiateProtocolVersion<'a>, Malformed> {
        let mut reader = Reader::new(body);
        let newest = reader.uint32()?;
        let count = reader.int32()?;
        if count < 0 {
            return Err("a negative number of options");
        }
        let mut unknown = Vec::new();
        for _ in 0..count {
            unknown.push(reader.string()?);
        }
        reader.finish()?;
        Ok(NegotiateProtocolVersion { newest, unknown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder must refuse every proper prefix of a valid body, and the body with one byte more.
    fn strict<T>(body: &[u8], parse: impl Fn(&[u8]) -> Result<T, Malformed>) {
        assert!(parse(body).is_ok());
        for end in 0..body.len() {
            assert!(parse(&body[..end]).is_err(), "cut at {end}");
        }
        let mut long = body.to_vec();
        long.push(b'x');
        assert!(parse(&long).is_err(), "trailing byte");
    }

    #[test]
    fn ready_has_the_transaction_status() {
        assert_eq!(ready_for_query(b"I"), Ok(TransactionStatus::Idle));
        assert_eq!(ready_for_query(b"T"), Ok(TransactionStatus::InTransaction));
        assert_eq!(ready_for_query(b"E"), Ok(TransactionStatus::InError));
        assert!(ready_for_query(b"X").is_err());
        strict(b"I", |body| ready_for_query(body).map(drop));
    }

    #[test]
    fn a_parameter_is_two_strings() {
        assert_eq!(parameter_status(b"TimeZone\0UTC\0"), Ok((&b"TimeZone"[..], &b"UTC"[..])));
        strict(b"a\0b\0", |body| parameter_status(body).map(drop));
    }

    #[test]
    fn a_cancel_key_has_4_to_256_bytes() {
        let key = CancelKey::parse(b"\0\0\0\x07abcd").unwrap();
        assert_eq!((key.pid, &key.secret[..]), (7, &b"abcd"[..]));
        assert_eq!(format!("{key:?}"), "CancelKey { pid: 7, .. }");
        assert!(CancelKey::parse(b"\0\0\0\x07abc").is_err());
        let mut body = vec![0; 4 + 256];
        assert_eq!(CancelKey::parse(&body).unwrap().secret.len(), 256);
        body.push(0);
        assert!(CancelKey::parse(&body).is_err());
    }

    #[test]
    fn a_notification_has_a_channel_and_a_payload() {
        let notification = Notification::parse(b"\0\0\0\x2achan\0pay\0").unwrap();
        assert_eq!(notification.pid, 42);
        assert_eq!(notification.channel, b"chan");
        assert_eq!(notification.payload, b"pay");
        strict(b"\0\0\0\x01c\0p\0", Notification::parse);
    }

    #[test]
    fn negotiation_lists_unknown_options() {
        let body = b"\0\x03\0\0\0\0\0\x02_pq_.a\0_pq_.b\0";
        let message = NegotiateProtocolVersion::parse(body).unwrap();
        assert_eq!(message.newest, 3 << 16);
        assert_eq!(message.unknown, [&b"_pq_.a"[..], b"_pq_.b"]);
        strict(body, |body| NegotiateProtocolVersion::parse(body).map(drop));
        assert!(NegotiateProtocolVersion::parse(b"\0\x03\0\0\xff\xff\xff\xff").is_err());
        assert!(NegotiateProtocolVersion::parse(b"\0\x03\0\0\x7f\xff\xff\xffa\0").is_err());
    }
}
