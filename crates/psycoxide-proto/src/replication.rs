//! The messages inside the CopyData of streaming replication.
//!
//! <https://www.postgresql.org/docs/current/protocol-replication.html>. Times are microseconds
//! since 2000-01-01 00:00 UTC.

/// What the server streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// XLogData (`w`): a piece of the WAL, or of an output plugin's text.
    XLogData {
        /// The WAL position at which the data start.
        data_start: u64,
        /// The end of the WAL on the server.
        wal_end: u64,
        /// The server's clock when it sent the message.
        send_time: i64,
        /// The data.
        payload: &'a [u8],
    },
    /// Primary keepalive message (`k`).
    Keepalive {
        /// The end of the WAL on the server.
        wal_end: u64,
        /// The server's clock when it sent the message.
        send_time: i64,
        /// Whether the server wants a status update at once. Without one it will time the client
        /// out.
        reply: bool,
    },
}

impl<'a> ServerMessage<'a> {
    /// Reads a CopyData payload. Returns `None` if it is neither message.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        match kind {
            b'w' => {
                let (data_start, rest) = split_u64(rest)?;
                let (wal_end, rest) = split_u64(rest)?;
                let (send_time, payload) = split_i64(rest)?;
                Some(Self::XLogData { data_start, wal_end, send_time, payload })
            }
            b'k' => {
                let (wal_end, rest) = split_u64(rest)?;
                let (send_time, rest) = split_i64(rest)?;
                match rest {
                    [reply] => Some(Self::Keepalive { wal_end, send_time, reply: *reply != 0 }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Standby status update (`r`): how far the client has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandbyStatus {
    /// Everything before this position was received.
    pub write: u64,
    /// Everything before this position is durable: the server need not keep it.
    pub flush: u64,
    /// Everything before this position was applied.
    pub apply: u64,
    /// The client's clock.
    pub time: i64,
    /// Whether the client wants a keepalive in answer.
    pub reply: bool,
}

impl StandbyStatus {
    /// The message as a CopyData payload.
    pub fn payload(&self) -> Vec<u8> {
        let mut bytes = vec![b'r'];
        for position in [self.write, self.flush, self.apply] {
            bytes.extend_from_slice(&position.to_be_bytes());
        }
        bytes.extend_from_slice(&self.time.to_be_bytes());
        bytes.push(u8::from(self.reply));
        bytes
    }
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*head), rest))
}

fn split_i64(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((i64::from_be_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<u8> {
        let mut bytes = vec![b'w'];
        bytes.extend(1_u64.to_be_bytes());
        bytes.extend(2_u64.to_be_bytes());
        bytes.extend((-3_i64).to_be_bytes());
        bytes.extend(b"BEGIN");
        bytes
    }

    #[test]
    fn data_is_read() {
        assert_eq!(
            ServerMessage::parse(&data()),
            Some(ServerMessage::XLogData {
                data_start: 1,
                wal_end: 2,
                send_time: -3,
                payload: b"BEGIN"
            })
        );
    }

    #[test]
    fn a_keepalive_is_read() {
        let mut bytes = vec![b'k'];
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(8_i64.to_be_bytes());
        assert_eq!(ServerMessage::parse(&bytes), None);
        bytes.push(1);
        assert_eq!(
            ServerMessage::parse(&bytes),
            Some(ServerMessage::Keepalive { wal_end: 7, send_time: 8, reply: true })
        );
        bytes.push(0);
        assert_eq!(ServerMessage::parse(&bytes), None);
    }

    #[test]
    fn truncated_messages_are_refused() {
        let bytes = data();
        for length in 0..25 {
            assert_eq!(ServerMessage::parse(bytes.get(..length).unwrap()), None, "{length}");
        }
        assert_eq!(ServerMessage::parse(b"x"), None);
    }

    #[test]
    fn a_status_is_written() {
        let status = StandbyStatus { write: 1, flush: 2, apply: 3, time: 4, reply: true };
        let bytes = status.payload();
        assert_eq!(bytes.len(), 34);
        assert_eq!(bytes.first(), Some(&b'r'));
        assert_eq!(bytes.last(), Some(&1));
    }
}
